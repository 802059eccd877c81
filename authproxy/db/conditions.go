package db

import (
	"strconv"
	"strings"
)

// Conditions are those of a statement, all of which must hold, with their arguments from $1 on. What
// selects all is not added, so that an index serves the others.
type Conditions struct {
	all  []string
	Args []any
}

// Add adds one, which has a ? for each of its values.
func (c *Conditions) Add(condition string, values ...any) {
	for _, v := range values {
		c.Args = append(c.Args, v)
		condition = strings.Replace(condition, "?", "$"+strconv.Itoa(len(c.Args)), 1)
	}
	c.all = append(c.all, condition)
}

// Where is the clause, with a space before it; "" without conditions.
func (c *Conditions) Where() string {
	if len(c.all) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(c.all, " AND ")
}
