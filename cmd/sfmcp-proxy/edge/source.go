package edge

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"sfmcp-proxy/authproxy/party"
)

// sources tells where requests come from; it holds the networks of trusted proxies.
type sources []netip.Prefix

// of is the address the request comes from. X-Forwarded-For counts only from a
// trusted proxy, and of it the last address that is not itself one (RS-22). Where there is
// none, Forwarded (RFC 7239) counts in the same way.
func (s sources) of(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	address, err := netip.ParseAddr(host)
	if err != nil || !s.trusted(address) {
		return host
	}
	for _, hop := range slices.Backward(hops(r.Header)) {
		next, ok := parseHop(hop)
		if !ok {
			break // the proxy does not know, or does not say: what stands before is anybody's word
		}
		address = next
		if !s.trusted(next) {
			break
		}
	}
	return address.String()
}

// relay reports whether an address is one of trusted proxies: whoever asked through it is not
// known by it.
func (s sources) relay(source string) bool {
	address, err := netip.ParseAddr(source)
	return err == nil && s.trusted(address)
}

// hops are where a request came by, as proxies wrote it down, the nearest last. They are cut
// at every comma: a client that opens a quote cannot hide what a proxy adds behind it.
func hops(h http.Header) (all []string) {
	if forwarded := h.Values("X-Forwarded-For"); len(forwarded) > 0 {
		return strings.Split(strings.Join(forwarded, ","), ",")
	}
	for element := range strings.SplitSeq(strings.Join(h.Values("Forwarded"), ","), ",") {
		hop := ""
		for pair := range strings.SplitSeq(element, ";") {
			if name, value, _ := strings.Cut(strings.TrimSpace(pair), "="); strings.EqualFold(name, "for") {
				hop = value
			}
		}
		all = append(all, hop)
	}
	return all
}

// parseHop reads an address as load balancers write it: alone, with a port (Azure, IIS, AWS
// with client port preservation), in brackets, in quotes (RFC 7239 6). "unknown" and names
// are none.
func parseHop(text string) (netip.Addr, bool) {
	text = strings.TrimSpace(text)
	if len(text) >= 2 && text[0] == '"' && text[len(text)-1] == '"' {
		text = text[1 : len(text)-1]
	}
	address, err := netip.ParseAddr(text)
	if err != nil {
		if host, _, portErr := net.SplitHostPort(text); portErr == nil {
			text = host
		} else if strings.HasPrefix(text, "[") && strings.HasSuffix(text, "]") {
			text = text[1 : len(text)-1]
		}
		address, err = netip.ParseAddr(text)
	}
	return address.Unmap().WithZone(""), err == nil
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
	return party.Of(peer.Addr())
}
