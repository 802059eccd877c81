package edge

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/gorilla/mux"
)

// WithoutSlash leads whoever asks for one of the pages, or what is under it, with a slash behind its address to that
// address: people type one. Everything else is answered by otherwise; no other spelling leads anywhere.
func WithoutSlash(r *mux.Router, otherwise http.Handler, pages ...string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		path, cut := strings.CutSuffix(req.URL.EscapedPath(), "/")
		isPage := slices.ContainsFunc(pages, func(page string) bool { return path == page || strings.HasPrefix(path, page+"/") })
		if to, err := url.ParseRequestURI(path); cut && isPage && err == nil && (req.Method == http.MethodGet || req.Method == http.MethodHead) {
			there, match := req.Clone(req.Context()), mux.RouteMatch{}
			there.URL = to
			if r.Match(there, &match) && match.MatchErr == nil {
				to.RawQuery = req.URL.RawQuery
				w.Header().Set("Location", to.RequestURI())
				w.WriteHeader(http.StatusPermanentRedirect)
				return
			}
		}
		otherwise.ServeHTTP(w, req)
	})
}

// MethodNotAllowed answers with page a request whose path has a route, but not for its
// method. It names those that there are (RFC 9110 15.5.6), which the router does not.
func MethodNotAllowed(r *mux.Router, page http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		var allowed []string
		err := r.Walk(func(route *mux.Route, _ *mux.Router, _ []*mux.Route) error {
			var match mux.RouteMatch
			if route.Match(req, &match) || !errors.Is(match.MatchErr, mux.ErrMethodMismatch) {
				return nil
			}
			methods, err := route.GetMethods()
			allowed = append(allowed, methods...)
			return err
		})
		if err == nil {
			w.Header().Set("Allow", strings.Join(allowed, ", "))
		}
		page.ServeHTTP(w, req)
	})
}
