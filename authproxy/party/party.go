// Package party says which network addresses are one party, where nobody is known by name
// yet: what each party may begin, and what is stored of it, is bounded, so that none can
// use up what the others need.
//
// In IPv6 a party is a /48. That is what a site is given (RFC 6177), and what anybody gets
// from a tunnel broker or a hoster: it has 65,536 networks of /64, so that a bound for each
// /64 bounds nothing. A company behind one /48 is one party as one behind one IPv4 address is.
//
// In IPv4 counters tell single addresses apart ([Of]): a neighbour in the same /24 is mostly
// somebody else, and a limit must not be used up by him. Rows of a table that is full are
// another matter ([Sources]): there the question is who has most of them. A /24 is what can
// be rented whole for little, so the /24 with most rows is asked to give way first, and of
// its addresses again the one with most: a neighbour of the flood keeps what he has.
//
// [Budgets] bound what a party begins in a time, [Turns] what it has under way at a time.
package party

import "net/netip"

// The prefixes that are one party, in bits.
const (
	network6, host6 = 48, 64
	network4, host4 = 24, 32
)

// Of is the party of an address for counters: its /48 in IPv6, itself in IPv4. The zero
// address has the zero prefix.
func Of(address netip.Addr) netip.Prefix { return prefix(address, network6, host4) }

// Sources are whose a stored row is.
type Sources struct {
	Network string // /48 or /24
	Host    string // /64 or /32 within it
}

// SourcesOf are those of an address in its text form. Whatever is none belongs to one
// nameless party.
func SourcesOf(text string) Sources {
	address, err := netip.ParseAddr(text)
	if err != nil {
		return Sources{}
	}
	return Sources{Network: prefix(address, network6, network4).String(), Host: prefix(address, host6, host4).String()}
}

func prefix(address netip.Addr, bits6, bits4 int) netip.Prefix {
	address = address.Unmap().WithZone("")
	bits := bits4
	if address.Is6() {
		bits = bits6
	}
	p, _ := address.Prefix(bits) // fails for the zero address, whose prefix is the zero one
	return p
}
