package team

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"sfmcp-proxy/authproxy"
	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/grant"
	"sfmcp-proxy/authproxy/link"
	"sfmcp-proxy/authproxy/oversight"
	"sfmcp-proxy/authproxy/ui"
)

// people lists everybody who signed in or is blocked, whom the search selects.
func (t peoplePages) people(q *request) error {
	p := q.page("People", "/console/people", "Everybody who signed in here, or is blocked. Open somebody to end what they have.")
	name, login := q.asked("name"), q.asked("login")
	p.Search = []ui.SearchField{
		{Name: "name", Label: "Name, username or user id", Value: name},
		{Name: "login", Label: "Salesforce login", Value: login, Options: []string{oversight.AnyLost, string(oversight.Blocked)}},
	}
	found, err := t.Reads.People(q.Context(), oversight.PeopleSearch{Name: name, Standing: login, Most: maxLines})
	if err != nil {
		return err
	}
	table := &ui.Table{Caption: "People", Columns: []string{"Person", "Org", "State", "Connections", "Last sign-in"}, Empty: "Nobody fits. Whoever never signed in here and is not blocked is not known."}
	for _, u := range found.Page {
		table.Rows = append(table.Rows, []ui.Cell{
			{Text: called(u.Name, u.Username, u.Subject), Path: personPath(u.Org, u.Subject), Faint: u.Username},
			{Text: u.Org}, standing(u.Standing), {Text: fmt.Sprint(u.Connections)}, {Text: ui.Moment(u.LastSeenAt, q.Now)},
		})
	}
	p.Sections = append(p.Sections, ui.Section{Text: shown(len(table.Rows), found.Found, "Type a part of the name to see fewer."), Table: table})
	return t.show(q, p)
}

// shown says how many lines of a list there are, if not all.
func shown(lines, found int, how string) string {
	if lines == found {
		return ""
	}
	return strings.TrimSpace(fmt.Sprintf("%d of %d. %s", lines, found, how))
}

// first are the lines of a list that a page shows, and what it says of the others.
func first[T any](all []T, how string) (some []T, text string) {
	some = all[:min(len(all), maxLines)]
	return some, shown(len(some), len(all), how)
}

// standing shows how a person stands.
func standing(s oversight.Standing) ui.Cell {
	kind := map[oversight.Standing]string{oversight.Altered: "denied", oversight.Blocked: "denied", oversight.LoginLost: "warn", oversight.Connected: "good"}[s]
	return ui.Cell{Text: string(s), Kind: kind}
}

// called is the best name that there is for somebody.
func called(name, username, subject string) string {
	return ui.Viewer{Name: name, Username: username, Subject: subject}.Label()
}

func personPath(org, subject string) string {
	return "/console/people/" + url.PathEscape(org) + "/" + url.PathEscape(subject)
}

// whom is the person whom the path names, with what they have.
func (t peoplePages) whom(q *request) (*oversight.WholePerson, error) {
	u, err := t.Reads.Person(q.Context(), q.variable("org"), q.variable("subject"))
	return u, missing(err)
}

// person shows one person, what they have, and what can be ended.
func (t peoplePages) person(q *request) error {
	u, err := t.whom(q)
	if err != nil {
		return err
	}
	p := q.page(called(u.Name, u.Username, u.Subject), "/console/people", "")
	p.Back = &ui.Link{Text: "People", Path: "/console/people"}
	facts := t.personFacts(q, u)
	if q.reaches(http.MethodGet, "/console/incident") {
		facts = append(facts, ui.Fact{Name: "An incident?", Cell: ui.Cell{Text: "contain it, with every step confirmed", Path: incidentPath("org", u.Org, "subject", u.Subject)}})
	}
	p.Sections = append(p.Sections, ui.Section{Facts: facts, Acts: q.personActs(u)})
	p.Sections = append(append(p.Sections, t.elsewhere(q, u)...),
		ui.Section{Heading: "Connections", Table: t.connectionTable(q, u.Grants, false)},
		ui.Section{Heading: "Calls that wait for a person", Table: waitingTable(q.Now, u.Waiting)},
		t.recent(q, u))
	return t.show(q, p)
}

