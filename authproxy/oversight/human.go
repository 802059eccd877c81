package oversight

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"sfmcp-proxy/authproxy/access"
	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/company"
	"sfmcp-proxy/authproxy/grant"
	"sfmcp-proxy/authproxy/people"
)

// Humans finds out who somebody is: which Salesforce users of any org, and which person of the
// company. Everything that asks for somebody by name asks here.
type Humans struct {
	Access *access.Control
	Grants *grant.Store
	Audit  *audit.Log
	// Company knows who signed in with the company; nil: nobody.
	Company *people.Store
}

// Human is one human.
type Human struct {
	audit.Person                 // by what the log has them
	Users        []grant.User    // who they are at Salesforce, as far as the database knows them
	People       []people.Person // who they are at the company
	// Unsure says, in sentences, what keeps it from being known who else they are.
	Unsure []string
}

// Named is the human whom who names: a Salesforce user id or username, a name, e-mail address or
// subject at the company, or an actor as entries have it ("user 005…", "person ISSUER SUBJECT").
// With a Salesforce user comes the person of the company who is the same human by a link, and the
// other way round. Where no link says so, and a username is one person's e-mail address or subject at the company, both are
// meant, and Unsure says it. Who was never here, or was erased, is looked for in the log. Nobody is an
// [*access.UnknownUserError]; several others whom no link says to be one are an [*InputError].
func (h Humans) Named(ctx context.Context, who string) (*Human, error) {
	by := actor.Parse(who)
	if by.IsUser() {
		who = by.ID
	}
	users, unknown, err := h.users(ctx, who, by)
	if err != nil {
		return nil, err
	}
	colleagues, err := h.colleagues(ctx, who, by)
	if err != nil {
		return nil, err
	}
	switch {
	case len(users) > 0:
		found, err := h.whole(ctx, audit.Person{Subjects: users})
		if err == nil {
			err = h.addNamesake(ctx, found, who, colleagues)
		}
		return found, errors.Join(err, found.only(who, colleagues))
	case len(colleagues) > 0:
		found, err := h.whole(ctx, audit.Person{Company: colleagues[:1]})
		return found, errors.Join(err, found.only(who, colleagues))
	}
	if strings.Contains(who, "@") { // a name that an entry has without an id
		p := audit.Person{Usernames: []string{who}}
		if logged, err := h.logged(ctx, p); err != nil || logged {
			return &Human{Person: p}, err
		}
	}
	return nil, fmt.Errorf("%w; nor has anybody of the company that name, e-mail address or subject", unknown)
}

// users are the ids of the Salesforce users whom who names, in the database or else in the log, or why
// there is none.
func (h Humans) users(ctx context.Context, who string, by actor.Actor) (subjects []string, none, err error) {
	users, none := h.Access.FindUsers(ctx, who)
	for _, u := range users {
		if !slices.Contains(subjects, u.Subject) {
			subjects = append(subjects, u.Subject)
		}
	}
	unknown, isUnknown := errors.AsType[*access.UnknownUserError](none)
	switch _, _, ofCompany := by.PersonOf(); {
	case none != nil && !isUnknown:
		return nil, nil, none
	case len(subjects) > 0 || unknown.Wrong != "" || ofCompany:
		return subjects, none, nil
	case strings.Contains(who, "@"):
		subjects, err = h.Audit.Persons().SubjectsNamed(ctx, who)
		return subjects, none, err
	}
	id := grant.FullID(who)
	logged, err := h.logged(ctx, audit.Person{Subjects: []string{id}})
	if logged {
		subjects = []string{id}
	}
	return subjects, none, err
}

