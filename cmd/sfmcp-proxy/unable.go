package main

import (
	"encoding/json"
	"net/http"
	"strings"

	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/ui"
	"sfmcp-proxy/mcpforward/jsonrpc"
)

// unable answers what could not be answered: the process had too much to do, or a handler
// panicked. Who reads the answer gets it in their own form: a person a page, a client of the
// MCP endpoints JSON-RPC, one of the OAuth endpoints their JSON (RFC 6749 5.2). The pages are
// rendered in advance, because there is least time for them when they are needed most.
type unable struct {
	busy, busyForm     *ui.Fixed
	broken, brokenForm *ui.Fixed
	https              bool
}

// newUnable renders the pages of a site. Those that answer a form cannot lead back to it.
func newUnable(site ui.Site, https bool) (*unable, error) {
	u := &unable{https: https}
	ways := []ui.Link{{Text: "Your account", Path: "/account"}}
	again := append([]ui.Link{{Text: "Try again"}}, ways...) // no path: where the person is
	for _, p := range []struct {
		into        **ui.Fixed
		status      int
		title, text string
		links       []ui.Link
	}{
		{&u.busy, http.StatusServiceUnavailable, "Too much to do at the moment", "This place is busy. Nothing was done. Try again in a few seconds.", again},
		{&u.busyForm, http.StatusServiceUnavailable, "Too much to do at the moment", "This place is busy. Nothing was done. Go back and try again in a few seconds.", ways},
		{&u.broken, http.StatusInternalServerError, "Something went wrong", "This did not work, and it is not your fault. Try again in a few minutes.", again},
		{&u.brokenForm, http.StatusInternalServerError, "Something went wrong", "This did not work, and it is not your fault. Look at your account before you try again.", ways},
	} {
		page, err := site.Fix(p.status, ui.MessagePage{Title: p.title, Text: p.text, Links: p.links})
		if err != nil {
			return nil, err
		}
		*p.into = page
	}
	return u, nil
}

// answer is what [edge.Config] asks for.
func (u *unable) answer(w http.ResponseWriter, r *http.Request, status int) {
	ui.Headers(u.https, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { u.write(w, r, status) })).ServeHTTP(w, r)
}

func (u *unable) write(w http.ResponseWriter, r *http.Request, status int) {
	text, code := "internal error; try again later", "server_error"
	if status == http.StatusServiceUnavailable {
		text, code = "too much to do at the moment; try again in a second", "temporarily_unavailable"
	}
	id := audit.OriginOf(r.Context()).RequestID
	accept := r.Header.Get("Accept")
	switch {
	case strings.HasPrefix(r.URL.Path, "/mcp/"):
		body, _ := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": nil, "error": map[string]any{
			"code": jsonrpc.InternalError, "message": text, "data": map[string]string{"request_id": id}}}) // strings and numbers
		writeUnable(w, status, "application/json", body)
	case strings.Contains(accept, "text/html"):
		_ = u.page(r, status).Write(w, id) // the reader is gone: nobody to tell
	case strings.HasPrefix(r.URL.Path, "/oauth/"), strings.Contains(accept, "json"):
		body, _ := json.Marshal(map[string]string{"error": code, "error_description": text, "request_id": id})
		writeUnable(w, status, "application/json", body)
	default:
		writeUnable(w, status, "text/plain; charset=utf-8", []byte(text+" (request id "+id+")\n"))
	}
}

func (u *unable) page(r *http.Request, status int) *ui.Fixed {
	reads := r.Method == http.MethodGet || r.Method == http.MethodHead
	switch {
	case status == http.StatusServiceUnavailable && reads:
		return u.busy
	case status == http.StatusServiceUnavailable:
		return u.busyForm
	case reads:
		return u.broken
	}
	return u.brokenForm
}

func writeUnable(w http.ResponseWriter, status int, kind string, body []byte) {
	w.Header().Del("Content-Length") // of an answer that did not come about
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(body) // the reader is gone: nobody to tell
}
