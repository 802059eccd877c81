package salesforcesim

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// codeLifetime is how long an authorization code may be redeemed.
const codeLifetime = 15 * time.Minute

// oauthError is an error answer of a token, revocation or introspection endpoint.
type oauthError struct {
	status      int
	Code        string `json:"error"`
	Description string `json:"error_description,omitempty"`
}

func (e *oauthError) Error() string { return e.Code + ": " + e.Description }

func badRequest(code, description string) *oauthError {
	return &oauthError{status: http.StatusBadRequest, Code: code, Description: description}
}

// errDeadToken is what Salesforce says of a refresh token that is revoked, spent,
// expired, evicted or unknown: a client cannot tell these apart.
func errDeadToken() *oauthError { return badRequest("invalid_grant", "expired access/refresh token") }

// serveToken is the token endpoint.
func (s *Sim) serveToken(w http.ResponseWriter, r *http.Request, o *org) {
	w.Header().Set("Cache-Control", "no-store")
	switches := s.Switches()
	if !wait(r, switches.TokenDelay) {
		return
	}
	if switches.RedirectTo != "" {
		http.Redirect(w, r, switches.RedirectTo, http.StatusTemporaryRedirect)
		return
	}
	if s.strikes(func(f *Switches) *Count { return &f.TokenErrors }) {
		htmlError(w, cmp.Or(switches.TokenStatus, http.StatusServiceUnavailable))
		return
	}
	answer, refusal := s.token(r, o)
	if s.strikes(func(f *Switches) *Count { return &f.TokenRepliesLost }) {
		panic(http.ErrAbortHandler) // what was done stays done, the client does not learn of it
	}
	if refusal != nil {
		writeJSON(w, refusal.status, refusal)
		return
	}
	writeJSON(w, http.StatusOK, answer)
}

