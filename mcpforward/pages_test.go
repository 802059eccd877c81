package mcpforward

import (
	"fmt"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"sfmcp-proxy/authproxy/access"
	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/examples/salesforcesim"
	"sfmcp-proxy/mcpforward/jsonrpc"
)

// What is remembered of a list is what would be made of it anew, for whoever asks, whatever
// changed in between.
func TestFW33RememberedPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *setup) {
		c.Servers[0].Policy = &policy.Policy{Name: "p", Rules: []policy.Rule{
			{Effect: policy.Allow, Users: []string{salesforcesim.ManagerID}, Clients: []string{"claude"}},
			{Effect: policy.Allow, Groups: []string{"pilot"}, Tools: []string{"soqlQuery"}},
			{Effect: policy.Allow, Tools: []string{"getUserInfo"}},
		}}
		c.Groups = []access.Group{{Name: "pilot", Members: []string{salesforcesim.RepID}}}
	})
	claude, chatgpt, c := w.connect(salesforcesim.ManagerID, "claude", "sales"), w.connect(salesforcesim.ManagerID, "chatgpt", "sales"), rep(w)
	for _, drift := range []string{"", "rename", "describe", "", "add"} {
		w.switches(func(f *salesforcesim.Switches) { f.Drift = drift })
		for range 2 {
			for _, who := range []*client{claude, chatgpt, c} {
				remembered, stateless := who.call("tools/list", `{}`), who.ask("tools/list", "")
				w.handler.pages.known.Purge()
				for what, a := range map[string]*answer{"with": remembered, "without": stateless} {
					anew := who.call("tools/list", `{}`)
					if what == "without" {
						anew = who.ask("tools/list", "")
					}
					if diff := cmp.Diff(anew.rawResult(), a.rawResult()); diff != "" || a.failed() || strings.Contains(a.body, `"ttlMs"`) != (what == "without") {
						t.Errorf("drift %q, %s a session: %s", drift, what, diff)
					}
				}
			}
		}
	}
	w.switches(func(f *salesforcesim.Switches) { f.Drift = "" })
	for who, want := range map[*client][]string{chatgpt: {"getUserInfo"}, c: {"getUserInfo", "soqlQuery"}} {
		if diff := cmp.Diff(want, names(who.call("tools/list", `{}`).Result.Tools, "name")); diff != "" {
			t.Error(diff)
		}
	}
	if n := len(claude.call("tools/list", `{}`).Result.Tools); n < 10 {
		t.Errorf("whom everything is allowed sees %d tools", n)
	}
	w.regroup("pilot") // nobody is in it any more
	if diff := cmp.Diff([]string{"getUserInfo"}, names(c.call("tools/list", `{}`).Result.Tools, "name")); diff != "" {
		t.Errorf("outside of the group: %s", diff)
	}
}

// Few pages are remembered, and none that is large or no list.
func TestD15RememberedPagesAreBounded(t *testing.T) {
	t.Parallel()
	h := newWorld(t, nil).handler
	ask := func(value string) (read bool) {
		r := &request{Handler: h, server: h.Access.Servers()[0], msg: &jsonrpc.Message{Method: "tools/list"}}
		h.pages.outcomeOf(newCall(r, ""), &jsonrpc.Message{Result: jsontext.Value(value)}, func(m *jsonrpc.Message) outcome {
			read = true
			if value == "{}" {
				return failed()
			}
			return outcome{answer: m.Result}
		})
		return read
	}
	for i := range 2 * maxPages {
		ask(fmt.Sprintf(`{"tools":[%d]}`, i))
	}
	if n := h.pages.known.Len(); n != maxPages {
		t.Errorf("%d pages are remembered", n)
	}
	for value, again := range map[string]bool{`{"tools":[7000]}`: false, `{"tools":["` + strings.Repeat("x", maxPage) + `"]}`: true, `{}`: true} {
		if ask(value); ask(value) != again {
			t.Errorf("%.20s is read again: %v", value, !again)
		}
	}
}
