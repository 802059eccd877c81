package edge

import (
	"errors"
	"net/http"
	"strings"

	"github.com/gorilla/mux"
)

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
