package tunnel

import (
	"errors"
	"net/netip"
	"testing"
)

func TestAD07AS38GuardAdmitsByAddressAndPort(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		config   GuardConfig
		admitted map[string]bool
	}{
		{GuardConfig{Allow: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")}}, map[string]bool{
			"8.8.8.8:443": true, "[2606:4700::1]:443": true, "10.1.2.3:8443": true, "10.1.2.3:443": true, "[::ffff:10.1.2.3]:443": true,
			"8.8.8.8:8443": false, "8.8.8.8:22": false, "10.2.0.1:443": false, "[64:ff9b::808:808]:443": false, "[2002:808:808::1]:443": false,
			"[fe80::1%eth0]:443": false, "8.8.8.8": false,
		}},
		{GuardConfig{AnyPort: true}, map[string]bool{"8.8.8.8:587": true, "8.8.8.8:443": true, "127.0.0.1:587": false, "169.254.169.254:80": false}},
	} {
		g := NewGuard(tt.config)
		for address, want := range tt.admitted {
			err := g.admit(t.Context(), "tcp", address, nil)
			if (err == nil) != want || err != nil && !errors.Is(err, ErrBlocked) {
				t.Errorf("%s: %v", address, err)
			}
		}
	}
}
