package jsonrpc

import (
	"fmt"

	"github.com/go-json-experiment/json/jsontext"
)

// Message is one JSON-RPC 2.0 request, notification or response.
type Message struct {
	// ID is the id as received, byte for byte; empty if absent. In a message
	// from [Decode] it is a string or an integer. From [DecodeAnswer] it may
	// also be null, in an error response only (JSON-RPC 2.0, 5.1).
	ID jsontext.Value
	// Method is empty for a response.
	Method string
	// Params is an object, or nil if absent.
	Params jsontext.Value
	// Result is an object, or nil. Exactly one of Result and Error is set in a
	// response, none otherwise.
	Result jsontext.Value
	Error  *Error

	reading *Reading // of the result, if it was read; see Reading
	sound   bool     // params or result were checked; see Forward and Relay
}

// IsRequest reports whether m expects a response.
func (m *Message) IsRequest() bool { return m.Method != "" && len(m.ID) > 0 }

// IsNotification reports whether m has a method and no id.
func (m *Message) IsNotification() bool { return m.Method != "" && len(m.ID) == 0 }

// IsResponse reports whether m answers a request.
func (m *Message) IsResponse() bool { return m.Method == "" }

// Code is an error code of JSON-RPC 2.0, 5.1, or of MCP.
type Code int

// The codes that JSON-RPC 2.0 reserves.
const (
	ParseError     Code = -32700 // not JSON
	InvalidRequest Code = -32600 // JSON, but not one acceptable message
	MethodNotFound Code = -32601
	InvalidParams  Code = -32602
	InternalError  Code = -32603
)

// Error is the error member of a response. Its message is written for the peer:
// it holds nothing of the request, and no secrets.
type Error struct {
	Code    Code
	Message string
	Data    jsontext.Value // any JSON value, nil if absent
}

// Error says the message and the code.
func (e *Error) Error() string { return fmt.Sprintf("%s (%d)", e.Message, int(e.Code)) }

// Request returns a request; with a nil id, a notification.
func Request(id jsontext.Value, method string, params jsontext.Value) *Message {
	return &Message{ID: id, Method: method, Params: params}
}

// Reply returns the response that carries result, an object.
func Reply(id, result jsontext.Value) *Message {
	return &Message{ID: id, Result: result}
}

// Forward returns the response that carries result, which must be one that [DecodeAnswer]
// returned: Encode writes it as it is, unless it is on several lines, and does not check
// it a second time.
func Forward(id, result jsontext.Value) *Message {
	return &Message{ID: id, Result: result, sound: true}
}

// Relay returns a request whose params are what [Object.Encode] wrote: Encode does not
// check them a second time.
func Relay(id jsontext.Value, method string, params jsontext.Value) *Message {
	return &Message{ID: id, Method: method, Params: params, sound: true}
}

// Under returns the request m with another id and with params that are m's own or what
// [Object.Encode] made of them.
func (m *Message) Under(id, params jsontext.Value) *Message {
	return &Message{ID: id, Method: m.Method, Params: params, sound: m.sound}
}

// Failure returns the response that carries an error. Without an id, because the
// request had none that could be read, it is encoded with id null.
func Failure(id jsontext.Value, code Code, message string) *Message {
	return &Message{ID: id, Error: &Error{Code: code, Message: message}}
}
