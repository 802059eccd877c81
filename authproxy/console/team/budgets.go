package team

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"

	"sfmcp-proxy/authproxy/budget"
	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/authproxy/ui"
)

// nearPercent is how much of a budget is used when it is near its end.
const nearPercent = 80

// budgetTile counts who is near the end of a budget.
func (t *Team) budgetTile(q *request, p *ui.ConsolePage) error {
	near, err := t.nearTheirEnd(q)
	if err != nil {
		return err
	}
	tile := ui.Tile{Number: strconv.Itoa(len(near)), Label: "budgets near their end", Text: "Nothing to do: nobody is about to be refused for having used too much."}
	if len(near) > 0 {
		tile.Path = "#w1"
		tile.Kind, tile.Text = "warn", "Below are whose: they will be refused until it begins anew. Ask whether they mean it."
	}
	p.Tiles = append(p.Tiles, tile)
	return nil
}

// nearTheirEnd are the counts of which most is used, the fullest first.
func (t *Team) nearTheirEnd(q *request) ([]budget.Count, error) {
	all, err := t.Budgets(q.Context())
	near := slices.DeleteFunc(all, func(c budget.Count) bool { return c.Taken*100 < c.Limit*nearPercent })
	slices.SortStableFunc(near, func(a, b budget.Count) int { return share(b) - share(a) })
	return near, err
}

// share is how much of a budget is used, in percent.
func share(c budget.Count) int { return int(c.Taken * 100 / max(c.Limit, 1)) }

// partyPath is where it says more of whom a count is about.
func partyPath(c budget.Count) string {
	if c.Who == policy.EachClient {
		return "/console/clients?id=" + url.QueryEscape(c.Party)
	}
	return personPath(c.Org, c.Party)
}

// budgetSection lists them.
func (t *Team) budgetSection(q *request, p *ui.ConsolePage) error {
	near, err := t.nearTheirEnd(q)
	if err != nil || len(near) == 0 {
		return err
	}
	table := &ui.Table{Caption: "Budgets near their end", Columns: []string{"Whose", "Budget", "Used", "Begins anew"}}
	for _, c := range near[:min(len(near), maxLines)] {
		whose := ui.Cell{Text: "all together", Faint: c.Org}
		if c.Party != "" {
			whose = ui.Cell{Text: c.Party, Faint: c.Org, Path: partyPath(c)}
		}
		used := ui.Cell{Text: fmt.Sprintf("%s of %s", c.Amount(c.Taken), c.Amount(c.Limit)), Kind: "warn"}
		if c.Taken >= c.Limit {
			used.Kind = "denied"
		}
		table.Rows = append(table.Rows, []ui.Cell{whose, {Text: c.Name, Faint: c.Scope}, used, {Text: ui.Moment(c.Renews, q.Now)}})
	}
	p.Watched = append(p.Watched, ui.Section{Heading: "Budgets near their end", Text: shown(len(table.Rows), len(near), "'budget list' at the command line has all."), Table: table})
	return nil
}
