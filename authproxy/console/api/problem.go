package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"sfmcp-proxy/authproxy/apitoken"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/definition"
	"sfmcp-proxy/authproxy/grant"
	"sfmcp-proxy/authproxy/oversight"
	"sfmcp-proxy/authproxy/people"
)

// Problem is every answer that is not what was asked for (RFC 9457).
type Problem struct {
	Type      string `json:"type" doc:"names the kind of problem"`
	Title     string `json:"title"`
	Status    int    `json:"status"`
	Detail    string `json:"detail" doc:"what is wrong with this request"`
	Fix       string `json:"fix" doc:"what to do about it"`
	RequestID string `json:"request_id,omitempty" doc:"joins the answer with the proxy's log"`
	Current   any    `json:"current,omitempty" doc:"with 412: the resource as it is now"`

	header http.Header
}

// Error is the detail.
func (p *Problem) Error() string { return p.Detail }

// kind is a kind of problem.
type kind struct {
	name, title string
	status      int
}

// The kinds.
var (
	badRequest    = kind{"invalid-request", "The request is not understood", http.StatusBadRequest}
	unauthorized  = kind{"unauthorized", "A token is needed", http.StatusUnauthorized}
	forbidden     = kind{"forbidden", "The token's role may not do this", http.StatusForbidden}
	notFound      = kind{"not-found", "There is nothing of that name", http.StatusNotFound}
	wrongMethod   = kind{"method-not-allowed", "This address does not take that method", http.StatusMethodNotAllowed}
	conflict      = kind{"conflict", "It is not as the request says", http.StatusConflict}
	changed       = kind{"precondition-failed", "It was changed meanwhile", http.StatusPreconditionFailed}
	tooLarge      = kind{"too-large", "The request is too large", http.StatusRequestEntityTooLarge}
	noJSON        = kind{"unsupported-media-type", "The body must be JSON", http.StatusUnsupportedMediaType}
	otherRequest  = kind{"key-reused", "The Idempotency-Key belongs to another request", http.StatusUnprocessableEntity}
	preconditions = kind{"precondition-required", "If-Match is needed", http.StatusPreconditionRequired}
	tooMany       = kind{"too-many-requests", "Too many requests", http.StatusTooManyRequests}
	incomplete    = kind{"incomplete", "Not all of it could be done", http.StatusInternalServerError}
	unrecorded    = kind{"unrecorded", "It is done, but not in the audit log", http.StatusInternalServerError}
	unread        = kind{"done-unread", "It is done, but could not be read again", http.StatusInternalServerError}
	passing       = kind{"unavailable", "It cannot be done at the moment", http.StatusServiceUnavailable}
	ours          = kind{"internal", "Something went wrong here", http.StatusInternalServerError}
)

// is a problem of that kind.
func (k kind) is(detail, fix string) *Problem {
	return &Problem{Type: k.name, Title: k.title, Status: k.status, Detail: detail, Fix: fix}
}

// with adds a header to the answer.
func (p *Problem) with(name, value string) *Problem {
	if p.header == nil {
		p.header = http.Header{}
	}
	p.header.Set(name, value)
	return p
}

// problemOf is what a program is told of an error. Only a problem, and what is known to be its
// own, is told; of everything else the log knows the cause.
func (a *API) problemOf(r *http.Request, err error) *Problem {
	if p, ok := errors.AsType[*Problem](err); ok {
		return p
	}
	if audit.Unrecorded(err) != nil && audit.TookEffect(err) {
		a.Log.ErrorContext(r.Context(), "an act of the API is not in the audit log", "method", r.Method, "path", r.URL.Path, "error", err)
		return unrecorded.is("It is done, and stays done. It could not be written to the audit log.", "Do not do it again. The proxy's log says why the audit log cannot be written, and so does /readyz.")
	}
	if wrong, ok := errors.AsType[*oversight.InputError](err); ok {
		return badRequest.is(wrong.Error(), "Correct what the detail names, and ask again.")
	}
	for _, absent := range []error{oversight.ErrNotFound, grant.ErrNotFound, people.ErrNotFound, definition.ErrNotFound, apitoken.ErrNotFound} {
		if errors.Is(err, absent) {
			return notFound.is("There is nothing of that name. It may have ended, or been removed, meanwhile.", "Take the name from the list that this belongs to.")
		}
	}
	a.Log.ErrorContext(r.Context(), "request of the API failed", "method", r.Method, "path", r.URL.Path, "error", err)
	if errors.Is(err, audit.ErrNoIntent) {
		return passing.is("Nothing was done: it could not be written to the audit log first.", "The proxy's log says why the audit log cannot be written, and so does /readyz. Ask again once that is mended, under another Idempotency-Key if there was one.")
	}
	if db.Passes(err) {
		return passing.is("What has to be looked up or stored for it could not be.", "Ask again in a moment, under another Idempotency-Key if there was one. If an act may have been done in part, look first: what is done stays done.").with("Retry-After", "1")
	}
	return ours.is("It is our fault and it is recorded.", "Ask again in a moment. If an act may have been done in part, look first: what is done stays done.")
}

// readAfterTime is how long what an act came to is read at most: meanwhile the request holds its turn.
const readAfterTime = 30 * time.Second

// readAfter is the answer to an act that returned err, where that is read once the act is done. Of an act that is done nothing else is told,
// whatever keeps the answer from being read; that the caller has gone does not: the answer may be kept for the request
// that comes again.
func readAfter[Out any](a *API, q *call, err error, read func(*call) (Out, error)) (Out, error) {
	var none Out
	if err != nil {
		return none, err
	}
	ctx, end := context.WithTimeout(context.WithoutCancel(q.Context()), readAfterTime)
	defer end()
	after := *q
	after.Request = q.WithContext(ctx)
	out, err := read(&after)
	if err != nil {
		a.Log.ErrorContext(q.Context(), "what an act of the API came to could not be read", "path", q.URL.Path, "error", err)
		return none, unread.is("It is done, and stays done. What the answer would have said could not be read.", "Do not do it again. Read it by the address for that, in a moment.")
	}
	return out, nil
}

// answer is an answer that can be sent, and kept.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// told is the answer that tells of a problem.
func (a *API) told(r *http.Request, p *Problem) answer {
	told := *p
	told.Type = a.PublicURL + documentPath + "#" + p.Type
	told.RequestID = audit.OriginOf(r.Context()).RequestID
	header := p.header.Clone()
	if header == nil {
		header = http.Header{}
	}
	header.Set("Content-Type", "application/problem+json")
	body, err := json.Marshal(told)
	if err != nil { // the current state cannot be written: the rest can
		told.Current = nil
		body, _ = json.Marshal(told)
	}
	return answer{p.Status, header, body}
}

// send writes an answer. Nothing of the API is kept on the way.
func (a *API) send(w http.ResponseWriter, r *http.Request, of answer) {
	for name, values := range of.header {
		w.Header()[name] = values
	}
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(of.status)
	if r.Method == http.MethodHead {
		return
	}
	if _, err := w.Write(of.body); err != nil {
		a.Log.DebugContext(r.Context(), "answer not written", "error", err)
	}
}
