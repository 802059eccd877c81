package main

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"
)

// variant is a kind of answer that the stub upstream gives, each at an address of its own.
type variant struct {
	name   string
	bytes  int  // of the text in a tool result, about
	stream bool // as an event stream
}

var variants = []variant{
	{"json-1k", 1 << 10, false},
	{"json-16k", 16 << 10, false},
	{"stream-1k", 1 << 10, true},
}

// hostedPath is where a hosted server of Salesforce answers.
const hostedPath = "/platform/mcp/v1/platform/sobject-reads"

// marker is in every good answer to a call or a list, and in no refusal, even one that
// repeats the question.
const marker = "Account 7"

// runUpstream is the stub: it prints its addresses by variant and serves until its input ends.
func runUpstream() error {
	addresses := map[string]string{}
	var serving errgroup.Group
	for _, v := range variants {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		addresses[v.name] = l.Addr().String()
		server := &http.Server{Handler: newStub(v)}
		serving.Go(func() error { return server.Serve(l) })
	}
	if err := json.NewEncoder(os.Stdout).Encode(addresses); err != nil {
		return err
	}
	return untilInputEnds(&serving)
}

// untilInputEnds returns when the process that started this one has gone, or what is
// served has failed.
func untilInputEnds(serving *errgroup.Group) error {
	failed := make(chan error, 1)
	go func() { failed <- serving.Wait() }()
	go func() { _, err := io.Copy(io.Discard, os.Stdin); failed <- err }()
	return <-failed
}

// stub answers as one hosted server.
type stub struct {
	call, list []byte // results
	stream     bool
}

func newStub(v variant) *stub {
	const record = `{\"attributes\":{\"type\":\"Account\",\"url\":\"/services/data/v64.0/sobjects/Account/001xx000003DGb2AAG\"},` +
		`\"Id\":\"001xx000003DGb2AAG\",\"Name\":\"Account 7\",\"Industry\":\"Energy\"}`
	n := v.bytes / len(record)
	text := fmt.Sprintf(`{\"totalSize\":%d.0,\"done\":true,\"records\":[%s]}`, n, strings.TrimSuffix(strings.Repeat(record+",", n), ","))
	return &stub{
		call: []byte(`{"content":[{"type":"text","text":"` + text + `"}],"isError":false}`),
		list: []byte(`{"tools":[` + strings.Join(toolDefinitions(), ",") + `]}`), stream: v.stream,
	}
}

// toolDefinitions are as many as sobject-reads has.
func toolDefinitions() (all []string) {
	for _, name := range []string{"soqlQuery", "find", "getObjectSchema", "getUserInfo", "listRecentSobjectRecords", "getRelatedRecords"} {
		all = append(all, fmt.Sprintf(`{"name":%q,"title":%q,"description":%q,"inputSchema":{"type":"object","properties":{"q":{"type":"string","description":%q}}},"annotations":{"readOnlyHint":true}}`,
			name, name, strings.Repeat("Reads records such as Account 7. ", 8), "what to read"))
	}
	return all
}

// ServeHTTP speaks the session protocol of 2025-06-18. Other proxies are clients that try
// more than that, and are told that it is not there.
func (s *stub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost { // a stream of notifications, or the end of a session
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	body, err := io.ReadAll(r.Body)
	var m struct {
		ID     json.RawMessage
		Method string
	}
	if err := errors.Join(err, json.Unmarshal(body, &m)); err != nil {
		http.Error(w, "unreadable", http.StatusBadRequest)
		return
	}
	switch m.Method {
	case "initialize":
		w.Header().Set("Mcp-Session-Id", rand.Text())
		s.answer(w, m.ID, []byte(`{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},"serverInfo":{"name":"stub","version":"1"}}`), false)
	case "tools/list":
		s.answer(w, m.ID, s.list, s.stream)
	case "tools/call":
		if strings.Contains(string(body), holdQuery) {
			hold(w, r, body)
			return
		}
		s.answer(w, m.ID, s.call, s.stream)
	case "ping":
		s.answer(w, m.ID, []byte(`{}`), false)
	default:
		if m.ID != nil {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"error":{"code":-32601,"message":"method not found"}}`, m.ID)
			return
		}
		w.WriteHeader(http.StatusAccepted) // a notification
	}
}

func (s *stub) answer(w http.ResponseWriter, id, result []byte, stream bool) {
	b := make([]byte, 0, len(result)+128)
	kind := "application/json"
	if stream {
		kind = "text/event-stream"
		b = append(b, "event: message\ndata: "...)
	}
	b = append(append(append(append(append(b, `{"jsonrpc":"2.0","id":`...), id...), `,"result":`...), result...), '}')
	w.Header().Set("Content-Type", kind)
	if stream {
		b = append(b, "\n\n"...)
		w.Write(b)
		http.NewResponseController(w).Flush()
		return
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	w.Write(b)
}

// holdQuery is what a query has in it whose answer does not end.
const holdQuery = "LIMIT 1999"

// hold sends progress and then nothing until the caller goes.
func hold(w http.ResponseWriter, r *http.Request, body []byte) {
	var m struct {
		Params struct {
			Meta struct{ ProgressToken json.RawMessage } `json:"_meta"`
		}
	}
	if err := json.Unmarshal(body, &m); err != nil {
		http.Error(w, "unreadable", http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	fmt.Fprintf(w, "event: message\ndata: "+`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":%s,"progress":1}}`+"\n\n", m.Params.Meta.ProgressToken)
	http.NewResponseController(w).Flush()
	<-r.Context().Done()
}
