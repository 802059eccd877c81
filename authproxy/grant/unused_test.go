package grant

import (
	"testing"
	"time"
)

// All of a client ends together, and only if none of its connections was used or made lately: a use
// that is written down after somebody counted keeps all of them.
func TestUnusedClientsEnd(t *testing.T) {
	t.Parallel()
	f, ctx := open(t), t.Context()
	begun := f.clock.Now()
	one, two := f.tokens(t, testSubject), f.tokens(t, otherSubject)
	f.clock.Add(48 * time.Hour)
	rotated, err := f.Rotate(ctx, rotation(one.RefreshToken)) // a program that renews its token does not use it
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name   string
		client string
		after  time.Time
		do     func()
		want   int
	}{
		{"made after then", "chatgpt", begun.Add(-time.Second), nil, 0},
		{"another client", "claude", begun, nil, 0},
		{"used after then", "chatgpt", begun, func() {
			f.opens(t, rotated, true)
			if err := f.Sweep(ctx); err != nil {
				t.Fatal(err)
			}
		}, 0},
		{"unused since", "chatgpt", f.clock.Now(), nil, 2},
		{"ended already", "chatgpt", f.clock.Now(), nil, 0},
	} {
		if tt.do != nil {
			tt.do()
		}
		before := f.epoch(t)
		ended, err := f.EndUnusedClient(ctx, tt.client, tt.after, "unused for 2 days")
		if err != nil || len(ended) != tt.want || (f.epoch(t) != before) != (tt.want > 0) {
			t.Errorf("%s: %d ended, %v", tt.name, len(ended), err)
		}
	}
	f.opens(t, rotated, false)
	wantErr(t, func() error { _, err := f.Rotate(ctx, rotation(two.RefreshToken)); return err }(), ErrInvalidGrant)
}