func (s *Sim) token(r *http.Request, o *org) (*tokenAnswer, *oauthError) {
	if refusal := parseForm(r); refusal != nil {
		return nil, refusal
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	app, refusal := s.authenticateApp(r, o)
	if refusal != nil {
		return nil, refusal
	}
	if s.switches.TokenRefusal != "" {
		code, description, _ := strings.Cut(s.switches.TokenRefusal, ": ")
		return nil, badRequest(code, description)
	}
	var g *grant
	refresh := true
	switch r.PostForm.Get("grant_type") {
	case "authorization_code":
		g, refusal = s.redeem(o, app, r.PostForm)
	case "refresh_token":
		g, refresh, refusal = s.refresh(o, app, r.PostForm.Get("refresh_token"))
	case "client_credentials":
		g, refusal = s.runAs(o, app)
		refresh = false
	default:
		refusal = badRequest("unsupported_grant_type", "grant type not supported")
	}
	if refusal != nil {
		return nil, refusal
	}
	answer, err := s.issue(o, app, g, refresh)
	if err != nil {
		return nil, &oauthError{status: http.StatusInternalServerError, Code: "server_error", Description: err.Error()}
	}
	return answer, nil
}

// parseForm accepts a form in the body and nothing else. Parameters of the URL do not count.
func parseForm(r *http.Request) *oauthError {
	if r.Method != http.MethodPost {
		return badRequest("invalid_request", "must use HTTP POST")
	}
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != "application/x-www-form-urlencoded" {
		return badRequest("invalid_request", "must send a form")
	}
	if err := r.ParseForm(); err != nil {
		return badRequest("invalid_request", "malformed form")
	}
	return nil
}

// authenticateApp finds the app of a request and checks its secret, sent in the form or
// by HTTP Basic (RFC 6749 2.3.1); the caller holds mu.
func (s *Sim) authenticateApp(r *http.Request, o *org) (*ECA, *oauthError) {
	id, secret := r.PostForm.Get("client_id"), r.PostForm.Get("client_secret")
	if user, password, ok := r.BasicAuth(); ok {
		id, _ = url.QueryUnescape(user)
		secret, _ = url.QueryUnescape(password)
	}
	appOrg, app := s.app(id)
	if app == nil || s.switches.AppNotPropagated || s.switches.AppDisabled {
		return nil, badRequest("invalid_client_id", "client identifier invalid")
	}
	if appOrg != o {
		return nil, badRequest("invalid_grant", "request not supported on this domain")
	}
	if subtle.ConstantTimeCompare([]byte(secret), []byte(app.Secret)) != 1 {
		return nil, badRequest("invalid_client", "invalid client credentials")
	}
	return app, nil
}

// redeem turns an authorization code into a grant. A code is spent by the first request
// that knows it, even a wrong one. The caller holds mu.
func (s *Sim) redeem(o *org, app *ECA, form url.Values) (*grant, *oauthError) {
	c := s.state.Codes[form.Get("code")]
	switch {
	case c == nil || c.ClientID != app.ClientID || c.Org != o.Name:
		return nil, badRequest("invalid_grant", "invalid authorization code")
	case c.Spent || s.now().After(c.ExpiresAt):
		return nil, badRequest("invalid_grant", "expired authorization code")
	}
	c.Spent = true
	if form.Get("redirect_uri") != c.RedirectURI {
		return nil, badRequest("redirect_uri_mismatch", "redirect_uri must match configuration")
	}
	if s.switches.InvalidVerifier != 0 {
		s.switches.InvalidVerifier = max(s.switches.InvalidVerifier-1, -1)
		return nil, badRequest("invalid_grant", "invalid code verifier")
	}
	verifier := form.Get("code_verifier")
	sum := sha256.Sum256([]byte(verifier))
	// RFC 7636 4.1: 43 to 128 characters.
	if len(verifier) < 43 || len(verifier) > 128 || base64.RawURLEncoding.EncodeToString(sum[:]) != c.Challenge {
		return nil, badRequest("invalid_grant", "invalid code verifier")
	}
	if refusal := s.userRefusal(o, c.UserID); refusal != nil {
		return nil, refusal
	}
	return s.newGrant(o, app, c.UserID, c.Scope), nil
}

// refresh spends a refresh token. It returns the grant, and whether the answer carries
// a new refresh token; the caller holds mu.
func (s *Sim) refresh(o *org, app *ECA, presented string) (*grant, bool, *oauthError) {
	t := s.state.RefreshTokens[presented]
	if t == nil {
		return nil, false, errDeadToken()
	}
	g := s.state.Grants[t.Grant]
	now := s.now()
	if g.ClientID != app.ClientID || g.Org != o.Name {
		return nil, false, errDeadToken()
	}
	if !t.RotatedAt.IsZero() {
		t.Reused++
		if s.switches.RefreshReuse == "revoke_family" && g.RevokedAt.IsZero() {
			s.endGrant(g, "refresh token reused")
		}
		s.save()
		return nil, false, errDeadToken()
	}
	if !g.RevokedAt.IsZero() || now.After(g.CreatedAt.Add(app.RefreshMax)) ||
		(app.RefreshIdle > 0 && now.After(t.LastUsedAt.Add(app.RefreshIdle))) {
		return nil, false, errDeadToken()
	}
	if refusal := s.userRefusal(o, g.UserID); refusal != nil {
		return nil, false, refusal
	}
	t.LastUsedAt = now
	rotate := !app.NoRotation && !s.switches.NoRotation
	if rotate {
		t.RotatedAt = now
	}
	return g, rotate, nil
}

// runAs makes a grant of the client-credentials flow; the caller holds mu.
func (s *Sim) runAs(o *org, app *ECA) (*grant, *oauthError) {
	if !s.switches.ClientCredentials {
		return nil, badRequest("unsupported_grant_type", "grant type not supported")
	}
	userOrg, user := s.userNamed(app.RunAs)
	if app.Secret == "" || user == nil || userOrg != o {
		return nil, badRequest("invalid_grant", "no client credentials user enabled")
	}
	if refusal := s.userRefusal(o, user.ID); refusal != nil {
		return nil, refusal
	}
	return s.newGrant(o, app, user.ID, joinScopes(slices.DeleteFunc(slices.Clone(app.Scopes), func(scope string) bool {
		return scope == "refresh_token" || scope == "offline_access"
	}))), nil
}

// userRefusal says why a user gets no token; the caller holds mu.
func (s *Sim) userRefusal(o *org, userID string) *oauthError {
	if u := s.user(o, userID); u == nil || u.Frozen {
		return badRequest("inactive_user", "user is inactive")
	}
	if s.switches.IPRestricted {
		return badRequest("invalid_grant", "ip restricted")
	}
	return nil
}

// joinScopes writes scopes as Salesforce answers them: refresh_token first,
// offline_access by that name too, none twice.
func joinScopes(scopes []string) string {
	var known []string
	for _, scope := range scopes {
		if scope == "offline_access" {
			scope = "refresh_token"
		}
		switch {
		case slices.Contains(known, scope):
		case scope == "refresh_token":
			known = slices.Insert(known, 0, scope)
		default:
			known = append(known, scope)
		}
	}
	return strings.Join(known, " ")
}

func hasScope(scopes, scope string) bool { return slices.Contains(strings.Fields(scopes), scope) }

// sign is the signature member of a token answer: HMAC-SHA256 under the consumer secret.
func sign(app *ECA, text string) string {
	mac := hmac.New(sha256.New, []byte(app.ClientID+app.Secret))
	mac.Write([]byte(text))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(body)
}
