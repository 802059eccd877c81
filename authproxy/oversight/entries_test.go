package oversight

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/audit"
)

// Each deed stands in a list once, by how it ended, on whatever page its two entries are: of the
// same filter, all pages together have every deed and none twice.
func TestEndedHasEachDeedOnce(t *testing.T) {
	t.Parallel()
	_, log := newLog(t)
	r := &Reader{Config: Config{Audit: log}}
	begin := func(tool string) int64 {
		t.Helper()
		seq, err := log.Append(t.Context(), audit.Entry{Actor: actor.Proxy, Action: audit.ToolCall, Outcome: audit.Intent, Tool: tool})
		if err != nil {
			t.Fatal(err)
		}
		return seq
	}
	end := func(intent int64, tool string, outcome audit.Outcome) {
		t.Helper()
		if _, err := log.Append(t.Context(), audit.Entry{Actor: actor.Proxy, Action: audit.ToolCall, Outcome: outcome, Tool: tool, IntentSeq: intent}); err != nil {
			t.Fatal(err)
		}
	}
	end(begin("one"), "one", audit.OK)         // 1, 2
	two, three := begin("two"), begin("three") // 3, 4
	end(three, "three", audit.Failed)          // 5
	end(0, "four", audit.Denied)               // 6
	end(two, "two", audit.OK)                  // 7
	begin("lost")                              // 8: its end never came
	end(begin("hidden"), "shown", audit.OK)    // 9, 10
	for _, tt := range []struct {
		name   string
		filter audit.Filter
		text   string
		want   []int64
	}{
		{"everything", audit.Filter{}, "", []int64{2, 5, 6, 7, 8, 10}},
		{"the end does not fit", audit.Filter{Tool: "hidden"}, "", []int64{9}},
		{"what never ended", audit.Filter{Outcome: audit.Intent}, "", []int64{8}},
		{"of a tool", audit.Filter{Outcome: audit.Intent, Tool: "two"}, "", nil},
		{"with a text", audit.Filter{Outcome: audit.Intent}, "LOST", []int64{8}},
		{"a text", audit.Filter{}, `"tool":"two"`, []int64{7}},
	} {
		for most := 1; most <= 11; most++ {
			if got := pages(t, r, tt.filter, tt.text, most); !slices.Equal(got, tt.want) {
				t.Errorf("%s, %d on a page: entries %v, want %v", tt.name, most, got, tt.want)
			}
		}
		if got := pages(t, r, tt.filter, tt.text, 50); !slices.Equal(got, tt.want) {
			t.Errorf("%s, on one page: entries %v, want %v", tt.name, got, tt.want)
		}
		few := &Reader{Config: r.Config, textLooked: 2}
		if got := pages(t, few, tt.filter, tt.text, 50); !slices.Equal(got, tt.want) {
			t.Errorf("%s, two entries at a time: entries %v, want %v", tt.name, got, tt.want)
		}
	}
}

// pages are the numbers on all pages of so many entries, the oldest first.
func pages(t *testing.T, r *Reader, f audit.Filter, text string, most int) (all []int64) {
	t.Helper()
	for {
		found, older, err := r.Ended(t.Context(), f, text, most)
		if err != nil || len(found) > most {
			t.Fatalf("%d entries, %v", len(found), err)
		}
		for _, e := range slices.Backward(found) {
			all = append(all, e.Seq)
		}
		if older == 0 {
			slices.Reverse(all)
			return all
		}
		f.Before = older
	}
}

// A text that stands in an old entry alone is found by going on, however few entries are looked
// through at once: no page says that there is no more while there is.
func TestTextIsLookedForToTheEnd(t *testing.T) {
	t.Parallel()
	_, log := newLog(t)
	r := &Reader{Config: Config{Audit: log}, textLooked: 3}
	for i := range 10 {
		if _, err := log.Append(t.Context(), audit.Entry{Actor: actor.Proxy, Action: audit.ToolCall, Outcome: audit.OK, Tool: fmt.Sprint("tool-", i%5)}); err != nil {
			t.Fatal(err)
		}
	}
	for _, look := range []func(context.Context, audit.Filter, string, int) ([]audit.Entry, int64, error){r.Entries, r.Ended} {
		f, looked := audit.Filter{}, 0
		var seen []int64
		for older := int64(1); older > 0; looked++ {
			var found []audit.Entry
			var err error
			if found, older, err = look(t.Context(), f, `"tool-1"`, 2); err != nil {
				t.Fatal(err)
			}
			for _, e := range slices.Backward(found) {
				seen = append(seen, e.Seq)
			}
			f.Before = older
		}
		if !slices.Equal(seen, []int64{7, 2}) || looked != 4 {
			t.Errorf("entries %v on %d pages", seen, looked)
		}
	}
}

// Where more ends stand behind a page than are looked at, an intent is shown beside its end.
func TestEndedLooksBackSoFar(t *testing.T) {
	t.Parallel()
	_, log := newLog(t)
	r := &Reader{Config: Config{Audit: log}}
	err := log.Call(t.Context(), audit.Entry{Actor: actor.Proxy, Action: audit.ToolCall, Tool: "slow"}, func(context.Context) (audit.Result, error) {
		for i := range endedLooked + 1 {
			if _, err := log.Append(t.Context(), audit.Entry{Actor: actor.Proxy, Action: audit.LogCut, Outcome: audit.OK, Object: fmt.Sprint(i)}); err != nil {
				return audit.Result{}, err
			}
		}
		return audit.Result{Outcome: audit.OK}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := pages(t, r, audit.Filter{Tool: "slow"}, "", 1); len(got) != 1 {
		t.Errorf("of its own filter: %v", got)
	}
	if got := pages(t, r, audit.Filter{}, "", endedLooked+1); got[0] != 1 {
		t.Errorf("%v", got[:2])
	}
}
