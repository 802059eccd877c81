package review

import (
	"strings"
	"testing"
	"time"
)

// Quarters are those of the calendar, in the zone of whoever asks.
func TestQuarter(t *testing.T) {
	t.Parallel()
	zone := time.FixedZone("x", 3600)
	for _, tt := range []struct {
		name       string
		now        time.Time
		want, from string
	}{
		{"", time.Date(2026, 1, 1, 0, 0, 0, 0, zone), "2025-Q4", "2025-10-01"},
		{"", time.Date(2026, 3, 31, 23, 0, 0, 0, zone), "2025-Q4", "2025-10-01"},
		{"", time.Date(2026, 11, 30, 0, 0, 0, 0, zone), "2026-Q3", "2026-07-01"},
		{"2026-Q1", time.Date(2026, 11, 30, 0, 0, 0, 0, zone), "2026-Q1", "2026-01-01"},
	} {
		name, begin, end, err := Quarter(tt.name, tt.now)
		if err != nil || name != tt.want || begin.Format(time.DateOnly) != tt.from || !end.Equal(begin.AddDate(0, 3, 0)) || begin.Location() != zone {
			t.Errorf("%q at %s: %s, %s to %s, %v", tt.name, tt.now, name, begin, end, err)
		}
	}
	for _, wrong := range []string{"2026-Q5", "Q1", "2026-Q1 ", "2027-Q1"} {
		if _, _, _, err := Quarter(wrong, time.Date(2026, 12, 31, 23, 59, 0, 0, zone)); err == nil {
			t.Errorf("%q is a quarter", wrong)
		}
	}
	if ValidName("2026-Q3") != nil || ValidName("") == nil || ValidName("a/b") == nil || ValidName("..") == nil {
		t.Error("names that are none")
	}
	if longest := "2026-Q3." + strings.Repeat("s", 63); ValidName(longest) != nil || ValidName(longest+"s") == nil {
		t.Error("the review of one server has a name that nobody can open, or names have no end")
	}
}
