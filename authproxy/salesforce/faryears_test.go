package salesforce_test

import (
	"testing"
	"time"

	"sfmcp-proxy/authproxy/salesforce"
)

// FT-60: exp of a token is more than 32 bits hold, with a sign (2038) or without (2106): the token lives
// until then, and one that a reader of 32 bits would take for one of today, or of then, is refused.
func TestFaultFT60ExpiryOfTokens(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	c := f.client(t)
	for _, over := range []int64{1 << 31, 1 << 32, 1<<32 + 1<<31} {
		f.set(func() { f.now = time.Unix(over-60, 0) })
		f.answerWith(f.jwt(nil, nil))
		got, err := c.Refresh(t.Context(), "acme", "5Aep1")
		if err != nil || got.ExpiresAt.Unix() != over-60+1800 {
			t.Errorf("%d: %+v, %v", over, got, err)
		}
		for what, claims := range map[string]map[string]any{
			"expired, by 2^32 less": {"exp": over - 60 + 1800 - 1<<32},
			"far, by 2^32 more":     {"exp": over - 60 + 1800 + 1<<32},
			"issued 2^32 from now":  {"iat": over - 60 + 1<<32, "nbf": over - 60 + 1<<32, "exp": over + 1740 + 1<<32},
		} {
			f.answerWith(f.jwt(nil, claims))
			if got, err := c.Refresh(t.Context(), "acme", "5Aep1"); err == nil {
				t.Errorf("%d, %s: taken until %s", over, what, got.ExpiresAt)
			}
		}
	}
}

// FT-60: a time within a leap second, which this language has no word for, is as good as none: it
// neither holds calls back nor ends a login.
func TestFaultFT60LeapSecondInAnAnswer(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.set(func() { f.now = time.Date(2016, 12, 31, 23, 59, 58, 0, time.UTC) })
	f.token = status(429, "", "Retry-After", "Sat, 31 Dec 2016 23:59:60 GMT")
	_, err := f.client(t).Refresh(t.Context(), "acme", "5Aep1")
	if e := failureOf(t, err); e.Kind != salesforce.Transient || e.RetryAfter != 0 {
		t.Errorf("%+v", e)
	}
}
