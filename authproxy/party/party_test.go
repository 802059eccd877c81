package party

import (
	"net/netip"
	"testing"
)

// S4: a /48 is one party, and an IPv4 address is told from its neighbours.
func TestS4OneParty(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]struct {
		of      string
		sources Sources
	}{
		"192.0.2.7":              {"192.0.2.7/32", Sources{"192.0.2.0/24", "192.0.2.7/32"}},
		"::ffff:192.0.2.7":       {"192.0.2.7/32", Sources{"192.0.2.0/24", "192.0.2.7/32"}},
		"2001:db8:1:2:3:4:5:6":   {"2001:db8:1::/48", Sources{"2001:db8:1::/48", "2001:db8:1:2::/64"}},
		"2001:db8:1:ffff::1":     {"2001:db8:1::/48", Sources{"2001:db8:1::/48", "2001:db8:1:ffff::/64"}},
		"fe80::1%<script>":       {"fe80::/48", Sources{"fe80::/48", "fe80::/64"}},
		"::ffff:192.0.2.7%x":     {"192.0.2.7/32", Sources{"192.0.2.0/24", "192.0.2.7/32"}},
		"2001:db8:2:0:0:0:0:1":   {"2001:db8:2::/48", Sources{"2001:db8:2::/48", "2001:db8:2::/64"}},
		"255.255.255.255":        {"255.255.255.255/32", Sources{"255.255.255.0/24", "255.255.255.255/32"}},
		"64:ff9b:1:fffe::c000:2": {"64:ff9b:1::/48", Sources{"64:ff9b:1::/48", "64:ff9b:1:fffe::/64"}},
	} {
		if got := Of(netip.MustParseAddr(text)).String(); got != want.of {
			t.Errorf("%s: %s, want %s", text, got, want.of)
		}
		if got := SourcesOf(text); got != want.sources {
			t.Errorf("%s: %+v, want %+v", text, got, want.sources)
		}
	}
	for _, text := range []string{"", "unknown", "pipe", "192.0.2.7:1", "[::1]"} {
		if got := SourcesOf(text); got != (Sources{}) {
			t.Errorf("%q: %+v", text, got)
		}
	}
	if p := Of(netip.Addr{}); p.IsValid() {
		t.Errorf("no address: %v", p)
	}
}
