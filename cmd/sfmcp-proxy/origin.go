package main

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"sfmcp-proxy/authproxy/audit"
)

// source is the address the request comes from. X-Forwarded-For counts only from a
// trusted proxy, and of it the last address that is not itself one (RS-22).
func (a *app) source(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	address, err := netip.ParseAddr(host)
	if err != nil || !a.trusted(address) {
		return host
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0; i-- {
		hop, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		address = hop
		if !a.trusted(hop) {
			break
		}
	}
	return address.String()
}

func (a *app) trusted(address netip.Addr) bool {
	for _, network := range a.trustedProxies {
		if network.Contains(address.Unmap()) {
			return true
		}
	}
	return false
}

// network is what bounds hold against a peer; none for a trusted proxy, which carries
// everybody's requests.
func (a *app) network(remote string) netip.Prefix {
	peer, err := netip.ParseAddrPort(remote)
	if err != nil || a.trusted(peer.Addr()) {
		return netip.Prefix{}
	}
	return hostNetwork(peer.Addr())
}

// originHandler adds request id and source to every record that is logged with a
// request's context.
type originHandler struct{ slog.Handler }

func (h originHandler) Handle(ctx context.Context, rec slog.Record) error {
	if o := audit.OriginOf(ctx); o.RequestID != "" {
		rec.AddAttrs(slog.String("request_id", o.RequestID), slog.String("source", o.Source))
	}
	return h.Handler.Handle(ctx, rec)
}

func (h originHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return originHandler{h.Handler.WithAttrs(attrs)}
}

func (h originHandler) WithGroup(name string) slog.Handler {
	return originHandler{h.Handler.WithGroup(name)}
}
