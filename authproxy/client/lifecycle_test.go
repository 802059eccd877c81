package client

import (
	"testing"
	"time"
)

func TestLifecycle(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	now := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		name   string
		l      Lifecycle
		used   time.Time
		hidden bool
		ends   time.Time
	}{
		{"never, by the configuration", Lifecycle{}, now.Add(-9999 * day), false, time.Time{}},
		{"used lately", Lifecycle{30 * day, 60 * day}, now.Add(-30*day + 1), false, now.Add(30*day + 1)},
		{"unused for as long as that", Lifecycle{30 * day, 60 * day}, now.Add(-30 * day), true, now.Add(30 * day)},
		{"hidden for good", Lifecycle{HideAfter: 30 * day}, now.Add(-90 * day), true, time.Time{}},
		{"of which nobody can know it", Lifecycle{30 * day, 60 * day}, time.Time{}, false, time.Time{}},
	} {
		if hidden, ends := tt.l.Hidden(tt.used, now), tt.l.EndsAt(tt.used); hidden != tt.hidden || !ends.Equal(tt.ends) {
			t.Errorf("%s: hidden %v, ends %v", tt.name, hidden, ends)
		}
	}
}
