package team

import (
	"cmp"
	"fmt"
	"maps"
	"net/url"
	"slices"

	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/ui"
)

// denialsLooked is how many of the newest denials are counted.
const denialsLooked = 5000

// tallied is how many denials have something in common, with the last of them.
type tallied struct {
	n    int
	last audit.Entry
}

// denials shows what was denied most, and to whom: who needs access, or advice.
func (t logPages) denials(q *request) error {
	p := q.page("Denials", "/console/denials", "What was denied, the most frequent first. A rule that denies one person often may be in the way of their work; one that denies everybody may be wrong, or right.")
	since := cmp.Or(q.asked("since"), "7d")
	p.Search = []ui.SearchField{{Name: "since", Label: "Since", Value: since, Hint: "7d, 2026-03-01"}}
	begin, _, err := t.Times(since, q.Now.UTC())
	if err != nil {
		p.Notes = append(p.Notes, ui.ConsoleNote{Kind: "warn", Text: "since: " + err.Error()})
		return t.show(q, p)
	}
	found, err := t.found(q.Context(), audit.Filter{Action: string(audit.ToolCall), Outcome: audit.Denied, Since: begin, Limit: denialsLooked})
	if err != nil {
		return err
	}
	if len(found) == denialsLooked {
		p.Notes = append(p.Notes, ui.ConsoleNote{Kind: "warn", Text: fmt.Sprintf("Only the newest %d are counted. Choose a shorter time.", denialsLooked)})
	}
	reasons, persons := map[[2]string]*tallied{}, map[[2]string]*tallied{}
	for _, e := range found {
		addTo(reasons, [2]string{e.Rule, e.Reason}, e)
		addTo(persons, [2]string{e.Org, e.Subject}, e)
	}
	p.Sections = []ui.Section{
		{Heading: "By reason", Table: reasonTable(q, reasons)},
		{Heading: "By person", Table: personTable(q, persons)},
	}
	return t.show(q, p)
}

func addTo(all map[[2]string]*tallied, key [2]string, e audit.Entry) {
	if all[key] == nil {
		all[key] = &tallied{}
	}
	all[key].n++
	all[key].last = e
}

// most are the keys, the most frequent first, as many as a page shows.
func most(all map[[2]string]*tallied) [][2]string {
	keys := slices.SortedFunc(maps.Keys(all), func(a, b [2]string) int {
		return cmp.Or(cmp.Compare(all[b].n, all[a].n), cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1]))
	})
	return keys[:min(len(keys), maxLines)]
}

func reasonTable(q *request, all map[[2]string]*tallied) *ui.Table {
	table := &ui.Table{Caption: "Denials by reason", Columns: []string{"Denied", "Why", "Rule", "Last"}, Empty: "Nothing was denied."}
	for _, key := range most(all) {
		last := all[key].last
		rule := ui.Cell{Text: key[0]}
		if key[0] != "" {
			rule.Path = "/console/audit?" + url.Values{"rule": {key[0]}, "outcome": {string(audit.Denied)}}.Encode()
		}
		table.Rows = append(table.Rows, []ui.Cell{{Text: fmt.Sprint(all[key].n)}, {Text: key[1], Faint: "last: " + last.Tool + " at " + last.Server}, rule,
			{Text: ui.Moment(last.At, q.Now), Path: entryPath(last.Seq)}})
	}
	return table
}

func personTable(q *request, all map[[2]string]*tallied) *ui.Table {
	table := &ui.Table{Caption: "Denials by person", Columns: []string{"Denied", "Person", "Last reason", "Last"}, Empty: "Nobody was denied anything."}
	for _, key := range most(all) {
		last := all[key].last
		table.Rows = append(table.Rows, []ui.Cell{{Text: fmt.Sprint(all[key].n)}, whoOf(last), {Text: last.Reason, Faint: last.Tool + " at " + last.Server},
			{Text: ui.Moment(last.At, q.Now), Path: entryPath(last.Seq)}})
	}
	return table
}
