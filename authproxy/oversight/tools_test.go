package oversight

import (
	"testing"
	"time"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/audit"
)

// The last call of a tool is the newest entry of a call of it at that endpoint: not that its definition
// was accepted, not that a call of it was decided about, and not a call at another endpoint.
func TestLastCall(t *testing.T) {
	t.Parallel()
	_, log := newLog(t)
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	r := &Reader{Config: Config{Audit: log, Now: func() time.Time { return now }}}
	add := func(action audit.Action, server, tool string, outcome audit.Outcome) int64 {
		t.Helper()
		seq, err := log.Append(t.Context(), audit.Entry{Actor: actor.Proxy, Action: action, Outcome: outcome, Server: server, Tool: tool})
		if err != nil {
			t.Fatal(err)
		}
		return seq
	}
	want := map[[2]string]int64{{"sales", "soqlQuery"}: add(audit.ToolCall, "sales", "soqlQuery", audit.OK)}
	add(audit.ToolCall, "sales", "updateSobjectRecord", audit.Intent)
	want[[2]string{"sales", "updateSobjectRecord"}] = add(audit.ToolCall, "sales", "updateSobjectRecord", audit.Denied)
	want[[2]string{"sales", "prompt:summary"}] = add(audit.PromptGet, "sales", "prompt:summary", audit.OK)
	want[[2]string{"sales", "resource:schema://{name}"}] = add(audit.ResourceRead, "sales", "resource:schema://{name}", audit.OK)
	want[[2]string{"sales", "neverCalled"}] = 0
	want[[2]string{"service", "soqlQuery"}] = 0
	for _, key := range [][2]string{{"sales", "soqlQuery"}, {"sales", "prompt:summary"}, {"sales", "resource:schema://{name}"}, {"sales", "neverCalled"}} {
		add(audit.DefinitionAccept, key[0], key[1], audit.OK)
		add(audit.ApprovalDecide, key[0], key[1], audit.OK)
	}
	add(audit.ToolCall, "marketing", "soqlQuery", audit.OK)
	for key, seq := range want {
		last, err := r.LastCall(t.Context(), key[0], key[1])
		if err != nil || last.Seq != seq {
			t.Errorf("%s at %s: entry %d, %v; want %d", key[1], key[0], last.Seq, err, seq)
		}
		if used, err := r.LastUse(t.Context(), key[0], key[1]); err != nil || !used.Equal(last.At) {
			t.Errorf("%s at %s was used %v, %v; want %v", key[1], key[0], used, err, last.At)
		}
	}
	// It is remembered for a while, and no longer.
	before := add(audit.ToolCall, "sales", "soqlQuery", audit.OK)
	newest, err := r.LastCall(t.Context(), "sales", "soqlQuery")
	if err != nil || newest.Seq != before {
		t.Fatalf("entry %d, %v", newest.Seq, err)
	}
	now = now.Add(usedFor)
	if used, err := r.LastUse(t.Context(), "sales", "soqlQuery"); err != nil || !used.Equal(newest.At) {
		t.Errorf("half a minute later: %v, %v; want %v", used, err, newest.At)
	}
}
