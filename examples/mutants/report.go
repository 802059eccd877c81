package main

import (
	"cmp"
	_ "embed"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
)

//go:embed equivalent.txt
var equivalentText string

// known is a mutant that nobody could notice: its id, its line after the edit, and why.
type known struct{ id, line, reason string }

// readEquivalents reads blocks of three lines, apart by empty ones: id, line, reason. Lines
// that begin with # are comments.
func readEquivalents(text string) (list []known, err error) {
	var block []string
	for line := range strings.Lines(text + "\n\n") {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "#"):
		case line != "":
			block = append(block, line)
		case len(block) == 0:
		case len(block) != 3:
			return nil, fmt.Errorf("equivalent.txt: %q: want an id, a line and a reason", block[0])
		default:
			list, block = append(list, known{block[0], block[1], block[2]}), nil
		}
	}
	return list, nil
}

// report prints a table by package, one by operator, and whatever was not simply killed. It
// returns how many percent were killed.
func report(w io.Writer, results []result) float64 {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "killed\tlived\thung\tequivalent\t score\t\t")
	score := row(table, results, "all")
	for _, by := range []func(result) string{
		func(r result) string { return r.pkg },
		func(r result) string { return r.operator },
	} {
		fmt.Fprintln(table, "\t\t\t\t\t\t")
		groups := map[string][]result{}
		var names []string
		for _, r := range results {
			if groups[by(r)] == nil {
				names = append(names, by(r))
			}
			groups[by(r)] = append(groups[by(r)], r)
		}
		slices.SortFunc(names, cmp.Compare[string])
		for _, name := range names {
			row(table, groups[name], name)
		}
	}
	table.Flush()
	elsewhere := 0
	for _, r := range results {
		if r.outcome == killed && r.by != r.pkg {
			elsewhere++
		}
	}
	fmt.Fprintf(w, "%d of the killed were killed by the tests of another package\n", elsewhere)
	for _, o := range []outcome{lived, hung, equivalent} {
		for _, r := range results {
			if r.outcome == o {
				fmt.Fprintf(w, "\n%s: %s (line %d)\n- %s\n+ %s\n", o, r.id, r.line, r.before(), r.after())
			}
		}
	}
	return score
}

// row prints one line of the table and returns its score.
func row(w io.Writer, results []result, name string) float64 {
	n := map[outcome]int{}
	for _, r := range results {
		n[r.outcome]++
	}
	dead := n[killed] + n[hung]
	score := 100.0
	if dead+n[lived] > 0 {
		score = 100 * float64(dead) / float64(dead+n[lived])
	}
	fmt.Fprintf(w, "%d\t%d\t%d\t%d\t%.1f %%\t  %s\t\n", n[killed], n[lived], n[hung], n[equivalent], score, name)
	return score
}
