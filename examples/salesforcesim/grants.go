package salesforcesim

import (
	"cmp"
	"errors"
	"fmt"
	"time"
)

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
	for _, g := range s.grants.chosen(f) {
		grants = append(grants, Grant{ID: g.ID, Org: g.Org, UserID: g.UserID, Username: s.grants.usernameOf(g), ClientID: g.ClientID,
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
	for _, g := range s.grants.chosen(f) {
		chosen[g.ID] = true
	}
	bySequence := func(a, b *refreshToken) int { return cmp.Compare(a.Sequence, b.Sequence) }
	for _, t := range sortedValues(s.state.RefreshTokens, bySequence) {
		g := s.state.Grants[t.Grant]
		if !chosen[g.ID] {
			continue
		}
		view := RefreshToken{SHA256: hash(t.Token), Grant: g.ID, Username: s.grants.usernameOf(g), ClientID: g.ClientID, State: "live",
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
	for _, g := range s.grants.chosen(f) {
		if g.RevokedAt.IsZero() {
			s.grants.endGrant(g, "revoked by an administrator")
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
	answer, err := s.grants.issue(o, app, s.grants.newGrant(o, app, user.ID, joinScopes(app.Scopes)), true)
	if err != nil {
		return "", "", fmt.Errorf("issuing tokens: %w", err)
	}
	return answer.AccessToken, answer.RefreshToken, nil
}
