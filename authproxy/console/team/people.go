package team

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"sfmcp-proxy/authproxy"
	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/grant"
	"sfmcp-proxy/authproxy/link"
	"sfmcp-proxy/authproxy/ui"
)

// people lists everybody who signed in or is blocked, whom the search selects.
func (t peoplePages) people(q *request) error {
	p := q.page("People", "/console/people", "Everybody who signed in here, or is blocked. Open somebody to end what they have.")
	name, login := q.asked("name"), q.asked("login")
	p.Search = []ui.SearchField{
		{Name: "name", Label: "Name, username or user id", Value: name},
		{Name: "login", Label: "Salesforce login", Value: login, Options: []string{"lost", "blocked"}},
	}
	users, err := t.Grants.Users(q.Context())
	if err != nil {
		return err
	}
	logins, err := t.Links.List(q.Context())
	if err != nil {
		return err
	}
	states := map[[2]string]link.State{}
	for _, l := range logins {
		states[[2]string{l.Org, l.Subject}] = l.State
	}
	table := &ui.Table{Caption: "People", Columns: []string{"Person", "Org", "State", "Connections", "Last sign-in"}, Empty: "Nobody fits. Whoever never signed in here and is not blocked is not known."}
	found := 0
	for _, u := range users {
		state := standing(&u, states[[2]string{u.Org, u.Subject}])
		if !isNamed(&u, name) || login != "" && !strings.Contains(state.Text, login) {
			continue
		}
		if found++; found > maxLines {
			continue
		}
		table.Rows = append(table.Rows, []ui.Cell{
			{Text: called(u.Name, u.Username, u.Subject), Path: personPath(u.Org, u.Subject), Faint: u.Username},
			{Text: u.Org}, state, {Text: fmt.Sprint(u.Connections)}, {Text: ui.Moment(u.LastSeenAt, q.Now)},
		})
	}
	p.Sections = append(p.Sections, ui.Section{Text: shown(len(table.Rows), found, "Type a part of the name to see fewer."), Table: table})
	return t.show(q, p)
}

// shown says how many lines of a list there are, if not all.
func shown(lines, found int, how string) string {
	if lines == found {
		return ""
	}
	return fmt.Sprintf("%d of %d. %s", lines, found, how)
}

func isNamed(u *grant.User, part string) bool {
	part = strings.ToLower(part)
	for _, text := range []string{u.Name, u.Username, u.Subject} {
		if strings.Contains(strings.ToLower(text), part) {
			return true
		}
	}
	return false
}

// standing is how a person stands, in a word.
func standing(u *grant.User, login link.State) ui.Cell {
	switch {
	case u.Altered:
		return ui.Cell{Text: "blocked: changed in the database", Kind: "denied"}
	case u.Blocked():
		return ui.Cell{Text: "blocked", Kind: "denied"}
	case login == link.NeedsReauth:
		return ui.Cell{Text: "login lost", Kind: "warn"}
	case u.Connections == 0:
		return ui.Cell{Text: "not connected"}
	}
	return ui.Cell{Text: "connected", Kind: "good"}
}

// called is the best name that there is for somebody.
func called(name, username, subject string) string {
	return ui.Viewer{Name: name, Username: username, Subject: subject}.Label()
}

func personPath(org, subject string) string {
	return "/console/people/" + url.PathEscape(org) + "/" + url.PathEscape(subject)
}

// whom is the person whom the path names.
func (t peoplePages) whom(q *request) (*grant.User, error) {
	u, err := t.Grants.User(q.Context(), q.variable("org"), q.variable("subject"))
	if errors.Is(err, grant.ErrNotFound) {
		return nil, errNothing
	}
	return u, err
}

// person shows one person, what they have, and what can be ended.
func (t peoplePages) person(q *request) error {
	u, err := t.whom(q)
	if err != nil {
		return err
	}
	p := q.page(called(u.Name, u.Username, u.Subject), "/console/people", "")
	p.Back = &ui.Link{Text: "People", Path: "/console/people"}
	login, err := t.Links.Status(q.Context(), u.Org, u.Subject)
	if err != nil {
		return err
	}
	grants, err := t.Grants.Grants(q.Context(), grant.Filter{Org: u.Org, Subject: u.Subject})
	if err != nil {
		return err
	}
	waiting, err := t.Approvals.List(q.Context(), approval.Filter{Org: u.Org, Subject: u.Subject, State: approval.Pending})
	if err != nil {
		return err
	}
	recent, err := t.recent(q, u)
	if err != nil {
		return err
	}
	p.Sections = append(p.Sections,
		ui.Section{Facts: t.personFacts(q, u, login), Acts: q.personActs(u, len(grants), len(waiting))},
		ui.Section{Heading: "Connections", Table: t.connectionTable(q, grants, false)},
		ui.Section{Heading: "Calls that wait for a person", Table: waitingTable(q.Now, waiting)},
		ui.Section{Heading: "Newest entries of the audit log", Table: recent})
	return t.show(q, p)
}

