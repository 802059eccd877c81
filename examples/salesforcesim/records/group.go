package records

import (
	"fmt"
	"strings"
)

// group is the records that have the same values of the grouped expressions.
type group struct {
	rows   []*record
	keys   map[string]any  // expression's key → value
	rolled map[string]bool // expression's key → it is a subtotal over all values
}

// values are those of an expression that are not null.
func (g *group) values(e *expression) []any {
	var out []any
	for _, r := range g.rows {
		if v := e.eval(scope{r: r}); v != nil {
			out = append(out, v)
		}
	}
	return out
}

// sum adds up the values of an expression and says how many there are.
func (g *group) sum(e *expression) (total float64, n int) {
	values := g.values(e)
	for _, v := range values {
		total += v.(float64)
	}
	return total, len(values)
}

// grouped puts records into groups: one for all of them without GROUP BY, and further
// ones for the subtotals of ROLLUP and CUBE.
func (q *boundQuery) grouped(rows []*record) []*group {
	if len(q.groups) == 0 {
		return []*group{{rows: rows}}
	}
	var out []*group
	for _, kept := range groupingSets(len(q.groups), q.grouping) {
		out = append(out, q.groupedBy(rows, kept)...)
	}
	return out
}

// groupingSets says which of n expressions are kept at each level of subtotals, the
// finest first.
func groupingSets(n int, grouping string) [][]bool {
	all := make([]bool, n)
	for i := range all {
		all[i] = true
	}
	sets := [][]bool{all}
	switch grouping {
	case "ROLLUP":
		for keep := n - 1; keep >= 0; keep-- {
			set := make([]bool, n)
			copy(set, all[:keep])
			sets = append(sets, set)
		}
	case "CUBE":
		for bits := 1<<n - 2; bits >= 0; bits-- {
			set := make([]bool, n)
			for i := range set {
				set[i] = bits&(1<<i) != 0
			}
			sets = append(sets, set)
		}
	}
	return sets
}

// groupedBy puts records into groups by the expressions that are kept, in order of
// appearance.
func (q *boundQuery) groupedBy(rows []*record, kept []bool) []*group {
	var out []*group
	found := map[string]*group{}
	for _, r := range rows {
		keys, rolled := map[string]any{}, map[string]bool{}
		var id strings.Builder
		for i, e := range q.groups {
			keys[e.key] = nil
			if rolled[e.key] = !kept[i]; kept[i] {
				keys[e.key] = e.eval(scope{r: r})
				fmt.Fprintf(&id, "%T %q;", keys[e.key], strings.ToLower(fmt.Sprint(keys[e.key])))
			}
		}
		g := found[id.String()]
		if g == nil {
			g = &group{keys: keys, rolled: rolled}
			found[id.String()] = g
			out = append(out, g)
		}
		g.rows = append(g.rows, r)
	}
	return out
}
