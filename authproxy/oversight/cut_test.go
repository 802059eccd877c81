package oversight

import (
	"fmt"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/approval/insights"
	"sfmcp-proxy/authproxy/audit"
)

// That older calls were left out is said if there are some, and not where exactly the bound was counted.
func TestCutIsWhatIsLeftOut(t *testing.T) {
	t.Parallel()
	_, log := newLog(t)
	r := &Reader{Config: Config{Audit: log, Now: time.Now, Lifetime: time.Hour, Verdict: func(audit.Entry) insights.Verdict { return 0 }}, denialsLooked: 3}
	for i := range 5 {
		for _, outcome := range []audit.Outcome{audit.Denied, audit.Held} {
			if _, err := log.Append(t.Context(), audit.Entry{Actor: actor.Proxy, Action: audit.ToolCall, Outcome: outcome, Rule: "deny 1", Approval: fmt.Sprint("apr_", i)}); err != nil {
				t.Fatal(err)
			}
		}
		denials, err := r.DenialsSince(t.Context(), time.Time{})
		if err != nil || denials.Cut != (i >= 3) || denials.Reasons[0].N != min(i+1, 3) {
			t.Errorf("of %d denials: %+v, %v", i+1, denials, err)
		}
		groups, cut, err := r.Insights(t.Context(), audit.Filter{Limit: 3})
		if err != nil || cut != (i >= 3) || groups[0].Held != min(i+1, 3) {
			t.Errorf("of %d calls: cut %t, %+v, %v", i+1, cut, groups, err)
		}
		if groups, cut, err = r.Insights(t.Context(), audit.Filter{}); err != nil || cut || groups[0].Held != i+1 {
			t.Errorf("without a bound, of %d calls: cut %t, %+v, %v", i+1, cut, groups, err)
		}
	}
}
