package console

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/company"
	"sfmcp-proxy/authproxy/people"
	"sfmcp-proxy/authproxy/ui"
)

// Member is somebody at a page for roles: signed in with the company, and holding one of the
// roles that the page is for.
type Member struct {
	Person *people.Person
	Viewer ui.Viewer
	Form   url.Values // POST only, checked to be a form of ours
	Now    time.Time
}

// Actor is the member as the audit log names them.
func (m *Member) Actor() actor.Actor { return actor.Person(m.Person.Issuer, m.Person.Subject) }

// Holds reports whether the member has one of those roles.
func (m *Member) Holds(roles ...string) bool { return holds(m.Person, roles) }

func holds(p *people.Person, roles []string) bool {
	return slices.ContainsFunc(roles, func(role string) bool { return slices.Contains(p.Roles, role) })
}

// opensConsole reports whether somebody holds a role for the pages under /console.
func opensConsole(p *people.Person) bool {
	return p != nil && holds(p, []string{people.Security, people.Auditor})
}

// MemberHandler serves one request of a member. Its error becomes a page, see [Problem].
type MemberHandler func(w http.ResponseWriter, r *http.Request, m *Member) error

// ForRoles lets f see only requests of people who hold one of the roles now, by what the
// company last said of them; everybody else is told what is missing, and nothing of the page.
// No role: nobody.
func (c *Console) ForRoles(roles []string, f MemberHandler) http.Handler {
	return c.signedIn(func(w http.ResponseWriter, r *http.Request, v *visit) error {
		switch {
		case v.person == nil:
			return c.refused(r, v, errNoPerson)
		case v.person.Stale && r.Method != http.MethodPost:
			http.Redirect(w, r, renew(r, v.person, company.Silently), http.StatusSeeOther)
			return nil
		case v.person.Stale:
			return errStale
		case !holds(v.person, roles):
			return c.refused(r, v, errNoRole)
		}
		return f(w, r, &Member{Person: v.person, Viewer: v.viewer, Form: v.form, Now: v.now})
	})
}

// refused records that somebody asked for an act that is not theirs, as often as they may ask for pages, also if they
// hang up, and returns why. Which act it was is said by the form of its address: whom it was to reach nobody has looked up.
func (c *Console) refused(r *http.Request, v *visit, why error) error {
	if r.Method != http.MethodPost || c.Audit == nil {
		return why
	}
	act := r.URL.Path
	if route := mux.CurrentRoute(r); route != nil {
		if form, err := route.GetPathTemplate(); err == nil {
			act = form
		}
	}
	e := audit.Entry{Action: audit.SessionUse, Outcome: audit.Denied, Object: act}
	if v.person != nil {
		e.Actor, e.Reason = actor.Person(v.person.Issuer, v.person.Subject), "the roles that they hold do not give it: "+strings.Join(v.person.Roles, ", ")
		if len(v.person.Roles) == 0 {
			e.Reason = "they hold no role"
		}
	} else {
		e.Actor, e.Org, e.Subject, e.Username = actor.User(v.session.Subject), v.session.Org, v.session.Subject, v.viewer.Username
		e.Reason = "they are not signed in with the company"
	}
	if _, err := c.Audit.Append(context.WithoutCancel(r.Context()), e); err != nil {
		return err
	}
	return why
}

// Problem is an error that people are told about, on a page of that status.
func Problem(status int, title, text string) error { return &problem{status, title, text} }
