package listing

import (
	"fmt"
	"io"
	"strings"
	"time"

	"sfmcp-proxy/authproxy/approval/evidence"
	"sfmcp-proxy/authproxy/ui"
)

// Register prints short records of many requests: as CSV, or as JSON, one a line.
func (p Printer) Register(all []*evidence.Record) error {
	if !p.JSON {
		return evidence.WriteCSV(p.Out, all)
	}
	enc := p.encoder()
	for _, r := range all {
		if err := enc.Encode(r); err != nil {
			return err
		}
	}
	return nil
}

// Evidence prints the record of one request.
func (p Printer) Evidence(r *evidence.Record) error {
	if p.JSON {
		return p.encoder().Encode(r)
	}
	var b strings.Builder
	writeFacts(&b, [][2]string{
		{"approval", r.Approval}, {"state", string(r.State)}, {"outcome", string(r.Outcome)}, {"org", r.Org}, {"asked by", strings.TrimSpace(r.Username + " " + r.Subject)},
		{"client", r.Client}, {"connection", r.Connection}, {"server", r.Server}, {"tool", r.Tool}, {"class", r.Class}, {"rule", r.Rule},
		{"policy version", r.PolicyVersion}, {"definition", r.DefinitionHash}, {"arguments sha256", r.ArgumentsDigest},
		{"asked", momentText(r.Asked)}, {"decided", momentText(r.Decided)}, {"made", momentText(r.Made)}, {"proposed by", r.Author}, {"in place of", r.CounterOf}, {"ended because", r.Void},
	})
	for _, f := range r.Factors {
		for _, a := range f.By {
			fmt.Fprintf(&b, "agreed: %s, %s", ui.Printable(a.By), momentText(a.At))
			if a.Role != "" {
				fmt.Fprintf(&b, ", by role:%s", ui.Printable(a.Role))
			}
			if a.ACR != "" || !a.AuthTime.IsZero() {
				fmt.Fprintf(&b, ", signed in %s with acr %q", momentText(a.AuthTime), a.ACR)
			}
			b.WriteByte('\n')
		}
	}
	for _, d := range r.Decisions {
		fmt.Fprintf(&b, "decision: %s, %s %s (%s) %s\n", momentText(d.At), ui.Printable(d.By), d.Decision, d.Outcome, ui.Printable(d.Reason))
	}
	if a := r.Answer; a != nil {
		fmt.Fprintf(&b, "salesforce: %s, %s %s, answer sha256 %s\n", momentText(a.At), a.Outcome, ui.Printable(a.Status), a.Digest)
	}
	if c := r.Check; c != nil {
		writeFacts(&b, [][2]string{{"verified", c.Said}, {"resolved", c.Reason}, {"resolved by", c.ResolvedBy}})
	}
	writeFacts(&b, [][2]string{{"undone by", r.Undo}, {"undoes", r.UndoOf}})
	for _, e := range r.Entries {
		fmt.Fprintf(&b, "entry %d: %s, %s %s, by %s; prove it with: %s\n", e.Number, momentText(e.At), e.Action, e.Outcome, ui.Printable(e.By), e.Prove)
	}
	for _, missing := range r.Missing {
		fmt.Fprintln(&b, missing)
	}
	if r.Arguments != nil {
		fmt.Fprintf(&b, "\narguments:\n%s\n", ui.Printable(string(r.Arguments)))
	}
	_, err := io.WriteString(p.Out, b.String())
	return err
}

func writeFacts(b *strings.Builder, facts [][2]string) {
	for _, f := range facts {
		if f[1] != "" {
			fmt.Fprintf(b, "%-17s %s\n", f[0], ui.Printable(f[1]))
		}
	}
}

func momentText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return localTime(t)
}
