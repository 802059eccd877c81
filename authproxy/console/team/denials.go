package team

import (
	"cmp"
	"fmt"
	"net/url"

	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/oversight"
	"sfmcp-proxy/authproxy/ui"
)

// denials shows what was denied most, and to whom: who needs access, or advice.
func (t logPages) denials(q *request) error {
	p := q.page("Denials", "/console/denials", "What was denied, the most frequent first. A rule that denies one person often may be in the way of their work; one that denies everybody may be wrong, or right.")
	since := cmp.Or(q.asked("since"), "7d")
	p.Search = []ui.SearchField{{Name: "since", Label: "Since", Value: since, Hint: "7d, 2026-03-01"}}
	begin, _, err := t.Reads.Times(since, q.Now.UTC())
	if err != nil {
		p.Notes = append(p.Notes, ui.ConsoleNote{Kind: "warn", Text: "since: " + err.Error()})
		return t.show(q, p)
	}
	all, err := t.Reads.DenialsSince(q.Context(), begin)
	if err != nil {
		return err
	}
	if all.Cut {
		p.Notes = append(p.Notes, ui.ConsoleNote{Kind: "warn", Text: fmt.Sprintf("Only the newest %d are counted. Choose a shorter time.", oversight.DenialsLooked)})
	}
	p.Sections = []ui.Section{
		{Heading: "By reason", Table: reasonTable(q, all.Reasons)},
		{Heading: "By person", Table: personTable(q, all.Persons)},
	}
	return t.show(q, p)
}

func reasonTable(q *request, all []oversight.Tally) *ui.Table {
	table := &ui.Table{Caption: "Denials by reason", Columns: []string{"Denied", "Why", "Rule", "Last"}, Empty: "Nothing was denied."}
	for _, one := range all[:min(len(all), maxLines)] {
		last := one.Last
		rule := ui.Cell{Text: last.Rule}
		if last.Rule != "" {
			rule.Path = "/console/audit?" + url.Values{"rule": {last.Rule}, "outcome": {string(audit.Denied)}}.Encode()
		}
		table.Rows = append(table.Rows, []ui.Cell{{Text: fmt.Sprint(one.N)}, {Text: last.Reason, Faint: "last: " + last.Tool + " at " + last.Server}, rule,
			{Text: ui.Moment(last.At, q.Now), Path: entryPath(last.Seq)}})
	}
	return table
}

func personTable(q *request, all []oversight.Tally) *ui.Table {
	table := &ui.Table{Caption: "Denials by person", Columns: []string{"Denied", "Person", "Last reason", "Last"}, Empty: "Nobody was denied anything."}
	for _, one := range all[:min(len(all), maxLines)] {
		last := one.Last
		table.Rows = append(table.Rows, []ui.Cell{{Text: fmt.Sprint(one.N)}, whoOf(q, last), {Text: last.Reason, Faint: last.Tool + " at " + last.Server},
			{Text: ui.Moment(last.At, q.Now), Path: entryPath(last.Seq)}})
	}
	return table
}
