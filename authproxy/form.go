package authproxy

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
)

// Bounds of what anybody can send. The longest parameter in use is a state of a few
// hundred characters.
const (
	maxQuery      = 16 << 10
	maxForm       = 64 << 10
	maxParameters = 100
)

// query parses a request's query strictly. Parameters without a value count as
// omitted (RFC 6749 3.1).
func query(r *http.Request) (url.Values, error) {
	if len(r.URL.RawQuery) > maxQuery {
		return nil, errors.New("query is too long")
	}
	return parameters(r.URL.RawQuery)
}

func parameters(text string) (url.Values, error) {
	if strings.Count(text, "&") >= maxParameters {
		return nil, errors.New("too many parameters")
	}
	return url.ParseQuery(text)
}

// repeated returns a name that occurs twice (RFC 6749 3.1 forbids it), or "".
func repeated(q url.Values) string {
	for name, values := range q {
		if len(values) > 1 {
			return name
		}
	}
	return ""
}

// navigated refuses what a browser says is no navigation of a whole window: images and
// frames of other sites that would open requests and set cookies.
func navigated(r *http.Request) error {
	if dest := r.Header.Get("Sec-Fetch-Dest"); dest != "" && dest != "document" {
		return &pageError{status: http.StatusForbidden, title: "Open this in a window of its own",
			text: "This page is not shown inside another one."}
	}
	return nil
}

// clientForm reads the form of a client at the token or revocation endpoint (RFC 6749
// 3.2): POST, urlencoded, nothing in the query, nothing twice.
func clientForm(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return nil, &oauthError{status: http.StatusMethodNotAllowed, code: invalidRequest, description: "use POST"}
	}
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/x-www-form-urlencoded" || r.Header.Get("Content-Encoding") != "" {
		return nil, &oauthError{status: http.StatusUnsupportedMediaType, code: invalidRequest,
			description: "expected application/x-www-form-urlencoded"}
	}
	if r.URL.RawQuery != "" || r.URL.ForceQuery {
		return nil, badRequest("parameters belong into the body")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxForm))
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return nil, &oauthError{status: http.StatusRequestEntityTooLarge, code: invalidRequest, description: "the form is too large"}
	}
	if err != nil {
		return nil, badRequest("the form did not arrive")
	}
	form, err := parameters(string(body))
	if err != nil {
		return nil, badRequest("the form does not parse")
	}
	switch name := repeated(form); name {
	case "":
		return form, nil
	case "resource":
		return nil, &oauthError{code: invalidTarget, description: "one resource is granted at a time"}
	default:
		return nil, badRequest("a parameter is repeated")
	}
}
