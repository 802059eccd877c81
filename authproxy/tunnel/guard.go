package tunnel

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"
)

// ErrBlocked is the error of a [Guard] for an address that it does not connect to.
var ErrBlocked = errors.New("not an address of the public internet")

// lookupTime is how long a name is looked up that the forward proxy resolves by itself: in
// some networks nothing outside has a name.
const lookupTime = time.Second

// GuardConfig says where a Guard connects to.
type GuardConfig struct {
	// Allow are networks that may be connected to on any port, though they are special-use.
	Allow []netip.Prefix
	// AnyPort lets every port of public addresses be connected to; else 443 alone.
	AnyPort bool
	// Via connects through the company's forward proxy, but for its exceptions; nil: nothing
	// does.
	Via *Dialer
	// Resolver is the host:port of the DNS server to ask; "": the system's.
	Resolver string
	// Timeout bounds a connection that is made directly.
	Timeout time.Duration
}

// Guard connects to hosts whose names somebody else chose, on the public internet and
// nowhere else, so that nobody has us reach what only we can reach. It is safe for concurrent use.
type Guard struct {
	config GuardConfig
	direct *net.Dialer
}

// NewGuard makes no connection yet.
func NewGuard(c GuardConfig) *Guard {
	g := &Guard{config: c}
	g.direct = &net.Dialer{Timeout: c.Timeout, Resolver: resolver(c.Resolver), ControlContext: g.admit}
	return g
}

// DialContext connects to host:port, with an [ErrBlocked] for what is not to be reached.
// Directly, the address is checked as it is dialed. Through the forward proxy, it is the
// forward proxy that resolves the name; so every address that the name has here is checked
// before it is asked, and a name that has none here is good for port 443 alone.
func (g *Guard) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, ErrBlocked
	}
	if g.config.Via == nil || g.config.Via.Excepts(host) {
		return g.direct.DialContext(ctx, network, address)
	}
	addresses := g.lookup(ctx, host)
	for _, ip := range addresses {
		if err := g.admit(ctx, network, net.JoinHostPort(ip.String(), port), nil); err != nil {
			return nil, err
		}
	}
	if len(addresses) == 0 && port != "443" {
		return nil, fmt.Errorf("%w: port %s of a host without an address here", ErrBlocked, port)
	}
	return g.config.Via.Connect(ctx, address)
}

// lookup returns the addresses of a host as seen from here, none if it has none.
func (g *Guard) lookup(ctx context.Context, host string) []netip.Addr {
	if ip, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{ip}
	}
	ctx, cancel := context.WithTimeout(ctx, lookupTime)
	defer cancel()
	addresses, _ := cmp.Or(g.direct.Resolver, net.DefaultResolver).LookupNetIP(ctx, "ip", host) // an error: none
	return addresses
}

func resolver(address string) *net.Resolver {
	if address == "" {
		return nil
	}
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}}
}

// admit runs between resolution and connection, with the address that will be used:
// nothing can change it afterwards.
func (g *Guard) admit(_ context.Context, _, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return ErrBlocked
	}
	if within(to.Addr().Unmap(), g.config.Allow) {
		return nil
	}
	if !Public(to.Addr()) || to.Port() != 443 && !g.config.AnyPort {
		return fmt.Errorf("%w: %s", ErrBlocked, to)
	}
	return nil
}
