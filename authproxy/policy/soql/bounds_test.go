package soql

import (
	"errors"
	"strings"
	"testing"
)

// What is bounded is read up to its bound and refused from the next on: Salesforce's own
// limits, or more than it ever takes, so that nothing costs more to read than it can be worth.
func TestBounds(t *testing.T) {
	nested := func(n int) string {
		return "SELECT Id FROM Account WHERE " + strings.Repeat("(", n) + "Name = 'a'" + strings.Repeat(")", n)
	}
	dotted := func(n int) string {
		return "SELECT " + strings.Repeat("a.", n-1) + "a FROM Account"
	}
	padded := func(n int) string {
		const query = "SELECT Id FROM Account"
		return query + strings.Repeat(" ", n-len(query))
	}
	for name, tt := range map[string]struct {
		query func(int) string
		most  int
		want  error
	}{
		"length":      {padded, 100_000, ErrTooLong},
		"names":       {dotted, 10, ErrSyntax},
		"parentheses": {nested, 38, ErrSyntax}, // query and condition are a level each
	} {
		if _, err := ParseQuery(tt.query(tt.most)); err != nil {
			t.Errorf("%s: %d are refused: %v", name, tt.most, err)
		}
		if _, err := ParseQuery(tt.query(tt.most + 1)); !errors.Is(err, tt.want) {
			t.Errorf("%s: %d: %v, want %v", name, tt.most+1, err, tt.want)
		}
	}
	search := func(n int) string {
		const begin, end = "FIND {", "} RETURNING Account"
		return begin + strings.Repeat("a", n-len(begin)-len(end)) + end
	}
	if _, err := ParseSearch(search(100_000)); err != nil {
		t.Errorf("a search of 100000: %v", err)
	}
	if _, err := ParseSearch(search(100_001)); !errors.Is(err, ErrTooLong) {
		t.Errorf("a search of 100001: %v", err)
	}
}

// FW-25: an escape that stands for an ASCII character could end the string for whoever
// decodes it first, so only others are read; and what looks like a value is one whole.
func TestFW25EscapesAndValues(t *testing.T) {
	where := func(value string) string { return "SELECT Id FROM Account WHERE Name = " + value }
	for _, value := range []string{`'x\u0080'`, `'x\u00e9'`, `'x\uFFFD'`, `'x\u20ACy'`, `USD5000`, `eur1`, `'it\'s'`} {
		if _, err := ParseQuery(where(value)); err != nil {
			t.Errorf("%s is refused: %v", value, err)
		}
	}
	for _, value := range []string{
		`'x\u0027'`, `'x\u007f'`, `'x\u0000'`, `'x\u00zz'`, `'x\uzzzz'`, `'x\u00'`, `'x\u'`, `'x\u 0e9'`, `'x\u+0e9'`, `'x\u0_e9'`,
		`USD`, `US5`, `USDX5`, `USD5x`, `USD5.`, `5USD`,
	} {
		if _, err := ParseQuery(where(value)); err == nil {
			t.Errorf("%s is read", value)
		}
	}
	for _, search := range []string{"FIND{a}", "find {a}", "FIND\t{a}"} {
		if _, err := ParseSearch(search); err != nil {
			t.Errorf("%s is refused: %v", search, err)
		}
	}
	for _, search := range []string{"FIN", "FIND", "FIND{", "FINDER {a}", "FOND {a}"} {
		if _, err := ParseSearch(search); err == nil {
			t.Errorf("%s is read", search)
		}
	}
}
