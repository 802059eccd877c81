package client

import "time"

// Lifecycle says what becomes of a client that nobody uses: after a time, lists leave it out, and
// after a longer one all its connections end. Either is 0 where that never happens.
//
// Nothing is stored for it. How long a client is unused is read from its connections and, where it
// has none, from when it registered or its document was read; so a call brings back one that is
// hidden, and one that is configured and has no connection is never hidden: it is in the
// operator's own list.
type Lifecycle struct{ HideAfter, EndAfter time.Duration }

// Lifecycle is that of the configuration.
func (s *Store) Lifecycle() Lifecycle { return s.lifecycle }

// Hidden reports whether lists leave out a client that was used last then; the zero time, of one
// that nobody can know to be unused, never.
func (l Lifecycle) Hidden(used, now time.Time) bool {
	return l.HideAfter > 0 && !used.IsZero() && now.Sub(used) >= l.HideAfter
}

// EndsAt is when the connections end of a client that is used no more; zero: never.
func (l Lifecycle) EndsAt(used time.Time) time.Time {
	if l.EndAfter <= 0 || used.IsZero() {
		return time.Time{}
	}
	return used.Add(l.EndAfter)
}
