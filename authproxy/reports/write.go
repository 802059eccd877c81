package reports

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"strings"

	"sfmcp-proxy/authproxy/ui"
)

// WriteJSON writes the report as one JSON object.
func (r *Report) WriteJSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(r)
}

//go:embed report.html.tmpl
var page string

var pageTemplate = template.Must(template.New("report").Parse(page))

// printed is what the page shows.
type printed struct {
	Period, Made, By, Version, Range string
	Missing                          []string
	Counts                           []Count
	Sections                         []section
}

func (r *Report) printed() printed {
	p := printed{Period: day(r.Since) + " to " + day(r.Until) + " UTC", Made: day(r.Made) + " UTC", By: ui.Printable(r.By), Version: r.Version, Missing: r.Log.Missing, Counts: r.Counts, Sections: r.sections()}
	p.Range = "no entry of the audit log"
	if r.Log.First > 0 {
		p.Range = fmt.Sprintf("entries %d to %d of the audit log: %d of them", r.Log.First, r.Log.Last, r.Log.Entries)
	}
	return p
}

// WriteHTML writes the report as one page that needs nothing else.
func (r *Report) WriteHTML(w io.Writer) error { return pageTemplate.Execute(w, r.printed()) }

// WriteMarkdown writes the report as Markdown with tables (GitHub Flavored Markdown).
func (r *Report) WriteMarkdown(w io.Writer) error {
	p := r.printed()
	var b bytes.Buffer
	fmt.Fprintf(&b, "# What happened, %s\n\nMade %s by %s with sfmcp-proxy %s, from %s.\n", p.Period, p.Made, marked(p.By), marked(p.Version), p.Range)
	if len(p.Missing) > 0 {
		b.WriteString("\n## What the log does not hold\n\n")
		for _, text := range p.Missing {
			fmt.Fprintf(&b, "- %s\n", marked(text))
		}
	}
	b.WriteString("\n## In numbers\n\n| Number | What | How it was counted |\n|---:|---|---|\n")
	for _, c := range p.Counts {
		fmt.Fprintf(&b, "| %d | %s | %s |\n", c.Value, c.Name, c.How)
	}
	for _, s := range p.Sections {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n", s.Title, s.How)
		if len(s.Rows) == 0 {
			b.WriteString("None.\n")
			continue
		}
		fmt.Fprintf(&b, "| %s |\n|%s\n", strings.Join(s.Columns, " | "), strings.Repeat("---|", len(s.Columns)))
		for _, row := range s.Rows {
			for i := range row {
				row[i] = marked(row[i])
			}
			fmt.Fprintf(&b, "| %s |\n", strings.Join(row, " | "))
		}
		if more := s.More(); more != "" {
			fmt.Fprintf(&b, "\n%s\n", more)
		}
	}
	_, err := w.Write(b.Bytes())
	return err
}

// marks are the characters that mean something in Markdown, in a table, or in the HTML that
// Markdown may hold: all ASCII punctuation may stand behind a backslash (CommonMark 0.31.2, 2.4).
// Round brackets mean nothing without square ones, and an address is one by its "://".
var marks = strings.NewReplacer(`\`, `\\`, "`", "\\`", "*", `\*`, "_", `\_`, "{", `\{`, "}", `\}`, "[", `\[`, "]", `\]`, "<", `\<`, ">", `\>`,
	"#", `\#`, "!", `\!`, "|", `\|`, "~", `\~`, "&", `\&`, "@", `\@`, "://", `\://`, "\n", " ", "\r", " ")

// marked is text that Markdown shows as it stands.
func marked(text string) string {
	text = marks.Replace(text)
	if strings.HasPrefix(text, "-") || strings.HasPrefix(text, "+") { // which would begin a list
		return `\` + text
	}
	return text
}
