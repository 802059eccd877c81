package api

import (
	"context"
	"fmt"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/approval/insights"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/db/dbtest"
	"sfmcp-proxy/authproxy/oversight"
	"sfmcp-proxy/authproxy/seal"
)

// What is listed up to a number says how many there are: nobody takes the first for all.
func TestListsSayWhatTheyLeaveOut(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := seal.CreateKeyFile(filepath.Join(dir, "keys")); err != nil {
		t.Fatal(err)
	}
	ring, err := seal.LoadKeyRing(filepath.Join(dir, "keys"))
	if err != nil {
		t.Fatal(err)
	}
	log, err := audit.New(audit.Config{Dir: filepath.Join(dir, "audit"), Name: "mcp.example.com", DB: dbtest.OpenURL(t, dbtest.URL(t)), Ring: ring})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { log.Close(context.Background()) })
	const more = maxPage + 5
	for i := range more {
		for _, outcome := range []audit.Outcome{audit.Held, audit.Denied} {
			log.AppendLater(t.Context(), audit.Entry{Actor: actor.Proxy, Action: audit.ToolCall, Outcome: outcome, Rule: fmt.Sprint("rule ", i), Approval: fmt.Sprint("apr_", i), Org: "acme", Subject: fmt.Sprint("005", i)},
				func(err error) { t.Error(err) })
		}
	}
	log.Flush()
	reads := &oversight.Reader{Config: oversight.Config{Audit: log, Lifetime: time.Hour, Now: time.Now, Verdict: func(audit.Entry) insights.Verdict { return 0 },
		Times: func(string, time.Time) (begin, end time.Time, err error) { return time.Time{}, time.Time{}, nil }}}
	on := logRoutes{&API{Config: Config{Reads: reads}}}
	q := &call{Request: httptest.NewRequest("GET", "/", nil), now: time.Now()}
	groups, err := on.insights(q)
	if err != nil || len(groups.Groups) != maxPage || groups.Total != more+1 { // and all together
		t.Errorf("%d groups of %d, %v", len(groups.Groups), groups.Total, err)
	}
	denials, err := on.denials(q)
	if err != nil || len(denials.Reasons) != maxPage || denials.TotalReasons != more || len(denials.People) != maxPage || denials.TotalPeople != more {
		t.Errorf("%d reasons of %d, %d people of %d, %v", len(denials.Reasons), denials.TotalReasons, len(denials.People), denials.TotalPeople, err)
	}
}
