// Package edge is what a request passes between the network and the program: the bounded
// listener with its certificate, the middleware that names and bounds a request and
// writes one line about it, the limits by address, and what is counted on the way.
//
// [New] joins it. [Edge.Bound] bounds a listener, [Edge.Server] answers on it; [Edge.Middleware] wraps what
// answers. connections.go bounds connections, load.go requests and memory,
// sourcelimit.go what a party (an address, a /48 of IPv6: package party) may begin;
// source.go tells which address that is; recorder.go gives each write its time, whole.go has
// it leave in one piece; certificate.go reads certificate files anew; logwriter.go keeps a
// log that nobody reads from stopping requests; metrics.go counts.
//
// Nothing here knows what the program answers. The time limits and bounds are constants
// with their reason beside them; cmd/sfmcp-proxy/DESIGN.md holds the decisions.
package edge
