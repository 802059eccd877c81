package edge

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// Frame types of RFC 9113 section 6.
const (
	frameData, frameHeaders, frameReset, frameSettings = 0x0, 0x1, 0x3, 0x4
	framePing, frameGoAway, frameContinuation          = 0x6, 0x7, 0x9

	flagEndStream, flagEndHeaders = 0x1, 0x4
)

// frame is one frame of HTTP/2, as bytes: no library sends what these tests send.
func frame(kind, flags byte, stream uint32, payload []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(payload))<<8|uint32(kind))
	b = binary.BigEndian.AppendUint32(append(b, flags), stream)
	return append(b, payload...)
}

// getRoot is the header block of GET / (RFC 7541): four fields, three of the static table.
var getRoot = append([]byte{0x82, 0x87, 0x84, 0x41, 1}, 'x')

// getSlow is the header block of GET /slow.
var getSlow = bytes.Join([][]byte{{0x82, 0x87, 0x44, 5}, []byte(slowPath), {0x41, 1, 'x'}}, nil)

const slowPath = "/slow"

// slowLog holds every request for slowPath where it is logged, until it is let go: a
// handler that takes its time.
type slowLog struct {
	slog.Handler
	let chan struct{}
}

func (l slowLog) Handle(ctx context.Context, r slog.Record) error {
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "path" && a.Value.String() == slowPath {
			<-l.let
		}
		return true
	})
	return l.Handler.Handle(ctx, r)
}

// postForm is the header block of a POST whose form is awaited.
var postForm = bytes.Join([][]byte{{0x83, 0x87, 0x44, 12}, []byte("/oauth/token"), {0x41, 1, 'x', 0x5f, 33}, []byte("application/x-www-form-urlencoded")}, nil)

