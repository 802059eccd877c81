package approval

import (
	"errors"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/actor"
)

// FT-60: an approval lasts as long as ever when the seconds of a 32-bit clock run over meanwhile, with
// a sign (2038) and without (2106), and no longer.
func TestFaultFT60Approvals(t *testing.T) {
	t.Parallel()
	s, c := newStore(t)
	for _, over := range []time.Time{time.Unix(1<<31, 0), time.Unix(1<<32, 0)} {
		c.add(over.Add(-lifetime / 2).Sub(c.now()))
		b, other := binding(over.String()), binding("Other "+over.String())
		r := submit(t, s, b)
		late := submit(t, s, other)
		decide(t, s, r.ID, true)
		c.add(lifetime * 3 / 4) // beyond it
		spent, err := s.Spend(t.Context(), b)
		if err != nil || !spent.SpentAt.Equal(c.now()) || !spent.ExpiresAt.Equal(over.Add(lifetime/2)) {
			t.Errorf("%s: %+v, %v", over.UTC(), spent, err)
		}
		c.add(lifetime / 4)
		if _, err := s.Approve(t.Context(), late.ID, agreed(actor.User("rep"))); !errors.Is(err, ErrGone) {
			t.Errorf("%s: approved when it was over: %v", over.UTC(), err)
		}
	}
}
