package listing

import (
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"
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
}

// table prints rows in columns, so that a line has at most width characters. A column with the tag fit:"cut", which is
// prose, is shortened, one with fit:"drop" is left out. What people copy or tell apart is whole: where fold is true,
// columns that do not fit stand in further lines of their row. Where it is not, a row is one line, as programs
// read it, and columns with fit:"line" are shortened, too; of one with fit:"line,id" a whole Salesforce id stays.
func table[Row any](w io.Writer, rows []Row, width int, fold bool) error {
	var columns []*column
	t := reflect.TypeFor[Row]()
	for i := range t.NumField() {
		heading, fit := t.Field(i).Tag.Get("col"), t.Field(i).Tag.Get("fit")
		if heading != "" {
			c := column{field: i, cells: []string{heading}, drop: strings.Contains(fit, "drop")}
			if c.cut = strings.Contains(fit, "cut") || !fold && strings.Contains(fit, "line"); strings.Contains(fit, "id") {
				c.least = wholeID
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
				line.WriteString(text + strings.Repeat(" ", c.width-utf8.RuneCountInString(text)+gap))
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
			c.width = max(c.width, utf8.RuneCountInString(text))
		}
		total += c.width + gap
	}
	for total > width && narrowed(columns, readable) {
		total--
	}
	for i := len(columns) - 1; i >= 0 && total > width; i-- {
		if columns[i].drop {
			total -= columns[i].width + gap
			columns = slices.Delete(columns, i, i+1)
		}
	}
	for total > width && narrowed(columns, shortest) {
		total--
	}
	return columns
}

// narrowed takes a character from the widest column that can be cut and is wider than least.
func narrowed(columns []*column, least int) bool {
	var widest *column
	for _, c := range columns {
		if c.cut && c.width > max(least, c.least) && (widest == nil || c.width > widest.width) {
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
	if utf8.RuneCountInString(text) <= width {
		return text
	}
	return string([]rune(text)[:width-1]) + "…"
}
