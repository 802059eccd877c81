package console

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"sfmcp-proxy/authproxy/access"
	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/budget"
	"sfmcp-proxy/authproxy/client"
	"sfmcp-proxy/authproxy/company"
	"sfmcp-proxy/authproxy/grant"
	"sfmcp-proxy/authproxy/outside"
	"sfmcp-proxy/authproxy/party"
	"sfmcp-proxy/authproxy/people"
	"sfmcp-proxy/authproxy/ui"
)

// Disconnector ends a connection of that user: the grant and its tokens at once, its
// waiting approvals, and the Salesforce login if no other connection needs it; and
// records that the user asked for it. What is not the user's, or has ended, is
// [grant.ErrNotFound].
type Disconnector interface {
	Disconnect(ctx context.Context, org, subject, grantID string) (*grant.Grant, error)
}

// Config is what the pages need. All fields are required but People, Providers, Currents, LostQuery, Site, Now and Log.
type Config struct {
	// Access has the public URL, the orgs and the servers.
	Access   *access.Control
	Sessions *ui.Sessions
	People   People // nil: nobody signs in with a company
	Cookies  ui.Cookies
	// Providers are the company's, with which people may sign in; may be empty.
	Providers []company.Provider
	Guard     *ui.Guard
	Marks     ui.Marks
	Clients   *client.Store
	Grants    *grant.Store
	Approvals *approval.Store
	Decisions Decisions
	Inbox     Inbox
	Proposals Proposals
	Together  Together
	FollowUps FollowUps
	// LostQuery is the query that tells whether a call was carried out whose answer was lost, ""
	// if there is none; nil: there never is.
	LostQuery  func(a *approval.Request) string
	Currents   Currents // nil: pages show what calls send alone
	Disconnect Disconnector
	Logins     Logins
	// Budgets returns what the user has used of budgets of each user.
	Budgets func(ctx context.Context, org, subject string) ([]budget.Count, error)
	Outside *outside.Store
	// Audit records what somebody asks for that their roles do not give; nil: nothing does.
	Audit *audit.Log

	Site ui.Site // what all pages show

	Now func() time.Time // nil: time.Now
	Log *slog.Logger     // nil: slog.Default
}

// What a signed-in person may ask for, over all browsers: a page costs a few reads of the
// database, and a decision an entry of the audit log. People do not come near it.
const (
	pagesAtOnce    = 120
	pagesPerSecond = 2

	// pagesUnderWay is how many are answered at a time; the next ones wait for pageWait. A page
	// of a large call is a few MiB, which are held until the browser has taken them.
	pagesUnderWay = 4
	pageWait      = 10 * time.Second
)

// Console serves the pages.
type Console struct {
	Config
	// Streams are those of inboxes that are in view; whoever ends the process ends them.
	Streams *Streams
	budgets *party.Budgets[access.Person]
	turns   *party.Turns[access.Person]
}

// New returns the pages of c, or an error that names what is missing.
func New(c Config) (*Console, error) {
	if c.Access == nil || c.Sessions == nil || c.Guard == nil || c.Marks.Ring == nil || c.Clients == nil || c.Grants == nil ||
		c.Approvals == nil || c.Decisions == nil || c.Inbox == nil || c.Proposals == nil || c.Together == nil || c.FollowUps == nil || c.Disconnect == nil || c.Logins == nil || c.Budgets == nil || c.Outside == nil {
		return nil, errors.New("console: access, sessions, guard, marks, clients, grants, approvals, decisions, inbox, proposals, together, follow-ups, disconnect, logins, budgets and outside are required")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	return &Console{Config: c, Streams: newStreams(c.Now), budgets: party.NewBudgets[access.Person](pagesPerSecond, pagesAtOnce), turns: party.NewTurns[access.Person](pagesUnderWay)}, nil
}

// Mount adds the pages to r.
func (c *Console) Mount(r *mux.Router) {
	page := func(path string, f handler) { r.Handle(path, c.signedIn(f)).Methods(http.MethodGet, http.MethodHead) }
	form := func(path string, f handler) { r.Handle(path, c.signedIn(f)).Methods(http.MethodPost) }

	r.HandleFunc("/", c.landing).Methods(http.MethodGet, http.MethodHead)
	r.HandleFunc("/connect/{server}", guides{c}.connect).Methods(http.MethodGet, http.MethodHead)
	page("/account", c.account)
	form("/account/disconnect", c.disconnect)
	page("/approvals", lists{c}.approvals)
	r.HandleFunc("/approvals/events", live{c}.events).Methods(http.MethodGet)
	page("/approvals/{id}", c.deciding(c.approval))
	form("/approvals/{id}", c.decide)
	page("/approvals/{id}/counter", c.deciding(proposing{c}.counter))
	form("/approvals/{id}/counter", proposing{c}.propose)
	page("/approvals/{id}/together", c.deciding(grouping{c}.together))
	form("/approvals/{id}/together", grouping{c}.decideTogether)
	page("/approvals/{id}/evidence", evidences{c}.evidence)
	form("/approvals/{id}/resolve", followUps{c}.resolve)
	form("/approvals/{id}/undo", followUps{c}.undo)
}

// visit is one request of a signed-in person.
type visit struct {
	// session is that of the Salesforce user; of somebody who signed in with the company
	// alone it has no user, see onlyPerson.
	session  *ui.Session
	person   *people.Person // who signed in with the company; nil: nobody
	personID string         // id of their session
	now      time.Time
	viewer   ui.Viewer
	form     url.Values // POST only, already checked
}

// handler serves one request of a signed-in person. Its error becomes a page.
type handler func(w http.ResponseWriter, r *http.Request, v *visit) error

// signedIn lets f see only requests of a browser session whose user is not blocked
// and, if they are forms, only forms of ours.
func (c *Console) signedIn(f handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v, err := c.visit(w, r)
		if errors.Is(err, errStale) && r.Method != http.MethodPost {
			http.Redirect(w, r, renew(r, v.person, company.Silently), http.StatusSeeOther)
			return
		}
		if errors.Is(err, ui.ErrNoSession) && r.Method != http.MethodPost && r.Header.Get("Authorization") == "" {
			http.Redirect(w, r, c.signInPath(r), http.StatusSeeOther)
			return
		}
		if err == nil {
			err = c.inTurn(f)(w, r, v)
		}
		if err != nil {
			c.fail(w, r, v, err)
		}
	})
}

