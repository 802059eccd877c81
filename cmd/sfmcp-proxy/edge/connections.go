package edge

import (
	"container/list"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// connections is the public listener with an upper bound. A connection that waits for
// its next request gives way to a new one; if none does, the new one is closed at once,
// which a client or a load balancer sees, where a full backlog would only be slow.
type connections struct {
	net.Listener
	limit   int                              // of all
	share   int                              // of one source
	network func(remote string) netip.Prefix // see sources.network
	metrics *Metrics

	mu      sync.Mutex
	open    int
	sources map[netip.Prefix]int // open ones; not those of trusted proxies, which carry everybody's
	idle    list.List            // of *connection, the longest idle first
}

// connection is one that was let in.
type connection struct {
	net.Conn
	writing
	of     *connections
	source netip.Prefix
	idle   *list.Element // guarded by of.mu, as is gone
	gone   bool
}

// bound lets limit connections in through l, of one source at most a quarter.
func (e *Edge) bound(l net.Listener, limit int) *connections {
	return &connections{Listener: l, limit: limit, share: max(1, limit/4), network: e.sources.network, metrics: e.Metrics,
		sources: map[netip.Prefix]int{}}
}

// Accept implements net.Listener.
func (b *connections) Accept() (net.Conn, error) {
	for {
		conn, err := b.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if c := b.admit(conn); c != nil {
			return c, nil
		}
		conn.Close()
	}
}

// admit counts a connection in, or returns nil.
func (b *connections) admit(conn net.Conn) *connection {
	c := &connection{Conn: conn, of: b, source: b.network(conn.RemoteAddr().String())}
	b.mu.Lock()
	victim, ok := b.makeRoom(c.source)
	if ok {
		b.open++
		if c.source.IsValid() {
			b.sources[c.source]++
		}
	}
	b.metrics.connections.Set(float64(b.open))
	b.mu.Unlock()
	if victim != nil {
		victim.Conn.Close() // its server goroutine sees that and ends
	}
	if !ok {
		return nil
	}
	return c
}

// makeRoom says whether one more fits, and which idle one has to go for it. b.mu is held.
func (b *connections) makeRoom(source netip.Prefix) (victim *connection, ok bool) {
	crowded := source.IsValid() && b.sources[source] >= b.share
	if b.open < b.limit && !crowded {
		return nil, true
	}
	for e := b.idle.Front(); e != nil; e = e.Next() {
		if c := e.Value.(*connection); !crowded || c.source == source {
			b.forget(c)
			b.metrics.connectionsEnded.WithLabelValues("idle").Inc()
			return c, true
		}
	}
	why := "full"
	if crowded {
		why = "source"
	}
	b.metrics.connectionsEnded.WithLabelValues(why).Inc()
	return nil, false
}

// forget counts a connection out, once. b.mu is held.
func (b *connections) forget(c *connection) {
	if c.gone {
		return
	}
	c.gone = true
	b.open--
	b.setIdle(c, false)
	if c.source.IsValid() {
		if b.sources[c.source]--; b.sources[c.source] == 0 {
			delete(b.sources, c.source)
		}
	}
	b.metrics.connections.Set(float64(b.open))
}

// setIdle notes whether a connection is idle. b.mu is held.
func (b *connections) setIdle(c *connection, idle bool) {
	switch {
	case idle && c.idle == nil && !c.gone:
		c.idle = b.idle.PushBack(c)
	case !idle && c.idle != nil:
		b.idle.Remove(c.idle)
		c.idle = nil
	}
}

// watch is the server's ConnState hook. The deadline of an answer ends with it: what the
// server says next, it says without the middleware.
func (b *connections) watch(conn net.Conn, state http.ConnState) {
	if c := connectionOf(conn); c != nil {
		b.mu.Lock()
		b.setIdle(c, state == http.StateIdle)
		b.mu.Unlock()
		if state == http.StateIdle {
			c.Conn.SetWriteDeadline(time.Time{})
		}
	}
}

// Close implements net.Conn.
func (c *connection) Close() error {
	c.of.mu.Lock()
	c.of.forget(c)
	c.of.mu.Unlock()
	return c.Conn.Close()
}

// CloseWrite ends our side of the connection. The server asks for it when it answers a
// request that it does not read to its end: closing all at once would reset the
// connection, and the answer might never be seen.
func (c *connection) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}
