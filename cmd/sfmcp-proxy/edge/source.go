package edge

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// sources tells where requests come from; it holds the networks of trusted proxies.
type sources []netip.Prefix

// of is the address the request comes from. X-Forwarded-For counts only from a
// trusted proxy, and of it the last address that is not itself one (RS-22).
func (s sources) of(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	address, err := netip.ParseAddr(host)
	if err != nil || !s.trusted(address) {
		return host
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0; i-- {
		hop, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		address = hop
		if !s.trusted(hop) {
			break
		}
	}
	return address.String()
}

// host is the host that the client asked for. X-Forwarded-Host counts only from a trusted
// proxy: one that writes its own name into Host says there what it was. Of several names
// the last is that proxy's own.
func (s sources) host(r *http.Request) string {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !s.trusted(peer.Addr()) {
		return r.Host
	}
	names := strings.Split(strings.Join(r.Header.Values("X-Forwarded-Host"), ","), ",")
	if last := strings.TrimSpace(names[len(names)-1]); last != "" {
		return last
	}
	return r.Host
}

func (s sources) trusted(address netip.Addr) bool {
	for _, network := range s {
		if network.Contains(address.Unmap()) {
			return true
		}
	}
	return false
}

// network is what bounds hold against a peer; none for a trusted proxy, which carries
// everybody's requests.
func (s sources) network(remote string) netip.Prefix {
	peer, err := netip.ParseAddrPort(remote)
	if err != nil || s.trusted(peer.Addr()) {
		return netip.Prefix{}
	}
	return hostNetwork(peer.Addr())
}

// hostNetwork is what one host has of addresses: all of a /64 in IPv6.
func hostNetwork(address netip.Addr) netip.Prefix {
	address = address.Unmap().WithZone("")
	bits := address.BitLen()
	if address.Is6() {
		bits = 64
	}
	prefix, _ := address.Prefix(bits) // fails for the zero address, whose prefix is the zero one
	return prefix
}
