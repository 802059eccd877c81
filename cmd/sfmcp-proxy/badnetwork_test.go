package main

import (
	"bytes"
	"math/rand/v2"
	"net"
	"sync/atomic"
	"testing"
	"time"
)

// badNetwork stands between the product and Salesforce: what passes it is now and then late, cut
// into small pieces, slow, or lost with its connection.
type badNetwork struct {
	from, to string
	calm     atomic.Bool // nothing happens to anything
	late     atomic.Int64
	sliced   atomic.Int64
	slow     atomic.Int64
	reset    atomic.Int64
	// unsure counts the connections that ended while a request for tokens was on its way: nobody
	// can tell whether Salesforce has answered it.
	unsure atomic.Int64
}

// startBadNetwork listens at from until t ends. Whoever uses it sets to first.
func startBadNetwork(t *testing.T) *badNetwork {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n := &badNetwork{from: listener.Addr().String()}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go n.connect(client)
		}
	}()
	return n
}

// connect passes both directions of a connection on until one of them ends.
func (n *badNetwork) connect(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", n.to)
	if err != nil {
		return
	}
	defer server.Close()
	var forTokens atomic.Bool
	ended := make(chan bool, 2)
	go func() { ended <- n.pass(server, client, &forTokens) }()
	go func() { ended <- n.pass(client, server, nil) }()
	if <-ended {
		n.reset.Add(1)
		if forTokens.Load() {
			n.unsure.Add(1)
		}
		for _, c := range []net.Conn{client, server} {
			_ = c.(*net.TCPConn).SetLinger(0) // what was not sent is dropped, and the other side gets a reset
		}
	}
}

// pass copies one direction. It reports whether it has dropped something: the connection has to be reset.
// tokens, if it is not nil, says afterwards whether the last request was for tokens.
func (n *badNetwork) pass(to, from net.Conn, tokens *atomic.Bool) (dropped bool) {
	buffer := make([]byte, 16<<10)
	for {
		size, err := from.Read(buffer)
		part := buffer[:size]
		if tokens != nil && bytes.Contains(part, []byte(" HTTP/1.1\r\n")) {
			tokens.Store(bytes.Contains(part, []byte("/services/oauth2/token ")))
		}
		switch chance := rand.IntN(1000); {
		case n.calm.Load() || size == 0:
		case chance < 5:
			return true
		case chance < 45:
			n.late.Add(1)
			time.Sleep(rand.N(300 * time.Millisecond)) // this is the network's delay
		case chance < 85:
			n.sliced.Add(1)
			for pieces := 0; len(part) > 9 && pieces < 200; pieces++ {
				end := 1 + rand.IntN(9)
				if _, err := to.Write(part[:end]); err != nil {
					return false
				}
				part = part[end:]
			}
		case chance < 125:
			n.slow.Add(1)
			for len(part) > 1<<10 {
				if _, err := to.Write(part[:1<<10]); err != nil {
					return false
				}
				part = part[1<<10:]
				time.Sleep(25 * time.Millisecond) // 40 KB a second
			}
		}
		if _, failed := to.Write(part); err != nil || failed != nil {
			return false
		}
	}
}
