package oversight

import (
	"context"
	"errors"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/access"
	"sfmcp-proxy/authproxy/audit"
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

// What somebody asks for wrongly is told to them; what fails here is not.
func TestFilterTellsWhatIsWrong(t *testing.T) {
	t.Parallel()
	broken := errors.New("the database is down")
	r := &Reader{Config: Config{
		Times: func(text string, now time.Time) (begin, end time.Time, err error) {
			if text == "never" {
				return begin, end, errors.New("no time")
			}
			return now.Add(-time.Hour), now, nil
		},
		PersonIn: func(_ context.Context, who string) (audit.Person, error) {
			switch who {
			case "nobody":
				return audit.Person{}, &access.UnknownUserError{}
			case "down":
				return audit.Person{}, broken
			}
			return audit.Person{Subjects: []string{who}}, nil
		},
	}}
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		name, value string
		told        bool
		err         error
	}{
		{"since", "1h", false, nil}, {"since", "never", true, nil}, {"until", "never", true, nil}, {"before", "7", false, nil}, {"before", "0", true, nil}, {"before", "x", true, nil},
		{"person", "005A", false, nil}, {"person", "nobody", true, nil}, {"person", "down", false, broken},
	} {
		_, err := r.Filter(t.Context(), func(name string) string {
			if name == tt.name {
				return tt.value
			}
			return ""
		}, now)
		if _, told := errors.AsType[*InputError](err); told != tt.told || !told && !errors.Is(err, tt.err) {
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
