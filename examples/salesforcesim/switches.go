package salesforcesim

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"
)

// Switches are the switches that make Salesforce misbehave. The zero value is Salesforce
// as it is known to behave; the names in JSON are those of the control API. A Count
// says how often a switch strikes: n the next n times, -1 every time.
type Switches struct {
	// Everywhere.
	Down       bool   `json:"down"`        // every endpoint answers 503 with an HTML page
	RedirectTo string `json:"redirect_to"` // token endpoint and gateway answer 307 to this URL

	// Apps and sign-in.
	AppNotPropagated      bool `json:"app_not_propagated"`      // the app is so new that no host knows it: invalid_client_id
	AppDisabled           bool `json:"app_disabled"`            // an administrator disabled the apps: invalid_client_id, tokens refused
	CallbackNotPropagated bool `json:"callback_not_propagated"` // callbacks are so new that no host knows them: redirect_uri_mismatch
	IPRestricted          bool `json:"ip_restricted"`           // address outside the allowed ranges, at sign-in and at refresh
	MaxApprovals          int  `json:"max_approvals"`           // live approvals per user and app; 0 is Salesforce's five

	// Token endpoint.
	InvalidVerifier     Count    `json:"invalid_verifier"`      // a right code verifier is answered "invalid code verifier"
	NoRotation          bool     `json:"no_rotation"`           // refresh tokens stay as they are
	RefreshReuse        string   `json:"refresh_reuse"`         // a spent refresh token: plain (default) an error, or revoke_family
	ClientCredentials   bool     `json:"client_credentials"`    // the client_credentials grant is on
	AccessTokenLifetime Duration `json:"access_token_lifetime"` // of every new access token; 0 is the app's
	OpaqueTokens        bool     `json:"opaque_tokens"`         // JWT access tokens are off
	TokenErrors         Count    `json:"token_errors"`          // HTML error page instead of an answer; nothing happened
	TokenStatus         int      `json:"token_status"`          // its status; 0 is 503
	TokenRepliesLost    Count    `json:"token_replies_lost"`    // the token was issued or rotated, but the connection breaks
	TokenRefusal        string   `json:"token_refusal"`         // every request is refused so: an error code, or "code: description"
	TokenDelay          Duration `json:"token_delay"`           // before the request is looked at
	RevokeDown          bool     `json:"revoke_down"`           // the revocation endpoint answers 503

	// Access tokens and keys. HostileToken spoils new access tokens: alg_none,
	// hs256_public_key, bad_signature, unknown_kid, wrong_iss, wrong_aud,
	// wrong_client_id, wrong_tty, missing_scope, wider_scope, other_org, other_user,
	// expired, not_yet_valid, no_exp, and wrong_instance_url, which spoils the answer around it.
	HostileToken  string `json:"hostile_token"`
	KeysDown      bool   `json:"keys_down"`      // /id/keys answers 503
	RevocationLag bool   `json:"revocation_lag"` // a revoked access token works at the gateway until it expires

	// Discovery documents.
	AdvertiseS256         bool `json:"advertise_s256"`          // openid-configuration lists S256; off, ChatGPT refuses Salesforce
	AuthorizeWithoutQuery bool `json:"authorize_without_query"` // authorization_endpoint does not end in ?prompt=select_account
	ResourceMetadata404   bool `json:"resource_metadata_404"`   // no protected-resource metadata
	ServerMetadata404     bool `json:"server_metadata_404"`     // no authorization-server metadata at the gateway
	ResourceNamesItself   bool `json:"resource_names_itself"`   // the gateway names itself as authorization server

	// Gateway: what nobody has confirmed.
	AuthenticateHeader      bool `json:"authenticate_header"`       // 401 of the gateway carries WWW-Authenticate
	DeleteAccepted          bool `json:"delete_accepted"`           // DELETE ends the session with 200 instead of 405
	InactiveServer405       bool `json:"inactive_server_405"`       // an inactive server answers 405 instead of 404
	LenientPaths            bool `json:"lenient_paths"`             // doubled or encoded slashes and other case reach the same server
	UnknownToolIsError      bool `json:"unknown_tool_is_error"`     // an unknown tool is a tool result, not -32602
	ListBeforeInitialized   bool `json:"list_before_initialized"`   // tools/list works before notifications/initialized
	DuplicateSessionHeaders bool `json:"duplicate_session_headers"` // initialize answers two Mcp-Session-Id headers, the first is right

	// Gateway: sessions and limits.
	SessionDeath      string   `json:"session_death"`       // answer to an expired session: 400 (default), 404 or is_error
	NotInitialized    Count    `json:"not_initialized"`     // 404 "not initialized" although the session lives
	InitializeDelay   Duration `json:"initialize_delay"`    // 17 to 45 s were seen
	DailyLimitReached bool     `json:"daily_limit_reached"` // the org's API calls of the day are used up
	LimitSignal       string   `json:"limit_signal"`        // how that is said: is_error (default), 403 or 429

	// Gateway: transport. Those that are Counts strike requests whose JSON-RPC method is Method.
	Framing               string   `json:"framing"`                // json (default), sse, keepalive (sse, comments first) or random
	Method                string   `json:"method"`                 // "" is tools/call, * is every request
	EmptyAnswers          Count    `json:"empty_answers"`          // 200 without a body
	TruncatedStreams      Count    `json:"truncated_streams"`      // an event stream that ends inside its message
	DroppedConnections    Count    `json:"dropped_connections"`    // the connection breaks without an answer
	HTMLErrors            Count    `json:"html_errors"`            // an HTML error page
	HTMLStatus            int      `json:"html_status"`            // its status; 0 is 502
	BeforeEffect          bool     `json:"before_effect"`          // these four strike before the tool ran; otherwise after it
	WrongAnswerIDs        Count    `json:"wrong_answer_ids"`       // the answer carries another request's id
	AnswerDelay           Duration `json:"answer_delay"`           // tools/call: the tool ran, its answer comes late
	AnswersHeld           bool     `json:"answers_held"`           // tools/call: the tool ran, its answer comes once this is off again
	ProgressNotifications int      `json:"progress_notifications"` // that many in the stream before the answer of tools/call (streams only)
	ServerRequest         string   `json:"server_request"`         // a request of this method to the client before the answer (streams only)

	// Tools.
	Dialect                string `json:"dialect"`                  // names of parameters: live (default), docs or both
	Annotations            string `json:"annotations"`              // accurate (default), absent or lying
	Drift                  string `json:"drift"`                    // lists have changed: add, remove, rename or describe
	APIAccessControl       bool   `json:"api_access_control"`       // soqlQuery, find, getRelatedRecords: UNKNOWN_EXCEPTION
	UnexpectedErrors       Count  `json:"unexpected_errors"`        // "Unexpected error while invoking tool NAME"; nothing was done
	UpdateAlwaysUnexpected bool   `json:"update_always_unexpected"` // so does every update, while creates work
	BigAnswer              bool   `json:"big_answer"`               // answers of about 2 MB
	MalformedTool          string `json:"malformed_tool"`           // the tool of this name answers something that is no tool result
}

