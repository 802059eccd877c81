package records

import (
	"strings"
	"testing"
)

func TestNormalizeID(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ in, want string }{
		{"0013000000Lbkq6", "0013000000Lbkq6AAB"},    // 15 characters get their suffix
		{"0013000000Lbkq6AAB", "0013000000Lbkq6AAB"}, // 18 stay
		{"0013000000LBKQ6AAB", "0013000000Lbkq6AAB"}, // case lost on the way is restored
		{"0013000000lbkq6aab", "0013000000Lbkq6AAB"},
		{"005xx000001Sv6AAAS", "005xx000001Sv6AAAS"},
		{"0013000000Lbkq6AAA", "0013000000lbkq6AAA"}, // another suffix is another id
		{"0013000000Lbkq6A5B", ""},                   // marks digits as capitals
		{"0013000000Lbkq6A9B", ""},                   // no suffix character
		{"0013000000Lbkq", ""},
		{"0013000000Lbkq6'B", ""},
		{"", ""},
	} {
		got, ok := NormalizeID(tt.in)
		if got != tt.want && ok || ok != (tt.want != "") {
			t.Errorf("NormalizeID(%q) = %q, %v; want %q", tt.in, got, ok, tt.want)
		}
	}
}

func TestRecordIDs(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for n := range 5000 {
		id := RecordID("00Q", n)
		if full, ok := NormalizeID(id); !ok || full != id || !strings.HasPrefix(id, "00Q") || seen[strings.ToLower(id)] {
			t.Fatalf("record %d has the id %q", n, id)
		}
		seen[strings.ToLower(id)] = true
	}
}

func TestKeyPrefixes(t *testing.T) {
	t.Parallel()
	d := testStore(t)
	for object, prefix := range map[string]string{
		"Account": "001", "Contact": "003", "Opportunity": "006", "Case": "500", "Lead": "00Q", "Task": "00T", "User": "005", "Secret__c": "a00",
	} {
		rows := d.All(object)
		if len(rows) == 0 {
			t.Errorf("no %s is seeded", object)
		}
		for _, r := range rows {
			if id := r["Id"].(string); !strings.HasPrefix(id, prefix) || len(id) != 18 {
				t.Errorf("%s has the id %s, want 18 characters with prefix %s", object, id, prefix)
			}
		}
	}
	if d.All("Nothing__c") != nil {
		t.Error("records of an object that does not exist")
	}
}
