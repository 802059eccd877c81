package salesforce

import (
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"time"
)

// Kind says what can be done about an [Error].
type Kind string

const (
	// Dead: the code or refresh token is gone for good; the person must sign in again.
	Dead Kind = "dead"
	// Transient: network, 5xx, 429; the same request may succeed later.
	Transient Kind = "transient"
	// Misconfigured: nobody can sign in until a setting changes; see Error.Hint.
	Misconfigured Kind = "misconfigured"
	// Refused: an answer arrived and did not pass verification; nothing of it is used.
	Refused Kind = "refused"
)

// Error is why a request to Salesforce's login host gave nothing to work with. Its
// text holds no secret: codes and descriptions of Salesforce pass [plainText], so
// that a token echoed by a hostile or helpful host does not reach a log.
type Error struct {
	Kind Kind
	// Code is Salesforce's error code (RFC 6749 section 5.2), or one of ours for what
	// never reached it: "network", "keys_unavailable", "wrong_org" and the like.
	Code string
	// Description is Salesforce's error_description, shortened and cleaned, or ours.
	Description string
	// Hint tells the operator which Setup page and setting to look at; may be empty.
	Hint string
	// Status of the HTTP answer, 0 if none arrived.
	Status int
	// Lost says that the request was sent and may have been carried out, but its
	// answer did not arrive whole. A rotating refresh token may be spent.
	Lost bool
	// RetryAfter is what the answer's Retry-After header asked for, at most
	// [MaxRetryAfter]; 0 if absent.
	RetryAfter time.Duration
	// Received is set by Refresh when an answer's access token was not accepted but a
	// new refresh token came with it. After Refused it must be revoked. After
	// Transient (keys unavailable) it replaces the spent one. Its AccessToken is empty.
	Received *Token

	cause error
}

// MaxRetryAfter bounds how long a Retry-After header can keep us away.
const MaxRetryAfter = 5 * time.Minute

// answerLost ends the text of an error with Lost.
const answerLost = ", answer lost"

// Error gives kind, code, description and status, never a token.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "salesforce: %s: %s", e.Kind, e.Code)
	if e.Description != "" {
		fmt.Fprintf(&b, " (%s)", e.Description)
	}
	if e.Status != 0 {
		fmt.Fprintf(&b, ", HTTP %d", e.Status)
	}
	if e.Lost {
		b.WriteString(answerLost)
	}
	return b.String()
}

// Unwrap gives the network or context error behind, if there is one.
func (e *Error) Unwrap() error { return e.cause }

// LogValue logs what [Error.Error] says, and the hint.
func (e *Error) LogValue() slog.Value {
	return slog.GroupValue(slog.String("error", e.Error()), slog.String("hint", e.Hint))
}

// Setup pages of Salesforce, as an operator finds them.
const (
	setupPolicies = "Setup > External Client App Manager > (the app) > Policies > OAuth Policies"
	setupSettings = "Setup > External Client App Manager > (the app) > Settings > OAuth Settings"
	signInAgain   = "the user signs in again"
	loginHistory  = "Setup > Login History"
	oauthUsage    = "Setup > OAuth Usage"
)

// known is one error of the token endpoint or the callback. An empty description
// stands for every other description of that code.
type known struct {
	code, description string
	kind              Kind
	hint              string
}

