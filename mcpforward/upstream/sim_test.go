package upstream

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"sfmcp-proxy/examples/salesforcesim"
	"sfmcp-proxy/mcpforward/jsonrpc"
)

// onSim returns a pool's target at a simulated Salesforce.
func onSim(t *testing.T) (*salesforcesim.Running, *Pool, Target) {
	t.Helper()
	sim, err := salesforcesim.Listen(salesforcesim.Config{Callbacks: []string{"https://proxy.example/oauth/callback"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sim.Close() })
	token := func() (string, error) {
		access, _, err := sim.IssueTokens(salesforcesim.RepUsername, salesforcesim.PublicClientID)
		return access, err
	}
	first, err := token()
	if err != nil {
		t.Fatal(err)
	}
	p := New(Config{Sleep: func(context.Context, time.Duration) error { return nil }})
	t.Cleanup(p.Close)
	return sim, p, Target{
		Org: "acme", Subject: "005", Server: "all", URL: sim.ServerURL("", "platform/sobject-all"), Timeout: plenty,
		Token:   func(context.Context) (string, error) { return first, nil },
		Refused: func(context.Context, string) (string, error) { return token() },
	}
}

// create asks for a new account and returns its response.
func create(t *testing.T, p *Pool, target Target, name string) (*jsonrpc.Message, error) {
	t.Helper()
	params := `{"name":"createSobjectRecord","arguments":{"sobject-name":"Account","body":{"Name":` + string(jsonrpc.Quote(name)) + `}}}`
	a, err := p.Call(t.Context(), target, jsonrpc.Request(jsontext.Value(`"c-1"`), "tools/call", jsontext.Value(params)), false)
	if err != nil {
		return nil, err
	}
	defer a.Close()
	return a.Next(t.Context())
}

// named counts the accounts of a name, whatever anyone may see.
func named(sim *salesforcesim.Running, name string) int {
	n := 0
	for _, r := range sim.Records("", "Account") {
		if r["Name"] == name {
			n++
		}
	}
	return n
}

// TestSimulatedWrites: whatever strikes, an account is made at most once, and an
// error that says that nothing happened is right.
func TestSimulatedWrites(t *testing.T) {
	t.Parallel()
	for i, tt := range []struct {
		faults salesforcesim.Switches
		want   wants
		made   int
	}{
		{salesforcesim.Switches{}, wants{}, 1},
		{salesforcesim.Switches{Framing: "sse"}, wants{}, 1},
		{salesforcesim.Switches{Framing: "keepalive", ProgressNotifications: 2, ServerRequest: "elicitation/create"}, wants{}, 1},
		{salesforcesim.Switches{DuplicateSessionHeaders: true}, wants{}, 1},
		{salesforcesim.Switches{NotInitialized: 1}, wants{}, 1},
		{salesforcesim.Switches{DroppedConnections: 1}, wants{Unavailable, true}, 1},
		{salesforcesim.Switches{DroppedConnections: 1, BeforeEffect: true}, wants{Unavailable, true}, 0},
		{salesforcesim.Switches{HTMLErrors: 1}, wants{Unavailable, true}, 1},
		{salesforcesim.Switches{EmptyAnswers: 1}, wants{Broken, true}, 1},
		{salesforcesim.Switches{TruncatedStreams: 1}, wants{Broken, true}, 1},
		{salesforcesim.Switches{WrongAnswerIDs: 1}, wants{Broken, true}, 1},
		{salesforcesim.Switches{DailyLimitReached: true, LimitSignal: "403"}, wants{Limited, false}, 0},
		{salesforcesim.Switches{DailyLimitReached: true, LimitSignal: "429"}, wants{Limited, false}, 0},
		{salesforcesim.Switches{Down: true}, wants{Unavailable, false}, 0}, // no session could be opened
	} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			sim, p, target := onSim(t)
			if err := sim.SetSwitches(tt.faults); err != nil {
				t.Fatal(err)
			}
			m, err := create(t, p, target, "Once Ltd")
			tt.want.check(t, m, err)
			if got := named(sim, "Once Ltd"); got != tt.made {
				t.Errorf("%d accounts were made, want %d", got, tt.made)
			}
		})
	}
}

