package authproxy

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/client"
	"sfmcp-proxy/authproxy/clientdoc"
	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/ui"
)

// Error codes of RFC 6749 (4.1.2.1, 5.2), RFC 8707 2, and OpenID Connect Core 3.1.2.6.
const (
	accessDenied            = "access_denied"
	invalidClient           = "invalid_client"
	invalidGrant            = "invalid_grant"
	invalidRequest          = "invalid_request"
	invalidScope            = "invalid_scope"
	invalidTarget           = "invalid_target"
	requestNotSupported     = "request_not_supported"
	requestURINotSupported  = "request_uri_not_supported"
	serverError             = "server_error"
	temporarilyUnavailable  = "temporarily_unavailable"
	unsupportedGrantType    = "unsupported_grant_type"
	unsupportedResponseType = "unsupported_response_type"
)

// storePause is when who met a database that did not take or give something may ask again.
const storePause = time.Second

// retryAfter is a pause as the header has it.
func retryAfter(pause time.Duration) string { return strconv.Itoa(int(pause.Seconds())) }

// failedCode is the code of a redirect in place of status 503 or 500 (RFC 6749 4.1.2.1).
func failedCode(err error) string {
	if db.Passes(err) {
		return temporarilyUnavailable
	}
	return serverError
}

// oauthError is told to a client: as JSON, or in a redirect. The description is ASCII
// without quotes and backslashes (RFC 6749 A.8) and never repeats what was sent.
type oauthError struct {
	status            int // of the JSON answer; 0 means 400
	code, description string
	challenge         string        // WWW-Authenticate of the JSON answer, if any
	retry             time.Duration // Retry-After of the JSON answer, if any
	cause             error
}

func (e *oauthError) Error() string { return e.code + ": " + e.description }
func (e *oauthError) Unwrap() error { return e.cause }

func badRequest(description string) *oauthError {
	return &oauthError{code: invalidRequest, description: description}
}

// redirectError takes an oauthError to the client through the browser. There is one
// only after client and redirect URI were found good.
type redirectError struct {
	redirectURI, state string
	// untrusted is a client that nobody has verified, if no person has agreed to anything
	// yet: the person follows a link instead of being sent on. Otherwise whoever registers a
	// client could make a link to this proxy lead to any site (RFC 9700 4.11.2).
	untrusted *client.Client
	*oauthError
}

// untrustedReturn says what went wrong, and leaves it to the person to go back.
func untrustedReturn(e *redirectError, back string) *pageError {
	return &pageError{status: http.StatusBadRequest, title: "This connection cannot be made",
		text:   "A program that calls itself " + cmp.Or(e.untrusted.Name, "nothing") + " asked for something that is not given here: " + e.description + ".",
		detail: "Nobody has verified this program. Go back only if you have just started it yourself.",
		links:  []ui.Link{{Text: "Back to " + destination(e.redirectURI), Address: back}}}
}

// pageError is told to the person in front of the browser.
type pageError struct {
	status      int
	title, text string
	detail      string
	links       []ui.Link
	cause       error
}

func (e *pageError) Error() string { return e.title }
func (e *pageError) Unwrap() error { return e.cause }

// forItsParty lets what a request makes us fetch count for whoever sent it.
func forItsParty(r *http.Request) *http.Request {
	return r.WithContext(clientdoc.For(r.Context(), audit.OriginOf(r.Context()).Source))
}

// page adapts a handler whose errors are pages or redirects.
func (s *Server) page(method string, h func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method != method {
			w.Header().Set("Allow", method)
			s.renderError(w, r, &pageError{status: http.StatusMethodNotAllowed, title: "That does not work here",
				text: "This address is reached by another kind of request."})
			return
		}
		if err := h(w, forItsParty(r)); err != nil {
			s.renderError(w, r, err)
		}
	}
}

func (s *Server) renderError(w http.ResponseWriter, r *http.Request, err error) {
	ctx := r.Context()
	redirect, isRedirect := errors.AsType[*redirectError](err)
	refusal, isRefusal := errors.AsType[*ui.Refusal](err)
	page, isPage := errors.AsType[*pageError](err)
	switch {
	case isRedirect:
		s.Log.InfoContext(ctx, "authorization refused", "code", redirect.code, "description", redirect.description, "cause", redirect.cause)
		params := url.Values{"error": {redirect.code}, "error_description": {redirect.description}}
		if redirect.untrusted == nil {
			s.respond(w, http.StatusFound, redirect.redirectURI, params, redirect.state)
			return
		}
		page = untrustedReturn(redirect, s.response(redirect.redirectURI, params, redirect.state))
	case isRefusal:
		page = &pageError{status: refusal.Status, title: "Nothing was done", text: refusal.Text}
	case !isPage && db.Passes(err):
		s.Log.ErrorContext(ctx, "page failed", "path", r.URL.Path, "error", err)
		w.Header().Set("Retry-After", retryAfter(storePause))
		page = &pageError{status: http.StatusServiceUnavailable, title: "This cannot be done at the moment",
			text: "What has to be looked up or stored for it could not be. It is not your fault. Try again in a few seconds."}
	case !isPage:
		s.Log.ErrorContext(ctx, "page failed", "path", r.URL.Path, "error", err)
		page = &pageError{status: http.StatusInternalServerError, title: "Something went wrong",
			text: "This did not work, and it is not your fault. Try again in a few minutes."}
	}
	if page.cause != nil {
		s.Log.InfoContext(ctx, "page refused", "path", r.URL.Path, "title", page.title, "cause", page.cause)
	}
	s.render(w, r, page.status, ui.MessagePage{
		Title: page.title, Text: page.text, Detail: page.detail, Links: waysOn(r, page), RequestID: audit.OriginOf(ctx).RequestID,
	})
}

