package salesforcesim

import (
	"cmp"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// maxApprovals is how many approvals of one user for one app Salesforce keeps; a
// further one ends the oldest without a word.
const maxApprovals = 5

// Grant is one approval of one user for one app, as an administrator sees it.
type Grant struct {
	ID        string    `json:"id"`
	Org       string    `json:"org"`
	UserID    string    `json:"user_id"`
	Username  string    `json:"username"`
	ClientID  string    `json:"client_id"`
	Scope     string    `json:"scope"`
	CreatedAt time.Time `json:"created_at"`
	// LastUsedAt is when the last token was issued from it.
	LastUsedAt time.Time `json:"last_used_at"`
	RevokedAt  time.Time `json:"revoked_at,omitzero"`
	Why        string    `json:"why,omitempty"` // why it was revoked
}

// GrantFilter chooses grants; an empty field chooses all.
type GrantFilter struct {
	Grant    string `json:"grant"`
	Username string `json:"username"`
	ClientID string `json:"client_id"`
}

// RefreshToken is the state of one refresh token.
type RefreshToken struct {
	SHA256   string    `json:"sha256"` // of the token, in hexadecimal digits
	Grant    string    `json:"grant"`
	Username string    `json:"username"`
	ClientID string    `json:"client_id"`
	State    string    `json:"state"` // live, rotated or revoked
	Why      string    `json:"why,omitempty"`
	IssuedAt time.Time `json:"issued_at"`
	Reused   int       `json:"reused"` // how often it was presented after it was rotated
}

// Grants are the grants in the order of their making.
func (s *Sim) Grants(f GrantFilter) []Grant {
	s.mu.Lock()
	defer s.mu.Unlock()
	grants := []Grant{}
	for _, g := range s.chosen(f) {
		grants = append(grants, Grant{ID: g.ID, Org: g.Org, UserID: g.UserID, Username: s.usernameOf(g), ClientID: g.ClientID,
			Scope: g.Scope, CreatedAt: g.CreatedAt, LastUsedAt: g.LastUsedAt, RevokedAt: g.RevokedAt, Why: g.Why})
	}
	return grants
}

// RefreshTokens are all refresh tokens in the order of their making.
func (s *Sim) RefreshTokens(f GrantFilter) []RefreshToken {
	s.mu.Lock()
	defer s.mu.Unlock()
	tokens := []RefreshToken{}
	chosen := map[string]bool{}
	for _, g := range s.chosen(f) {
		chosen[g.ID] = true
	}
	bySequence := func(a, b *refreshToken) int { return cmp.Compare(a.Sequence, b.Sequence) }
	for _, t := range sortedValues(s.state.RefreshTokens, bySequence) {
		g := s.state.Grants[t.Grant]
		if !chosen[g.ID] {
			continue
		}
		view := RefreshToken{SHA256: hash(t.Token), Grant: g.ID, Username: s.usernameOf(g), ClientID: g.ClientID, State: "live",
			IssuedAt: t.IssuedAt, Reused: t.Reused}
		if !g.RevokedAt.IsZero() {
			view.State, view.Why = "revoked", g.Why
		}
		if !t.RotatedAt.IsZero() {
			view.State, view.Why = "rotated", ""
		}
		tokens = append(tokens, view)
	}
	return tokens
}

// RevokeGrants ends the live grants that f chooses, as an administrator would in Setup,
// and returns how many it ended.
func (s *Sim) RevokeGrants(f GrantFilter) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	ended := 0
	for _, g := range s.chosen(f) {
		if g.RevokedAt.IsZero() {
			s.endGrant(g, "revoked by an administrator")
			ended++
		}
	}
	s.save()
	return ended
}

// IssueTokens makes a grant and its tokens as though the user had just signed in with
// the app, without a browser. The error says that user or app does not exist or that
// they are not of one org.
func (s *Sim) IssueTokens(username, clientID string) (accessToken, refreshToken string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o, app := s.app(clientID)
	userOrg, user := s.userNamed(username)
	if app == nil || user == nil || o != userOrg {
		return "", "", errors.New("issuing tokens: no such user and app in one org")
	}
	answer, err := s.issue(o, app, s.newGrant(o, app, user.ID, joinScopes(app.Scopes)), true)
	if err != nil {
		return "", "", fmt.Errorf("issuing tokens: %w", err)
	}
	return answer.AccessToken, answer.RefreshToken, nil
}

// chosen are the grants of a filter in the order of their making; the caller holds mu.
func (s *Sim) chosen(f GrantFilter) []*grant {
	var grants []*grant
	bySequence := func(a, b *grant) int { return cmp.Compare(a.Sequence, b.Sequence) }
	for _, g := range sortedValues(s.state.Grants, bySequence) {
		if (f.Grant == "" || f.Grant == g.ID) && (f.ClientID == "" || f.ClientID == g.ClientID) &&
			(f.Username == "" || f.Username == s.usernameOf(g)) {
			grants = append(grants, g)
		}
	}
	return grants
}

func (s *Sim) usernameOf(g *grant) string {
	if u := s.user(s.org(g.Org), g.UserID); u != nil {
		return u.Username
	}
	return ""
}

