package listing

import (
	"encoding/json"
	"fmt"
	"io"

	"sfmcp-proxy/authproxy/definition"
	"sfmcp-proxy/authproxy/ui"
)

// shownDigest is how much of a digest a table has.
const shownDigest = 12

// Definition is one that is recorded, with the endpoint that people know its server by.
type Definition struct {
	Endpoint string
	definition.Pinned
}

type definitionRow struct {
	Server     string           `json:"server" col:"SERVER" fit:"line"`
	Name       string           `json:"name" col:"NAME"`
	State      definition.State `json:"state" col:"STATE"`
	Why        definition.Why   `json:"why" col:"WHY" fit:"spare"`
	Short      string           `json:"-" col:"DIGEST"`
	Seen       moment           `json:"seen" col:"SEEN" fit:"drop"`
	DecidedBy  string           `json:"decided_by,omitempty" col:"DECIDED BY" fit:"drop"`
	Decided    moment           `json:"decided" fit:"drop"`
	Org        string           `json:"org"`
	Upstream   string           `json:"upstream"`
	Digest     string           `json:"digest"`
	Definition json.RawMessage  `json:"definition,omitempty"`
	Signs      []string         `json:"signs,omitempty"`
}

func newDefinitionRow(d Definition) definitionRow {
	return definitionRow{Server: d.Endpoint, Name: definition.Called(d.Kind, d.Name), State: d.State, Why: d.Why, Short: d.Digest[:min(shownDigest, len(d.Digest))],
		Seen: moment{d.SeenAt}, DecidedBy: d.DecidedBy.String(), Decided: moment{d.DecidedAt}, Org: d.Org, Upstream: d.URL, Digest: d.Digest}
}

// Definitions prints what is recorded of hosted servers.
func (p Printer) Definitions(all []Definition) error {
	list := make([]definitionRow, len(all))
	for i, d := range all {
		list[i] = newDefinitionRow(d)
	}
	return rows(p, list)
}

// DefinitionTexts prints definitions whole, with what a reader should look at.
func (p Printer) DefinitionTexts(all []Definition, others []string) error {
	for _, d := range all {
		row := newDefinitionRow(d)
		row.Definition, row.Signs = json.RawMessage(d.Text), definition.Signs(d.Text, others)
		if p.JSON {
			if err := rows(p, []definitionRow{row}); err != nil {
				return err
			}
			continue
		}
		if err := rows(p, []definitionRow{row}); err != nil {
			return err
		}
		fmt.Fprintf(p.Out, "\nsha256 %s\n", d.Digest)
		if len(d.Text) == 0 {
			fmt.Fprintln(p.Out, "the text is too long to be kept, or was changed by something else than the proxy")
		}
		for _, c := range definition.Difference(nil, d.Text) {
			fmt.Fprintf(p.Out, "  %s: %s\n", ui.Printable(c.Path), ui.Printable(c.After))
		}
		printSigns(p.Out, row.Signs)
	}
	return nil
}

// printSigns lists what to look at, or says that nothing was found.
func printSigns(out io.Writer, signs []string) {
	if len(signs) == 0 {
		fmt.Fprintln(out, "\nlook at: nothing stands out; that does not make it harmless")
		return
	}
	fmt.Fprintln(out, "\nlook at:")
	for _, s := range signs {
		fmt.Fprintln(out, "  "+ui.Printable(s))
	}
}

// maxSide is how much of each side of a difference is printed, in bytes.
const maxSide = 2000

type changeRow struct {
	Path   string `json:"path"`
	Before string `json:"before"`
	After  string `json:"after"`
	Added  bool   `json:"added,omitempty"`
	Gone   bool   `json:"gone,omitempty"`
}

// Difference prints how the one definition, which waits, differs from the other, which is
// accepted; was is nil: none is.
func (p Printer) Difference(was *Definition, is Definition, others []string) error {
	var before []byte
	if was != nil {
		before = was.Text
	}
	changes := definition.Difference(before, is.Text)
	if p.JSON {
		enc := p.encoder()
		for _, c := range changes {
			if err := enc.Encode(changeRow(c)); err != nil {
				return err
			}
		}
		return nil
	}
	if err := p.Definitions([]Definition{is}); err != nil {
		return err
	}
	if was != nil {
		fmt.Fprintf(p.Out, "\n- sha256 %s, accepted by %s %s\n", was.Digest, was.DecidedBy, localTime(was.DecidedAt))
	} else {
		fmt.Fprintln(p.Out, "\n- nothing is accepted under this name")
	}
	fmt.Fprintf(p.Out, "+ sha256 %s, seen %s\n", is.Digest, localTime(is.SeenAt))
	for _, c := range changes {
		before, after := definition.Around(c.Before, c.After, maxSide)
		fmt.Fprintf(p.Out, "\n%s\n", ui.Printable(c.Path))
		if !c.Added {
			fmt.Fprintf(p.Out, "  - %s\n", ui.Printable(before))
		}
		if !c.Gone {
			fmt.Fprintf(p.Out, "  + %s\n", ui.Printable(after))
		}
	}
	printSigns(p.Out, definition.Signs(is.Text, others))
	called := ui.Printable(definition.Called(is.Kind, is.Name))
	_, err := fmt.Fprintf(p.Out, "\nkeep it out:         sfmcp-proxy tools reject %s %s\naccept exactly this: sfmcp-proxy tools accept %[1]s %[2]s --digest %[3]s\n", is.Endpoint, called, is.Digest[:shownDigest])
	return err
}
