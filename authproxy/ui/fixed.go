package ui

import (
	"bytes"
	"fmt"
	"html/template"
	"io"
	"net/http"
)

// Fixed is a page that is rendered once and differs by its request id alone: for answers
// that a process gives when it has no time, no memory or no database for more. It does not
// tell what the kill switch stops, which would have to be asked for.
type Fixed struct {
	status        int
	policy        string
	before, after string // the request id
}

// placeOfID stands where the request id will; no text of ours has it.
const placeOfID = "ID-OF-THIS-REQUEST"

// Fix renders a page in advance. The page's own request id is not used.
func (s Site) Fix(status int, page MessagePage) (*Fixed, error) {
	page.RequestID = placeOfID
	body, err := s.body(NothingStopped, status, page)
	if err != nil {
		return nil, err
	}
	before, after, found := bytes.Cut(body.Bytes(), []byte(placeOfID))
	if !found {
		return nil, fmt.Errorf("page %q has no place for a request id", page.Title)
	}
	policy, err := contentPolicy(nil, false)
	if err != nil {
		return nil, err
	}
	return &Fixed{status: status, policy: policy, before: string(before), after: string(after)}, nil
}

// Write answers with the page.
func (f *Fixed) Write(w http.ResponseWriter, requestID string) error {
	id := template.HTMLEscapeString(requestID)
	setPageHeaders(w.Header(), f.policy, len(f.before)+len(id)+len(f.after))
	w.WriteHeader(f.status)
	for _, part := range []string{f.before, id, f.after} {
		if _, err := io.WriteString(w, part); err != nil {
			return fmt.Errorf("writing page: %w", err)
		}
	}
	return nil
}
