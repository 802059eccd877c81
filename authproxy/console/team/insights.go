package team

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/approval/insights"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/oversight"
	"sfmcp-proxy/authproxy/ui"
)

// insights shows how calls that waited were decided, and where approving seems to be a habit.
func (t logPages) insights(q *request) error {
	p := q.page("Decisions", "/console/insights", "How calls were decided that waited for a person. A rule of which everything is approved may ask too often; people who approve sooner than a call can be read do not look any more.")
	since := cmp.Or(q.asked("since"), "30d")
	p.Search = []ui.SearchField{{Name: "since", Label: "Since", Value: since, Hint: "30d, 2026-03-01"}}
	begin, _, err := t.Reads.Times(since, q.Now.UTC())
	if err != nil {
		p.Notes = append(p.Notes, ui.ConsoleNote{Kind: "warn", Text: "since: " + err.Error()})
		return t.show(q, p)
	}
	groups, cut, err := t.Reads.Insights(q.Context(), audit.Filter{Since: begin, Limit: oversight.InsightsLooked})
	if err != nil {
		return err
	}
	if cut {
		p.Notes = append(p.Notes, ui.ConsoleNote{Kind: "warn", Text: fmt.Sprintf("Only the newest %d are counted. Choose a shorter time.", oversight.InsightsLooked)})
	}
	tables := map[insights.Kind]*ui.Table{
		insights.All:  insightTable("Calls that waited", "Calls", "Held", "Approved", "Denied", "Other values", "Expired", "Waiting"),
		insights.Rule: insightTable("Calls that waited, by rule", "Rule", "Held", "Approved", "Denied", "Other values", "Expired", "Waiting"),
		insights.By:   insightTable("Decisions, by who decided", "Who", "Decisions", "Approved", "Denied", "Other values"),
	}
	found := map[insights.Kind]int{}
	for _, g := range groups {
		name := q.aboutGroup(g)
		if g.Habit {
			p.Notes = append(p.Notes, ui.ConsoleNote{Kind: "warn", Text: fmt.Sprintf("%s: %s of the decisions are approvals, half of them within %s. That is sooner than a call can be read. %s",
				name, g.Share(), tookInWords(g.Median), adviceAboutHabit(g))})
		}
		if table := tables[g.Of]; g.Held > 0 {
			if found[g.Of]++; found[g.Of] <= maxLines {
				table.Rows = append(table.Rows, insightRow(name, g))
			}
		}
	}
	for _, of := range []struct {
		heading string
		kind    insights.Kind
	}{{"All", insights.All}, {"By rule", insights.Rule}, {"By who decided", insights.By}} {
		table := tables[of.kind]
		p.Sections = append(p.Sections, ui.Section{Heading: of.heading, Text: shown(len(table.Rows), found[of.kind], "'approval insights' at the command line has all."), Table: table})
	}
	return t.show(q, p)
}

// aboutGroup says what a group has in common, somebody of the company by name.
func (q *request) aboutGroup(g insights.Group) string {
	switch g.Of {
	case insights.All:
		return "All calls"
	case insights.By:
		if who := actor.Parse(g.Name); who.Known() {
			return q.by(who)
		}
	}
	return g.Name
}

func insightTable(caption string, columns ...string) *ui.Table {
	return &ui.Table{Caption: caption, Columns: append(columns, "Half within", "95 % within"), Empty: "Nothing yet."}
}

func insightRow(name string, g insights.Group) []ui.Cell {
	number := func(n int) ui.Cell { return ui.Cell{Text: fmt.Sprint(n)} }
	approved := number(g.Approved)
	approved.Faint = g.Share()
	row := []ui.Cell{{Text: name}, number(g.Held), approved, number(g.Denied), number(g.Countered)}
	if g.Of != insights.By { // a decision neither expires nor waits
		row = append(row, number(g.Expired), number(g.Waiting))
	}
	return append(row, ui.Cell{Text: tookInWords(g.Median)}, ui.Cell{Text: tookInWords(g.P95)})
}

// adviceAboutHabit says what to do where approving has become a habit.
func adviceAboutHabit(g insights.Group) string {
	if g.Of == insights.By {
		return "Talk with them, or ask a second person."
	}
	return "Let such calls pass without asking where nobody needs to look, or ask about fewer of them together (group)."
}

// tookInWords is how long a decision took; "" for none.
func tookInWords(d time.Duration) string {
	switch {
	case d == 0:
		return ""
	case d < 10*time.Second:
		return strings.TrimSuffix(fmt.Sprintf("%.1f", d.Seconds()), ".0") + " s"
	case d < 2*time.Minute:
		return fmt.Sprintf("%.0f s", d.Seconds())
	}
	return ui.Span(d)
}
