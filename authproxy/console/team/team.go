package team

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/mux"

	"sfmcp-proxy/authproxy"
	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/budget"
	"sfmcp-proxy/authproxy/console"
	"sfmcp-proxy/authproxy/definition"
	"sfmcp-proxy/authproxy/grant"
	"sfmcp-proxy/authproxy/oversight"
	"sfmcp-proxy/authproxy/packing"
	"sfmcp-proxy/authproxy/people"
	"sfmcp-proxy/authproxy/policy/analysis"
	"sfmcp-proxy/authproxy/shared"
	"sfmcp-proxy/authproxy/ui"
)

// Config is what the pages need. All fields are required but PolicyPlace, Pending, Health, Budgets and Log.
type Config struct {
	Reads       *oversight.Reader // what is shown, of its stores
	People      *people.Store
	Cutoff      *authproxy.Cutoff
	Definitions *authproxy.Definitions
	Reviews     *authproxy.Reviews
	Packs       *packing.Maker
	// Settings writes the configuration in force, without secrets.
	Settings func(io.Writer) error
	// Analysed are the servers with their policies and the people of the configuration; PolicyNotes
	// what in the policies can hardly be meant.
	Analysed    func() ([]analysis.Server, analysis.People)
	PolicyNotes func() []string
	// PolicyPlace is the file in which a policy stands; nil: nothing is said of it.
	PolicyPlace func(name string) string
	// Pending is what a reload would change now; nil, or what returns nil: there is nothing to reload.
	Pending func() *Pending
	// Health tells of each server how it did since then; nil: of none.
	Health func(since time.Time) []Health
	// Budgets are what of each budget is used in its present window, by whom; nil: there are none.
	Budgets func(context.Context) ([]budget.Count, error)
	Site    ui.Site
	Log     *slog.Logger // nil: slog.Default
}

// Members lets people with a role see a page, and what changes in it: [console.Console].
type Members interface {
	ForRoles(roles []string, f console.MemberHandler) http.Handler
	PartForRoles(roles []string, part console.Part) http.Handler
}

// Team serves the pages.
type Team struct {
	Config
	live shared.Answer[string] // the part of the overview that changes while it is in view
	told sync.Map              // of each part that could not be read, when the proxy's log was told (time.Time)
}

// New returns the pages of c, or an error that names what is missing.
func New(c Config) (*Team, error) {
	if c.Reads == nil || c.People == nil || c.Cutoff == nil || c.Definitions == nil || c.Reviews == nil || c.Packs == nil || c.Settings == nil || c.Analysed == nil || c.PolicyNotes == nil {
		return nil, errors.New("console pages of the team: reads, people, cutoff, definitions, reviews, packs, settings, analysed and policy notes are required")
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Health == nil {
		c.Health = func(time.Time) []Health { return nil }
	}
	if c.PolicyPlace == nil {
		c.PolicyPlace = func(string) string { return "the configuration" }
	}
	if c.Pending == nil {
		c.Pending = func() *Pending { return nil }
	}
	if c.Budgets == nil {
		c.Budgets = func(context.Context) ([]budget.Count, error) { return nil, nil }
	}
	return &Team{Config: c}, nil
}

// Mount adds every route of the table to r, for those who may use it.
func (t *Team) Mount(r *mux.Router, members Members) {
	for _, route := range Routes() {
		if route.Path == eventsPath {
			r.Handle(route.Path, members.PartForRoles(route.Roles, t.overviewPart)).Methods(http.MethodGet)
			continue
		}
		r.Handle(route.Path, members.ForRoles(route.Roles, func(w http.ResponseWriter, r *http.Request, m *console.Member) error {
			return route.serve(t, &request{ResponseWriter: w, Request: r, Member: m, named: t.People.Names(r.Context())})
		})).Methods(route.Methods()...)
	}
}

// request is one request of a member.
type request struct {
	http.ResponseWriter
	*http.Request
	*console.Member
	named func(actor.Actor) string // see [people.Store.Names]
}

// by names who acted: somebody of the company and an operator by name, a Salesforce user by their id.
func (q *request) by(a actor.Actor) string {
	if _, subject, ok := a.PersonOf(); ok && q.named(a) == a.String() {
		return subject // the name is not known any more
	}
	if a.IsUser() {
		return a.ID
	}
	return q.named(a)
}

// variable is a part of the path, unescaped; what cannot be is no name of anything.
func (q *request) variable(name string) string {
	text, err := url.PathUnescape(mux.Vars(q.Request)[name])
	if err != nil {
		return ""
	}
	return storable(text)
}

// asked is a field of a search form.
func (q *request) asked(name string) string {
	text := strings.TrimSpace(q.URL.Query().Get(name))
	return storable(text[:min(len(text), maxAsked)])
}

// storable is a text without what no text in PostgreSQL has, which answers a query with it by an error.
func storable(text string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(text, ""), "\x00", "")
}