// dialH2 begins a connection of HTTP/2.
func dialH2(t *testing.T, e *server) net.Conn {
	t.Helper()
	conn, err := tls.Dial("tcp", e.address, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.Write(append([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), frame(frameSettings, 0, 0, nil)...))
	return conn
}

// h2Client is an ordinary client.
func h2Client() *http.Client {
	return &http.Client{Timeout: plenty, Transport: &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
}

// outcome counts the frames that the server sends until it closes or the time is over,
// which is a second after there were so many resets.
func outcome(conn net.Conn, patience time.Duration, resets int) (frames map[byte]int, closed bool) {
	conn.SetReadDeadline(time.Now().Add(patience))
	frames = map[byte]int{}
	for {
		if resets > 0 && frames[frameReset] == resets {
			conn.SetReadDeadline(time.Now().Add(time.Second))
			resets = 0
		}
		var head [9]byte
		if _, err := io.ReadFull(conn, head[:]); err != nil {
			timeout, ok := err.(net.Error)
			return frames, !ok || !timeout.Timeout()
		}
		frames[head[3]]++
		if _, err := io.CopyN(io.Discard, conn, int64(binary.BigEndian.Uint32(head[:])>>8)); err != nil {
			return frames, true
		}
	}
}

// AV-02: floods of HTTP/2 end their own connection; others are answered meanwhile, and
// nothing of the flood waits for ever.
func TestAV02HTTP2Floods(t *testing.T) {
	t.Parallel()
	// Resets come before the answers only if those take longer.
	slow := slowLog{let: make(chan struct{})}
	e := serving(t, certifiedUntil(t, time.Now().Add(90*24*time.Hour)), func(c *Config) {
		slow.Handler = c.Log.Handler()
		c.Log = slog.New(slow)
	})
	t.Cleanup(func() { close(slow.let) })
	var resets, forms []byte
	for i := range uint32(20_000) {
		resets = append(append(resets, frame(frameHeaders, flagEndHeaders|flagEndStream, 2*i+1, getSlow)...), frame(frameReset, 0, 2*i+1, []byte{0, 0, 0, 8})...)
	}
	for i := range uint32(1000) {
		forms = append(forms, frame(frameHeaders, flagEndHeaders, 2*i+1, postForm)...)
	}
	for name, c := range map[string]struct {
		send   []byte
		closed bool // by the server; otherwise the flood is absorbed
	}{
		"rapid reset": {resets, true},
		"continuation": {append(frame(frameHeaders, 0, 1, getRoot),
			bytes.Repeat(frame(frameContinuation, 0, 1, append([]byte{0x40, 1, 'a', 0x7f, 0x81, 0x7e}, bytes.Repeat([]byte{'b'}, 16_000)...)), 500)...), true},
		"settings":          {bytes.Repeat(frame(frameSettings, 0, 0, []byte{0, 4, 0, 1, 0, 0}), 50_000), false},
		"ping":              {bytes.Repeat(frame(framePing, 0, 0, make([]byte, 8)), 50_000), false},
		"1 000 streams":     {forms, false},
		"unknown frames":    {bytes.Join([][]byte{frame(0xa, 0, 0, nil), frame(0xb, 0, 0, nil), frame(0xc, 0, 1, nil), frame(0xd, 0, 0, nil), frame(0xe, 0, 0, nil), frame(0xf, 0, 0, nil)}, nil), false},
		"data on no stream": {frame(frameData, 0, 7, []byte("x")), true},
		"frame too large":   {frame(frameData, 0, 1, make([]byte, 2<<20)), true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn := dialH2(t, e)
			go conn.Write(c.send) // fails when the server closes
			patience, refused := plenty, 0
			switch {
			case name == "1 000 streams":
				refused = 900 // all beyond 100
			case !c.closed:
				patience = time.Second
			}
			// Nothing is read while the flood is sent: that makes answers pile up.
			client := h2Client()
			for range 20 {
				begun := time.Now()
				resp, err := client.Get("https://" + e.address + "/")
				if err != nil {
					t.Fatalf("another client: %v", err)
				}
				resp.Body.Close()
				if took := time.Since(begun); took > 20*time.Second {
					t.Errorf("another client waited %s", took)
				}
			}
			frames, closed := outcome(conn, patience, refused)
			if c.closed && !closed {
				t.Errorf("closed: %t, frames by type %v", closed, frames)
			}
			if refused > 0 && frames[frameReset] != refused {
				t.Errorf("%d streams were refused, want %d", frames[frameReset], refused)
			}
		})
	}
	t.Cleanup(func() {
		if m := e.Metrics.text(t); !strings.Contains(m, "sfmcp_http2_errors_total") || !strings.Contains(m, "sfmcp_panics_total{} 0") {
			t.Errorf("metrics:\n%s", m)
		}
	})
}

// AV-01: idle connections give way to new ones, of the same address first, and do not
// keep anybody out.
func TestAV01IdleConnectionsGiveWay(t *testing.T) {
	t.Parallel()
	e := serving(t, "", func(c *Config) { c.Connections = 40 })
	var idle []net.Conn
	for range 60 { // one address may have ten
		conn, err := net.Dial("tcp", e.address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		io.WriteString(conn, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
		conn.SetReadDeadline(time.Now().Add(plenty))
		if _, err := conn.Read(make([]byte, 512)); err != nil {
			t.Fatalf("connection %d is not answered: %v", len(idle), err)
		}
		idle = append(idle, conn)
		eventually(t, plenty, "the connection is idle", func() bool {
			return strings.Contains(e.Metrics.text(t), "sfmcp_connections{} ") && speakPlainlyOnce(e.address)
		})
	}
	m := e.Metrics.text(t)
	if !strings.Contains(m, "sfmcp_connections_closed_total{why=idle}") {
		t.Errorf("metrics:\n%s", m)
	}
	idle[0].SetReadDeadline(time.Now().Add(plenty))
	if _, err := io.Copy(io.Discard, idle[0]); err != nil {
		t.Errorf("the oldest connection is not closed: %v", err)
	}
}

// AV-01: busy connections of one address are bounded, so that it cannot take all; those
// through a trusted proxy carry everybody's requests and are bounded only together.
func TestAV01OneAddressHasAShare(t *testing.T) {
	t.Parallel()
	for trusted, want := range map[string]int{"": 10, "127.0.0.0/8": 40} {
		e := serving(t, "", func(c *Config) {
			c.Connections = 40
			if trusted != "" {
				c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix(trusted)}
			}
		})
		const all = 60
		var closed atomic.Int64
		for range all {
			conn, err := net.Dial("tcp", e.address)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			io.WriteString(conn, "POST /oauth/token HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 9\r\n\r\n") // no body yet: not idle
			go func() {
				conn.Read(make([]byte, 1)) // nothing comes but the end
				closed.Add(1)
			}()
		}
		eventually(t, plenty, "the connections beyond the share are closed", func() bool { return closed.Load() >= int64(all-want) })
		time.Sleep(200 * time.Millisecond) // no other one is
		if open := all - int(closed.Load()); open != want {
			t.Errorf("%q: %d connections are open, want %d", trusted, open, want)
		}
	}
}

// AV-02: a hundred streams a connection do not give one address more requests than its
// share: others are answered meanwhile.
func TestAV02OneAddressHasAShareOfTheRequests(t *testing.T) {
	t.Parallel()
	e := serving(t, certifiedUntil(t, time.Now().Add(90*24*time.Hour)), nil)
	var forms []byte
	for i := range uint32(100) {
		forms = append(forms, frame(frameHeaders, flagEndHeaders, 2*i+1, postForm)...) // never finished
	}
	for range mostRequests/100 + 1 {
		go io.Copy(io.Discard, func() net.Conn {
			conn := dialH2(t, e)
			conn.Write(forms)
			return conn
		}())
	}
	eventually(t, plenty, "the share is used up", func() bool { return e.Requests() >= mostRequests/4 })
	client := h2Client()
	elsewhere := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}
	client.Transport.(*http.Transport).DialContext = elsewhere.DialContext
	refused := func(client *http.Client) bool {
		resp, err := client.Get("https://" + e.address + "/")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusServiceUnavailable
	}
	eventually(t, plenty, "the address has had its share", func() bool { return refused(h2Client()) })
	if refused(client) {
		t.Error("another address is refused")
	}
}