// Count is how often a switch strikes: 0 never, n the next n times, -1 every time.
type Count int

// Duration is a time.Duration that is written "45s" in JSON.
type Duration time.Duration

// MarshalText writes the duration as Go does.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads a Go duration.
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	*d = Duration(parsed)
	return err
}

var hostileTokens = []string{"alg_none", "hs256_public_key", "bad_signature", "unknown_kid", "wrong_iss", "wrong_aud",
	"wrong_client_id", "wrong_tty", "missing_scope", "wider_scope", "other_org", "other_user", "expired", "not_yet_valid", "no_exp",
	"wrong_instance_url"}

// Validate reports every switch that is set to something unknown.
func (f Switches) Validate() error {
	var problems []error
	oneOf := func(name, value string, known ...string) {
		if value != "" && !slices.Contains(known, value) {
			problems = append(problems, fmt.Errorf("%s %q: want one of %q", name, value, known))
		}
	}
	oneOf("refresh_reuse", f.RefreshReuse, "plain", "revoke_family")
	oneOf("hostile_token", f.HostileToken, hostileTokens...)
	oneOf("session_death", f.SessionDeath, "400", "404", "is_error")
	oneOf("limit_signal", f.LimitSignal, "is_error", "403", "429")
	oneOf("framing", f.Framing, "json", "sse", "keepalive", "random")
	oneOf("dialect", f.Dialect, "live", "docs", "both")
	oneOf("annotations", f.Annotations, "accurate", "absent", "lying")
	oneOf("drift", f.Drift, "add", "remove", "rename", "describe")
	for name, status := range map[string]int{"token_status": f.TokenStatus, "html_status": f.HTMLStatus} {
		if status != 0 && (status < 200 || status > 599) {
			problems = append(problems, fmt.Errorf("%s %d: want an HTTP status", name, status))
		}
	}
	for name, n := range map[string]int{"max_approvals": f.MaxApprovals, "progress_notifications": f.ProgressNotifications} {
		if n < 0 {
			problems = append(problems, fmt.Errorf("%s %d: want 0 or more", name, n))
		}
	}
	return errors.Join(problems...)
}

// Switches are the switches as they are now; a Count has what is left of it.
func (s *Sim) Switches() Switches {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.switches
}

// SetSwitches replaces every switch.
func (s *Sim) SetSwitches(f Switches) error {
	return s.ChangeSwitches(func(old *Switches) { *old = f })
}

// ChangeSwitches changes some switches and leaves the others.
func (s *Sim) ChangeSwitches(change func(*Switches)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	changed := s.switches
	change(&changed)
	if err := changed.Validate(); err != nil {
		return fmt.Errorf("changing switches: %w", err)
	}
	s.switches = changed
	close(s.switched)
	s.switched = make(chan struct{})
	return nil
}

// released waits until answers are not held any more and calls pulse after each beat. It
// reports false when the client is gone before.
func (s *Sim) released(r *http.Request, beat time.Duration, pulse func()) bool {
	for {
		s.mu.Lock()
		held, switched := s.switches.AnswersHeld, s.switched
		s.mu.Unlock()
		if !held {
			return true
		}
		select {
		case <-switched:
		case <-time.After(beat):
			pulse()
		case <-r.Context().Done():
			return false
		}
	}
}

// strikes says whether a counted switch strikes now, and counts it.
func (s *Sim) strikes(which func(*Switches) *Count) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	count := which(&s.switches)
	if *count > 0 {
		*count--
		return true
	}
	return *count < 0
}

// wait is a slow Salesforce. It reports false when the client is gone before.
func wait(r *http.Request, d Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(time.Duration(d))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.Context().Done():
		return false
	}
}

func htmlError(w http.ResponseWriter, status int) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	fmt.Fprintf(w, "<html><head><title>%d</title></head><body><h1>%d %s</h1><p>We are down for maintenance. (Simulated Salesforce)</p></body></html>\n",
		status, status, http.StatusText(status))
}
