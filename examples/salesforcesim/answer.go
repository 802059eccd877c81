package salesforcesim

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"sfmcp-proxy/examples/salesforcesim/records"
)

// answer sends the result of a request.
func (x *exchange) answer(result json.RawMessage) {
	x.send(records.Encode(map[string]any{"jsonrpc": "2.0", "id": x.answerID(), "result": result}))
}

// fail sends a JSON-RPC error.
func (x *exchange) fail(code int, message string) {
	x.send(records.Encode(map[string]any{"jsonrpc": "2.0", "id": x.answerID(), "error": map[string]any{"code": code, "message": message}}))
}

func (x *exchange) answerID() any {
	if x.targeted() && x.sim.strikes(func(f *Switches) *Count { return &f.WrongAnswerIDs }) {
		return "not-the-id-of-this-request"
	}
	return x.message.ID
}

// targeted says whether the transport switches strike this request.
func (x *exchange) targeted() bool {
	method := cmp.Or(x.switches.Method, "tools/call")
	return method == "*" || method == x.message.Method
}

// broken lets a transport switch strike in place of the answer, and says whether one did.
func (x *exchange) broken() bool {
	if !x.targeted() {
		return false
	}
	switch {
	case x.sim.strikes(func(f *Switches) *Count { return &f.DroppedConnections }):
		panic(http.ErrAbortHandler)
	case x.sim.strikes(func(f *Switches) *Count { return &f.HTMLErrors }):
		htmlError(x.w, cmp.Or(x.switches.HTMLStatus, http.StatusBadGateway))
	case x.sim.strikes(func(f *Switches) *Count { return &f.EmptyAnswers }):
		x.w.WriteHeader(http.StatusOK)
	case x.sim.strikes(func(f *Switches) *Count { return &f.TruncatedStreams }):
		x.startStream()
		fmt.Fprintf(x.w, "event: message\ndata: {\"jsonrpc\":\"2.0\",\"id\":%s,\"resu", x.message.ID)
	default:
		return false
	}
	return true
}

// send frames one message as JSON or as an event stream.
func (x *exchange) send(message json.RawMessage) {
	if !x.switches.BeforeEffect && x.broken() {
		return
	}
	call := x.message.Method == "tools/call"
	framing := x.switches.Framing
	if framing == "random" {
		framing = []string{"json", "sse", "keepalive"}[int(x.sim.random.bytes(1)[0])%3]
	}
	if framing != "sse" && framing != "keepalive" {
		if call && !x.late(func() {}) {
			return
		}
		x.w.Header().Set("Content-Type", "application/json")
		x.w.Write(message)
		return
	}
	x.startStream()
	if call && !x.stream(framing == "keepalive") {
		return
	}
	x.event(message)
}

// stream sends what comes before the answer of a tool call, and waits. It reports false
// when the client is gone.
func (x *exchange) stream(keepAlive bool) bool {
	if keepAlive {
		fmt.Fprint(x.w, ": keep-alive\n\n")
	}
	for i := range x.switches.ProgressNotifications {
		x.event(x.progress(i + 1))
	}
	if x.switches.ServerRequest != "" {
		x.event(records.Encode(map[string]any{"jsonrpc": "2.0", "id": "salesforce-1", "method": x.switches.ServerRequest, "params": map[string]any{}}))
	}
	http.NewResponseController(x.w).Flush()
	return x.late(func() {
		if keepAlive {
			fmt.Fprint(x.w, ": keep-alive\n\n")
			http.NewResponseController(x.w).Flush()
		}
	})
}

// late waits for as long as the answer of a tool call is late, and calls pulse now and
// then. It reports false when the client is gone.
func (x *exchange) late(pulse func()) bool {
	const beat = 200 * time.Millisecond
	for left := time.Duration(x.switches.AnswerDelay); left > 0; left -= beat {
		if !wait(x.r, Duration(min(left, beat))) {
			return false
		}
		pulse()
	}
	return !x.switches.AnswersHeld || x.sim.released(x.r, beat, pulse)
}

// progress is a progress notification where the client asked for them, a log message otherwise.
func (x *exchange) progress(n int) json.RawMessage {
	var params struct {
		Meta struct {
			ProgressToken json.RawMessage `json:"progressToken"`
		} `json:"_meta"`
	}
	json.Unmarshal(x.message.Params, &params)
	if len(params.Meta.ProgressToken) == 0 {
		return records.Encode(map[string]any{"jsonrpc": "2.0", "method": "notifications/message",
			"params": map[string]any{"level": "info", "data": fmt.Sprintf("step %d", n)}})
	}
	return records.Encode(map[string]any{"jsonrpc": "2.0", "method": "notifications/progress",
		"params": map[string]any{"progressToken": params.Meta.ProgressToken, "progress": n, "total": x.switches.ProgressNotifications}})
}

func (x *exchange) startStream() {
	x.w.Header().Set("Content-Type", "text/event-stream")
	x.w.Header().Set("Cache-Control", "no-cache")
	x.w.WriteHeader(http.StatusOK)
	http.NewResponseController(x.w).Flush()
}

func (x *exchange) event(message json.RawMessage) {
	fmt.Fprintf(x.w, "event: message\ndata: %s\n\n", message)
	http.NewResponseController(x.w).Flush()
}

// toolFailure is a tool result that says that the tool failed, with Salesforce's list
// of errors as text.
func toolFailure(code, message string) json.RawMessage {
	return toolText(string(records.Encode([]map[string]string{{"message": message, "errorCode": code}})), true)
}

func toolText(text string, isError bool) json.RawMessage {
	return records.Encode(map[string]any{"content": []map[string]string{{"type": "text", "text": text}}, "isError": isError})
}

func orEmpty(list []json.RawMessage) []json.RawMessage {
	if list == nil {
		return []json.RawMessage{}
	}
	return list
}
