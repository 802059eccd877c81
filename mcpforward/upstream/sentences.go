package upstream

import (
	"bytes"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"

	"sfmcp-proxy/mcpforward/jsonrpc"
)

// Sentence is something that Salesforce says in the text of an answer and that means
// something to us, because no status or code says it. All of them stand in this file.
// (What its login host says stands in package salesforce.)
type Sentence struct {
	text    string
	anyCase bool
}

// Sentences in the result of a tool.
var (
	// ToolFailed is how Salesforce reports a call on a session that it has lost, among
	// other errors of its own. The tool may have run.
	ToolFailed = Sentence{text: "Unexpected error while invoking tool"}
	// UnknownException is Salesforce's code for failures of its platform. The tool may have
	// run. API Access Control answers every query so, for an app that is not on its list.
	UnknownException = Sentence{text: "UNKNOWN_EXCEPTION"}
	// LimitExceeded: the org has used up its API requests. It is also the body of a 403.
	LimitExceeded = Sentence{text: "REQUEST_LIMIT_EXCEEDED"}
)

// Sentences in the body of a status other than 200.
var (
	// sessionMissing: the request has to be under a session, and was not.
	sessionMissing = Sentence{text: "Session Key missing"}
	// sessionNamed: a 400 that speaks of the session does not know it.
	sessionNamed = Sentence{text: "session", anyCase: true}
	// serverUnknown tells a 404 for the server from one for the session.
	serverUnknown = Sentence{text: "Server definition not found"}
)

// In reports whether text holds the sentence.
func (s Sentence) In(text []byte) bool {
	if s.anyCase {
		return bytes.Contains(bytes.ToLower(text), []byte(s.text))
	}
	return bytes.Contains(text, []byte(s.text))
}

// MayHaveRun reports whether the content of a failed tool's result holds one of the
// sentences after which Salesforce has been seen to have done what was asked.
func MayHaveRun(content jsontext.Value) bool {
	return ToolFailed.In(content) || UnknownException.In(content)
}

// Named says which of those sentences the text holds, in words of ours that have a place for it;
// "" if none.
func Named(text jsontext.Value, words string) string {
	for _, s := range []Sentence{ToolFailed, UnknownException} {
		if s.In(text) {
			return fmt.Sprintf(words, s.text)
		}
	}
	return ""
}

// isToolFailure reports whether the result of a tool is [ToolFailed].
func isToolFailure(v jsontext.Value) bool {
	if !ToolFailed.In(v) { // most are none, and long
		return false
	}
	result, _ := jsonrpc.ParseObject(v)
	if failed, _ := result.Get("isError"); string(failed) != "true" {
		return false
	}
	content, _ := result.Get("content")
	blocks, _ := jsonrpc.ParseArray(content)
	for _, b := range blocks {
		block, _ := jsonrpc.ParseObject(b)
		if text, _ := block.String("text"); ToolFailed.In([]byte(text)) {
			return true
		}
	}
	return false
}
