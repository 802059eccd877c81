package console

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"sfmcp-proxy/authproxy/access"
	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/company"
	"sfmcp-proxy/authproxy/people"
	"sfmcp-proxy/authproxy/ui"
)

// People knows who is signed in with the company, and who is one human.
type People interface {
	Current(ctx context.Context, id string) (*people.Person, error)
	Look(ctx context.Context, id string) (*people.Person, error) // which is no sign of life
	SessionsOf(ctx context.Context, issuer, subject string) ([]people.Person, error)
	LinksOf(ctx context.Context, issuer, subject string) ([]people.Link, error)
	HumanOf(ctx context.Context, org, subject string) (string, error)
	Names(ctx context.Context) func(actor.Actor) string
	Holders(ctx context.Context, role string) ([]people.Person, error)
}

// names calls actors as people know them; see [people.Store.Names].
func (c *Console) names(ctx context.Context) func(actor.Actor) string {
	if c.People == nil {
		return actor.Actor.String
	}
	return c.People.Names(ctx)
}

// person is who is signed in with the company in the browser of r, and the session's id; nil:
// nobody.
func (c *Console) person(r *http.Request) (*people.Person, string, error) {
	id, ok := c.Cookies.ReadPerson(r)
	if !ok || c.People == nil {
		return nil, "", nil
	}
	p, err := c.People.Current(r.Context(), id)
	if errors.Is(err, people.ErrNoSession) {
		return nil, "", nil
	}
	return p, id, err
}

// onlyPerson is the session of a browser that is signed in with the company and not at
// Salesforce: it is nobody's of any org.
func onlyPerson(id string) *ui.Session { return &ui.Session{CSRF: ui.FormToken(id)} }

// isOnlyPerson reports whether the visitor is signed in with the company alone.
func (v *visit) isOnlyPerson() bool { return v.session.Subject == "" && v.person != nil }

// who is the visitor as budgets of pages count them.
func (v *visit) who() access.Person {
	if v.isOnlyPerson() {
		return access.Person{Org: v.person.Issuer, Subject: v.person.Subject}
	}
	return access.Person{Org: v.session.Org, Subject: v.session.Subject}
}

// checkForm sees that a form is one of ours, shown to this browser as it is signed in now.
func (v *visit) checkForm() error {
	if v.isOnlyPerson() {
		return ui.CheckToken(v.form.Get("csrf_token"), v.personID)
	}
	return v.session.CheckCSRF(v.form)
}

// personViewer says who is signed in with the company.
func personViewer(p *people.Person, session *ui.Session) ui.Viewer {
	return ui.Viewer{Name: p.Label(), Subject: p.Subject, CSRF: session.CSRF, Console: opensConsole(p)}
}

// decider is as whom the visitor looks at a call, and decides about it. In a browser that is
// signed in as the very user who asked for it, that is who they are, whatever else they signed
// in with: nobody agrees to a call of their own by another name.
func (v *visit) decider(a *approval.Request) approval.Decider {
	if v.isRequester(a) || v.person == nil {
		return approval.Decider{Actor: actor.User(v.session.Subject), Org: v.session.Org}
	}
	return personDecider(v.person)
}

// personDecider is somebody who signed in with the company.
func personDecider(p *people.Person) approval.Decider {
	return approval.Decider{Actor: actor.Person(p.Issuer, p.Subject), Human: p.Human(), Roles: p.Roles, AuthTime: p.AuthTime, ACR: p.ACR}
}

// isRequester reports whether the visitor is signed in as the user who asked for the call.
func (v *visit) isRequester(a *approval.Request) bool {
	return v.session.Subject != "" && v.session.Org == a.Org && v.session.Subject == a.Subject
}

// offers reports whether a page offers the visitor an approval of a call: they may give it, or may once
// they have signed in anew, which a decision leads to.
func (v *visit) offers(a *approval.Request, may approval.May) bool {
	return may.Approve == nil || errors.Is(may.Approve, approval.ErrStepUp) && v.person != nil && !v.isRequester(a)
}

// renew is where a browser goes to have its person's claims renewed, by itself where the
// provider needs no page for it.
func renew(r *http.Request, p *people.Person, how company.How) string {
	return company.SignInPath(p.Issuer, ui.SafeReturnTo(r.URL.EscapedPath()), how)
}

// personAccount is the account of somebody who signed in with the company alone.
func (c *Console) personAccount(w http.ResponseWriter, r *http.Request, v *visit) error {
	card, err := c.card(r, v, nil)
	if err != nil {
		return err
	}
	c.render(w, r, http.StatusOK, ui.PersonPage{Viewer: v.viewer, Person: card})
	return nil
}

// card is what an account page says of a company sign-in; linked: the human behind the
// Salesforce user, if one is signed in too.
func (c *Console) card(r *http.Request, v *visit, linked *string) (*ui.PersonCard, error) {
	p := v.person
	links, err := c.People.LinksOf(r.Context(), p.Issuer, p.Subject)
	if err != nil {
		return nil, err
	}
	browsers, err := c.People.SessionsOf(r.Context(), p.Issuer, p.Subject)
	if err != nil {
		return nil, err
	}
	card := &ui.PersonCard{Label: p.Label(), Subject: p.Subject, Issuer: p.Issuer, ID: p.ID, Roles: strings.Join(p.Roles, ", "), ACR: p.ACR,
		Until: ui.Moment(p.ExpiresAt, c.Now())}
	if !p.AuthTime.IsZero() {
		card.Since = ui.Moment(p.AuthTime, c.Now())
	}
	for _, l := range links {
		card.Users = append(card.Users, ui.LinkedUser{Subject: l.Subject, Org: l.Org})
	}
	for _, other := range browsers {
		if other.ID != p.ID {
			card.Others = append(card.Others, "signed in "+ui.Moment(other.CreatedAt, c.Now())+", last seen "+ui.Moment(other.SeenAt, c.Now()))
		}
	}
	if p.Stale {
		card.Renew = renew(r, p, company.Silently)
	}
	if linked != nil {
		card.Both, card.Linked = true, *linked == p.Human()
		card.LinkedElsewhere = !card.Linked && *linked != approval.SalesforceHuman(v.session.Org, v.session.Subject)
	}
	return card, nil
}
