package grant

import (
	"testing"
	"time"
)

// FT-60: a code, its tokens and their end are the same when the seconds of a 32-bit clock run over,
// with a sign (2038) and without (2106), and far beyond.
func TestFaultFT60Tokens(t *testing.T) {
	t.Parallel()
	f := open(t)
	for _, over := range []time.Time{time.Unix(1<<31, 0), time.Unix(1<<32, 0), time.Date(9000, 1, 1, 0, 0, 0, 0, time.UTC)} {
		f.clock.Add(over.Add(-testLifetimes.Code / 2).Sub(f.clock.Now()))
		_, code := f.code(t, testSubject)
		f.clock.Add(testLifetimes.Code * 3 / 4) // beyond it
		tokens, err := f.Redeem(t.Context(), redemption(code))
		if err != nil {
			t.Fatalf("%s: %v", over.UTC(), err)
		}
		f.opens(t, tokens, true)
		f.clock.Add(testLifetimes.AccessToken - time.Millisecond)
		f.opens(t, tokens, true)
		next, err := f.Rotate(t.Context(), rotation(tokens.RefreshToken))
		if err != nil {
			t.Fatalf("%s: rotated: %v", over.UTC(), err)
		}
		f.opens(t, next, true)
		f.clock.Add(testLifetimes.AccessToken)
		f.opens(t, next, false)
		f.clock.Add(testLifetimes.RefreshIdle)
		_, err = f.Rotate(t.Context(), rotation(next.RefreshToken))
		wantErr(t, err, ErrInvalidGrant)
	}
}
