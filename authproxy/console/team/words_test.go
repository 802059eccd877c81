package team

import (
	"slices"
	"strings"
	"testing"

	"sfmcp-proxy/authproxy/oversight"
)

func TestEntriesAreInReadingOrder(t *testing.T) {
	t.Parallel()
	got := strings.Join(inReadingOrder(slices.Values(strings.Fields("bytes rule zone actor outcome at tool"))), " ")
	if got != "at tool outcome rule actor bytes zone" {
		t.Error(got)
	}
}

func TestUsualCalls(t *testing.T) {
	t.Parallel()
	days := func(totals ...int) (all []oversight.Day) {
		for _, n := range totals {
			all = append(all, oversight.Day{Calls: []int{0, n, 0, 0}})
		}
		return all
	}
	for _, tt := range []struct {
		before []oversight.Day
		want   string
	}{
		{nil, ""}, {days(0, 0), ""},
		{days(0, 7), "On average 7 a day, in the 1 day before. "},
		{days(0, 4, 0, 7), "On average 4 a day, in the 3 days before. "},
	} {
		if got := usualCalls(tt.before); got != tt.want {
			t.Errorf("%v: %q, want %q", tt.before, got, tt.want)
		}
	}
}
