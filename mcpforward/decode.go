package mcpforward

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"

	"sfmcp-proxy/mcpforward/jsonrpc"
)

// decode reads the body: one strict JSON-RPC message.
func (r *request) decode() error {
	if err := checkType(r.http.Header); err != nil {
		return err
	}
	if !r.out.Acceptable() {
		return &refusal{status: http.StatusNotAcceptable, message: "Accept must allow application/json or text/event-stream"}
	}
	body, err := r.readBody()
	if err != nil {
		return err
	}
	if r.msg, err = jsonrpc.Decode(body); err != nil {
		return r.malformed(err)
	}
	if r.msg.Params != nil {
		r.params, err = jsonrpc.ParseObject(r.msg.Params)
	}
	r.params = withoutNull(r.params)
	return err
}

// withoutNull leaves out what is null, as many clients write what they leave out. Input is
// none of that: a null would answer something (see refuseInput).
func withoutNull(params jsonrpc.Object) jsonrpc.Object {
	rest := params.WithoutNull()
	for _, member := range inputMembers {
		if v, ok := params.Get(member); ok {
			rest.Set(member, v)
		}
	}
	return rest
}

// readBody reads the body whole. Of a user so many are read at a time, from their first byte
// on: what stalls holds memory like what arrives.
func (r *request) readBody() ([]byte, error) {
	end, ok := r.allowances.Of(r.user()).BeginBody(r.http.Context())
	if !ok {
		return nil, r.overLimit()
	}
	defer end()
	body, err := io.ReadAll(http.MaxBytesReader(r.out.HTTP(), r.http.Body, r.Limits.RequestBytes))
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return nil, &refusal{status: http.StatusRequestEntityTooLarge, code: jsonrpc.InvalidRequest, message: "the message is too large"}
	}
	if err != nil {
		return nil, badRequest(jsonrpc.ParseError, "the message did not arrive whole")
	}
	return body, nil
}

// malformed records a body that is not one strict message: no client sends that by
// accident. Beyond the user's limit it is refused unrecorded, so that it cannot fill
// the disk.
func (r *request) malformed(err error) error {
	e, ok := errors.AsType[*jsonrpc.Error](err)
	if !ok {
		return err
	}
	r.recordMalformed(e.Message)
	return badRequest(e.Code, e.Message)
}

// errType refuses a body for its headers.
var errType = &refusal{status: http.StatusUnsupportedMediaType, message: "Content-Type must be application/json, without Content-Encoding"}

// checkType accepts JSON in UTF-8 as it is, and nothing else (SR-RS-6, SR-FW-1).
func checkType(h http.Header) error {
	types := h.Values("Content-Type")
	if len(types) != 1 || len(h.Values("Content-Encoding")) > 0 {
		return errType
	}
	if types[0] == "application/json" {
		return nil
	}
	kind, params, err := mime.ParseMediaType(types[0])
	if err != nil || kind != "application/json" {
		return errType
	}
	for name, value := range params {
		if name != "charset" || !strings.EqualFold(value, "utf-8") {
			return errType
		}
	}
	return nil
}