// colleagues are the persons of the company whom who names, those whom the database knows first.
func (h Humans) colleagues(ctx context.Context, who string, by actor.Actor) (all []actor.Actor, err error) {
	if issuer, subject, ok := by.PersonOf(); ok {
		if known, err := h.known(ctx, issuer, subject); err != nil || known != nil {
			return []actor.Actor{by}, err
		}
		if logged, err := h.logged(ctx, audit.Person{Company: []actor.Actor{by}}); err != nil || logged {
			return []actor.Actor{by}, err
		}
		return nil, nil
	}
	found, err := h.Company.Named(ctx, who)
	if err != nil {
		return nil, err
	}
	for _, p := range found {
		all = append(all, actor.Person(p.Issuer, p.Subject))
	}
	issuers, err := h.Audit.Persons().OrgsOf(ctx, who)
	for _, issuer := range issuers { // of whom the database knows nothing any more
		if a := actor.Person(issuer, who); actor.IsIssuer(issuer) && !slices.Contains(all, a) {
			all = append(all, a)
		}
	}
	return all, err
}

// logged says whether an entry concerns p.
func (h Humans) logged(ctx context.Context, p audit.Person) (found bool, err error) {
	err = h.Audit.List(ctx, audit.Filter{Person: p, Limit: 1}, func(audit.Entry) error { found = true; return nil })
	return found, err
}

// known is what the company last said of a person.
func (h Humans) known(ctx context.Context, issuer, subject string) (*people.Person, error) {
	if h.Company == nil {
		return nil, nil
	}
	return h.Company.Known(ctx, issuer, subject)
}

// Of is the human who some users are.
func (h Humans) Of(ctx context.Context, users ...grant.User) (*Human, error) {
	var p audit.Person
	for _, u := range users {
		if !slices.Contains(p.Subjects, u.Subject) {
			p.Subjects = append(p.Subjects, u.Subject)
		}
	}
	return h.whole(ctx, p)
}

// whole adds whoever is the same human by links, with the names of all.
func (h Humans) whole(ctx context.Context, p audit.Person) (*Human, error) {
	found := &Human{Person: p}
	for users, colleagues := 0, 0; users < len(found.Subjects) || colleagues < len(found.Company); {
		for ; users < len(found.Subjects); users++ {
			if err := h.addUser(ctx, found, found.Subjects[users]); err != nil {
				return nil, err
			}
		}
		for ; colleagues < len(found.Company); colleagues++ {
			if err := h.addColleague(ctx, found, found.Company[colleagues]); err != nil {
				return nil, err
			}
		}
	}
	return found, h.addNames(ctx, found)
}

// addUser adds what is known of a Salesforce user: who they are in each org, and at the company.
func (h Humans) addUser(ctx context.Context, to *Human, subject string) error {
	users, err := h.Grants.FindUsers(ctx, subject)
	if err != nil {
		return err
	}
	to.Users = append(to.Users, users...)
	var orgs []string
	for _, o := range h.Access.Orgs() {
		orgs = append(orgs, o.Name)
	}
	for _, u := range users {
		orgs = append(orgs, u.Org)
	}
	slices.Sort(orgs)
	for _, org := range slices.Compact(orgs) {
		if h.Company == nil {
			break
		}
		link, err := h.Company.LinkOf(ctx, org, subject)
		switch {
		case errors.Is(err, people.ErrAltered):
			to.Unsure = append(to.Unsure, fmt.Sprintf("who user %s in org %s is at the company: %v", subject, org, err))
		case err != nil:
			return err
		case link != nil:
			to.addCompany(actor.Person(link.Issuer, link.Person))
		}
	}
	return nil
}

func (h *Human) addCompany(a actor.Actor) {
	if !slices.Contains(h.Company, a) {
		h.Company = append(h.Company, a)
	}
}

// addColleague adds what is known of a person of the company: what they are called, and which
// Salesforce users they are.
func (h Humans) addColleague(ctx context.Context, to *Human, a actor.Actor) error {
	issuer, subject, _ := a.PersonOf()
	known, err := h.known(ctx, issuer, subject)
	if err != nil || h.Company == nil {
		return err
	}
	if known == nil {
		known = &people.Person{Identity: company.Identity{Issuer: issuer, Subject: subject}}
	}
	to.People = append(to.People, *known)
	links, err := h.Company.LinksOf(ctx, issuer, subject)
	for _, l := range links {
		if !slices.Contains(to.Subjects, l.Subject) {
			to.Subjects = append(to.Subjects, l.Subject)
		}
	}
	return err
}

