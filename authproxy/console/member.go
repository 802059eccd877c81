package console

import (
	"net/http"
	"net/url"
	"slices"
	"time"

	"sfmcp-proxy/authproxy/actor"
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
			return errNoPerson
		case v.person.Stale && r.Method != http.MethodPost:
			http.Redirect(w, r, renew(r, v.person, company.Silently), http.StatusSeeOther)
			return nil
		case v.person.Stale:
			return errStale
		case !holds(v.person, roles):
			return errNoRole
		}
		return f(w, r, &Member{Person: v.person, Viewer: v.viewer, Form: v.form, Now: v.now})
	})
}

// Problem is an error that people are told about, on a page of that status.
func Problem(status int, title, text string) error { return &problem{status, title, text} }
