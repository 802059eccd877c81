package upstream

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"sfmcp-proxy/mcpforward/jsonrpc"
)

// TestFaultFT24EventsAreRelayedAtOnce: the server sends each event only after the one before
// has reached the caller, so nothing can be held back.
func TestFaultFT24EventsAreRelayedAtOnce(t *testing.T) {
	t.Parallel()
	for _, http2 := range []bool{false, true} {
		seen := make(chan struct{})
		x := over(t, http2, onCall(func(w http.ResponseWriter, r *http.Request, m *jsonrpc.Message) {
			for i := range 100 {
				stream(w, fmt.Sprintf(`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":%s,"progress":%d}}`, m.ID, i))
				select {
				case <-seen:
				case <-r.Context().Done():
					return
				}
			}
			stream(w, `{"jsonrpc":"2.0","id":`+string(m.ID)+`,"result":{}}`)
			<-r.Context().Done() // and the stream does not end, which nobody waits for
		}))
		req := jsonrpc.Request(toolCall.ID, "tools/call", []byte(`{"name":"a","_meta":{"progressToken":7}}`))
		a, err := x.Call(t.Context(), x.target, req, false)
		if err != nil {
			t.Fatal(err)
		}
		for range 100 {
			if m, err := a.Next(t.Context()); err != nil || m.Method != "notifications/progress" {
				t.Fatalf("%v, %v", m, err)
			}
			seen <- struct{}{}
		}
		if m, err := a.Next(t.Context()); err != nil || !m.IsResponse() {
			t.Fatalf("%v, %v", m, err)
		}
		a.Close()
	}
}

// over is a fixture in front of a fake that speaks TLS and the given version of HTTP.
func over(t *testing.T, http2 bool, on func(http.ResponseWriter, *http.Request, *jsonrpc.Message) bool) *fixture {
	t.Helper()
	f := &fake{on: on, valid: map[string]bool{"token-1": true, "token-2": true}, sessions: map[string]bool{}}
	f.Server = httptest.NewUnstartedServer(f)
	f.EnableHTTP2 = http2
	f.Config.ErrorLog = log.New(io.Discard, "", 0) // refused handshakes
	f.StartTLS()
	t.Cleanup(f.Server.Close)
	return fixtureWith(t, f, f.Client())
}

// TestConnectionIsReused: after answers of each kind.
func TestConnectionIsReused(t *testing.T) {
	t.Parallel()
	response := `{"jsonrpc":"2.0","id":ID,"result":{}}`
	for _, http2 := range []bool{false, true} {
		from := map[string]bool{}
		var kinds []respond
		x := over(t, http2, nil)
		x.linger = plenty // every answer ends, on a busy machine perhaps late
		x.fake.on = func(w http.ResponseWriter, r *http.Request, m *jsonrpc.Message) bool {
			x.fake.mu.Lock()
			from[r.RemoteAddr] = true
			x.fake.mu.Unlock()
			if (r.ProtoMajor == 2) != http2 {
				t.Errorf("protocol is %s", r.Proto)
			}
			if m.Method != "tools/call" {
				return false
			}
			kinds[0](w, r, m)
			return true
		}
		for i, kind := range []respond{
			raw("application/json", response), raw("application/json", response+strings.Repeat(" ", 200<<10)),
			raw("text/event-stream", "data: "+response+"\n\n"), raw("text/event-stream", "data: "+response+"\n\n: bye\n\ndata: {}\n\n"),
			func(w http.ResponseWriter, r *http.Request, m *jsonrpc.Message) {
				raw("text/event-stream", "data: "+response+"\n\n")(w, r, m)
				w.(http.Flusher).Flush()
				time.Sleep(20 * time.Millisecond) // the end comes later
			},
			raw("text/event-stream", "data: {\"jsonrpc\""), raw("application/json", ""), raw("application/json", "{"),
			status(400, strings.Repeat("x", 30<<10)), status(401, "no"), status(403, "no"), status(404, "no"), status(405, ""), status(429, ""), status(502, "<html>"), status(202, ""),
		} {
			kinds = []respond{kind}
			_, _ = x.ask(t, false)
			x.running.Wait()
			if len(from) != 1 {
				t.Errorf("HTTP/2 %v: connection %d after kind %d", http2, len(from), i)
				clear(from)
			}
		}
	}
}