// addNamesake adds the one person of the company whose e-mail address or subject is the username of these users, unless
// links say that these, or that person, are somebody else: as a rule both are one human, and a search for what somebody did
// must leave out neither.
func (h Humans) addNamesake(ctx context.Context, to *Human, who string, colleagues []actor.Actor) error {
	if len(colleagues) != 1 || len(to.Company) > 0 || len(to.Unsure) > 0 ||
		!slices.ContainsFunc(to.Users, func(u grant.User) bool { return strings.EqualFold(u.Username, who) }) {
		return nil
	}
	issuer, subject, _ := colleagues[0].PersonOf()
	known, err := h.known(ctx, issuer, subject)
	if err != nil || known == nil || !strings.EqualFold(known.Email, who) && !strings.EqualFold(subject, who) {
		return err
	}
	if links, err := h.Company.LinksOf(ctx, issuer, subject); err != nil || len(links) > 0 {
		return err
	}
	to.addCompany(colleagues[0])
	to.People = append(to.People, *known)
	to.Unsure = append(to.Unsure, fmt.Sprintf("whether user %s and %q are one human: both are called %s, and no link says so", strings.Join(to.Subjects, ", "), colleagues[0], who))
	return h.addNames(ctx, to)
}

// addNames adds by which names entries may have the human without an id: their usernames, and what an
// operator types with --as for somebody of the company, unless that is another one's username.
func (h Humans) addNames(ctx context.Context, to *Human) error {
	add := func(name string) {
		if name != "" && !slices.Contains(to.Usernames, name) {
			to.Usernames = append(to.Usernames, name)
		}
	}
	for _, u := range to.Users {
		add(u.Username)
	}
	for _, p := range to.People {
		for _, name := range []string{p.Email, p.Subject} {
			users, err := h.Grants.FindUsers(ctx, name)
			if err != nil {
				return err
			}
			if !slices.ContainsFunc(users, func(u grant.User) bool { return !slices.Contains(to.Subjects, u.Subject) }) {
				add(name)
			}
		}
	}
	return nil
}

// only is an error that names everybody, if some of those whom who names are not this human.
func (h *Human) only(who string, colleagues []actor.Actor) error {
	if h == nil {
		return nil
	}
	var others []string
	for _, a := range colleagues {
		if !slices.Contains(h.Company, a) {
			others = append(others, fmt.Sprintf("%q", a.String()))
		}
	}
	if len(others) == 0 {
		return nil
	}
	return &InputError{Text: fmt.Sprintf("%q names several whom no link says to be one human: %s, and %s; name one by id, or as it stands in quotation marks here", who, h, strings.Join(others, ", "))}
}

// String says who the human is.
func (h *Human) String() string {
	var all []string
	for _, subject := range h.Subjects {
		is := "user " + subject
		if strings.HasPrefix(subject, "person-") {
			is = subject + ", as the log has somebody"
		}
		var orgs []string
		for _, u := range h.Users {
			if u.Subject != subject {
				continue
			}
			if u.Username != "" {
				orgs = append(orgs, u.Username+" in org "+u.Org)
			} else {
				orgs = append(orgs, "in org "+u.Org)
			}
		}
		if len(orgs) > 0 {
			is += " (" + strings.Join(orgs, ", ") + ")"
		}
		all = append(all, is)
	}
	for _, a := range h.Company {
		is := fmt.Sprintf("%q", a.String())
		for _, p := range h.People {
			if actor.Person(p.Issuer, p.Subject) == a && p.Label() != p.Subject {
				is += ", " + p.Called()
			}
		}
		all = append(all, is)
	}
	if len(all) == 0 {
		for _, name := range h.Usernames {
			all = append(all, fmt.Sprintf("%q, who has no id in the log", name))
		}
	}
	return strings.Join(all, "; ")
}
