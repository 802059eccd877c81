package salesforcesim

import (
	"context"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"sfmcp-proxy/examples/salesforcesim/records"

	"github.com/google/go-cmp/cmp"
)

func TestConfigFaults(t *testing.T) {
	t.Parallel()
	user := User{ID: RepID, Username: "a@b.example"}
	for name, test := range map[string]struct {
		cfg  Config
		want string
	}{
		"no base URL":    {Config{}, "base URL"},
		"trailing slash": {Config{BaseURL: "http://x/"}, "base URL"},
		"org id":         {Config{BaseURL: "http://x", Orgs: []Org{{Name: "a", ID: "00Dxx0000001gPFEAX"}}}, "checksum"},
		"org kind":       {Config{BaseURL: "http://x", Orgs: []Org{{Name: "a", ID: OrgID, Kind: "test"}}}, "kind"},
		"org name":       {Config{BaseURL: "http://x", Orgs: []Org{{Name: "A/b", ID: OrgID}}}, "org name"},
		"same org twice": {Config{BaseURL: "http://x", Orgs: []Org{{Name: "a", ID: OrgID}, {Name: "a", ID: OrgID}}}, "named twice"},
		"user id":        {Config{BaseURL: "http://x", Users: []User{{ID: "005xx000001Sv6AAAA", Username: "a"}}}, "checksum"},
		"same username":  {Config{BaseURL: "http://x", Users: []User{user, user}}, "named twice"},
		"server":         {Config{BaseURL: "http://x", ActiveServers: []string{"platform/none"}}, "no such hosted server"},
	} {
		if _, err := New(test.cfg); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestIDs(t *testing.T) {
	t.Parallel()
	// The first is Salesforce's well-known example org id.
	for _, id := range []string{OrgID, RepID, ManagerID} {
		if !records.ValidID(id, id[:3]) {
			t.Errorf("%s is not valid", id)
		}
	}
	for _, id := range []string{"", OrgID[:15], "00Dxx0000001gPfEAY", "00dxx0000001gPFEAY"} {
		if records.ValidID(id, "00D") {
			t.Errorf("%s is valid", id)
		}
	}
}

// TestSeed: one seed, one sequence of ids; another seed, another one.
func TestSeed(t *testing.T) {
	t.Parallel()
	first := func(seed uint64) string {
		s := start(t, Config{Seed: seed, Now: newClock().Now})
		_, refresh := issueTokens(t, s)
		return refresh
	}
	if a, b := first(1), first(1); a != b {
		t.Errorf("%s and %s", a, b)
	}
	if first(1) == first(2) {
		t.Error("different seeds, same token")
	}
	if a, b := first(0), first(0); a == b {
		t.Errorf("no seed, the same token twice: %s", a)
	}
}

// TestStateFile: logins, tokens, keys and approvals survive a restart, MCP sessions do not.
func TestStateFile(t *testing.T) {
	t.Parallel()
	cfg := Config{BaseURL: "http://sim.example", StateFile: filepath.Join(t.TempDir(), "state.json"), Callbacks: []string{testCallback}}
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	access, refresh, err := s.IssueTokens(RepUsername, PublicClientID)
	if err != nil {
		t.Fatal(err)
	}
	s.FreezeUser(ManagerUsername, true)
	s.SetServer("", "platform/sobject-all", false, true)
	kid := s.RotateKeys("")

	again, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := again.gateway.bearer(access); err != nil {
		t.Error("the access token is forgotten")
	}
	if again.keys.signer(again.orgs[0]).ID != kid {
		t.Error("another key signs")
	}
	if diff := cmp.Diff(s.RefreshTokens(GrantFilter{}), again.RefreshTokens(GrantFilter{})); diff != "" {
		t.Error(diff)
	}
	if users := again.Users(""); !users[1].Frozen || users[0].Frozen {
		t.Errorf("%+v", users)
	}
	if again.gateway.activeServer(again.orgs[0], "platform/sobject-all") != "" || again.gateway.activeServer(again.orgs[0], "platform/sobject-reads") == "" {
		t.Error("activation is forgotten")
	}
	server := httptest.NewServer(again.Handler())
	defer server.Close()
	if got := postForm(t, server.URL+"/services/oauth2/token", refreshForm(refresh)); got.status != 200 {
		t.Errorf("refresh after a restart: %s", got.body)
	}
}

func TestBadStateFile(t *testing.T) {
	t.Parallel()
	if _, err := New(Config{BaseURL: "http://x", StateFile: t.TempDir()}); err == nil {
		t.Error("a directory as state file is accepted")
	}
}

// TestParallelRefresh: of many who present one refresh token, exactly one gets an answer.
func TestParallelRefresh(t *testing.T) {
	t.Parallel()
	s := start(t, Config{})
	_, refresh := issueTokens(t, s)
	var mu sync.Mutex
	statuses := map[int]int{}
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			got := postForm(t, s.tokenURL(), refreshForm(refresh))
			mu.Lock()
			defer mu.Unlock()
			statuses[got.status]++
		})
	}
	wg.Wait()
	if diff := cmp.Diff(map[int]int{200: 1, 400: 19}, statuses); diff != "" {
		t.Error(diff)
	}
}

// TestResetWhileBusy is for the race detector.
func TestResetWhileBusy(t *testing.T) {
	t.Parallel()
	s := start(t, Config{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 5 {
				access, _, err := s.IssueTokens(ManagerUsername, PublicClientID)
				if err != nil {
					t.Error(err)
				}
				c := &mcpClient{t: t, url: s.ServerURL("", "platform/sobject-all"), token: access}
				c.session = c.post(`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}`).header.Get("Mcp-Session-Id")
				c.post(callUserInfo)
				s.Records("", "Account")
				s.Requests(RequestFilter{})
			}
		})
	}
	for range 5 {
		s.Reset()
	}
	wg.Wait()
}

func TestListenAndWait(t *testing.T) {
	t.Parallel()
	s, err := Listen(Config{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(Config{Listen: strings.TrimPrefix(s.BaseURL(), "http://")}); err == nil {
		t.Error("two on one address")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Wait(ctx); err != nil {
		t.Error(err)
	}
	if _, err := http.Get(s.BaseURL()); err == nil {
		t.Error("still answering")
	}
}
