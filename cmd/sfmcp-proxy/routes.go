package main

import (
	"net/http"
	"strings"

	"github.com/gorilla/mux"

	"sfmcp-proxy/authproxy/ui"
	"sfmcp-proxy/cmd/sfmcp-proxy/edge"
)

// table is the URL table of the public listener.
//
// The router neither cleans nor decodes paths: what does not match literally is
// unknown, so no spelling of a path reaches a handler by another road (RS-16).
func (p *product) table() http.Handler {
	r := mux.NewRouter().SkipClean(true).UseEncodedPath()
	p.authorization.Register(r) // /.well-known/…, /oauth/…, /signin, /signout
	p.pages.Mount(r)            // /, /connect/…, /account, /approvals
	p.api.Mount(r, p.pages)     // /console/api/…
	p.team.Mount(r, p.pages)    // /console/…
	r.PathPrefix("/assets/").Handler(ui.Assets())
	r.NotFoundHandler = edge.WithoutSlash(r, p.message(http.StatusNotFound, "Not found", "There is nothing at this address."), "/account", "/approvals", "/connect", "/console")
	r.MethodNotAllowedHandler = edge.MethodNotAllowed(r, p.message(http.StatusMethodNotAllowed, "Not possible", "This address does not take that kind of request."))
	tooMany := p.message(http.StatusTooManyRequests, "Too many sign-ins", "Too many sign-ins were begun from your network. Wait a minute, then try again.")
	r.Use(func(next http.Handler) http.Handler { return p.edge.LimitSources(next, tooMany) })
	return ui.Headers(p.overTLS(), http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		// /mcp/{server} is asked for more than all else together; some clients end it with a slash.
		if server, ok := strings.CutPrefix(strings.TrimSuffix(req.URL.EscapedPath(), "/"), "/mcp/"); ok && server != "" && !strings.Contains(server, "/") {
			p.forward.ServeHTTP(w, req)
			return
		}
		r.ServeHTTP(w, req)
	}))
}

// overTLS says that people and clients reach this place by https alone.
func (p *product) overTLS() bool { return strings.HasPrefix(p.config.PublicURL, "https:") }
