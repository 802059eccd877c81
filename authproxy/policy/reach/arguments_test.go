package reach

import (
	"strings"
	"testing"
)

// Objects with many members are found wherever they are, and texts and lists are not taken for
// such.
func TestCrowdedArguments(t *testing.T) {
	t.Parallel()
	members := func(n int) string { return strings.Repeat(`"a":1,`, n-1) + `"a":1` }
	for text, want := range map[string]bool{
		`{` + members(most) + `}`:                                false,
		`{` + members(most+1) + `}`:                              true,
		`{"body":{` + members(most) + `},"x":1}`:                 false,
		`{"body":{"a":[{` + members(most+1) + `}]}}`:             true,
		`{"body":"` + strings.Repeat(":", 2*most) + `"}`:         false,
		`{"body":"\"` + strings.Repeat(":", 2*most) + `"}`:       false,
		`{"body":[` + strings.Repeat(`{"a":1},`, 2*most) + `1]}`: false,
		`{"body":[` + strings.Repeat(`1,`, 2*most) + `1]}`:       false,
		strings.Repeat("[", 500) + `{` + members(most+1) + `}`:   false, // too deep to be counted here
		strings.Repeat("}", 500) + `"`:                           false,
	} {
		if got := crowded([]byte(text)); got != want {
			t.Errorf("%.40s…: %t", text, got)
		}
	}
}