var knownErrors = []known{
	{"invalid_grant", "expired access/refresh token", Dead, signInAgain + "; if it happens often: " + setupPolicies + " > Refresh Token Policy, and " + oauthUsage + ": a user's sixth approval of an app ends the oldest"},
	{"invalid_grant", "expired authorization code", Dead, signInAgain + "; a code is good for 15 minutes and once, " + loginHistory + " shows the attempt"},
	{"invalid_grant", "invalid authorization code", Dead, signInAgain + "; a code is good for 15 minutes and once, " + loginHistory + " shows the attempt"},
	{"invalid_grant", "invalid code verifier", Dead, signInAgain + "; a new External Client App needs up to 30 minutes until it works; " + setupSettings + " > Security: Require Proof Key for Code Exchange (PKCE)"},
	{"invalid_grant", "ip restricted", Dead, setupPolicies + " > IP Relaxation, or Setup > Network Access: allow the address from which this proxy leaves; then " + signInAgain},
	{"invalid_grant", "user hasn't approved this consumer", Dead, setupPolicies + " > Permitted Users: give the user the permission set that pre-authorizes the app"},
	{"invalid_grant", "authentication failure", Dead, loginHistory + " tells why; then " + signInAgain},
	{"invalid_grant", "request not supported on this domain", Misconfigured, "login_url: use the org's own URL from Setup > My Domain > Current My Domain URL"},
	{"invalid_grant", "no client credentials user enabled", Misconfigured, setupSettings + " > Flow Enablement: the authorization code flow must be enabled"},
	{"invalid_grant", "login rate exceeded", Transient, loginHistory + ": too many sign-ins of one user in an hour"},
	{"invalid_grant", "token request is already being processed", Transient, "nothing to change: two requests met, and the next one comes by itself"},
	{"invalid_grant", "", Dead, signInAgain + "; " + loginHistory + " tells more"},
	{"inactive_user", "", Dead, "Setup > Users > (the user): the user is frozen or inactive; Unfreeze or Active, then " + signInAgain},
	{"inactive_org", "", Dead, "the org is locked or gone: Setup > Company Information"},
	{"access_denied", "", Dead, "the user pressed Deny at Salesforce, or " + setupPolicies + " > Permitted Users does not include the user"},
	{"OAUTH_APPROVAL_ERROR_GENERIC", "", Dead, setupPolicies + " > Permitted Users and IP Relaxation; a classic connected app is refused, it must be an External Client App"},
	{"OAUTH_APP_BLOCKED", "", Dead, oauthUsage + ": the app is blocked, unblock it"},
	{"invalid_client_id", "", Misconfigured, "client_id: copy it from " + setupSettings + " > Consumer Key and Secret; a new app needs up to 30 minutes until it works, and login_url must be the org that has the app"},
	{"invalid_client", "", Misconfigured, "client_secret_file: compare with " + setupSettings + " > Consumer Key and Secret; a public client needs Require Secret for Web Server Flow and for Refresh Token Flow switched off"},
	{"redirect_uri_mismatch", "", Misconfigured, setupSettings + " > Callback URL: add this proxy's /oauth/callback URL byte for byte; a change needs about 10 minutes"},
	{"invalid_scope", "", Misconfigured, setupSettings + " > OAuth Scopes: Access Salesforce hosted MCP servers (mcp_api) and Perform requests at any time (refresh_token)"},
	{"unsupported_scope", "", Misconfigured, setupSettings + " > OAuth Scopes: Access Salesforce hosted MCP servers (mcp_api) and Perform requests at any time (refresh_token)"},
	{"unsupported_grant_type", "", Misconfigured, setupSettings + " > Flow Enablement: the authorization code flow must be enabled"},
	{"unsupported_response_type", "", Misconfigured, setupSettings + " > Flow Enablement: the authorization code flow must be enabled"},
	{"invalid_request", "", Misconfigured, setupSettings + " > Security: Require Proof Key for Code Exchange (PKCE)"},
	{"unauthorized_client", "", Misconfigured, setupSettings + " > Flow Enablement: the authorization code flow must be enabled"},
	{"server_error", "", Transient, hintStatus},
	{"temporarily_unavailable", "", Transient, hintStatus},
	{"server_unavailable", "", Transient, hintStatus},
	{"unknown_error", "", Transient, hintStatus},
}

// ErrorFor classifies an error that Salesforce named: in a token answer, or in the
// query with which it sent a person back to the callback. An unknown code is
// Misconfigured: nothing shows that waiting or signing in again would help.
func ErrorFor(code, description string) *Error {
	e := &Error{Kind: Misconfigured, Code: plainCode(code), Description: plainText(description)}
	for _, k := range knownErrors {
		if k.code == e.Code && (k.description == "" || strings.HasPrefix(strings.ToLower(e.Description), k.description)) {
			e.Kind, e.Hint = k.kind, k.hint
			break
		}
	}
	return e
}

var (
	// No digits: every code of Salesforce does without, hardly a token does.
	errorCode = regexp.MustCompile(`^[A-Za-z_]{1,40}$`)
	textRunes = regexp.MustCompile(`[^A-Za-z0-9 '/_.,:()-]+`)
	longWord  = regexp.MustCompile(`[A-Za-z0-9_./:-]{25,}`)
)

func plainCode(code string) string {
	if !errorCode.MatchString(code) {
		return "unknown"
	}
	return code
}

// plainText keeps what a person can read of foreign text: no markup, nothing as long
// as a token, at most 120 characters.
func plainText(s string) string {
	if len(s) > 1000 {
		s = s[:1000]
	}
	s = longWord.ReplaceAllString(textRunes.ReplaceAllString(s, " "), "…")
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > 120 {
		s = string(r[:120])
	}
	return s
}

func refused(code, description, hint string) *Error {
	return &Error{Kind: Refused, Code: code, Description: description, Hint: hint}
}

// asError makes an [*Error] of what came back from the OAuth library or an
// [http.Client]. What is not one already, the library found missing in a whole answer.
func asError(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return &Error{Kind: Transient, Code: malformedAnswer, Description: "answer holds no access token", cause: err}
}