// Bounds of what pages show and take.
const (
	maxAsked = 2048 // bytes of one field of a search: a client id may be the URL of its document
	maxLines = 100  // of a list
)

// reason is why the member acts, as they wrote it.
func (q *request) reason(of actor.Reason) (string, error) {
	why, err := of.Clean(q.Member.Form.Get("reason"))
	if err != nil {
		return "", console.Problem(http.StatusBadRequest, "A reason is missing",
			fmt.Sprintf("Say in a few words, %s, why. It stands in the audit log beside your name. Nothing was done.", of))
	}
	return why, nil
}

// act is what the member does, for a reason.
func (q *request) act() (authproxy.Act, error) {
	why, err := q.reason(actor.ForAct)
	return authproxy.Act{By: q.Actor(), Why: why}, err
}

// missing answers what is not there; every other error stays what it is.
func missing(err error) error {
	for _, absent := range []error{oversight.ErrNotFound, grant.ErrNotFound, people.ErrNotFound, definition.ErrNotFound, authproxy.ErrNoReview, authproxy.ErrNotInIt} {
		if errors.Is(err, absent) {
			return errNothing
		}
	}
	return err
}

// errNothing answers what is not there.
var errNothing = console.Problem(http.StatusNotFound, "Not found", "There is nothing of that name. It may have ended, or been removed, meanwhile.")

// notBlocked answers whoever lets in somebody, or a program, that is not refused.
func notBlocked(name string) error {
	return console.Problem(http.StatusConflict, "Not blocked", name+" is not blocked, so nothing was done. Somebody may have unblocked them meanwhile; the audit log says who.")
}

// page begins a page of the tab that its path belongs to.
func (q *request) page(title, here, lead string) *ui.ConsolePage {
	p := &ui.ConsolePage{Viewer: q.Viewer, Title: title, Here: here, Lead: lead}
	for _, route := range Routes() {
		if route.Tab != "" && q.Holds(route.Roles...) {
			p.Tabs = append(p.Tabs, ui.Link{Text: route.Tab, Path: route.Path})
		}
	}
	return p
}

// show answers with a page.
func (t *Team) show(q *request, p *ui.ConsolePage) error {
	if err := t.Site.Render(q.Context(), q.ResponseWriter, http.StatusOK, *p); err != nil {
		t.Log.ErrorContext(q.Context(), "page not written", "path", q.URL.Path, "error", err)
	}
	return nil
}

// reaches reports whether the table of routes lets the member use that address, as [Team.Mount] does.
func (q *request) reaches(method, path string) bool {
	parts := strings.Split(path, "/")
	return slices.ContainsFunc(Routes(), func(r Route) bool {
		pattern := strings.Split(r.Path, "/")
		return r.Method == method && q.Holds(r.Roles...) && slices.EqualFunc(pattern, parts, func(of, part string) bool {
			return of == part || strings.HasPrefix(of, "{")
		})
	})
}

// button is an act that the member may take, or nil.
func (q *request) button(a ui.Act) *ui.Act {
	if !q.reaches(http.MethodPost, "/console/"+a.Path) {
		return nil
	}
	a.CSRF = q.Viewer.CSRF
	return &a
}

// acts are those of all that the member may take.
func acts(all ...*ui.Act) (may []*ui.Act) {
	for _, a := range all {
		if a != nil {
			may = append(may, a)
		}
	}
	return may
}

// wrongSearch answers a search that cannot be made with what is wrong with it; every other error stays what it is.
func (t *Team) wrongSearch(q *request, p *ui.ConsolePage, err error) error {
	wrong, ok := errors.AsType[*oversight.InputError](err)
	if !ok {
		return err
	}
	p.Notes = append(p.Notes, ui.ConsoleNote{Kind: "warn", Text: wrong.Error()})
	return t.show(q, p)
}
