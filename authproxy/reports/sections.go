package reports

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"sfmcp-proxy/authproxy/approval/insights"
	"sfmcp-proxy/authproxy/ui"
)

// section is one list as people read it: the page and the Markdown show the same.
type section struct {
	Title, How string
	Columns    []string
	Rows       [][]string
	Total      int
}

// More says that not all rows are shown.
func (s section) More() string {
	if s.Total <= len(s.Rows) {
		return ""
	}
	return fmt.Sprintf("The first %d of %d; --rows N shows more.", len(s.Rows), s.Total)
}

// sectionOf makes the section of a list, with the cells of a row.
func sectionOf[T any](title string, of Rows[T], columns []string, cells func(T) []string) section {
	s := section{Title: title, How: of.How, Columns: columns, Total: of.Total}
	for _, v := range of.Rows {
		row := cells(v)
		for i := range row {
			row[i] = ui.Printable(row[i])
		}
		s.Rows = append(s.Rows, row)
	}
	return s
}

func number(n int64) string { return strconv.FormatInt(n, 10) }

func day(t time.Time) string {
	if t.IsZero() {
		return "–"
	}
	return t.UTC().Format("2006-01-02 15:04:05")
}

// name is how a row names a user: with the id where a user name could be another's.
func (w Who) name() string {
	if w.Username == "" {
		return w.Subject
	}
	return w.Username + " (" + w.Subject + ")"
}

func millis(ms int64) string {
	if ms == 0 {
		return "–"
	}
	return (time.Duration(ms) * time.Millisecond).Round(100 * time.Millisecond).String()
}

// sections are all lists of a report.
func (r *Report) sections() []section {
	all := []section{
		sectionOf("People", r.People, []string{"Who", "Org", "Calls", "Writes", "Denied", "Held", "Failed", "Tools", "Servers", "Clients", "Last call (UTC)"}, func(p Person) []string {
			return []string{p.name(), p.Org, number(p.Calls), number(p.Writes), number(p.Denied), number(p.Held), number(p.Failed), strconv.Itoa(p.Tools),
				strings.Join(p.Servers, ", "), strings.Join(p.Clients, ", "), day(p.Last)}
		}),
		sectionOf("Tools", r.Tools, []string{"Tool", "Server", "Class", "Calls", "Denied", "Held", "Failed", "People", "Last call (UTC)"}, func(t Tool) []string {
			return []string{t.Tool, t.Server, t.Class, number(t.Calls), number(t.Denied), number(t.Held), number(t.Failed), strconv.Itoa(t.People), day(t.Last)}
		}),
		sectionOf("Denials", r.Denials, []string{"Rule", "Server", "Calls", "People", "Most common reasons", "Last (UTC)", "Entry"}, func(d Denial) []string {
			return []string{orNone(d.Rule), d.Server, number(d.Calls), strconv.Itoa(d.People), d.reasons(), day(d.Last), number(d.LastEntry)}
		}),
		sectionOf("How calls that waited were decided", r.Deciding, []string{"Of", "Held", "Approved", "Denied", "Countered", "Expired", "Waiting", "Half decided within", "95 % within"}, func(d Deciding) []string {
			return []string{d.of(), strconv.Itoa(d.Held), strconv.Itoa(d.Approved), strconv.Itoa(d.Denied), strconv.Itoa(d.Countered), strconv.Itoa(d.Expired), strconv.Itoa(d.Waiting), millis(d.MedianMS), millis(d.P95MS)}
		}),
		sectionOf("Calls that waited", r.Approvals, []string{"Approval", "Who", "Tool", "Server", "Rule", "Asked (UTC)", "Decided (UTC)", "By", "Result", "Outcome"}, func(a Approval) []string {
			return []string{a.Approval, a.name(), a.Tool, a.Server, a.Rule, day(a.Asked), day(a.Decided), a.By, a.Result, a.Outcome}
		}),
	}
	return append(append(all, r.dataSections()...), r.changeSections()...)
}

// dataSections are about what people were given.
func (r *Report) dataSections() []section {
	return []section{
		sectionOf("Largest readers", r.Readers, []string{"Who", "Org", "Records", "Calls", "Largest answer", "Entry"}, func(p Reader) []string {
			return []string{p.name(), p.Org, number(p.Records), number(p.Calls), number(p.Largest), number(p.LargestEntry)}
		}),
		sectionOf("What was hidden", r.Masked, []string{"Tool", "Server", "Calls", "Values hidden", "Records left out"}, func(m Masked) []string {
			return []string{m.Tool, m.Server, number(m.Calls), number(m.Hidden), number(m.Cut)}
		}),
		sectionOf("Dormant connections", r.Dormant, []string{"Connection", "Who", "Client", "Server", "Began (UTC)", "Last used (UTC)"}, func(d Dormant) []string {
			return []string{d.Connection, d.name(), d.Client, d.Server, day(d.Created), day(d.LastUsed)}
		}),
	}
}

// changeSections are about what was changed.
func (r *Report) changeSections() (all []section) {
	columns := []string{"Entry", "When (UTC)", "By", "What", "Of", "Server", "Outcome", "What it says"}
	cells := func(e Event) []string {
		return []string{number(e.Entry), day(e.At), e.By, string(e.Action), e.Object, e.Server, string(e.Outcome), e.Text}
	}
	for _, list := range []struct {
		title string
		of    Rows[Event]
	}{{"Configuration and policies", r.Changes}, {"Definitions of tools", r.Definitions}, {"Stops, blocks and ends", r.Stops}} {
		all = append(all, sectionOf(list.title, list.of, columns, cells))
	}
	return all
}

func orNone(rule string) string {
	if rule == "" {
		return "(no rule)"
	}
	return rule
}

func (d Denial) reasons() string {
	var all []string
	for _, r := range d.Reasons {
		all = append(all, fmt.Sprintf("%d× %s", r.Calls, r.Text))
	}
	return strings.Join(all, "; ")
}

func (d Deciding) of() string {
	text := string(d.Of)
	if d.Of != insights.All {
		text += " " + d.Name
	}
	if d.Habit {
		text += " – approving seems to have become a habit"
	}
	return text
}
