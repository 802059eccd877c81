package evidence

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"sfmcp-proxy/authproxy/audit"
)

// Register makes short records of many requests.
type Register struct {
	all  []*Record
	byID map[string]*Record
}

// Begin takes a request into the register: the entry says that its call waits.
func (g *Register) Begin(e audit.Entry) {
	if e.Approval == "" || g.byID[e.Approval] != nil {
		return
	}
	if g.byID == nil {
		g.byID = map[string]*Record{}
	}
	r := &Record{Approval: e.Approval, short: true}
	g.byID[e.Approval], g.all = r, append(g.all, r)
}

// Add takes what an entry says of a request of the register; others it passes over.
func (g *Register) Add(e audit.Entry) {
	if r := g.byID[e.Approval]; r != nil {
		r.Add(e)
	}
}

// Records are the requests in the order in which they began to wait.
func (g *Register) Records() []*Record { return g.all }

// columns of the table, each with what it says of a record.
var columns = []struct {
	name string
	of   func(*Record) string
}{
	{"approval", func(r *Record) string { return r.Approval }},
	{"asked", func(r *Record) string { return timeText(r.Asked) }},
	{"org", func(r *Record) string { return r.Org }},
	{"subject", func(r *Record) string { return r.Subject }},
	{"username", func(r *Record) string { return r.Username }},
	{"client", func(r *Record) string { return r.Client }},
	{"server", func(r *Record) string { return r.Server }},
	{"tool", func(r *Record) string { return r.Tool }},
	{"class", func(r *Record) string { return r.Class }},
	{"rule", func(r *Record) string { return r.Rule }},
	{"arguments_digest", func(r *Record) string { return r.ArgumentsDigest }},
	{"result", (*Record).Result},
	{"decided", func(r *Record) string { return timeText(r.Decided) }},
	{"decided_by", (*Record).deciders},
	{"seconds_to_decide", (*Record).seconds},
	{"made", func(r *Record) string { return timeText(r.Made) }},
	{"outcome", func(r *Record) string {
		if r.Answer == nil {
			return ""
		}
		return string(r.Answer.Outcome)
	}},
	{"verified", func(r *Record) string {
		if r.Check == nil {
			return ""
		}
		return beforeColon(r.Check.Said)
	}},
	{"resolved", func(r *Record) string {
		if r.Check == nil {
			return ""
		}
		return beforeColon(r.Check.Reason)
	}},
	{"entries", func(r *Record) string { return strconv.Itoa(r.EntryCount) }},
	{"first_entry", func(r *Record) string { return strconv.FormatInt(r.FirstEntry, 10) }},
	{"last_entry", func(r *Record) string { return strconv.FormatInt(r.LastEntry, 10) }},
}

// Result is what people decided as the log has it: approved, denied, countered, or "" for a
// call about which nobody, or not everybody who is asked, has decided.
func (r *Record) Result() string {
	if !r.Made.IsZero() {
		return "approved"
	}
	result := ""
	for _, d := range r.Decisions {
		if d.Outcome != audit.OK {
			continue
		}
		switch d.Decision {
		case audit.Approve:
			result = "agreed"
		case audit.Deny:
			result = "denied"
		case audit.Counter:
			result = "countered"
		}
	}
	return result
}

// deciders are those who decided, and how. A decision of which the database said nothing may have counted.
func (r *Record) deciders() string {
	var by []string
	for _, d := range r.Decisions {
		switch d.Outcome {
		case audit.OK:
			by = append(by, string(d.Decision)+" "+d.By)
		case audit.Unknown:
			by = append(by, string(d.Decision)+" "+d.By+" (not known whether it counted)")
		}
	}
	return strings.Join(by, "; ")
}

func (r *Record) seconds() string {
	if r.Decided.IsZero() || r.Asked.IsZero() {
		return ""
	}
	return fmt.Sprintf("%.1f", r.Decided.Sub(r.Asked).Seconds())
}

// beforeColon is what an entry says before it names values.
func beforeColon(said string) string {
	begin, _, _ := strings.Cut(said, ":")
	return begin
}

func timeText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// WriteCSV writes records as a table (RFC 4180), with a line of headings. Texts that a spreadsheet
// would take for a formula begin with an apostrophe.
func WriteCSV(w io.Writer, all []*Record) error {
	out := csv.NewWriter(w)
	cells := make([]string, len(columns))
	for i, c := range columns {
		cells[i] = c.name
	}
	if err := out.Write(cells); err != nil {
		return err
	}
	for _, r := range all {
		for i, c := range columns {
			cells[i] = NoFormula(c.of(r))
		}
		if err := out.Write(cells); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// NoFormula is a cell that spreadsheets show and do not compute (OWASP, CSV injection: they
// look at the first character, some after spaces; and at a line break or tab before it).
func NoFormula(cell string) string {
	begin := strings.TrimLeft(cell, " \t\r\n\u00a0")
	if begin != "" && strings.ContainsRune("=+-@\uff1d\uff0b\uff0d\uff20|%", []rune(begin)[0]) || strings.ContainsAny(cell, "\t\r\n") {
		return "'" + cell
	}
	return cell
}