// recent has the newest entries about somebody.
func (t peoplePages) recent(q *request, u *oversight.WholePerson) ui.Section {
	s := ui.Section{Heading: "Newest entries of the audit log"}
	newest, err := t.Reads.Recent(q.Context(), &u.User, recentShown)
	if err != nil {
		t.unread(q, "the newest entries about somebody", err)
		s.Text = unreadText
		return s
	}
	s.Table = entryTable(q, newest)
	return s
}

// elsewhere leads to the same human in other orgs.
func (t peoplePages) elsewhere(q *request, u *oversight.WholePerson) []ui.Section {
	others, err := t.Reads.Elsewhere(q.Context(), &u.User)
	if err != nil {
		t.unread(q, "where else somebody is", err)
		return []ui.Section{{Heading: "Other orgs", Text: "Whether the same person is in other orgs could not be looked up. What is done here is done in one org; 'user revoke' and 'user block' at the command line act in every org."}}
	}
	return elsewhereSection(others)
}

// recentShown is how many entries of the audit log the page of a person shows.
const recentShown = 10

func (t peoplePages) personFacts(q *request, u *oversight.WholePerson) []ui.Fact {
	facts := []ui.Fact{
		{Name: "State", Cell: standing(u.Standing)},
		{Name: "Username", Cell: ui.Cell{Text: u.Username}},
		{Name: "Salesforce user", Cell: ui.Cell{Text: u.Subject, Code: true}},
		{Name: "Org", Cell: ui.Cell{Text: u.Org}},
		{Name: "First sign-in", Cell: ui.Cell{Text: ui.Moment(u.FirstSeenAt, q.Now)}},
		{Name: "Last sign-in", Cell: ui.Cell{Text: ui.Moment(u.LastSeenAt, q.Now)}},
	}
	if u.Blocked() && !u.BlockedAt.IsZero() {
		facts = append(facts, ui.Fact{Name: "Blocked", Cell: ui.Cell{Text: ui.Moment(u.BlockedAt, q.Now)}})
	}
	if login := u.Login; login.State != "" {
		facts = append(facts, ui.Fact{Name: "Salesforce login", Cell: ui.Cell{Text: string(login.State), Faint: login.Failure.Reason()}})
	}
	return append(facts, ui.Fact{Name: "Everything recorded", Cell: ui.Cell{Text: "search the audit log", Path: "/console/audit?person=" + url.QueryEscape(u.Subject)}}, packFact("user", u.Subject))
}

// personActs are what can be done about a person, with what it ends.
func (q *request) personActs(u *oversight.WholePerson) []*ui.Act {
	what := fmt.Sprintf(" What ends: %s, %s, every browser session, and the login at Salesforce.", counted(len(u.Grants), "connection"), counted(len(u.Waiting), "waiting call"))
	path := strings.TrimPrefix(personPath(u.Org, u.Subject), "/console/")
	revoke := q.button(ui.Act{Path: path + "/revoke", Label: "Revoke", Text: "They can sign in and connect again." + what, Reason: true, Danger: true})
	if u.Blocked() {
		return acts(q.button(ui.Act{Path: path + "/unblock", Label: "Unblock", Text: "They can sign in and connect again. What was ended stays so.", Reason: true}), revoke)
	}
	return acts(q.button(ui.Act{Path: path + "/block", Label: "Block", Text: "They are refused until somebody unblocks them." + what, Reason: true, Danger: true}), revoke)
}

