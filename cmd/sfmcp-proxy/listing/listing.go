// Package listing is how the command line shows what is stored: users, connections,
// clients, approvals, entries of the audit log, decisions. People get tables, programs one
// JSON object a line; the members of those objects are a contract with scripts.
package listing

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"sfmcp-proxy/authproxy/ui"
)

// Printer prints for whoever called a command.
type Printer struct {
	// Out gets the listing, Notes that there is nothing to list.
	Out, Notes io.Writer
	// JSON: one object a line instead of a table.
	JSON bool
	// Width is how many characters a line has room for; 0: [DefaultWidth]. Terminal: people read it, so nothing that they
	// copy or tell apart is cut, and a row of a table may take several lines.
	Width    int
	Terminal bool
}

// rows prints a listing: a table with the fields' col tags as headings, fitted to the width by
// their fit tags, or one object a line. A row is a struct of strings, numbers, booleans and times.
func rows[Row any](p Printer, all []Row) error {
	if p.JSON {
		enc := p.encoder()
		for _, row := range all {
			if err := enc.Encode(row); err != nil {
				return err
			}
		}
		return nil
	}
	if len(all) == 0 {
		_, err := fmt.Fprintln(p.Notes, "none")
		return err
	}
	return table(p.Out, all, cmp.Or(p.Width, DefaultWidth), p.Terminal)
}

func (p Printer) encoder() *json.Encoder {
	enc := json.NewEncoder(p.Out)
	enc.SetEscapeHTML(false)
	return enc
}

// cell renders one value; control characters are escaped, because names come from
// clients and from Salesforce and a terminal obeys what it is sent.
func cell(v any) string {
	switch x := v.(type) {
	case moment:
		if x.IsZero() {
			return "-"
		}
		return localTime(x.Time)
	case string:
		if x == "" {
			return "-"
		}
		return ui.Printable(x)
	}
	return fmt.Sprint(v)
}

func localTime(t time.Time) string { return t.Local().Format("2006-01-02 15:04:05") }

// moment is a time in a listing; JSON has RFC 3339 in UTC, or "" for none.
type moment struct{ time.Time }

// MarshalText implements encoding.TextMarshaler.
func (m moment) MarshalText() ([]byte, error) {
	if m.IsZero() {
		return nil, nil
	}
	return []byte(m.UTC().Format(time.RFC3339Nano)), nil
}

// MarshalJSON hides time.Time's own method.
func (m moment) MarshalJSON() ([]byte, error) {
	text, err := m.MarshalText()
	if err != nil {
		return nil, err
	}
	return json.Marshal(string(text))
}