// waysOn are the links of an error page, which must not be where a person's way ends: back to
// where it was tried, if asking for it once more does nothing else, and to their account.
func waysOn(r *http.Request, page *pageError) []ui.Link {
	links := page.links
	repeatable := r.URL.Path == "/oauth/authorize" || r.URL.Path == "/signin"
	switch {
	case repeatable && page.status >= http.StatusInternalServerError && r.Method == http.MethodGet:
		links = append(links, ui.Link{Text: "Try again", Path: r.URL.RequestURI()})
	case r.URL.Path == "/signin":
		links = append(links, ui.Link{Text: "Sign in", Path: "/signin"})
	}
	return append(links, ui.Link{Text: "Your account", Path: "/account"})
}

func (s *Server) render(w http.ResponseWriter, r *http.Request, status int, page ui.Page) {
	if err := s.Site.Render(r.Context(), w, status, page); err != nil {
		s.Log.ErrorContext(r.Context(), "page not rendered", "path", r.URL.Path, "error", err)
		http.Error(w, "internal error", http.StatusInternalServerError) // no effect once the page is on its way
	}
}

// respond sends an authorization response (RFC 6749 4.1.2) with iss (RFC 9207). The
// registered redirect URI stays as it is, byte for byte.
func (s *Server) respond(w http.ResponseWriter, status int, redirectURI string, params url.Values, state string) {
	redirect(w, status, s.response(redirectURI, params, state))
}

// response is the URL of an authorization response.
func (s *Server) response(redirectURI string, params url.Values, state string) string {
	if state != "" {
		params.Set("state", state)
	}
	params.Set("iss", s.issuer)
	separator := "?"
	if strings.Contains(redirectURI, "?") {
		separator = "&"
	}
	return redirectURI + separator + params.Encode()
}

// redirect does not use http.Redirect, which repeats the URL, code and all, in a body.
// The status is 302 or 303, never one that makes the browser send its form again
// (RFC 9700 4.12).
func redirect(w http.ResponseWriter, status int, location string) {
	h := w.Header()
	h.Set("Location", location)
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	w.WriteHeader(status)
}

// endpoint adapts a handler that answers a client's form with JSON, or with nothing.
func (s endpoints) endpoint(h func(r *http.Request, form url.Values) (answer any, err error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		form, err := clientForm(w, r)
		var answer any
		if err == nil {
			answer, err = h(forItsParty(r), form)
		}
		if err != nil {
			s.writeError(r.Context(), w, err)
			return
		}
		writeJSON(w, http.StatusOK, answer)
	}
}

func (s endpoints) writeError(ctx context.Context, w http.ResponseWriter, err error) {
	e, ok := errors.AsType[*oauthError](err)
	switch {
	case ok:
	case db.Passes(err):
		s.Log.ErrorContext(ctx, "token endpoint failed", "error", err)
		e = &oauthError{status: http.StatusServiceUnavailable, code: temporarilyUnavailable, description: "try again in a second", retry: storePause}
	default:
		s.Log.ErrorContext(ctx, "token endpoint failed", "error", err)
		e = &oauthError{status: http.StatusInternalServerError, code: serverError, description: "try again later"}
	}
	if e.cause != nil {
		s.Log.InfoContext(ctx, "token endpoint refused", "code", e.code, "cause", e.cause)
	}
	if e.status == 0 {
		e.status = http.StatusBadRequest
	}
	if e.challenge != "" {
		w.Header().Set("WWW-Authenticate", e.challenge)
	}
	if e.retry > 0 {
		w.Header().Set("Retry-After", retryAfter(e.retry))
	}
	writeJSON(w, e.status, map[string]string{"error": e.code, "error_description": e.description})
}

// writeJSON answers with v, or with an empty body when v is nil; never to be stored
// (RFC 6749 5.1).
func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Pragma", "no-cache")
	if v == nil {
		w.WriteHeader(status)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // strings and numbers; a broken connection has no one to tell
}
