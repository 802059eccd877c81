package listing

import (
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"
)

// DefaultWidth is how wide a table is that no terminal shows.
const DefaultWidth = 100

// gap is what stands between columns. What is left of a cell that is cut: readable, as long as
// whole columns can be left out instead, then shortest.
const (
	gap      = 2
	readable = 18
	shortest = 10
)

// column is one column of a table: its heading, then its cells.
type column struct {
	field int
	cells []string
	width int
	// cut: a cell may be shortened, because nobody types it into another command; drop:
	// the column may be left out, the last one first.
	cut, drop bool
	least     int // of a cut cell
}

// table prints rows in columns. A column with the tag fit:"cut" is shortened, one with
// fit:"drop" is left out, so that a line has at most width characters;
// what is an argument of other commands stays whole, and may make it longer.
func table[Row any](w io.Writer, rows []Row, width int) error {
	var columns []*column
	t := reflect.TypeFor[Row]()
	for i := range t.NumField() {
		heading, fit := t.Field(i).Tag.Get("col"), t.Field(i).Tag.Get("fit")
		if heading != "" {
			columns = append(columns, &column{field: i, cells: []string{heading}, least: leastOf(fit), cut: strings.Contains(fit, "cut"), drop: strings.Contains(fit, "drop")})
		}
	}
	for _, row := range rows {
		for _, c := range columns {
			c.cells = append(c.cells, cell(reflect.ValueOf(row).Field(c.field).Interface()))
		}
	}
	columns = fitted(columns, width)
	for i := range len(rows) + 1 {
		var line strings.Builder
		for _, c := range columns {
			text := shortened(c.cells[i], c.width)
			line.WriteString(text + strings.Repeat(" ", c.width-utf8.RuneCountInString(text)+gap))
		}
		if _, err := fmt.Fprintln(w, strings.TrimRight(line.String(), " ")); err != nil {
			return err
		}
	}
	return nil
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

// leastOf is how much stays of a cell: of one with fit:"cut,id" a whole Salesforce id.
func leastOf(fit string) int {
	if strings.Contains(fit, "id") {
		return 18
	}
	return 0
}

func shortened(text string, width int) string {
	if utf8.RuneCountInString(text) <= width {
		return text
	}
	return string([]rune(text)[:width-1]) + "…"
}
