package analysis

import (
	"fmt"
	"strings"
)

// most is how many objects, or hidden fields, are named one by one: whoever judges a change must
// see each that it opens.
const most = 40

// list joins names, "A, B and C"; of more than most it says how many others there are.
func list(names []string, most int) string {
	switch {
	case len(names) > most+1:
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	case len(names) > 1:
		last := len(names) - 1
		return strings.Join(names[:last], ", ") + " and " + names[last]
	}
	return strings.Join(names, "")
}
