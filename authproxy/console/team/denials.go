package team

import (
	"cmp"
	"fmt"
	"net/url"
	"strings"

	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/oversight"
	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/authproxy/policy/reach"
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
	reasons, moreReasons := first(all.Reasons, "The others were denied less often: choose a shorter time to see fewer.")
	persons, morePersons := first(all.Persons, "The others were denied less often: choose a shorter time to see fewer.")
	p.Sections = []ui.Section{
		{Heading: "By reason", Text: moreReasons, Table: reasonTable(q, reasons)},
		{Heading: "By person", Text: morePersons, Table: personTable(q, persons)},
	}
	return t.show(q, p)
}

func reasonTable(q *request, all []oversight.Tally) *ui.Table {
	table := &ui.Table{Caption: "Denials by reason", Columns: []string{"Denied", "Most common reasons", "Rule", "People", "What to do", "Last"}, Empty: "Nothing was denied."}
	for _, one := range all {
		last := one.Last
		rule := ui.Cell{Text: last.Rule}
		if last.Rule != "" {
			rule.Path = "/console/audit?" + url.Values{"rule": {last.Rule}, "outcome": {string(audit.Denied)}}.Encode()
		}
		table.Rows = append(table.Rows, []ui.Cell{{Text: fmt.Sprint(one.N)}, {Text: last.Reason, Faint: "last: " + last.Tool + " at " + last.Server}, rule,
			{Text: fmt.Sprint(one.Others)}, {Text: adviceAbout(&last, one.Others)}, {Text: ui.Moment(last.At, q.Now), Path: entryPath(last.Seq)}})
	}
	return table
}

// adviceAbout says what to think of after a denial: access for those whose work it is where no rule
// speaks of it, a word to whoever asks for what a rule is against.
func adviceAbout(e *audit.Entry, people int) string {
	switch unmatched := e.Rule == "" || strings.HasPrefix(e.Rule, policy.NoMatch); {
	case strings.HasPrefix(e.Rule, reach.Refused):
		return "The assistant called it wrongly and was told how to call it. Nothing to do."
	case unmatched && people > 1:
		return "No rule allows it: if it is these people's work, a rule is missing."
	case unmatched:
		return "No rule allows it: they need access, if it is their work."
	case people > 1:
		return "A rule is against it: tell them what to ask for instead, or look whether the rule is too wide."
	}
	return "A rule is against it: tell them what to ask for instead."
}

func personTable(q *request, all []oversight.Tally) *ui.Table {
	table := &ui.Table{Caption: "Denials by person", Columns: []string{"Denied", "Person", "Most common reason", "Access or advice?", "Last"}, Empty: "Nobody was denied anything."}
	for _, one := range all {
		most := one.Common
		times := fmt.Sprintf("%d of %d, last: %s at %s", one.Times, one.N, most.Tool, most.Server)
		table.Rows = append(table.Rows, []ui.Cell{{Text: fmt.Sprint(one.N)}, whoOf(q, one.Last), {Text: most.Reason, Faint: times, Path: entryPath(most.Seq)}, {Text: adviceAbout(&most, 1)},
			{Text: ui.Moment(one.Last.At, q.Now), Path: entryPath(one.Last.Seq)}})
	}
	return table
}
