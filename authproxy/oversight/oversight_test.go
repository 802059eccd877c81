package oversight

import (
	"errors"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/grant"
	"sfmcp-proxy/authproxy/link"
)

func TestStandings(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for _, tt := range []struct {
		user  grant.User
		login link.State
		want  Standing
	}{
		{grant.User{}, "", NotConnected}, {grant.User{Connections: 1}, link.Active, Connected}, {grant.User{Connections: 1}, link.NeedsReauth, LoginLost},
		{grant.User{Connections: 1, BlockedAt: now}, link.NeedsReauth, Blocked}, {grant.User{Altered: true}, link.Active, Altered},
	} {
		if got := StandingOf(&tt.user, tt.login); got != tt.want {
			t.Errorf("%+v, login %q: %s", tt.user, tt.login, got)
		}
	}
}

// What somebody asks for wrongly is told to them. Whom they name is found in cmd/sfmcp-proxy/human_test.go.
func TestFilterTellsWhatIsWrong(t *testing.T) {
	t.Parallel()
	r := &Reader{Config: Config{
		Times: func(text string, now time.Time) (begin, end time.Time, err error) {
			if text == "never" {
				return begin, end, errors.New("no time")
			}
			return now.Add(-time.Hour), now, nil
		},
	}}
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		name, value string
		told        bool
	}{
		{"since", "1h", false}, {"since", "never", true}, {"until", "never", true}, {"before", "7", false}, {"before", "0", true}, {"before", "x", true},
	} {
		_, _, err := r.Filter(t.Context(), func(name string) string {
			if name == tt.name {
				return tt.value
			}
			return ""
		}, now)
		if _, told := errors.AsType[*InputError](err); told != tt.told || !told && err != nil {
			t.Errorf("%s=%s: %v", tt.name, tt.value, err)
		}
	}
}

func TestReaderNeedsItsStores(t *testing.T) {
	t.Parallel()
	if _, err := New(Config{}); err == nil {
		t.Error("a reader of nothing")
	}
}
