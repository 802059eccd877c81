package salesforce_test

import (
	"errors"
	"testing"

	"sfmcp-proxy/authproxy/salesforce"
)

// FT-20: a lease that ends before the token leaves keeps it here; one that ends once it has begun to
// leave makes nobody believe that it did not.
func TestFaultFT20LeaseEndsWhileSending(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		looks int // for how many looks the lease is held
		sent  bool
	}{"before": {0, false}, "meanwhile": {1, true}, "never": {1000, true}} {
		f := newFake(t)
		looked := 0
		_, err := f.client(t).Refresh(salesforce.WhileHeld(t.Context(), func() bool { looked++; return looked <= tt.looks }), "acme", "5Aep1")
		failure := (*salesforce.Error)(nil)
		notHeld := errors.As(err, &failure) && failure.NotHeld()
		f.set(func() { // the server may still be at it
			if arrived := len(f.tokenForms) == 1 && f.tokenForms[0].Get("refresh_token") == "5Aep1"; notHeld == tt.sent || arrived != tt.sent {
				t.Errorf("%s: the token arrived: %v; %v", name, arrived, err)
			}
		})
	}
}
