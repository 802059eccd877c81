package api

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"github.com/gorilla/mux"

	"sfmcp-proxy/authproxy"
	"sfmcp-proxy/authproxy/apitoken"
	"sfmcp-proxy/authproxy/console"
	"sfmcp-proxy/authproxy/oversight"
	"sfmcp-proxy/authproxy/packing"
	"sfmcp-proxy/authproxy/party"
	"sfmcp-proxy/authproxy/people"
	"sfmcp-proxy/authproxy/policy/analysis"
)

// Addresses of the API.
const (
	// Prefix begins every address of the API.
	Prefix       = "/console/api/"
	version      = Prefix + "v1"
	documentPath = Prefix + "openapi.json"
)

// Rate is how often something may be done: so many at once, and so many a second.
type Rate struct {
	PerSecond float64
	Burst     int
}

// What may be asked for, in each process.
var (
	defaultRequests = Rate{20, 200} // of one token
	defaultFailures = Rate{0.2, 30} // of one network
)

// Config is what the API needs. All fields are required but the rates, Log and Now.
type Config struct {
	PublicURL   string            // of the proxy
	Reads       *oversight.Reader // what is answered, of its stores
	People      *people.Store
	Tokens      *apitoken.Store
	Replays     *apitoken.Replays
	Cutoff      *authproxy.Cutoff
	Definitions *authproxy.Definitions
	Reviews     *authproxy.Reviews
	Packs       *packing.Maker
	// Settings writes the configuration in force, without secrets.
	Settings func(io.Writer) error
	// Analysed are the servers with their policies; PolicyNotes what in the policies can hardly be
	// meant.
	Analysed    func() ([]analysis.Server, analysis.People)
	PolicyNotes func() []string
	// CircuitOpen tells of each server, by name, whether its calls are refused for now.
	CircuitOpen func() map[string]bool
	// Requests is what one token may ask for; nothing: 200 at once, 20 a second. Failures is how
	// often one network may come without a good token, or ask for what the token's role may not;
	// nothing: 30 at once, 12 a minute.
	Requests, Failures Rate
	Log                *slog.Logger     // nil: slog.Default
	Now                func() time.Time // nil: time.Now
}

// Members lets people with a role see a page: [console.Console].
type Members interface {
	ForRoles(roles []string, f console.MemberHandler) http.Handler
}

// API answers programs under /console/api.
type API struct {
	Config
	router   *mux.Router
	document []byte
	requests *party.Budgets[string] // by the id of the token
	failures *party.Budgets[netip.Prefix]
}

// New returns the API of c, or an error that names what is missing.
func New(c Config) (*API, error) {
	if c.PublicURL == "" || c.Reads == nil || c.People == nil || c.Tokens == nil || c.Replays == nil || c.Cutoff == nil || c.Definitions == nil || c.Reviews == nil || c.Packs == nil ||
		c.Settings == nil || c.Analysed == nil || c.PolicyNotes == nil || c.CircuitOpen == nil {
		return nil, errors.New("console API: public URL, reads, people, tokens, replays, cutoff, definitions, reviews, packs, settings, analysed, policy notes and circuits are required")
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Requests == (Rate{}) {
		c.Requests = defaultRequests
	}
	if c.Failures == (Rate{}) {
		c.Failures = defaultFailures
	}
	a := &API{Config: c, requests: party.NewBudgets[string](c.Requests.PerSecond, c.Requests.Burst), failures: party.NewBudgets[netip.Prefix](c.Failures.PerSecond, c.Failures.Burst)}
	var err error
	if a.document, err = Document(c.PublicURL); err != nil {
		return nil, err
	}
	a.router = a.routed()
	return a, nil
}

// Mount adds the API to r. Its description is also shown to people who are signed in with the
// company and hold a role, by members; nothing else here knows a cookie.
func (a *API) Mount(r *mux.Router, members Members) {
	people := members.ForRoles(readers(), func(w http.ResponseWriter, r *http.Request, _ *console.Member) error {
		a.describe(w, r)
		return nil
	})
	r.Path(documentPath).Methods(http.MethodGet, http.MethodHead).MatcherFunc(func(r *http.Request, _ *mux.RouteMatch) bool { return len(r.Header["Authorization"]) == 0 }).Handler(people)
	r.PathPrefix(Prefix).Handler(a)
}

// describe answers with the OpenAPI document.
func (a *API) describe(w http.ResponseWriter, r *http.Request) {
	a.send(w, r, answer{http.StatusOK, http.Header{"Content-Type": {"application/json"}}, a.document})
}

// routed leads to the table. What is not there is told to whoever has shown a good token.
func (a *API) routed() *mux.Router {
	r := mux.NewRouter().SkipClean(true).UseEncodedPath()
	byPath := map[string]map[string]Route{}
	for _, route := range Routes() {
		if byPath[route.Path] == nil {
			byPath[route.Path] = map[string]Route{}
			r.HandleFunc(route.Path, a.byMethod(byPath[route.Path]))
		}
		byPath[route.Path][route.Method] = route
	}
	r.HandleFunc(documentPath, func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			a.send(w, r, a.told(r, wrongMethod.is("The description is read only.", "Use GET.").with("Allow", "GET, HEAD")))
			return
		}
		a.describe(w, r)
	})
	r.NotFoundHandler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.send(w, r, a.told(r, notFound.is("The API has no such address.", "See "+documentPath+" for those that there are.")))
	})
	return r
}

type callKey struct{}

// ServeHTTP lets in whoever shows a good token.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	token, err := a.authenticated(r)
	if err != nil {
		a.send(w, r, a.told(r, a.problemOf(r, err)))
		return
	}
	a.router.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), callKey{}, token)))
}
