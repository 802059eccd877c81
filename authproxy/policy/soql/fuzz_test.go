package soql

import (
	"errors"
	"regexp"
	"strings"
	"testing"
)

// sideEffects finds side-effect clauses the simple way: strings out, then words.
var (
	stringLiteral = regexp.MustCompile(`'(?:[^'\\]|\\.)*'`)
	sideEffects   = regexp.MustCompile(`(?i)\b(for\s+(view|reference|update)|update\s+(tracking|viewstat))\b`)
)

// anyTraces reports whether the query or one inside it leaves traces.
func anyTraces(q *Query) bool {
	traces := q.Traces
	for _, inner := range append(q.Children[:len(q.Children):len(q.Children)], q.SemiJoins...) {
		traces = traces || anyTraces(inner)
	}
	return traces
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"SELECT Id FROM Account", "SELECT Id FROM Account FOR VIEW", "SELECT Id, (SELECT Id FROM Contacts FOR REFERENCE) FROM Account LIMIT 5",
		"SELECT Id FROM Account WHERE Name = 'it\\'s FOR VIEW' UPDATE VIEWSTAT", "SELECT TYPEOF What WHEN Account THEN Phone END FROM Event",
		"FIND {x} RETURNING Account(Id LIMIT 1) UPDATE TRACKING",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if q, err := ParseQuery(text); err != nil {
			checkOffset(t, text, err)
		} else {
			if !anyTraces(q) && sideEffects.MatchString(stringLiteral.ReplaceAllString(text, "''")) {
				t.Fatalf("a side effect is overlooked: %q", text)
			}
			checkLimit(t, text)
			if len(q.From) == 0 || len(q.From[0].Path) == 0 {
				t.Fatalf("no source: %q", text)
			}
			if again, err := ParseQuery(strings.ToLower(text)); !strings.Contains(text, "'") &&
				(err != nil || anyTraces(again) != anyTraces(q) || again.Limit != q.Limit || len(again.Fields) != len(q.Fields)) {
				t.Fatalf("case matters: %q: %v", text, err)
			}
		}
		if s, err := ParseSearch(text); err != nil {
			checkOffset(t, text, err)
		} else {
			if s.Scope == "" {
				t.Fatalf("a search of no fields: %q", text)
			}
			checkSearchLimit(t, text)
		}
	})
}

// checkLimit gives a query that can be read another LIMIT.
func checkLimit(t *testing.T, text string) {
	t.Helper()
	out, err := WithLimit(text, 7)
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	if q, err := ParseQuery(out); err != nil || q.Limit != 7 || len(q.Children) > 0 && !strings.Contains(out, "(") {
		t.Fatalf("%q becomes %q: %v", text, out, err)
	}
}

// checkSearchLimit gives a search that can be read another LIMIT.
func checkSearchLimit(t *testing.T, text string) {
	t.Helper()
	out, err := SearchWithLimit(text, 7)
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	if s, err := ParseSearch(out); err != nil || s.Limit != 7 {
		t.Fatalf("%q becomes %q: %v", text, out, err)
	}
}

// checkOffset fails the test unless the error points into the text.
func checkOffset(t *testing.T, text string, err error) {
	t.Helper()
	var mistake *Error
	if !errors.As(err, &mistake) || mistake.Offset < 0 || mistake.Offset > len(text) || mistake.Cause == nil {
		t.Fatalf("%q: %v", text, err)
	}
}
