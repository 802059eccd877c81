package ui

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"sfmcp-proxy/authproxy/actor"
)

// ConsolePage is a page for people with a role: what there is in numbers, tables and facts,
// and what can be done about it. All pages under /console are one, so that they look and read
// alike. Text is shown as it is, with what cannot be seen made visible; every Path is ours.
type ConsolePage struct {
	Viewer Viewer
	Title  string
	Here   string // path of the tab that the page belongs to
	Tabs   []Link // those that the viewer may open
	Back   *Link  // to the page that this one hangs on; nil: it is a tab itself
	Lead   string // one sentence: what this is, or what to do now
	Notes  []ConsoleNote
	Tiles  []Tile
	Chart  *Chart
	// Watched are sections that stand above all others, without acts. With Live they, the notes,
	// the tiles and the chart follow what the stream at that path says, where scripts run.
	Watched []Section
	Live    string
	Search  []SearchField // posted by GET to the page itself; empty: nothing to look for
	// Sections are in reading order.
	Sections []Section
	More     *Link // what would not fit; nil: this is all
}

func (p ConsolePage) page() head {
	h := head{Template: "console", Title: p.Title, Viewer: &p.Viewer}
	if p.Live != "" {
		h.Script = livePath
	}
	return h
}

// numbered is a section with the id of its heading.
type numbered struct {
	ID string
	Section
}

// Numbered are the sections.
func (p ConsolePage) Numbered() []numbered { return withIDs("s", p.Sections) }

// NumberedWatched are those above them.
func (p ConsolePage) NumberedWatched() []numbered { return withIDs("w", p.Watched) }

func withIDs(prefix string, all []Section) (some []numbered) {
	for i, s := range all {
		some = append(some, numbered{prefix + strconv.Itoa(i), s})
	}
	return some
}

// LivePart is the part of a page that changes while it is in view, as HTML.
func (s Site) LivePart(ctx context.Context, p ConsolePage) (string, error) {
	done, ok := s.slot(ctx)
	if !ok {
		return "", errors.New("no page can be rendered now")
	}
	defer done()
	var text strings.Builder
	err := pageTemplates()["console"].ExecuteTemplate(&text, "live", p)
	return text.String(), err
}

// Often are the fields of the search that always stand there.
func (p ConsolePage) Often() []SearchField { return p.fields(false) }

// Rare are the folded ones.
func (p ConsolePage) Rare() []SearchField { return p.fields(true) }

// RareAsked reports whether something is asked in a folded field, so that it is shown.
func (p ConsolePage) RareAsked() bool {
	return slices.ContainsFunc(p.Rare(), func(f SearchField) bool { return f.Value != "" })
}

func (p ConsolePage) fields(rare bool) (some []SearchField) {
	for _, f := range p.Search {
		if f.Rare == rare {
			some = append(some, f)
		}
	}
	return some
}

// ConsoleNote is something that has to be seen before all else. Kind is "", good, warn or denied.
type ConsoleNote struct {
	Kind, Text string
	Link       *Link
}

// Tile is one number with what it means, and what to do about it.
type Tile struct {
	Number, Label string
	Text          string // what to do; empty: nothing
	Path          string // of the page that shows what was counted
	Kind          string // "", good, warn or denied
}

// SearchField is one field of a search form: a text field, or a choice.
type SearchField struct {
	Name, Label, Value string
	Hint               string   // what may be typed
	Options            []string // nil: any text; else these, and "" for all
	All                string   // what "" is called; empty: all
	Long               bool     // of several lines
	Rare               bool     // folded away, unless something is asked in one of these
}

// Section is one part of a page.
type Section struct {
	Heading, Text string
	Facts         []Fact
	Table         *Table
	Block         string // text that is shown line by line, such as a record of the log
	Acts          []*Act
}

// line is one line of a block, with its indentation apart, which is no sign of anything hidden; before it may stand
// the sign of a line of a difference.
type line struct{ Indent, Text string }

