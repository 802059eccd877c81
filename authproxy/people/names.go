package people

import (
	"context"
	"fmt"
	"time"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/company"
	"sfmcp-proxy/authproxy/db"
)

// namesKept is how long somebody who signs in no more has a name here: as long as most companies
// look back at who decided what. It gives no role; see [Config].MaxAge for that.
const namesKept = 365 * 24 * time.Hour

// Names returns a function that says who acted as people know them: somebody of the company by
// their name, with the e-mail address or subject beside it because two may have the same name. All
// others, and whoever is not known any more, it calls by the text of the actor. It remembers whom it was asked for, so
// that a list asks the database once for each; it is for one page, and not for use by several
// goroutines. What it returns is for reading: records keep the actor.
func (s *Store) Names(ctx context.Context) func(actor.Actor) string {
	known := map[actor.Actor]string{}
	return func(a actor.Actor) string {
		issuer, subject, ok := a.PersonOf()
		if !ok || s == nil {
			return a.String()
		}
		name, asked := known[a]
		if !asked {
			name = s.name(ctx, issuer, subject)
			known[a] = name
		}
		return name
	}
}

// Called is the person's name with what tells them from another of the same name.
func (p *Person) Called() string {
	if p.Name != "" && p.Email != "" {
		return fmt.Sprintf("%s (%s)", p.Name, p.Email)
	}
	if label := p.Label(); label != p.Subject {
		return fmt.Sprintf("%s (%s)", label, p.Subject)
	}
	return p.Subject
}

// name is what the company last said that somebody is called. What cannot be read costs the name
// alone.
func (s *Store) name(ctx context.Context, issuer, subject string) string {
	p := Person{Identity: company.Identity{Issuer: issuer, Subject: subject}}
	var groups, mac string
	var checked int64
	err := s.DB.Reads.QueryRowContext(ctx, `SELECT name, email, groups, checked_at, mac FROM company_people WHERE issuer = $1 AND subject = $2`, issuer, subject).
		Scan(&p.Name, &p.Email, &groups, &checked, &mac)
	if err != nil || p.Label() == subject || !s.DB.Authentic(db.CompanyPeople, mac, issuer, subject, p.Name, p.Email, groups, checked) {
		return actor.Person(issuer, subject).String()
	}
	return p.Called()
}
