package api

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/gorilla/mux"

	"sfmcp-proxy/authproxy"
	"sfmcp-proxy/authproxy/access"
	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/apitoken"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/client"
	"sfmcp-proxy/authproxy/db/dbtest"
	"sfmcp-proxy/authproxy/definition"
	"sfmcp-proxy/authproxy/grant"
	"sfmcp-proxy/authproxy/oversight"
	"sfmcp-proxy/authproxy/policy"
)

// newActing is an API that can stop, and decide about one tool.
func newActing(t *testing.T) *API {
	t.Helper()
	url := dbtest.URL(t)
	d, ring := dbtest.OpenURL(t, url), dbtest.Ring(t, url)
	must := func(err error) {
		if err != nil {
			t.Helper()
			t.Fatal(err)
		}
	}
	log, err := audit.New(audit.Config{Dir: t.TempDir(), Name: "proxy.example", DB: d, Ring: ring, Log: slog.New(slog.DiscardHandler)})
	must(err)
	t.Cleanup(func() { must(log.Close(context.Background())) })
	clients, err := client.New(client.Config{DB: d, PublicURL: "https://proxy.example"})
	must(err)
	grants, err := grant.New(grant.Config{DB: d, Ring: ring, Clients: clients,
		Lifetimes: grant.Lifetimes{Code: time.Minute, AccessToken: time.Minute, RefreshIdle: time.Hour, RefreshAbsolute: time.Hour, Consent: time.Minute}})
	must(err)
	control, err := access.New(access.Config{DB: d, Grants: grants, PublicURL: "https://proxy.example",
		Orgs: []access.Org{{Name: "acme", LoginURL: "https://acme.my.salesforce.com"}}, Servers: []access.Server{{Name: "sales", Org: "acme", URL: "https://api.salesforce.com/platform/mcp/v1/platform/sobject-all", Policy: &policy.Policy{Name: "sales"}}}})
	must(err)
	definitions, err := definition.New(definition.Config{DB: d})
	must(err)
	text := jsontext.Value(`{"name":"find"}`)
	s := control.Server("sales")
	_, _, err = definitions.Begin(t.Context(), definition.Server{Org: s.Org, URL: s.URL}, definition.Tool, []definition.Definition{{Kind: definition.Tool, Name: "find", Text: text, Digest: definition.Digest(text)}})
	must(err)
	return &API{Config: Config{Reads: &oversight.Reader{Config: oversight.Config{Access: control, Definitions: definitions, Audit: log, Grants: grants}}, Log: slog.New(slog.DiscardHandler),
		Cutoff: &authproxy.Cutoff{Access: control, Grants: grants, Audit: log}, Definitions: &authproxy.Definitions{Store: definitions, Audit: log}}}
}

// asks is a request of a token for what a route is about.
func asks(ctx context.Context, route Route, variables map[string]string) *call {
	r := mux.SetURLVars(httptest.NewRequestWithContext(ctx, route.Method, "/console/api/v1/x", nil), variables)
	return &call{Request: r, token: &apitoken.Token{ID: "apt_1", Name: "siem", CreatedBy: actor.Operator("root", "")}}
}

// An act that is done is told as done whenever the caller goes, also while what it came to is read: the answer is kept for the
// request that comes again. Every route is tried that changes what a program has seen.
func TestActsAreToldAsDoneWhateverIsReadAfterwards(t *testing.T) {
	t.Parallel()
	a := newActing(t)
	stands := func() access.Stop { m, _ := a.Reads.Access.StopMode(t.Context()); return m }
	state := func() string {
		of, _, err := a.Reads.DefinitionsOf(t.Context(), "sales", "find")
		if err != nil {
			t.Fatal(err)
		}
		return string(of[0].State)
	}
	tries := map[string]struct {
		in   func(n int) any
		done func(n int) bool
	}{
		"setStop": {func(n int) any {
			return &Stop{Position: [2]access.Stop{access.StopAll, access.StopOff}[n%2], Reason: "x"}
		},
			func(n int) bool { return stands() == [2]access.Stop{access.StopAll, access.StopOff}[n%2] }},
		"decideTool": {func(n int) any {
			of, _, _ := a.Reads.DefinitionsOf(t.Context(), "sales", "find")
			return &Decision{Digest: of[0].Digest, Decision: [2]string{"reject", "accept"}[n%2]}
		}, func(n int) bool { return state() == [2]string{"rejected", "accepted"}[n%2] }},
	}
	for _, route := range Routes() {
		if route.edits == nil {
			continue
		}
		try, ok := tries[route.Name]
		if !ok {
			t.Errorf("%s is not tried", route.Name)
			continue
		}
		delete(tries, route.Name)
		for n, step := 0, 0; ; n++ {
			if n == 200 {
				t.Fatalf("%s: the caller is asked for without end", route.Name)
			}
			caller := dbtest.Leaving(n)
			q := asks(t.Context(), route, map[string]string{"server": "sales", "tool": "find"})
			q.in = try.in(step)
			var err error
			if q.current, err = route.edits(a, q); err != nil {
				t.Fatal(err)
			}
			q.Request = q.WithContext(caller)
			out, err := route.serve(a, q)
			gone := caller.End()
			done := try.done(step)
			if done != (err == nil) || done && out == nil {
				t.Errorf("%s, gone after %d: done: %t, told as %v, %v", route.Name, n, done, out, err)
			}
			if done {
				step++
			}
			if !gone {
				break
			}
		}
	}
	for name := range tries {
		t.Errorf("%s changes nothing that a program has seen", name)
	}
}

// What cannot be read once an act is done is no failure of the act, and what is not in the log is told as that.
func TestWhatCannotBeReadAfterAnActIsDone(t *testing.T) {
	t.Parallel()
	a := &API{Config: Config{Log: slog.New(slog.DiscardHandler)}}
	r := httptest.NewRequest(http.MethodPut, "/console/api/v1/stop", nil)
	lost, locked := &audit.UnrecordedError{Err: errors.New("disk full")}, errors.New("locked")
	for _, tt := range []struct {
		acted, read error
		want        string
	}{{nil, nil, ""}, {nil, locked, unread.name}, {lost, nil, unrecorded.name}, {lost, locked, unrecorded.name}, {locked, nil, ours.name}} {
		was := false
		got, err := readAfter(a, &call{Request: r}, tt.acted, func(*call) (string, error) { was = true; return "read", tt.read })
		if tt.want == "" {
			if got != "read" || err != nil {
				t.Errorf("%q, %v", got, err)
			}
			continue
		}
		if p := a.problemOf(r, err); got != "" || p.Type != tt.want || was != (tt.acted == nil) {
			t.Errorf("%v, %v: %q, %+v", tt.acted, tt.read, got, p)
		}
	}
}
