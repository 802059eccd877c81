package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/seal"
)

// directoryVariable tells the relay where to keep its database.
const directoryVariable = "SFMCP_BENCH_DIRECTORY"

// relay is the least that can stand before Salesforce with the product's audit log: it
// reads a request, records that it is about to be sent, sends it, records how it ended and
// answers. It asks for no token, understands nothing of the message and refuses nothing, so
// what sfmcp-proxy costs beyond it is the price of deciding; what it costs itself is the
// price of Go's net/http on both sides and of a log that is on disk before a call leaves.
type relay struct {
	targets   map[string]string // path to address
	transport *http.Transport
	log       *audit.Log
}

// runRelay serves the relay: /mcp/VARIANT goes to that variant's stub.
func runRelay() error {
	var upstreams map[string]string
	if err := json.Unmarshal([]byte(os.Getenv(upstreamsVariable)), &upstreams); err != nil {
		return err
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(400) // as the product does
	}
	entries, err := openLog(os.Getenv(directoryVariable))
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	targets := map[string]string{}
	for name, address := range upstreams {
		targets["/mcp/"+name] = "http://" + address + hostedPath
	}
	server := &http.Server{Handler: &relay{targets, newTransport(), entries}}
	var serving errgroup.Group
	serving.Go(func() error { return server.Serve(l) })
	if err := json.NewEncoder(os.Stdout).Encode(l.Addr().String()); err != nil {
		return err
	}
	return untilInputEnds(&serving)
}

// openLog opens an audit log as the product does.
func openLog(dir string) (*audit.Log, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	keys := filepath.Join(dir, "keys")
	if err := seal.CreateKeyFile(keys); err != nil {
		return nil, err
	}
	ring, err := seal.LoadKeyRing(keys)
	if err != nil {
		return nil, err
	}
	d, err := db.Open(context.Background(), db.Config{URL: "sqlite:" + filepath.Join(dir, "proxy.db")})
	if err != nil {
		return nil, err
	}
	return audit.New(audit.Config{Dir: filepath.Join(dir, "audit"), DB: d, Ring: ring})
}

// ServeHTTP sends one request and its answer on, both in one piece.
func (p *relay) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, "unreadable", http.StatusBadRequest)
		return
	}
	intent, err := p.log.Append(r.Context(), callEntry(audit.Intent))
	if err != nil {
		http.Error(w, "not recorded", http.StatusServiceUnavailable)
		return
	}
	resp, answer, err := p.send(r, body)
	if err != nil {
		http.Error(w, "no answer", http.StatusBadGateway)
		return
	}
	e := callEntry("ok")
	e.Arguments, e.IntentSeq, e.Status, e.Bytes, e.DurationMS = nil, intent, "result", int64(len(answer)), time.Since(start).Milliseconds()
	p.log.AppendLater(context.WithoutCancel(r.Context()), e, func(err error) { log.Print("audit entry lost: ", err) })

	for _, name := range []string{"Content-Type", "Mcp-Session-Id"} {
		if v := resp.Header[name]; v != nil {
			w.Header()[name] = v
		}
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(answer)))
	w.WriteHeader(resp.StatusCode)
	w.Write(answer)
}

// send makes the request of a client once more, and reads its answer.
func (p *relay) send(r *http.Request, body []byte) (*http.Response, []byte, error) {
	out, err := http.NewRequestWithContext(r.Context(), r.Method, p.targets[r.URL.Path], bytes.NewReader(body))
	if err != nil {
		return nil, nil, err
	}
	out.Header = r.Header
	resp, err := p.transport.RoundTrip(out)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	answer := bytes.NewBuffer(make([]byte, 0, max(0, resp.ContentLength)+bytes.MinRead))
	_, err = answer.ReadFrom(resp.Body)
	return resp, answer.Bytes(), err
}

// callEntry is what the product records of the call, field by field of the same length.
func callEntry(outcome audit.Outcome) audit.Entry {
	return audit.Entry{
		Actor: actor.User("005xx0000000025AAA"), Action: audit.ToolCall, Object: "soqlQuery", Outcome: outcome,
		Source: "127.0.0.1", RequestID: "BZDMEAHAFTWQUBIC", Org: org, Subject: "005xx0000000025AAA", Client: clientID, Grant: "grt_pbk6y7adudniilrk",
		Server: "json-1k", Tool: "soqlQuery", Class: "read", Decision: "allow", Rule: "rule 20 (allow classes read)",
		ArgumentsDigest: "62a43934a1b4c403c6fd8012ae361ab3d8f47c6716cf7d9618aa894f18fdf67b", PolicyVersion: "f0fa24c3baddda393442efbbe94cc61e",
		Arguments: json.RawMessage(callArguments),
	}
}

// startRelay starts the relay. It takes part where calls are measured, of either size; it would
// record a list or a stream as if it were such a call.
func (b *bed) startRelay(ctx context.Context, upstreams string) (err error) {
	if b.relay, err = startRole(ctx, "relay", upstreamsVariable+"="+upstreams, directoryVariable+"="+filepath.Join(b.dir, "relay")); err != nil {
		return err
	}
	var address string
	if err := b.relay.read(&address); err != nil {
		return err
	}
	it := party{name: relayName, pid: b.relay.cmd.Process.Pid, tokens: anyTokens,
		at:    func(v string) (string, string) { return address, "/mcp/" + v },
		takes: func(s scenario) bool { return s.message == callMessage && s.variant != "stream-1k" }}
	b.parties = append(b.parties, it)
	if err := ready(ctx, it); err != nil {
		return fmt.Errorf("%s: %w", relayName, err)
	}
	return nil
}
