package dbtest

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// Network is what stands between the product and PostgreSQL: it forwards TCP connections to
// the server, and can be cut in the ways in which networks and servers fail.
type Network struct {
	server string // its socket
	from   net.Listener

	mu     sync.Mutex
	moved  *sync.Cond
	cut    bool   // nothing passes, and nobody is told
	down   bool   // connections end, and no new one is made
	losses []loss // in turn
	losing int    // losses that have come, and are not over
	conns  map[net.Conn]bool
	silent map[net.Conn]chan struct{} // servers whose next answer is kept, and is said there
	all    sync.WaitGroup
}

// loss is of a statement whose answer does not arrive.
type loss struct {
	text    string          // in lower case
	whole   bool            // text is the whole statement, and not a part of it
	after   int             // how many of these pass before
	reaches bool            // it reaches the server
	then    func()          // called before anybody can tell
	late    <-chan struct{} // not nil: it reaches the server only then, and the connection to whoever sent it ends before
}

// Between returns a network in front of a database of [Postgres], until t ends.
func Between(t testing.TB, database string) *Network {
	t.Helper()
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	n := &Network{server: filepath.Join(u.Query().Get("host"), ".s.PGSQL.5432"), conns: map[net.Conn]bool{}, silent: map[net.Conn]chan struct{}{}}
	n.moved = sync.NewCond(&n.mu)
	if n.from, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	n.all.Go(n.accept)
	t.Cleanup(func() {
		_ = n.from.Close()
		n.set(func() { n.cut, n.down = false, true })
		n.all.Wait()
	})
	return n
}

// URL is that of the database behind the network.
func (n *Network) URL(database string) string {
	u, err := url.Parse(database)
	if err != nil {
		panic(err) // Between has read it
	}
	u.Host, u.RawQuery = n.from.Addr().String(), "sslmode=disable"
	return u.String()
}

// SimpleURL is URL with each statement in one message together with its values, as [Network.LoseAnswer] needs it.
func (n *Network) SimpleURL(database string) string {
	return n.URL(database) + "&default_query_exec_mode=simple_protocol"
}

// Cut lets nothing pass any more, in either direction, without telling anybody.
func (n *Network) Cut() { n.set(func() { n.cut = true }) }

// Down ends every connection and refuses new ones, as a server does that is not there.
func (n *Network) Down() { n.set(func() { n.down = true }) }

// Heal ends Cut and Down. What was sent meanwhile passes now.
func (n *Network) Heal() { n.set(func() { n.cut, n.down = false, false }) }

// LoseCommit ends the connection on which the next COMMIT comes. It reaches the server, or
// does not: whoever sent it cannot tell which.
func (n *Network) LoseCommit(reaches bool) {
	n.set(func() { n.losses = append(n.losses, loss{text: "commit", whole: true, reaches: reaches}) })
}

// LoseCommitThen is LoseCommit that calls then before whoever sent the COMMIT can tell.
func (n *Network) LoseCommitThen(reaches bool, then func()) {
	n.set(func() { n.losses = append(n.losses, loss{text: "commit", whole: true, reaches: reaches, then: then}) })
}

// DelayCommit ends the connection on which the next COMMIT comes, and has the COMMIT reach the server when late is closed.
func (n *Network) DelayCommit(late <-chan struct{}) {
	n.set(func() { n.losses = append(n.losses, loss{text: "commit", whole: true, reaches: true, late: late}) })
}

// LoseCommitAfter is LoseCommit once that many COMMITs have passed.
func (n *Network) LoseCommitAfter(passed int, reaches bool) {
	n.set(func() {
		n.losses = append(n.losses, loss{text: "commit", whole: true, after: passed, reaches: reaches})
	})
}

// LoseNothing ends what LoseCommit and LoseAnswer still wait for, and reports whether they did.
func (n *Network) LoseNothing() (waited bool) {
	n.set(func() { waited, n.losses = len(n.losses) > 0, nil })
	return waited
}

// LoseAnswer is LoseCommit for the next statement that contains text, and calls then, unless it is nil, before
// whoever sent the statement can tell. It wants [Network.SimpleURL].
func (n *Network) LoseAnswer(text string, reaches bool, then func()) {
	n.set(func() { n.losses = append(n.losses, loss{text: strings.ToLower(text), reaches: reaches, then: then}) })
}

