package signals

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// How Salesforce did lately is said of the time that is asked for, of servers of the configuration
// alone, and without what callers broke off; of many requests the newest are kept.
func TestRecentRequests(t *testing.T) {
	s := newSignals()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	s.Now = func() time.Time { return now }
	begun := now
	s.Sent("sales", "tools/call", "timed_out", time.Hour) // long ago, when the others come
	now = now.Add(time.Hour)
	for i := range 100 {
		s.Sent("sales", "tools/call", map[bool]string{true: "unavailable"}[i%20 == 0], time.Duration(i)*time.Millisecond)
	}
	s.Sent("sales", "tools/call", "canceled", time.Hour)
	s.Sent("sales", "tools/call", "rpc_error", 0) // an answer
	s.Sent("nobody's", "tools/call", "", time.Hour)
	want := map[string]Recent{"sales": {Requests: 101, Failed: 5, Median: 49 * time.Millisecond, Slow: 94 * time.Millisecond}}
	if diff := cmp.Diff(want, s.Recent(now.Add(-time.Minute))); diff != "" {
		t.Error(diff)
	}
	if got := s.Recent(begun)["sales"]; got.Requests != 102 {
		t.Errorf("%+v", got)
	}
	if got := s.Recent(now.Add(time.Second)); len(got) != 0 {
		t.Errorf("%+v", got)
	}
	for range 2 * recentKept {
		s.Sent("sales", "tools/call", "", time.Second)
	}
	if got := s.Recent(begun)["sales"]; got != (Recent{Requests: recentKept, Median: time.Second, Slow: time.Second}) {
		t.Errorf("%+v", got)
	}
}