func TestSimulatedSessionDeath(t *testing.T) {
	t.Parallel()
	for _, death := range []string{"400", "404", "is_error"} {
		t.Run(death, func(t *testing.T) {
			t.Parallel()
			sim, p, target := onSim(t)
			if err := sim.SetSwitches(salesforcesim.Switches{SessionDeath: death}); err != nil {
				t.Fatal(err)
			}
			m, err := create(t, p, target, "First Ltd")
			wants{}.check(t, m, err)
			sim.ExpireSessions()
			m, err = create(t, p, target, "Second Ltd")
			wants{}.check(t, m, err)
			if death == "is_error" { // it may have happened, so it is told, not healed
				if !strings.Contains(string(m.Result), "Unexpected error") {
					t.Errorf("result = %s", m.Result)
				}
				m, err = create(t, p, target, "Second Ltd")
				wants{}.check(t, m, err)
			}
			if a, b := named(sim, "First Ltd"), named(sim, "Second Ltd"); a != 1 || b != 1 {
				t.Errorf("%d and %d accounts were made, want 1 and 1", a, b)
			}
		})
	}
}

func TestSimulatedRevocationAndDeactivation(t *testing.T) {
	t.Parallel()
	sim, p, target := onSim(t)
	m, err := create(t, p, target, "A Ltd")
	wants{}.check(t, m, err)
	sim.RevokeGrants(salesforcesim.GrantFilter{})
	m, err = create(t, p, target, "B Ltd") // Refused gets a token of a new grant
	wants{}.check(t, m, err)
	sim.SetServer("", "platform/sobject-all", false, true)
	m, err = create(t, p, target, "C Ltd")
	wants{ServerInactive, false}.check(t, m, err)
}

// TestSimulatedClientFeatures: what the simulated Salesforce has of them.
func TestSimulatedClientFeatures(t *testing.T) {
	t.Parallel()
	sim, p, target := onSim(t)
	target.Client = ClientCapabilities{Elicitation: true, ElicitationURL: true, Sampling: true, SamplingTools: true, LogLevel: "info"}
	if err := sim.SetSwitches(salesforcesim.Switches{Framing: "keepalive", ServerRequest: "elicitation/create", ProgressNotifications: 1}); err != nil {
		t.Fatal(err)
	}
	capabilities, err := p.Capabilities(t.Context(), target) // of 2025-06-18, although 2025-11-25 was asked for
	if err != nil || string(capabilities) != `{"prompts":{},"tools":{}}` {
		t.Errorf("capabilities %s, %v", capabilities, err)
	}
	_, err = p.Listen(t.Context(), target)
	wants{NotOffered, false}.check(t, nil, err)
	params := `{"name":"getUserInfo","arguments":{}}`
	a, err := p.Call(t.Context(), target, jsonrpc.Request(jsontext.Value("1"), "tools/call", jsontext.Value(params)), true)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if m, err := a.Next(t.Context()); err != nil || m.Method != "notifications/message" {
		t.Fatalf("%+v, %v; want a log message", m, err)
	}
	if m, err := a.Next(t.Context()); err != nil || m.Method != "elicitation/create" {
		t.Fatalf("%+v, %v; want a request", m, err)
	}
	if err := a.Respond(t.Context(), yes(`"salesforce-1"`)); err != nil {
		t.Error(err)
	}
	if m, err := a.Next(t.Context()); err != nil || !m.IsResponse() {
		t.Errorf("%+v, %v; want the response", m, err)
	}
}

func TestSimulatedDrift(t *testing.T) {
	t.Parallel()
	sim, p, target := onSim(t)
	hash := func(tool string) string {
		t.Helper()
		l, err := p.List(t.Context(), target, "tools/list", 0)
		if err != nil {
			t.Fatal(err)
		}
		listed, _ := l.Named(tool)
		return listed.Digest
	}
	before := hash("soqlQuery")
	p.Forget("acme", "005")
	if again := hash("soqlQuery"); again != before {
		t.Error("the hash of an unchanged tool changed")
	}
	if err := sim.SetSwitches(salesforcesim.Switches{Drift: "describe"}); err != nil {
		t.Fatal(err)
	}
	p.Forget("acme", "005")
	if after := hash("soqlQuery"); after == before {
		t.Error("the description changed, the hash did not")
	}
}
