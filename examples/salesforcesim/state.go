package salesforcesim

import (
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"time"

	"sfmcp-proxy/examples/salesforcesim/records"
)

// state is everything that Salesforce remembers apart from records, which each org's
// dataset keeps. Sim.mu guards it.
type state struct {
	Keys          map[string][]signingKey           // by org name; the last one signs
	Grants        map[string]*grant                 // by id
	RefreshTokens map[string]*refreshToken          // by token
	AccessTokens  map[string]*accessToken           // by the JWT's sfi claim or the opaque token
	Codes         map[string]*code                  // by code
	Approvals     map[string]bool                   // by org, user and client id: Allow was clicked
	Logins        map[string]string                 // browser sessions: cookie value to "org user"
	Frozen        map[string]bool                   // by username
	Servers       map[string]map[string]serverState // by org name and server name
	Sequence      int64                             // orders grants and tokens of one instant

	Sessions map[string]*session `json:"-"` // MCP sessions die with the process
	Used     map[string]int      // API calls by org and day
}

// grant is one approval of one user for one app: what Salesforce lists as a connected
// app of that user.
type grant struct {
	ID, Org, UserID, ClientID, Scope string
	Sequence                         int64
	CreatedAt, LastUsedAt, RevokedAt time.Time
	Why                              string // why it was revoked
}

// refreshToken is one refresh token, kept after its end so that the control API can say
// what became of it.
type refreshToken struct {
	Token, Grant         string
	Sequence             int64
	IssuedAt, LastUsedAt time.Time
	RotatedAt            time.Time // spent: another one took its place
	Reused               int       // how often it was presented after that
}

// accessToken is one access token that the gateway may meet again.
type accessToken struct {
	ID, Grant string
	IssuedAt  time.Time
	ExpiresAt time.Time
	RevokedAt time.Time
}

// code is one authorization code.
type code struct {
	Org, UserID, ClientID, RedirectURI, Scope, Challenge string
	ExpiresAt                                            time.Time
	Spent                                                bool
}

// serverState is the activation of one hosted server (Tooling object McpServerAccess).
type serverState struct {
	Active    bool
	ChangedAt time.Time // zero: long ago
}

// newState is the state of an org in which nobody has signed in yet.
func newState(cfg Config, orgs []*org) state {
	st := state{
		Keys: map[string][]signingKey{}, Grants: map[string]*grant{}, RefreshTokens: map[string]*refreshToken{},
		AccessTokens: map[string]*accessToken{}, Codes: map[string]*code{}, Approvals: map[string]bool{},
		Logins: map[string]string{}, Frozen: map[string]bool{}, Servers: map[string]map[string]serverState{},
		Sessions: map[string]*session{}, Used: map[string]int{},
	}
	for _, o := range orgs {
		servers := map[string]serverState{}
		for _, name := range serverNames() {
			servers[name] = serverState{Active: slices.Contains(cfg.ActiveServers, name)}
		}
		st.Servers[o.Name] = servers
	}
	return st
}

// loadState reads Config.StateFile where there is one.
func (s *Sim) loadState() error {
	if s.cfg.StateFile == "" {
		return nil
	}
	content, err := os.ReadFile(s.cfg.StateFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading the simulator's state: %w", err)
	}
	loaded := newState(s.cfg, s.orgs)
	if err := json.Unmarshal(content, &loaded); err != nil {
		return fmt.Errorf("reading the simulator's state %s: %w", s.cfg.StateFile, err)
	}
	// Servers that the file does not know keep their activation.
	servers := newState(s.cfg, s.orgs).Servers
	for name := range servers {
		maps.Copy(servers[name], loaded.Servers[name])
	}
	loaded.Servers = servers
	for name, keys := range loaded.Keys {
		for i := range keys {
			if keys[i].private, err = x509.ParsePKCS1PrivateKey(keys[i].DER); err != nil {
				return fmt.Errorf("reading the simulator's state %s: key of %s: %w", s.cfg.StateFile, name, err)
			}
		}
	}
	s.state = loaded
	return nil
}

// save writes Config.StateFile, as a whole or not at all; the caller holds mu. Failure
// is logged, not answered: the simulator still works, it only forgets at the next
// restart.
func (s *Sim) save() {
	if s.cfg.StateFile == "" {
		return
	}
	content, err := json.Marshal(s.state)
	if err == nil {
		err = records.ReplaceFile(s.cfg.StateFile, content)
	}
	if err != nil {
		s.cfg.Log.Error("saving the simulator's state", "error", err)
	}
}