func (t peoplePages) personFacts(q *request, u *grant.User, login link.Status) []ui.Fact {
	facts := []ui.Fact{
		{Name: "State", Cell: standing(u, login.State)},
		{Name: "Username", Cell: ui.Cell{Text: u.Username}},
		{Name: "Salesforce user", Cell: ui.Cell{Text: u.Subject, Code: true}},
		{Name: "Org", Cell: ui.Cell{Text: u.Org}},
		{Name: "First sign-in", Cell: ui.Cell{Text: ui.Moment(u.FirstSeenAt, q.Now)}},
		{Name: "Last sign-in", Cell: ui.Cell{Text: ui.Moment(u.LastSeenAt, q.Now)}},
	}
	if u.Blocked() && !u.BlockedAt.IsZero() {
		facts = append(facts, ui.Fact{Name: "Blocked", Cell: ui.Cell{Text: ui.Moment(u.BlockedAt, q.Now)}})
	}
	if login.State != "" {
		facts = append(facts, ui.Fact{Name: "Salesforce login", Cell: ui.Cell{Text: string(login.State), Faint: login.Failure.Reason()}})
	}
	return append(facts, ui.Fact{Name: "Everything recorded", Cell: ui.Cell{Text: "search the audit log", Path: "/console/audit?person=" + url.QueryEscape(u.Subject)}})
}

// personActs are what can be done about a person, with what it ends.
func (q *request) personActs(u *grant.User, connections, waiting int) []*ui.Act {
	what := fmt.Sprintf("%s, %s and every browser session end, and the login is revoked at Salesforce.", counted(connections, "connection"), counted(waiting, "waiting call"))
	path := strings.TrimPrefix(personPath(u.Org, u.Subject), "/console/")
	revoke := q.button(ui.Act{Path: path + "/revoke", Label: "Revoke", Text: what + " They can sign in and connect again.", Reason: true, Danger: true})
	if u.Blocked() {
		return acts(q.button(ui.Act{Path: path + "/unblock", Label: "Unblock", Text: "They can sign in and connect again. What was ended stays so.", Reason: true}), revoke)
	}
	return acts(q.button(ui.Act{Path: path + "/block", Label: "Block", Text: what + " They are refused until somebody unblocks them.", Reason: true, Danger: true}), revoke)
}

func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
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

// recent are the newest entries that concern a person.
func (t peoplePages) recent(q *request, u *grant.User) (*ui.Table, error) {
	who := audit.Person{Subjects: []string{u.Subject}}
	if u.Username != "" {
		who.Usernames = []string{u.Username}
	}
	found, err := t.found(q.Context(), audit.Filter{Person: who, Limit: 10})
	return entryTable(q.Now, found), err
}

// revokePerson ends everything that a person has.
func (t peoplePages) revokePerson(q *request) error {
	return t.endPerson(q, t.Cutoff.RevokeUser, "Revoked", "They can sign in again.")
}

// blockPerson ends it, and refuses the person from now on.
func (t peoplePages) blockPerson(q *request) error {
	return t.endPerson(q, t.Cutoff.BlockUser, "Blocked", "They are refused until somebody unblocks them.")
}

// ending is an act of [authproxy.Cutoff] on a person.
type ending func(ctx context.Context, org, subject string, act authproxy.Act) (authproxy.Ended, error)

func (t peoplePages) endPerson(q *request, end ending, done, then string) error {
	u, err := t.whom(q)
	if err != nil {
		return err
	}
	act, err := q.act()
	if err != nil {
		return err
	}
	ended, err := end(q.Context(), u.Org, u.Subject, act)
	text := fmt.Sprintf("%s %s: %s, %s and %s ended. Salesforce is told to revoke the login. %s", done, called(u.Name, u.Username, u.Subject),
		counted(ended.Connections, "connection"), counted(ended.Approvals, "waiting call"), counted(ended.Sessions, "browser session"), then)
	return t.done(q, done, text, err, personLink(u))
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
	if errors.Is(err, grant.ErrNotFound) {
		return errNothing
	}
	if err != nil {
		return err
	}
	return t.done(q, "Unblocked", called(u.Name, u.Username, u.Subject)+" can sign in and connect again. What was ended stays so.", nil, personLink(u))
}

func personLink(u *grant.User) ui.Link {
	return ui.Link{Text: called(u.Name, u.Username, u.Subject), Path: personPath(u.Org, u.Subject)}
}