func TestFaultFT26NoTransparentResend(t *testing.T) {
	t.Parallel()
	// The server reads the whole write on the connection that opened the session,
	// and closes it (HTTP/1.1) or resets the stream (HTTP/2) without an answer.
	for _, http2 := range []bool{false, true} {
		for _, repeatable := range []bool{false, true} {
			var mu sync.Mutex
			var from []string
			f := &fake{valid: map[string]bool{"token-1": true}, sessions: map[string]bool{}}
			f.on = func(_ http.ResponseWriter, r *http.Request, m *jsonrpc.Message) bool {
				mu.Lock()
				from = append(from, r.RemoteAddr)
				mu.Unlock()
				if (r.ProtoMajor == 2) != http2 {
					t.Errorf("protocol is %s", r.Proto)
				}
				if m.Method == "tools/call" {
					panic(http.ErrAbortHandler)
				}
				return false
			}
			f.Server = httptest.NewUnstartedServer(f)
			f.EnableHTTP2 = http2
			f.StartTLS()
			t.Cleanup(f.Server.Close)
			x := fixtureWith(t, f, f.Client())
			m, err := x.ask(t, repeatable)
			wants{Unavailable, true}.check(t, m, err)
			want := map[bool]int{false: 1, true: 2}[repeatable]
			if got := f.count("tools/call"); got != want {
				t.Errorf("HTTP/2 %v, repeatable %v: %d calls reached salesforce, want %d", http2, repeatable, got, want)
			}
			if from[0] != from[2] {
				t.Errorf("the connection was not reused: %v", from)
			}
		}
	}
}

// frame writes one frame of HTTP/2 (RFC 9113 4.1).
func frame(w io.Writer, kind, flags byte, stream uint32, payload []byte) {
	head := binary.BigEndian.AppendUint32(nil, uint32(len(payload))<<8|uint32(kind))
	w.Write(append(binary.BigEndian.AppendUint32(append(head, flags), stream), payload...))
}

// headerField encodes one field as a literal without indexing (RFC 7541 6.2.2).
func headerField(name, value string) []byte {
	return slices.Concat([]byte{0, byte(len(name))}, []byte(name), []byte{byte(len(value))}, []byte(value))
}

// goaway is a server of HTTP/2 without TLS that answers what opens a session and, when it
// has read all of a further request, ends it with the given frames and closes.
type goaway struct {
	net.Listener
	end     func(w io.Writer, stream uint32)
	further atomic.Int32 // requests read to their end
}

func (g *goaway) serve() {
	for {
		conn, err := g.Accept()
		if err != nil {
			return
		}
		go g.connection(conn)
	}
}

func (g *goaway) connection(conn net.Conn) {
	defer conn.Close()
	const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
	if _, err := io.ReadFull(conn, make([]byte, len(preface))); err != nil {
		return
	}
	const data, headers, settings, ack = 0, 1, 4, 1
	frame(conn, settings, 0, 0, nil)
	bodies := map[uint32]string{}
	for head := make([]byte, 9); ; {
		if _, err := io.ReadFull(conn, head); err != nil {
			return
		}
		length, stream := binary.BigEndian.Uint32(head)>>8, binary.BigEndian.Uint32(head[5:])
		payload := make([]byte, length)
		if _, err := io.ReadFull(conn, payload); err != nil {
			return
		}
		switch kind, flags := head[3], head[4]; {
		case kind == settings && flags&ack == 0:
			frame(conn, settings, ack, 0, nil)
		case kind == data:
			if bodies[stream] += string(payload); flags&1 == 0 {
				continue
			}
			m, err := jsonrpc.DecodeAnswer([]byte(bodies[stream]))
			switch {
			case err != nil:
				return
			case m.Method == "initialize":
				answer := `{"jsonrpc":"2.0","id":` + string(m.ID) + `,"result":{"protocolVersion":"2025-06-18"}}`
				frame(conn, headers, 4, stream, slices.Concat([]byte{0x88}, headerField("content-type", "application/json"), headerField("mcp-session-id", "s")))
				frame(conn, data, 1, stream, []byte(answer))
			case m.IsNotification():
				frame(conn, headers, 5, stream, slices.Concat([]byte{8, 3}, []byte("202"))) // :status 202
			default:
				g.further.Add(1)
				g.end(conn, stream)
				return
			}
		}
	}
}

