package listing

import (
	"fmt"
	"strings"

	"sfmcp-proxy/authproxy/review"
	"sfmcp-proxy/authproxy/ui"
)

type reviewRow struct {
	Review string `json:"review" col:"REVIEW"`
	Since  moment `json:"since" col:"SINCE"`
	Until  moment `json:"until" col:"UNTIL"`
	Begun  moment `json:"begun" col:"BEGUN" fit:"spare"`
	By     string `json:"by" col:"BY" fit:"line"`
	Items  int    `json:"items" col:"ITEMS"`
	Open   int    `json:"open" col:"OPEN"`
}

// Reviews lists access reviews.
func (p Printer) Reviews(all []*review.Review) error {
	var list []reviewRow
	for _, r := range all {
		list = append(list, reviewRow{r.ID, moment{r.Since}, moment{r.Until}, moment{r.Begun}, r.By, len(r.Items), r.Open()})
	}
	return rows(p, list)
}

type itemRow struct {
	Who         string `col:"WHO" fit:"line,late"`
	Server      string `col:"SERVER" fit:"line,late"`
	Connections int    `col:"CONNECTIONS" fit:"spare"`
	LastUsed    moment `col:"LAST USED"`
	Used        string `col:"USED" fit:"line"`
	Unused      string `col:"NOT USED" fit:"line"`
	Decision    string `col:"DECISION" fit:"line"`
	By          string `col:"BY" fit:"line,spare"`
	Reason      string `col:"REASON" fit:"line"`
}

// ReviewItems lists the items of a review; JSON has all of each.
func (p Printer) ReviewItems(all []*review.Item) error {
	if p.JSON {
		enc := p.encoder()
		for _, i := range all {
			if err := enc.Encode(i); err != nil {
				return err
			}
		}
		return nil
	}
	var list []itemRow
	for _, i := range all {
		row := itemRow{Who: Person(i.Username, i.Subject), Server: i.Server, Connections: i.Connections, LastUsed: moment{i.LastUsed}, Used: usedTools(i), Unused: toolNames(i.Unused, i.UnusedTotal)}
		if i.Erased {
			row.Used, row.Unused = "erased", "erased"
		}
		if d := i.Decision; d != nil {
			row.Decision, row.By, row.Reason = string(d.What), d.By, d.Reason
			if d.Ended != nil && *d.Ended == 0 {
				row.Decision += ", nothing ended"
			}
			if d.Incomplete {
				row.Decision += ", incomplete"
			}
		}
		list = append(list, row)
	}
	return rows(p, list)
}

// namedTools is how many tools a cell of the table names.
const namedTools = 6

func usedTools(i *review.Item) string {
	var names []string
	for _, use := range i.Used {
		names = append(names, fmt.Sprintf("%s (%d)", use.Tool, use.Calls))
	}
	return toolNames(names, i.UsedTotal)
}

func toolNames(names []string, total int) string {
	text := strings.Join(names[:min(len(names), namedTools)], ", ")
	if total > namedTools {
		text += fmt.Sprintf(" and %d more", total-namedTools)
	}
	return text
}

// Proposal prints what policies and groups could do without, as a difference; JSON has one change
// a line.
func (p Printer) Proposal(all []review.Change) error {
	if p.JSON {
		enc := p.encoder()
		for _, c := range all {
			if err := enc.Encode(c); err != nil {
				return err
			}
		}
		return nil
	}
	if len(all) == 0 {
		_, err := fmt.Fprintln(p.Notes, "nothing: every tool that somebody sees was called, or who calls it is not known, and nobody's access was ended")
		return err
	}
	for _, c := range all {
		for line := range strings.Lines(c.Difference()) {
			if _, err := fmt.Fprintln(p.Out, ui.Printable(strings.TrimSuffix(line, "\n"))); err != nil {
				return err
			}
		}
	}
	return nil
}