// inTurn lets f answer when its person has fewer pages under way than may be.
func (c *Console) inTurn(f handler) handler {
	return func(w http.ResponseWriter, r *http.Request, v *visit) error {
		waiting, cancel := context.WithTimeout(r.Context(), pageWait)
		defer cancel()
		done, err := c.turns.Take(waiting, v.who())
		if err != nil {
			w.Header().Set("Retry-After", "10")
			return errTooMany
		}
		defer done()
		return f(w, r, v)
	}
}

func (c *Console) visit(w http.ResponseWriter, r *http.Request) (*visit, error) {
	v := &visit{now: c.Now()}
	var err error
	if r.Method == http.MethodPost {
		if v.form, err = c.Guard.Form(w, r); err != nil {
			return nil, err
		}
	}
	if v.person, v.personID, err = c.person(r); err != nil {
		return nil, err
	}
	v.session, err = c.current(w, r)
	if errors.Is(err, ui.ErrNoSession) && v.person != nil {
		v.session, err = onlyPerson(v.personID), nil
		if !c.budgets.Admits(v.who(), c.Now()) {
			w.Header().Set("Retry-After", "60")
			err = errTooMany
		}
	}
	if err != nil {
		return nil, err
	}
	if r.Method == http.MethodPost {
		if err := v.checkForm(); err != nil {
			return nil, err
		}
	}
	if v.isOnlyPerson() {
		v.viewer = personViewer(v.person, v.session)
		if v.person.Stale {
			return v, errStale
		}
		return v, nil
	}
	v.viewer, err = c.viewer(r.Context(), v.session)
	v.viewer.Console = opensConsole(v.person)
	return v, err
}

// current is the session of the browser, if its user has a page left of his budget.
func (c *Console) current(w http.ResponseWriter, r *http.Request) (*ui.Session, error) {
	s, err := c.Sessions.Current(r)
	if err == nil && !c.budgets.Admits(access.Person{Org: s.Org, Subject: s.Subject}, c.Now()) {
		w.Header().Set("Retry-After", "60")
		return nil, errTooMany
	}
	return s, err
}

// viewer says who is signed in. A blocked user is refused although the session lives:
// a block holds for the next request (D13).
func (c *Console) viewer(ctx context.Context, s *ui.Session) (ui.Viewer, error) {
	viewer := ui.Viewer{Subject: s.Subject, OrgName: s.Org, CSRF: s.CSRF}
	person, err := c.Access.Person(ctx, s.Org, s.Subject)
	if errors.Is(err, grant.ErrBlocked) {
		err = errBlocked
	}
	viewer.Name, viewer.Username = person.Name, person.Username
	return viewer, err
}

// signInPath is the sign-in that the page asked for needs, and leads back to it: with the company
// for pages of roles, at Salesforce for what belongs to one of its users, else whichever
// the person chooses.
func (c *Console) signInPath(r *http.Request) string {
	here := ui.SafeReturnTo(r.URL.EscapedPath())
	back := url.Values{"return_to": {here}}
	_, withCompany := c.Cookies.ReadPerson(r) // once; the session is over
	switch {
	case strings.HasPrefix(here, "/console") && len(c.Providers) == 1:
		return company.SignInPath(c.Providers[0].Issuer, here, company.AsUsual)
	case here == "/account" && len(c.Access.Orgs()) == 1 && !withCompany:
		back.Set("org", c.Access.Orgs()[0].Name)
	case strings.HasPrefix(here, "/approvals/"):
		// Whoever has the link of a call learns that it is decided by who asked for it, and no more.
		a, err := c.Approvals.Get(r.Context(), strings.TrimPrefix(here, "/approvals/"))
		if err == nil && a.OfRequester() {
			back.Set("org", a.Org)
		}
	}
	return "/signin?" + back.Encode()
}

// visitor says who is signed in on a page that everybody may see; nil is nobody.
func (c *Console) visitor(w http.ResponseWriter, r *http.Request) (*ui.Viewer, error) {
	s, err := c.current(w, r)
	if errors.Is(err, ui.ErrNoSession) {
		p, id, err := c.person(r)
		if err != nil || p == nil {
			return nil, err
		}
		viewer := personViewer(p, onlyPerson(id))
		return &viewer, nil
	}
	if err != nil {
		return nil, err
	}
	viewer, err := c.viewer(r.Context(), s)
	return &viewer, err
}

func (c *Console) landing(w http.ResponseWriter, r *http.Request) {
	viewer, err := c.visitor(w, r)
	if err != nil {
		c.fail(w, r, nil, err)
		return
	}
	c.render(w, r, http.StatusOK, ui.LandingPage{Viewer: viewer})
}