// TestFaultFT26GoawayIsNoReasonToResend: a server may say by GOAWAY or REFUSED_STREAM that it
// did not act, which makes transports send a request again by themselves. Ours cannot:
// the body has left, so the caller decides.
func TestFaultFT26GoawayIsNoReasonToResend(t *testing.T) {
	t.Parallel()
	last := func(stream, code uint32) []byte {
		return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, stream), code)
	}
	for name, end := range map[string]func(io.Writer, uint32){
		"GOAWAY before it": func(w io.Writer, stream uint32) { frame(w, 7, 0, 0, last(stream-2, 0)) },
		"GOAWAY with it":   func(w io.Writer, stream uint32) { frame(w, 7, 0, 0, last(stream, 0)) },
		"GOAWAY, error":    func(w io.Writer, stream uint32) { frame(w, 7, 0, 0, last(stream-2, 11)) },
		"REFUSED_STREAM":   func(w io.Writer, stream uint32) { frame(w, 3, 0, stream, []byte{0, 0, 0, 7}) },
		"closed":           func(io.Writer, uint32) {},
	} {
		for _, repeatable := range []bool{false, true} {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			server := &goaway{Listener: l, end: end}
			go server.serve()
			h2c := &http.Transport{Protocols: new(http.Protocols)}
			h2c.Protocols.SetUnencryptedHTTP2(true)
			x := fixtureWith(t, newFake(t, nil), &http.Client{Transport: h2c})
			x.target.URL = "http://" + l.Addr().String()
			m, err := x.ask(t, repeatable)
			wants{Unavailable, true}.check(t, m, err)
			// The repetition can meet the connection as it ends, and is not repeated in turn.
			most := map[bool]int32{false: 1, true: 2}[repeatable]
			if got := server.further.Load(); got < 1 || got > most {
				t.Errorf("%s, repeatable %v: %d calls reached the server, want at most %d", name, repeatable, got, most)
			}
		}
	}
}

// TestFaultFT26IdleConnectionIsClosed: a write on a connection that the server has closed
// meanwhile happens once, on another one, or not at all.
func TestFaultFT26IdleConnectionIsClosed(t *testing.T) {
	t.Parallel()
	for _, http2 := range []bool{false, true} {
		x := over(t, http2, nil)
		for i := range 20 {
			m, err := x.ask(t, false)
			before := x.fake.count("tools/call")
			if err == nil {
				wants{}.check(t, m, err)
			}
			if before > i+1 {
				t.Fatalf("HTTP/2 %v: %d writes reached the server after %d calls", http2, before, i+1)
			}
			x.fake.CloseClientConnections()
		}
	}
}

// TestFaultFT28Addresses: a name that is not resolved, is resolved late, or leads nowhere or
// to somebody else. Nothing has been sent, and the time is bounded.
func TestFaultFT28Addresses(t *testing.T) {
	t.Parallel()
	refused := func(context.Context, string, string) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
	}
	hangs := func(ctx context.Context, _, _ string) (net.Conn, error) { <-ctx.Done(); return nil, ctx.Err() }
	unknown := func(context.Context, string, string) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", IsNotFound: true}}
	}
	for name, tt := range map[string]struct {
		dial   func(ctx context.Context, network, address string) (net.Conn, error)
		want   Kind
		reason string
	}{
		"not resolved":    {unknown, Unavailable, "host name was not resolved"},
		"resolver stalls": {hangs, TimedOut, "no answer in time"},
		"refused":         {refused, Unavailable, "no connection"},
	} {
		x := fixtureWith(t, newFake(t, nil), &http.Client{Transport: &http.Transport{DialContext: tt.dial}})
		x.target.Timeout = 100 * time.Millisecond
		m, err := x.ask(t, false)
		wants{tt.want, false}.check(t, m, err)
		if !strings.Contains(err.Error(), tt.reason) {
			t.Errorf("%s: %v, want %q", name, err, tt.reason)
		}
	}
	// A wrong address: whoever answers there does not have the certificate.
	stranger := over(t, true, nil)
	x := over(t, true, nil)
	there := stranger.fake.Listener.Addr().String()
	x.wire.(*http.Transport).DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, there)
	}
	x.target.URL = "https://elsewhere.test" // the fake's certificate is for example.com
	m, err := x.ask(t, false)
	wants{Unavailable, false}.check(t, m, err)
	if len(stranger.fake.seen) != 0 || !strings.Contains(err.Error(), "certificate was not accepted") {
		t.Errorf("a stranger was sent %d requests: %v", len(stranger.fake.seen), err)
	}
}

