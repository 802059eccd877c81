package listing

import (
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/width"
)

// DefaultWidth is how wide lines are of which nobody says how wide they may be.
const DefaultWidth = 100

// gap is what stands between columns, indent before those that do not fit into the first line of a row. What is left
// of a cell that is cut: readable, as long as whole columns can be left out instead, then shortest; wholeID of one with an id.
const (
	gap      = 2
	indent   = 4
	readable = 18
	shortest = 10
	wholeID  = 18
)

// column is one column of a table: its heading, then its cells.
type column struct {
	field int
	cells []string
	width int
	least int // of a cell that is cut
	// cut: a cell may be shortened; drop: the column may be left out, the last one first.
	cut, drop bool
	late      bool // shortened after all others
}

// table prints rows in columns, so that a line has at most width characters. A column with the tag fit:"cut", which is
// prose, is shortened, one with fit:"drop" is left out. What people copy or tell apart is whole: where fold is true,
// columns that do not fit stand in further lines of their row. Where it is not, a row is one line, as programs
// read it, and columns with fit:"line" are shortened, too, and those with fit:"spare" left out; of one with fit:"line,id" a
// whole Salesforce id stays, and one with fit:"line,late" is shortened after all others.
func table[Row any](w io.Writer, rows []Row, width int, fold bool) error {
	var columns []*column
	t := reflect.TypeFor[Row]()
	for i := range t.NumField() {
		heading, fit := t.Field(i).Tag.Get("col"), t.Field(i).Tag.Get("fit")
		if heading != "" {
			c := column{field: i, cells: []string{heading}, drop: strings.Contains(fit, "drop") || !fold && strings.Contains(fit, "spare"), late: strings.Contains(fit, "late")}
			if c.cut = strings.Contains(fit, "cut") || !fold && strings.Contains(fit, "line"); strings.Contains(fit, "id") {
				c.least = wholeID + 1 // and that something is cut
			}
			columns = append(columns, &c)
		}
	}
	for _, row := range rows {
		for _, c := range columns {
			c.cells = append(c.cells, cell(reflect.ValueOf(row).Field(c.field).Interface()))
		}
	}
	lines := [][]*column{fitted(columns, width)}
	if fold {
		lines = folded(lines[0], width)
	}
	for i := range len(rows) + 1 {
		for n, columns := range lines {
			var line strings.Builder
			if n > 0 {
				line.WriteString(strings.Repeat(" ", indent))
			}
			for _, c := range columns {
				text := shortened(c.cells[i], c.width)
				line.WriteString(text + strings.Repeat(" ", c.width-shownWidth(text)+gap))
			}
			if _, err := fmt.Fprintln(w, strings.TrimRight(line.String(), " ")); err != nil {
				return err
			}
		}
	}
	return nil
}

// folded puts the columns into as many lines as they need, in their order. One that is wider than a line has one of its own.
func folded(columns []*column, width int) (lines [][]*column) {
	used := 0
	for _, c := range columns {
		if len(lines) == 0 || used+c.width > width {
			lines, used = append(lines, nil), 0
			if len(lines) > 1 {
				used = indent
			}
		}
		last := len(lines) - 1
		lines[last] = append(lines[last], c)
		used += c.width + gap
	}
	return lines
}

// fitted gives each column its width.
func fitted(columns []*column, width int) []*column {
	total := -gap
	for _, c := range columns {
		for _, text := range c.cells {
			c.width = max(c.width, shownWidth(text))
		}
		total += c.width + gap
	}
	for total > width && narrowed(columns, readable, false) {
		total--
	}
	for i := len(columns) - 1; i >= 0 && total > width; i-- {
		if columns[i].drop {
			total -= columns[i].width + gap
			columns = slices.Delete(columns, i, i+1)
		}
	}
	for _, late := range []bool{false, true} {
		for total > width && narrowed(columns, shortest, late) {
			total--
		}
	}
	return columns
}

// narrowed takes a character from the widest column that can be cut, also late, and is wider than least.
func narrowed(columns []*column, least int, late bool) bool {
	var widest *column
	for _, c := range columns {
		if c.cut && (late || !c.late) && c.width > max(least, c.least) && (widest == nil || c.width > widest.width) {
			widest = c
		}
	}
	if widest != nil {
		widest.width--
	}
	return widest != nil
}

// shortened is a cell in the width of its column.
func shortened(text string, width int) string {
	if shownWidth(text) <= width {
		return text
	}
	end, used := 0, 0
	for i, r := range text {
		if used += runeWidth(r); used > width-1 {
			break
		}
		end = i + len(string(r))
	}
	return text[:end] + "…"
}

// shownWidth is how many columns of a terminal a text takes.
func shownWidth(text string) (n int) {
	for _, r := range text {
		n += runeWidth(r)
	}
	return n
}

// runeWidth is how many columns a character takes: letters of East Asia and most pictures two (Unicode UAX #11), a mark
// that is written over the letter before it none.
func runeWidth(r rune) int {
	if unicode.In(r, unicode.Mn, unicode.Me) {
		return 0
	}
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	}
	return 1
}
