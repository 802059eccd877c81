package listing

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"sfmcp-proxy/authproxy/reconcile"
	"sfmcp-proxy/authproxy/ui"
)

// Compared is how a log of somebody else's differs from ours.
type Compared struct {
	reconcile.File
	reconcile.Difference
	// LogBegins is when our log begins, if that is within the time of the file; Older is how many
	// calls of the file are from before and not compared.
	LogBegins time.Time `json:"log_begins,omitzero"`
	Older     int       `json:"older"`
	// Nothing was compared: of its time neither log has a call.
	Nothing bool `json:"nothing_compared,omitempty"`
	// OtherLogs are the machines of other audit logs, of which the comparison knows nothing.
	OtherLogs []string `json:"other_logs,omitempty"`
	Notes     []string `json:"notes,omitempty"`
}

// Agree says whether each has what the other has, as far as all of it could be read. Where nothing was compared,
// nobody knows.
func (c *Compared) Agree() bool { return !c.Nothing && c.OnlyThere+c.OnlyHere+c.Unreadable == 0 }

// Reconciled is a comparison of our log with those of others; nil: not compared.
type Reconciled struct {
	OpenAI     *Compared `json:"openai,omitempty"`
	Salesforce *Compared `json:"salesforce,omitempty"`
}

func (r Reconciled) all() []namedComparison {
	return []namedComparison{{"openai", "ChatGPT", r.OpenAI}, {"salesforce", "Salesforce", r.Salesforce}}
}

type namedComparison struct {
	member, name string
	with         *Compared
}

// Agree says whether all of them do.
func (r Reconciled) Agree() bool {
	return !slices.ContainsFunc(r.all(), func(c namedComparison) bool { return c.with != nil && !c.with.Agree() })
}

// Summary is what the audit log keeps of it: which files, and how many.
func (r Reconciled) Summary() map[string]any {
	all := map[string]any{}
	for _, c := range r.all() {
		if c.with != nil {
			all[c.member] = map[string]any{"sha256": c.with.SHA256, "events": c.with.Events, "matched": c.with.Matched, "only_there": c.with.OnlyThere, "only_here": c.with.OnlyHere, "unreadable": c.with.Unreadable,
				"nothing_compared": c.with.Nothing, "other_logs": c.with.OtherLogs}
		}
	}
	return all
}

// Reconciled prints a comparison; as JSON one object.
func (p Printer) Reconciled(r Reconciled) error {
	if p.JSON {
		return p.encoder().Encode(r)
	}
	var b strings.Builder
	for _, c := range r.all() {
		if c.with != nil {
			c.write(&b)
		}
	}
	_, err := fmt.Fprintf(p.Out, "%s%s\n", &b, r.verdict())
	return err
}

// verdict is what comes out, in a line.
func (r Reconciled) verdict() string {
	nothing, differ := 0, 0
	for _, c := range r.all() {
		switch {
		case c.with == nil || c.with.Agree():
		case c.with.OnlyThere+c.with.OnlyHere+c.with.Unreadable == 0:
			nothing++
		default:
			differ++
		}
	}
	switch {
	case differ > 0:
		return "they do not agree"
	case nothing > 0:
		return "nothing was compared: take a file that has calls of a time of which our log has some"
	}
	return "they agree"
}

func (n namedComparison) write(b *strings.Builder) {
	c := n.with
	when := ""
	if !c.From.IsZero() {
		when = " from " + momentText(c.From) + " to " + momentText(c.Until)
	}
	fmt.Fprintf(b, "%s: %d events%s, SHA-256 %s\n", n.name, c.Events, when, c.SHA256)
	if c.Nothing {
		fmt.Fprintf(b, "  nothing was compared\n")
	} else {
		fmt.Fprintf(b, "  matched: %d; only %s has: %d; only we have: %d\n", c.Matched, n.name, c.OnlyThere, c.OnlyHere)
	}
	for _, why := range slices.Sorted(maps.Keys(c.Others)) {
		fmt.Fprintf(b, "  not compared: %d, %s\n", c.Others[why], ui.Printable(why))
	}
	if c.Unreadable > 0 {
		fmt.Fprintf(b, "  cannot be read: %d; %s\n", c.Unreadable, ui.Printable(c.FirstUnreadable))
	}
	if c.Older > 0 {
		fmt.Fprintf(b, "  older than our log, not compared: %d\n", c.Older)
	}
	if len(c.UnknownColumns) > 0 {
		fmt.Fprintf(b, "  columns that this version does not know: %s\n", ui.Printable(strings.Join(c.UnknownColumns, ", ")))
	}
	for _, note := range c.Notes {
		fmt.Fprintf(b, "  note: %s\n", note)
	}
	for _, of := range []struct {
		whose string
		calls []reconcile.Call
		total int
	}{{"only " + n.name + " has", c.There, c.OnlyThere}, {"only we have", c.Here, c.OnlyHere}} {
		for _, call := range of.calls {
			fmt.Fprintf(b, "  %s: %s, %s, %s (%s; %s)\n", of.whose, momentText(call.At), ui.Printable(call.Name), ui.Printable(call.Tool), ui.Printable(call.Ref), ui.Printable(call.About))
		}
		if more := of.total - len(of.calls); more > 0 {
			fmt.Fprintf(b, "  %s: %d more\n", of.whose, more)
		}
	}
}