// newGrant makes a grant and ends the oldest one where the user has too many for the
// app; the caller holds mu.
func (s *Sim) newGrant(o *org, app *ECA, userID, scope string) *grant {
	most := cmp.Or(s.switches.MaxApprovals, maxApprovals)
	live := s.liveGrants(o.Name, userID, app.ClientID)
	for len(live) >= most {
		s.endGrant(live[0], "evicted by a newer approval")
		live = live[1:]
	}
	g := &grant{ID: s.random.uuid(), Org: o.Name, UserID: userID, ClientID: app.ClientID, Scope: scope, Sequence: s.next(),
		CreatedAt: s.now(), LastUsedAt: s.now()}
	s.state.Grants[g.ID] = g
	s.state.Approvals[approvalKey(o, userID, app)] = true
	return g
}

// liveGrants are the live grants of a user for an app, oldest first; the caller holds mu.
func (s *Sim) liveGrants(orgName, userID, clientID string) []*grant {
	var live []*grant
	for _, g := range s.chosen(GrantFilter{ClientID: clientID}) {
		if g.Org == orgName && g.UserID == userID && g.RevokedAt.IsZero() {
			live = append(live, g)
		}
	}
	return live
}

// endGrant revokes a grant with everything made from it. With the last grant of a user
// for an app goes the approval: the next sign-in shows the approval page again. The
// caller holds mu.
func (s *Sim) endGrant(g *grant, why string) {
	g.RevokedAt, g.Why = s.now(), why
	if len(s.liveGrants(g.Org, g.UserID, g.ClientID)) == 0 {
		delete(s.state.Approvals, g.Org+" "+g.UserID+" "+g.ClientID)
	}
}

func approvalKey(o *org, userID string, app *ECA) string {
	return o.Name + " " + userID + " " + app.ClientID
}

// revoked says whether an access token or its grant was revoked; the caller holds mu.
func (s *Sim) revoked(t *accessToken) bool {
	g := s.state.Grants[t.Grant]
	return !t.RevokedAt.IsZero() || g == nil || !g.RevokedAt.IsZero()
}

// next orders what happens in one instant; the caller holds mu.
func (s *Sim) next() int64 {
	s.state.Sequence++
	return s.state.Sequence
}

// tokenAnswer is the success answer of the token endpoint. There is no expires_in.
type tokenAnswer struct {
	AccessToken    string `json:"access_token"`
	RefreshToken   string `json:"refresh_token,omitempty"`
	Signature      string `json:"signature"`
	TokenFormat    string `json:"token_format"`
	Scope          string `json:"scope"`
	InstanceURL    string `json:"instance_url"`
	ID             string `json:"id"` // identity URL
	TokenType      string `json:"token_type"`
	IssuedAt       string `json:"issued_at"` // milliseconds
	APIInstanceURL string `json:"api_instance_url"`
}

// issue makes an access token of a grant, and a refresh token where one is wanted; the
// caller holds mu.
func (s *Sim) issue(o *org, app *ECA, g *grant, withRefreshToken bool) (*tokenAnswer, error) {
	now := s.now()
	s.forget(now)
	lifetime := cmp.Or(time.Duration(s.switches.AccessTokenLifetime), app.JWTLifetime)
	answer := &tokenAnswer{TokenFormat: "jwt", Scope: g.Scope, InstanceURL: o.base, ID: identityURL(o, g.UserID),
		TokenType: "Bearer", IssuedAt: strconv.FormatInt(now.UnixMilli(), 10), APIInstanceURL: s.cfg.BaseURL}
	answer.Signature = sign(app, answer.ID+answer.IssuedAt)
	if s.switches.HostileToken == "wrong_instance_url" {
		answer.InstanceURL = "https://attacker.my.salesforce.com"
	}

	token := &accessToken{ID: s.random.text(32), Grant: g.ID, IssuedAt: now, ExpiresAt: now.Add(lifetime)}
	var err error
	if s.opaque(app, g) {
		token.ID = o.ID[:15] + "!AQ" + s.random.text(60)
		answer.AccessToken, answer.TokenFormat = token.ID, "opaque"
	} else if answer.AccessToken, err = s.mint(o, g, token.ID, now, token.ExpiresAt); err != nil {
		return nil, err
	}
	s.state.AccessTokens[token.ID] = token
	if withRefreshToken && hasScope(g.Scope, "refresh_token") {
		fresh := &refreshToken{Token: "5Aep861" + s.random.text(48), Grant: g.ID, Sequence: s.next(), IssuedAt: now, LastUsedAt: now}
		s.state.RefreshTokens[fresh.Token] = fresh
		answer.RefreshToken = fresh.Token
	}
	g.LastUsedAt = now
	s.save()
	return answer, nil
}

// opaque says whether an access token comes out opaque. Asking for api does it,
// whatever the app's settings are.
func (s *Sim) opaque(app *ECA, g *grant) bool {
	return s.switches.OpaqueTokens || app.OpaqueTokens || hasScope(g.Scope, "api")
}

// forget drops codes and access tokens that ended long ago; the caller holds mu.
func (s *Sim) forget(now time.Time) {
	for id, t := range s.state.AccessTokens {
		if now.After(t.ExpiresAt.Add(time.Hour)) {
			delete(s.state.AccessTokens, id)
		}
	}
	for id, c := range s.state.Codes {
		if now.After(c.ExpiresAt.Add(time.Hour)) {
			delete(s.state.Codes, id)
		}
	}
}