// TestFaultFT28BlackHole: an address of IPv6 that swallows everything does not keep one of
// IPv4 from being used (RFC 8305).
func TestFaultFT28BlackHole(t *testing.T) {
	t.Parallel()
	var swallowed atomic.Bool
	dialer := &net.Dialer{Resolver: &net.Resolver{PreferGo: true, Dial: answerBoth(t)}, FallbackDelay: 20 * time.Millisecond,
		ControlContext: func(ctx context.Context, network, _ string, _ syscall.RawConn) error {
			if network == "tcp6" {
				swallowed.Store(true)
				<-ctx.Done()
			}
			return ctx.Err()
		}}
	x := fixtureWith(t, newFake(t, nil), &http.Client{Transport: &http.Transport{DialContext: dialer.DialContext}})
	_, port, _ := net.SplitHostPort(x.fake.Listener.Addr().String())
	x.target.URL = "http://both.test.:" + port
	m, err := x.ask(t, false)
	wants{}.check(t, m, err)
	if !swallowed.Load() {
		t.Error("IPv6 was not tried")
	}
}

// answerBoth is a DNS server that knows every name as ::1 and 127.0.0.1.
func answerBoth(t *testing.T) func(context.Context, string, string) (net.Conn, error) {
	t.Helper()
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	go func() {
		for b := make([]byte, 512); ; {
			n, from, err := server.ReadFrom(b)
			if err != nil {
				return
			}
			end := 12 + slices.Index(b[12:n], 0) + 5 // header, name, type and class (RFC 1035 4.1)
			reply := slices.Clone(b[:end])
			copy(reply[2:], []byte{0x84, 0, 0, 1, 0, 1, 0, 0, 0, 0})
			kind, address := b[end-3], net.IPv4(127, 0, 0, 1).To4()
			if kind == 28 {
				address = net.IPv6loopback
			}
			reply = append(reply, 0xc0, 12, 0, kind, 0, 1, 0, 0, 0, 1, 0, byte(len(address)))
			_, _ = server.WriteTo(append(reply, address...), from)
		}
	}()
	return func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", server.LocalAddr().String())
	}
}

// TestFaultFT29Certificate: one that has expired, or of somebody else, is refused before
// anything is sent; a renewed one is accepted without anybody doing anything here.
func TestFaultFT29Certificate(t *testing.T) {
	t.Parallel()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	authority := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	issue := func(notAfter time.Time, name string) *tls.Certificate {
		leaf := &x509.Certificate{SerialNumber: big.NewInt(2), DNSNames: []string{name},
			NotBefore: time.Now().Add(-time.Hour), NotAfter: notAfter}
		der, err := x509.CreateCertificate(rand.Reader, leaf, authority, &key.PublicKey, key)
		if err != nil {
			t.Fatal(err)
		}
		return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	}
	der, err := x509.CreateCertificate(rand.Reader, authority, authority, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	root, _ := x509.ParseCertificate(der)
	roots := x509.NewCertPool()
	roots.AddCert(root)

	var current atomic.Pointer[tls.Certificate]
	f := &fake{valid: map[string]bool{"token-1": true}, sessions: map[string]bool{}}
	f.Server = httptest.NewUnstartedServer(f)
	f.TLS = &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return current.Load(), nil }}
	f.Config.ErrorLog = log.New(io.Discard, "", 0) // refused handshakes
	current.Store(issue(time.Now().Add(time.Hour), "salesforce.test"))
	f.StartTLS()
	t.Cleanup(f.Server.Close)
	x := fixtureWith(t, f, &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "salesforce.test"}}})
	good := current.Load()
	for _, tt := range []struct {
		certificate *tls.Certificate
		want        wants
	}{
		{good, wants{}}, {issue(time.Now().Add(-time.Minute), "salesforce.test"), wants{Unavailable, false}},
		{issue(time.Now().Add(time.Hour), "other.test"), wants{Unavailable, false}}, {good, wants{}},
	} {
		current.Store(tt.certificate)
		x.wire.(*http.Transport).CloseIdleConnections()
		before := f.count("tools/call")
		m, err := x.ask(t, false)
		tt.want.check(t, m, err)
		if reached := f.count("tools/call") > before; reached != (tt.want.kind == 0) {
			t.Errorf("%v: reached the server: %v", err, reached)
		}
	}
}
