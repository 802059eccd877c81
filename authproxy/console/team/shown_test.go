package team

import (
	"fmt"
	"strings"
	"testing"

	"sfmcp-proxy/authproxy/audit"
)

// Whatever a page leaves out of a list it says, with how many there are or where the others stand.
func TestPagesSayWhatTheyLeaveOut(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]string{0: "", maxLines: "", maxLines + 1: "100 of 101. See."} {
		if some, text := first(make([]int, n), "See."); text != want || len(some) != min(n, maxLines) {
			t.Errorf("of %d: %d and %q, want %q", n, len(some), text, want)
		}
	}
	for n, want := range map[int]string{0: "", 5: "s, s, s, s, s", 7: "s, s, s, s, s and 2 more"} {
		if got := firstNames(strings.Split(strings.TrimSuffix(strings.Repeat("s ", n), " "), " ")); n > 0 && got != want {
			t.Errorf("of %d: %q, want %q", n, got, want)
		}
	}
	if got := endpointsShown(12); !strings.HasPrefix(got, "10 of 12 servers") {
		t.Errorf("servers: %s", got)
	}
	for n, left := range map[int]bool{1: false, entriesShown: false, entriesShown + 1: true} {
		entries := make([]audit.Entry, n)
		for i := range entries {
			entries[i].Seq = int64(i + 1)
		}
		if newest, older := newestOf(entries); len(newest) != min(n, entriesShown) || newest[len(newest)-1].Seq != int64(n) || older != left {
			t.Errorf("of %d entries: %d, %t", n, len(newest), older)
		}
	}
}

// A proposal that is too long for the page ends with a whole line, and with how many are left out.
func TestLongProposal(t *testing.T) {
	t.Parallel()
	var lines strings.Builder
	for i := range 400 {
		fmt.Fprintf(&lines, "- %d: user, a line of the proposal\n", i)
	}
	text := shortened(lines.String())
	whole, rest, ok := strings.Cut(text, "\n…and ")
	if !ok || len(text) > maxProposal+100 || !strings.HasPrefix(lines.String(), whole+"\n") {
		t.Fatalf("ends with %q", text[max(0, len(text)-200):])
	}
	if want := fmt.Sprintf("%d lines more: 'review proposal' has all\n", 400-strings.Count(whole, "\n")-1); rest != want {
		t.Errorf("%q, want %q", rest, want)
	}
	if short := "- one\n"; shortened(short) != short {
		t.Error("a short proposal is not as it is")
	}
}