// Lost reports whether everything has come that LoseCommit and LoseAnswer wait for.
func (n *Network) Lost() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.losses)+n.losing == 0
}

func (n *Network) set(change func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	change()
	if n.down {
		for c := range n.conns {
			_ = c.Close()
		}
	}
	n.moved.Broadcast()
}

func (n *Network) accept() {
	for {
		client, err := n.from.Accept()
		if err != nil {
			return
		}
		n.mu.Lock()
		socket := n.server
		n.mu.Unlock()
		server, err := net.Dial("unix", socket)
		n.mu.Lock()
		refused := err != nil || n.down
		if !refused {
			n.conns[client], n.conns[server] = true, true
		}
		n.mu.Unlock()
		if refused {
			_ = client.Close()
			if err == nil {
				_ = server.Close()
			}
			continue
		}
		n.all.Go(func() { n.end(client, server, n.requests(client, server)) })
		n.all.Go(func() { n.end(client, server, n.answers(client, server)) })
	}
}

func (n *Network) end(client, server net.Conn, _ error) {
	_, _ = client.Close(), server.Close()
	n.kept(server)
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.conns, client)
	delete(n.conns, server)
}

// pass waits while the network is cut.
func (n *Network) pass() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for n.cut && !n.down {
		n.moved.Wait()
	}
}

func (n *Network) answers(client, server net.Conn) error {
	buffer := make([]byte, 64<<10)
	for {
		m, err := server.Read(buffer)
		if n.kept(server) {
			return errLost
		}
		if err != nil {
			return err
		}
		n.pass()
		if _, err := client.Write(buffer[:m]); err != nil {
			return err
		}
	}
}

// errLost ends a connection whose statement is lost.
var errLost = errors.New("the answer of the statement is lost")

// requests forwards message by message (PostgreSQL's manual, 55.7): a first one without a
// type, then each with one.
func (n *Network) requests(client, server net.Conn) error {
	for typed := false; ; typed = true {
		message, err := readMessage(client, typed)
		if err != nil {
			return err
		}
		n.pass()
		if typed && message[0] == 'Q' {
			if l, lost := n.takeLoss(strings.ToLower(strings.TrimRight(string(message[5:]), "\x00"))); lost {
				if l.late != nil {
					_ = client.Close()
					<-l.late
				}
				return errors.Join(errLost, n.lose(l, server, message))
			}
		}
		if _, err := server.Write(message); err != nil {
			return err
		}
	}
}

// takeLoss returns the next loss, if the statement is the one that it waits for.
func (n *Network) takeLoss(statement string) (next loss, lost bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.losses) == 0 {
		return next, false
	}
	next = n.losses[0]
	if next.whole && statement != next.text || !strings.Contains(statement, next.text) {
		return next, false
	}
	if next.after > 0 {
		n.losses[0].after--
		return next, false
	}
	n.losses = n.losses[1:]
	n.losing++
	return next, true
}

// lose has the server do what it is asked, if that reaches it, and keeps the answer. Whoever asked can tell only then: one who
// sees the connection end has the server told to cancel the statement, and that could come before it.
func (n *Network) lose(l loss, server net.Conn, message []byte) (err error) {
	defer func() { n.set(func() { n.losing-- }) }()
	if l.then != nil {
		l.then()
	}
	if !l.reaches {
		return nil
	}
	answered := make(chan struct{})
	n.set(func() { n.silent[server] = answered })
	if _, err = server.Write(message); err != nil {
		n.kept(server)
	}
	<-answered
	return err
}

// kept reports whether the answer of a server is to be kept, and says that it came, or never will.
func (n *Network) kept(server net.Conn) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	answered, ok := n.silent[server]
	if ok {
		delete(n.silent, server)
		close(answered)
	}
	return ok
}

func readMessage(from io.Reader, typed bool) ([]byte, error) {
	head := make([]byte, 5)
	if !typed {
		head = head[:4]
	}
	if _, err := io.ReadFull(from, head); err != nil {
		return nil, err
	}
	length := int(binary.BigEndian.Uint32(head[len(head)-4:])) - 4 // which counts itself
	if length < 0 || length > 64<<20 {
		return nil, errors.New("no message of PostgreSQL's")
	}
	message := append(head, make([]byte, length)...)
	_, err := io.ReadFull(from, message[len(head):])
	return message, err
}