func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	if stem, y := strings.CutSuffix(noun, "y"); y && !strings.HasSuffix(stem, "a") {
		return fmt.Sprintf("%d %sies", n, stem)
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// waitingTable lists calls that wait.
func waitingTable(now time.Time, waiting []approval.Request) *ui.Table {
	table := &ui.Table{Caption: "Calls that wait", Columns: []string{"Call", "Server", "Since", "Waits for"}, Empty: "None."}
	for i := range waiting[:min(len(waiting), maxLines)] {
		r := &waiting[i]
		table.Rows = append(table.Rows, []ui.Cell{{Text: r.Tool, Faint: r.ID, Path: "/console/audit?approval=" + url.QueryEscape(r.ID)}, {Text: r.Server},
			{Text: ui.Moment(r.CreatedAt, now)}, {Text: r.WhoIsMissing()}})
	}
	return table
}

// revokePerson ends everything that a person has.
func (t peoplePages) revokePerson(q *request) error {
	return t.endPerson(q, t.Cutoff.RevokeUser, "Revoked", "They can sign in again.", func(u *oversight.WholePerson, ended authproxy.Ended) bool {
		return ended != authproxy.Ended{} || u.Login.State == link.Active
	})
}

// blockPerson ends it, and refuses the person from now on.
func (t peoplePages) blockPerson(q *request) error {
	return t.endPerson(q, t.Cutoff.BlockUser, "Blocked", "They are refused until somebody unblocks them.", func(u *oversight.WholePerson, ended authproxy.Ended) bool {
		return ended != authproxy.Ended{} || u.Login.State == link.Active || !u.Blocked()
	})
}

// ending is an act of [authproxy.Cutoff] on a person.
type ending func(ctx context.Context, org, subject string, act authproxy.Act) (authproxy.Ended, error)

// endPerson ends what a person has. reached says, of how they were and what ended, whether anything is otherwise now.
func (t peoplePages) endPerson(q *request, end ending, done, then string, reached func(*oversight.WholePerson, authproxy.Ended) bool) error {
	u, err := t.whom(q)
	if err != nil {
		return err
	}
	act, err := q.act()
	if err != nil {
		return err
	}
	ended, err := end(q.Context(), u.Org, u.Subject, act)
	others, findErr := t.Reads.Elsewhere(q.Context(), &u.User)
	o := outcome{title: done, reached: err != nil || reached(u, ended), incomplete: err, back: personLink(u), elsewhere: others, unfound: findErr}
	what := fmt.Sprintf("%s, %s and %s ended", counted(ended.Connections, "connection"), counted(ended.Approvals, "waiting call"), counted(ended.Sessions, "browser session"))
	name := fmt.Sprintf("%s in org %s", called(u.Name, u.Username, u.Subject), u.Org)
	switch {
	case !o.reached:
		o.title, o.text = "Nothing to end", name+" had no connection, waiting call, browser session or login: nothing ended."
		if u.Blocked() {
			o.text += " They are blocked already."
		}
	case u.Login.State == link.Active:
		o.text = fmt.Sprintf("%s %s: %s. Salesforce is told to revoke the login. %s", done, name, what, then)
	default:
		o.text = fmt.Sprintf("%s %s: %s. %s", done, name, what, then)
	}
	return t.tell(q, o)
}

// unblockPerson lets a person connect again.
func (t peoplePages) unblockPerson(q *request) error {
	u, err := t.whom(q)
	if err != nil {
		return err
	}
	act, err := q.act()
	if err != nil {
		return err
	}
	err = t.Cutoff.UnblockUser(q.Context(), u.Org, u.Subject, act)
	if errors.Is(err, grant.ErrNotFound) { // there is such a person: see whom
		return notBlocked(called(u.Name, u.Username, u.Subject))
	}
	if err != nil {
		return missing(err)
	}
	return t.done(q, "Unblocked", called(u.Name, u.Username, u.Subject)+" can sign in and connect again. What was ended stays so.", nil, personLink(u))
}

func personLink(u *oversight.WholePerson) ui.Link {
	return ui.Link{Text: called(u.Name, u.Username, u.Subject), Path: personPath(u.Org, u.Subject)}
}