// Lines are those of the block.
func (s Section) Lines() (all []line) {
	for text := range strings.SplitSeq(strings.TrimRight(s.Block, "\n"), "\n") {
		plain := text
		if plain != "" && strings.ContainsRune("+-~", rune(plain[0])) {
			plain = plain[1:]
		}
		plain = strings.TrimLeft(plain, " ")
		all = append(all, line{text[:len(text)-len(plain)], plain})
	}
	return all
}

// Fact is a name and what stands behind it.
type Fact struct {
	Name string
	Cell
}

// Table is rows of cells, as many as there are columns. Empty says what it means that there are
// no rows.
type Table struct {
	Caption string
	Columns []string
	Rows    [][]Cell
	Empty   string
}

// Cell is one value of a table or a fact.
type Cell struct {
	Text  string
	Path  string // where it leads; empty: nowhere
	Faint string // a second line
	Kind  string // how it is marked: "", good, warn, denied
	Code  bool   // an identifier: shown as one
	Act   *Act   // nil: nothing can be done
}

// Act is something that can be done, by a form.
type Act struct {
	CSRF     string // that of the viewer
	Path     string // below /console/, or below /approvals/
	Approval bool   // which of the two
	Label    string
	Unseen   string // behind the label, for whoever hears the page: which one
	Text     string // what will happen, counted
	Fields   []HiddenField
	Inputs   []SearchField // what is asked for
	Reason   bool          // a reason is asked for: field "reason"
	Decision bool          // that reason is of a decision in a review
	Danger   bool
	// Plain is a button in a row, without a card of its own.
	Plain bool
}

// MostReason is how many characters the reason may have.
func (a *Act) MostReason() int {
	of := actor.ForAct
	if a.Decision {
		of = actor.ForDecision
	}
	_, most := of.Bounds()
	return most
}

// HiddenField is a field of an [Act] that the page knows.
type HiddenField struct{ Name, Value string }

// Chart is bars over time, each of parts that stand on each other. It is made here and needs no
// script. The numbers stand in a table beside it for whoever cannot see it.
type Chart struct {
	Caption string
	Parts   []string // names of the parts, from the bottom; at most four
	Bars    []Bar
}

// Bar is one moment of a [Chart], with a number for each part.
type Bar struct {
	Label string
	Parts []int
}

// Size of a chart in its own units.
const (
	chartHeight = 120
	chartPitch  = 40
	chartWidth  = 28
)

// drawn is one rectangle of a chart.
type drawn struct {
	X, Y, W, H float64
	Part       int
	Says       string // its number in words
}

// Drawn are the rectangles of the bars.
func (c *Chart) Drawn() (all []drawn) {
	most := 1
	for _, b := range c.Bars {
		most = max(most, b.Total())
	}
	for i, b := range c.Bars {
		top := float64(chartHeight)
		for part, n := range b.Parts {
			h := float64(n) * chartHeight / float64(most)
			if n == 0 || part >= len(c.Parts) {
				continue
			}
			top -= h
			all = append(all, drawn{float64(i * chartPitch), top, chartWidth, h, part, fmt.Sprintf("%s: %d %s", b.Label, n, c.Parts[part])})
		}
	}
	return all
}

// Box is the view box of the chart.
func (c *Chart) Box() string {
	return fmt.Sprintf("0 0 %d %d", max(len(c.Bars), 1)*chartPitch, chartHeight)
}

// Axis is what the bars are of and how high they are: the first, the last, and the highest.
func (c *Chart) Axis() string {
	if len(c.Bars) == 0 {
		return ""
	}
	highest := slices.MaxFunc(c.Bars, func(a, b Bar) int { return a.Total() - b.Total() })
	return fmt.Sprintf("%s to %s; most: %d on %s", c.Bars[0].Label, c.Bars[len(c.Bars)-1].Label, highest.Total(), highest.Label)
}

// Total is the whole bar.
func (b Bar) Total() (n int) {
	for _, part := range b.Parts {
		n += part
	}
	return n
}
