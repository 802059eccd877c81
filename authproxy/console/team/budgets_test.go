package team

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/budget"
	"sfmcp-proxy/authproxy/console"
	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/authproxy/ui"
)

// The overview names who is near the end of a budget, the fullest first, and nobody else.
func TestBudgetsNearTheirEnd(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	count := func(who policy.Party, party string, taken int64) budget.Count {
		c := &budget.Counter{Budget: policy.Budget{Who: who, What: policy.Rows}, Scope: "policy reads", Name: "rows a day", Limit: 100}
		return budget.Count{Counter: c, Org: "acme", Party: party, Taken: taken, Renews: now.Add(time.Hour)}
	}
	all := []budget.Count{count(policy.EachUser, "005A", 79), count(policy.EachUser, "005B", 80), count(policy.EachClient, "chatgpt", 100), count(policy.AllParties, "", 90)}
	team := &Team{Config: Config{Budgets: func(context.Context) ([]budget.Count, error) { return slices.Clone(all), nil }}}
	q := &request{Request: httptest.NewRequest(http.MethodGet, "/console", nil), Member: &console.Member{Now: now}}
	var p ui.ConsolePage
	for _, part := range []func(*request, *ui.ConsolePage) error{team.budgetTile, team.budgetSection} {
		if err := part(q, &p); err != nil {
			t.Fatal(err)
		}
	}
	if p.Tiles[0].Number != "3" || p.Tiles[0].Kind != "warn" || len(p.Watched) != 1 {
		t.Fatalf("%+v", p)
	}
	for i, want := range [][4]string{{"chatgpt", "/console/clients?id=chatgpt", "100 of 100", "denied"}, {"all together", "", "90 of 100", "warn"}, {"005B", "/console/people/acme/005B", "80 of 100", "warn"}} {
		row := p.Watched[0].Table.Rows[i]
		if got := [4]string{row[0].Text, row[0].Path, row[2].Text, row[2].Kind}; got != want {
			t.Errorf("row %d: %q, want %q", i, got, want)
		}
	}
	all = nil
	p = ui.ConsolePage{}
	if err := team.budgetSection(q, &p); err != nil || len(p.Watched) != 0 {
		t.Errorf("without any: %+v, %v", p, err)
	}
}
