package listing

import (
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"
)

// DefaultWidth is how wide sentences are that no terminal shows.
const DefaultWidth = 100

// gap is what stands between columns, indent before those that do not fit into the first line of a row. What is left of a cell that is cut:
// readable, as long as whole columns can be left out instead, then shortest.
const (
	gap      = 2
	indent   = 4
	readable = 18
	shortest = 10
)

// column is one column of a table: its heading, then its cells.
type column struct {
	field int
	cells []string
	width int
	// cut: a cell may be shortened, because it is prose: nobody tells things apart by it, or types it into another command;
	// drop: the column may be left out, the last one first.
	cut, drop bool
}

// table prints rows in columns. A column with the tag fit:"cut" is shortened, one with
// fit:"drop" is left out, so that a line has at most width characters; 0: as many as there are.
// What people copy or tell apart is whole at every width: columns that do not fit then stand in further lines of their row.
func table[Row any](w io.Writer, rows []Row, width int) error {
	var columns []*column
	t := reflect.TypeFor[Row]()
	for i := range t.NumField() {
		heading, fit := t.Field(i).Tag.Get("col"), t.Field(i).Tag.Get("fit")
		if heading != "" {
			columns = append(columns, &column{field: i, cells: []string{heading}, cut: strings.Contains(fit, "cut"), drop: strings.Contains(fit, "drop")})
		}
	}
	for _, row := range rows {
		for _, c := range columns {
			c.cells = append(c.cells, cell(reflect.ValueOf(row).Field(c.field).Interface()))
		}
	}
	lines := folded(fitted(columns, width), width)
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
		if len(lines) == 0 || width > 0 && used+c.width > width {
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

// fitted gives each column its width; 0: there is room for all of it.
func fitted(columns []*column, width int) []*column {
	total := -gap
	for _, c := range columns {
		for _, text := range c.cells {
			c.width = max(c.width, utf8.RuneCountInString(text))
		}
		total += c.width + gap
	}
	if width == 0 {
		return columns
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
		if c.cut && c.width > least && (widest == nil || c.width > widest.width) {
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
