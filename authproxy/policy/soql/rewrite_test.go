package soql

import (
	"errors"
	"testing"
)

func TestWithLimit(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ query, want string }{
		{"SELECT Id FROM Account", "SELECT Id FROM Account LIMIT 5"},
		{"SELECT Id FROM Account\n", "SELECT Id FROM Account LIMIT 5\n"},
		{"SELECT Id FROM Account LIMIT 200", "SELECT Id FROM Account LIMIT 5"},
		{"SELECT Id FROM Account limit 200 OFFSET 7", "SELECT Id FROM Account limit 5 OFFSET 7"},
		{"SELECT Id FROM Account ORDER BY Name DESC NULLS LAST OFFSET 7", "SELECT Id FROM Account ORDER BY Name DESC NULLS LAST LIMIT 5 OFFSET 7"},
		{"SELECT Id FROM Account WHERE Name = 'LIMIT 9' FOR VIEW", "SELECT Id FROM Account WHERE Name = 'LIMIT 9' LIMIT 5 FOR VIEW"},
		{"SELECT Id FROM Account WHERE Name = 'x'FOR VIEW", "SELECT Id FROM Account WHERE Name = 'x' LIMIT 5 FOR VIEW"},
		{"SELECT Id FROM Account WHERE (Name = 'x')UPDATE VIEWSTAT", "SELECT Id FROM Account WHERE (Name = 'x') LIMIT 5 UPDATE VIEWSTAT"},
		{"SELECT Id FROM Account WHERE Name = 'x'OFFSET 7", "SELECT Id FROM Account WHERE Name = 'x' LIMIT 5 OFFSET 7"},
		{"SELECT Id FROM Account LIMIT 5\tOFFSET 7", "SELECT Id FROM Account LIMIT 5\tOFFSET 7"},
		{"SELECT Id, (SELECT Id FROM Contacts LIMIT 3) FROM Account WITH USER_MODE", "SELECT Id, (SELECT Id FROM Contacts LIMIT 3) FROM Account WITH USER_MODE LIMIT 5"},
		{"SELECT Id FROM Account WHERE Id IN (SELECT AccountId FROM Contact LIMIT 3)", "SELECT Id FROM Account WHERE Id IN (SELECT AccountId FROM Contact LIMIT 3) LIMIT 5"},
		{"SELECT COUNT(Id) FROM Case GROUP BY Status HAVING COUNT(Id) > 1", "SELECT COUNT(Id) FROM Case GROUP BY Status HAVING COUNT(Id) > 1 LIMIT 5"},
	} {
		if got, err := WithLimit(tt.query, 5); got != tt.want || err != nil {
			t.Errorf("%s: %q, %v", tt.query, got, err)
		}
	}
	for _, tt := range []struct{ search, want string }{
		{"FIND {LIMIT 9}", "FIND {LIMIT 9} LIMIT 5"},
		{"FIND {x} RETURNING Account(Id)UPDATE TRACKING", "FIND {x} RETURNING Account(Id) LIMIT 5 UPDATE TRACKING"},
		{"FIND {x}UPDATE TRACKING", "FIND {x} LIMIT 5 UPDATE TRACKING"},
		{"FIND {x} RETURNING Account(Id LIMIT 3), Contact", "FIND {x} RETURNING Account(Id LIMIT 3), Contact LIMIT 5"},
		{" FIND {x} IN NAME FIELDS RETURNING Account(Id) LIMIT 50 UPDATE TRACKING", " FIND {x} IN NAME FIELDS RETURNING Account(Id) LIMIT 5 UPDATE TRACKING"},
	} {
		if got, err := SearchWithLimit(tt.search, 5); got != tt.want || err != nil {
			t.Errorf("%s: %q, %v", tt.search, got, err)
		}
	}
	if _, err := WithLimit("SELECT Id FROM Account;", 5); !errors.Is(err, ErrCharacter) {
		t.Error(err)
	}
	if _, err := SearchWithLimit("FIND x", 5); !errors.Is(err, ErrSyntax) {
		t.Error(err)
	}
	if _, err := WithLimit("SELECT Id FROM Account", -1); !errors.Is(err, ErrRewritten) {
		t.Error(err)
	}
}

// A query goes on with a limit only if nothing else of it has changed, as far as both can be
// read.
func TestSameButLimit(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		before, after string
		at            [2]int
		want          bool
	}{
		{"FROM A", "FROM A LIMIT 5", [2]int{6, 6}, true},
		{"FROM A LIMIT 9", "FROM A LIMIT 5", [2]int{13, 14}, true},
		{"FROM A OFFSET 7", "FROM A LIMIT 5 OFFSET 7", [2]int{6, 6}, true},
		{"FROM A", "FROM B LIMIT 5", [2]int{6, 6}, false},
		{"FROM A OFFSET 7", "FROM A LIMIT 5 OFFSET 8", [2]int{6, 6}, false},
		{"FROM A", "FROM A LIMIT 5 LIMIT 5", [2]int{6, 6}, false},
		{"FROM A", "FROM A", [2]int{6, 6}, false},
		{"FROM 'A", "FROM 'A LIMIT 5", [2]int{7, 7}, false},
		{"FROM A", "FROM A LIMIT 5 '", [2]int{6, 6}, false},
	} {
		if got := sameButLimit(tt.before, tt.after, tt.at); got != tt.want {
			t.Errorf("%q, %q: %t", tt.before, tt.after, got)
		}
	}
}
