package edge

import (
	"context"
	"crypto/tls"
	"net"
	"sync"
)

// net/http hands a long answer to its connection in pieces: 4 KiB with the header, then the rest, and
// TLS makes records of both, which begin short: 16 KiB are five writes on a new connection, then three.
// For each the system would go all the way to the client. So what belongs to one write of an answer
// is held and leaves together.

const (
	// wholeFrom is from how many bytes on that is done: shorter ones net/http keeps itself.
	wholeFrom = 2 << 10
	// wholeMost is how much is held. What is longer leaves as it comes.
	wholeMost = 64 << 10
)

// writing is what of an answer is held on its way to a connection.
type writing struct {
	mu      sync.Mutex // TLS may have something to say at any time
	holding bool
	held    *[]byte // nil: nothing
}

var heldPieces = sync.Pool{New: func() any { b := make([]byte, 0, wholeMost); return &b }}

// Write implements net.Conn. While the connection is told to hold, it keeps p for release, which
// has the error then.
func (c *connection) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.holding && c.held == nil && len(p) <= wholeMost {
		c.held = heldPieces.Get().(*[]byte)
	}
	if c.held != nil && len(*c.held)+len(p) <= wholeMost {
		*c.held = append(*c.held, p...)
		return len(p), nil
	}
	if err := c.writeHeld(); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}

// hold keeps what is written until release.
func (c *connection) hold() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.holding = true
}

// release writes what was held.
func (c *connection) release() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.holding = false
	return c.writeHeld()
}

// writeHeld writes what is held, in one piece. c.mu is held.
func (c *connection) writeHeld() error {
	if c.held == nil {
		return nil
	}
	held := c.held
	c.held = nil
	_, err := c.Conn.Write(*held)
	*held = (*held)[:0]
	heldPieces.Put(held)
	return err
}

type connectionKey struct{}

// withConnection is the server's ConnContext hook.
func withConnection(ctx context.Context, conn net.Conn) context.Context {
	if c := connectionOf(conn); c != nil {
		return context.WithValue(ctx, connectionKey{}, c)
	}
	return ctx
}

// connectionOf is the connection below TLS, if there is that; nil: it is another listener's.
func connectionOf(conn net.Conn) *connection {
	if t, ok := conn.(*tls.Conn); ok {
		conn = t.NetConn()
	}
	c, _ := conn.(*connection)
	return c
}

// writeWhole writes a piece of an answer so that it leaves in one piece. HTTP/2 has many answers
// on one connection, and others would wait.
func (r *recorder) writeWhole(p []byte) (int, error) {
	if len(p) < wholeFrom || r.lasting {
		return r.ResponseWriter.Write(p)
	}
	c, _ := r.request.Context().Value(connectionKey{}).(*connection)
	if c == nil {
		return r.ResponseWriter.Write(p)
	}
	c.hold()
	n, err := r.ResponseWriter.Write(p)
	if released := c.release(); released != nil && err == nil {
		c.Close() // the server takes it for written, and would answer the next request behind half an answer
		return 0, released
	}
	return n, err
}
