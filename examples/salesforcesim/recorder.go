package salesforcesim

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

const (
	maxRecorded     = 20_000  // requests kept; the oldest half goes when there are more
	maxRecordedBody = 1 << 20 // bytes of each body that are kept
)

// Request is one request that reached the simulated Salesforce. It is recorded when it
// arrives, so that a request that never gets an answer is there too.
type Request struct {
	Sequence int64     `json:"sequence"` // from 1, without gaps
	At       time.Time `json:"at"`       // simulated time
	Method   string    `json:"method"`
	Host     string    `json:"host"`
	Path     string    `json:"path"` // as sent, escapes included
	Query    string    `json:"query,omitempty"`
	// Header has everything but the value of Authorization, which is replaced by the
	// scheme and "sha256:" with the SHA-256 of the credentials in hexadecimal digits.
	Header http.Header `json:"header"`
	// RawAuthorization is the Authorization header as sent. The control API shows it
	// only when asked.
	RawAuthorization string     `json:"raw_authorization,omitempty"`
	Form             url.Values `json:"form,omitempty"` // of a form body
	Body             string     `json:"body,omitempty"` // of any other body
	RPC              string     `json:"rpc,omitempty"`  // JSON-RPC method, at the gateway
	Tool             string     `json:"tool,omitempty"` // tool that was called
	// Status is that of the answer; 0 while there is none, or where the connection was
	// broken.
	Status int `json:"status"`
}

// RequestFilter chooses recorded requests; an empty field chooses all.
type RequestFilter struct {
	Path   string // part of the path
	Method string // HTTP method
	RPC    string // JSON-RPC method
	Tool   string
	After  int64 // sequence number
}

func (f RequestFilter) matches(r *Request) bool {
	return strings.Contains(r.Path, f.Path) && (f.Method == "" || f.Method == r.Method) && (f.RPC == "" || f.RPC == r.RPC) &&
		(f.Tool == "" || f.Tool == r.Tool) && r.Sequence > f.After
}

// Requests are the recorded requests that f chooses, in the order of their arrival.
func (s *Sim) Requests(f RequestFilter) []Request { return s.log.chosen(f) }

// ForgetRequests drops the recorded requests that f chooses.
func (s *Sim) ForgetRequests(f RequestFilter) { s.log.clear(f) }

// recorder keeps requests. The zero value is ready to use.
type recorder struct {
	mu       sync.Mutex
	sequence int64
	requests []*Request
}

func (rec *recorder) chosen(f RequestFilter) []Request {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	found := []Request{}
	for _, r := range rec.requests {
		if f.matches(r) {
			found = append(found, *r)
		}
	}
	return found
}

func (rec *recorder) clear(f RequestFilter) {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	var kept []*Request
	for _, r := range rec.requests {
		if !f.matches(r) {
			kept = append(kept, r)
		}
	}
	rec.requests = kept
}

func (rec *recorder) add(r *Request) {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	rec.sequence++
	r.Sequence = rec.sequence
	if len(rec.requests) >= maxRecorded {
		rec.requests = append([]*Request(nil), rec.requests[maxRecorded/2:]...)
	}
	rec.requests = append(rec.requests, r)
}

type recordKey struct{}

// recording is a request being recorded, found through the request's context.
type recording struct {
	recorder *recorder
	request  *Request
}

// note adds what a handler learned about a request to its record.
func note(r *http.Request, change func(*Request)) {
	if rec, ok := r.Context().Value(recordKey{}).(recording); ok {
		rec.recorder.mu.Lock()
		defer rec.recorder.mu.Unlock()
		change(rec.request)
	}
}

// recorded records every request before next sees it, with the time by now, and the
// status of its answer afterwards.
func (rec *recorder) recorded(now func() time.Time, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		request := &Request{At: now(), Method: r.Method, Host: r.Host, Path: r.URL.EscapedPath(), Query: r.URL.RawQuery,
			Header: r.Header.Clone()}
		if raw := r.Header.Get("Authorization"); raw != "" {
			scheme, credentials, _ := strings.Cut(raw, " ")
			request.RawAuthorization = raw
			request.Header.Set("Authorization", scheme+" sha256:"+hash(credentials))
		}
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 16<<20))
		if err != nil {
			http.Error(w, "request too large", http.StatusRequestEntityTooLarge)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		if strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
			request.Form, _ = url.ParseQuery(string(body))
		} else {
			request.Body = string(body[:min(len(body), maxRecordedBody)])
		}
		rec.add(request)
		r = r.WithContext(context.WithValue(r.Context(), recordKey{}, recording{rec, request}))
		next.ServeHTTP(&statusWriter{ResponseWriter: w, request: r}, r)
	})
}

// statusWriter writes the status into the record as soon as it is known.
type statusWriter struct {
	http.ResponseWriter
	request *http.Request
	written bool
}

// WriteHeader records the status.
func (w *statusWriter) WriteHeader(status int) {
	if !w.written {
		w.written = true
		note(w.request, func(r *Request) { r.Status = status })
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write records status 200 where none was set.
func (w *statusWriter) Write(b []byte) (int, error) {
	if !w.written {
		w.WriteHeader(http.StatusOK)
	}
	return w.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController flush.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
