package salesforcesim

import (
	"cmp"
	"strconv"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// maxApprovals is how many approvals of one user for one app Salesforce keeps; a
// further one ends the oldest without a word.
const maxApprovals = 5

// grantStore makes, finds and ends the grants and tokens that the state holds. Who calls
// its methods holds Sim.mu.
type grantStore struct{ sim *Sim }

// chosen are the grants of a filter in the order of their making.
func (gs grantStore) chosen(f GrantFilter) []*grant {
	var grants []*grant
	bySequence := func(a, b *grant) int { return cmp.Compare(a.Sequence, b.Sequence) }
	for _, g := range sortedValues(gs.sim.state.Grants, bySequence) {
		if (f.Grant == "" || f.Grant == g.ID) && (f.ClientID == "" || f.ClientID == g.ClientID) &&
			(f.Username == "" || f.Username == gs.usernameOf(g)) {
			grants = append(grants, g)
		}
	}
	return grants
}

func (gs grantStore) usernameOf(g *grant) string {
	if u := gs.sim.user(gs.sim.org(g.Org), g.UserID); u != nil {
		return u.Username
	}
	return ""
}

// newGrant makes a grant and ends the oldest one where the user has too many for the
// app.
func (gs grantStore) newGrant(o *org, app *ECA, userID, scope string) *grant {
	most := cmp.Or(gs.sim.switches.MaxApprovals, maxApprovals)
	live := gs.liveGrants(o.Name, userID, app.ClientID)
	for len(live) >= most {
		gs.endGrant(live[0], "evicted by a newer approval")
		live = live[1:]
	}
	g := &grant{ID: gs.sim.random.uuid(), Org: o.Name, UserID: userID, ClientID: app.ClientID, Scope: scope, Sequence: gs.next(),
		CreatedAt: gs.sim.now(), LastUsedAt: gs.sim.now()}
	gs.sim.state.Grants[g.ID] = g
	gs.sim.state.Approvals[approvalKey(o, userID, app)] = true
	return g
}

// liveGrants are the live grants of a user for an app, oldest first.
func (gs grantStore) liveGrants(orgName, userID, clientID string) []*grant {
	var live []*grant
	for _, g := range gs.chosen(GrantFilter{ClientID: clientID}) {
		if g.Org == orgName && g.UserID == userID && g.RevokedAt.IsZero() {
			live = append(live, g)
		}
	}
	return live
}

// endGrant revokes a grant with everything made from it. With the last grant of a user
// for an app goes the approval: the next sign-in shows the approval page again.
func (gs grantStore) endGrant(g *grant, why string) {
	g.RevokedAt, g.Why = gs.sim.now(), why
	if len(gs.liveGrants(g.Org, g.UserID, g.ClientID)) == 0 {
		delete(gs.sim.state.Approvals, g.Org+" "+g.UserID+" "+g.ClientID)
	}
}

func approvalKey(o *org, userID string, app *ECA) string {
	return o.Name + " " + userID + " " + app.ClientID
}

// revoked says whether an access token or its grant was revoked.
func (gs grantStore) revoked(t *accessToken) bool {
	g := gs.sim.state.Grants[t.Grant]
	return !t.RevokedAt.IsZero() || g == nil || !g.RevokedAt.IsZero()
}

// next orders what happens in one instant.
func (gs grantStore) next() int64 {
	gs.sim.state.Sequence++
	return gs.sim.state.Sequence
}

// userRefusal says why a user gets no token.
func (gs grantStore) userRefusal(o *org, userID string) *oauthError {
	if u := gs.sim.user(o, userID); u == nil || u.Frozen {
		return badRequest("inactive_user", "user is inactive")
	}
	if gs.sim.switches.IPRestricted {
		return badRequest("invalid_grant", "ip restricted")
	}
	return nil
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

// issue makes an access token of a grant, and a refresh token where one is wanted.
func (gs grantStore) issue(o *org, app *ECA, g *grant, withRefreshToken bool) (*tokenAnswer, error) {
	now := gs.sim.now()
	gs.forget(now)
	lifetime := cmp.Or(time.Duration(gs.sim.switches.AccessTokenLifetime), app.JWTLifetime)
	answer := &tokenAnswer{TokenFormat: "jwt", Scope: g.Scope, InstanceURL: o.base, ID: identityURL(o, g.UserID),
		TokenType: "Bearer", IssuedAt: strconv.FormatInt(now.UnixMilli(), 10), APIInstanceURL: gs.sim.cfg.BaseURL}
	answer.Signature = sign(app, answer.ID+answer.IssuedAt)
	if gs.sim.switches.HostileToken == "wrong_instance_url" {
		answer.InstanceURL = "https://attacker.my.salesforce.com"
	}

	token := &accessToken{ID: gs.sim.random.text(32), Grant: g.ID, IssuedAt: now, ExpiresAt: now.Add(lifetime)}
	var err error
	if gs.opaque(app, g) {
		token.ID = o.ID[:15] + "!AQ" + gs.sim.random.text(60)
		answer.AccessToken, answer.TokenFormat = token.ID, "opaque"
	} else if answer.AccessToken, err = gs.mint(o, g, token.ID, now, token.ExpiresAt); err != nil {
		return nil, err
	}
	gs.sim.state.AccessTokens[token.ID] = token
	if withRefreshToken && hasScope(g.Scope, "refresh_token") {
		fresh := &refreshToken{Token: "5Aep861" + gs.sim.random.text(48), Grant: g.ID, Sequence: gs.next(), IssuedAt: now, LastUsedAt: now}
		gs.sim.state.RefreshTokens[fresh.Token] = fresh
		answer.RefreshToken = fresh.Token
	}
	g.LastUsedAt = now
	gs.sim.save()
	return answer, nil
}

// opaque says whether an access token comes out opaque. Asking for api does it,
// whatever the app's settings are.
func (gs grantStore) opaque(app *ECA, g *grant) bool {
	return gs.sim.switches.OpaqueTokens || app.OpaqueTokens || hasScope(g.Scope, "api")
}

// accessToken finds a token that was issued here, opaque or JWT.
func (gs grantStore) accessToken(token string) *accessToken {
	if t := gs.sim.state.AccessTokens[token]; t != nil && strings.HasPrefix(token, "00D") {
		return t
	}
	parsed, err := jwt.NewParser(jwt.WithValidMethods([]string{"RS256"}), jwt.WithoutClaimsValidation()).Parse(token, func(t *jwt.Token) (any, error) {
		kid, _ := t.Header["kid"].(string)
		_, key := gs.sim.keys.named(kid)
		if key == nil {
			return nil, errInvalidToken
		}
		return key, nil
	})
	if err != nil {
		return nil
	}
	id, _ := parsed.Claims.(jwt.MapClaims)["sfi"].(string)
	return gs.sim.state.AccessTokens[id]
}

// forget drops codes and access tokens that ended long ago, once there are twice as many as it left the last time.
func (gs grantStore) forget(now time.Time) {
	if len(gs.sim.state.AccessTokens)+len(gs.sim.state.Codes) < gs.sim.forgetAt {
		return
	}
	defer func() {
		gs.sim.forgetAt = max(1000, 2*(len(gs.sim.state.AccessTokens)+len(gs.sim.state.Codes)))
	}()
	for id, t := range gs.sim.state.AccessTokens {
		if now.After(t.ExpiresAt.Add(time.Hour)) {
			delete(gs.sim.state.AccessTokens, id)
		}
	}
	for id, c := range gs.sim.state.Codes {
		if now.After(c.ExpiresAt.Add(time.Hour)) {
			delete(gs.sim.state.Codes, id)
		}
	}
}
