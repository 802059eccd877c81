package team

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"sfmcp-proxy/authproxy"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/oversight"
	"sfmcp-proxy/authproxy/ui"
)

// incident finds whom an incident is about, and says what containing it will end.
func (t peoplePages) incident(q *request) error {
	p := q.page("Incident", "/console/incident", "Find the person or the program that an incident is about. You see what would end before you end it.")
	p.Search = []ui.SearchField{
		{Name: "person", Label: "Person", Value: q.asked("person"), Hint: "user id, username or name"},
		{Name: "client", Label: "Program", Value: q.asked("client"), Hint: "client id or name"},
	}
	var sections []ui.Section
	var err error
	switch {
	case q.asked("subject") != "":
		sections, err = t.aboutPerson(q, q.asked("org"), q.asked("subject"))
	case q.asked("id") != "":
		var c *oversight.Client
		if c, err = t.Reads.Client(q.Context(), q.asked("id")); err == nil {
			sections = t.aboutClient(q, c)
		}
	case q.asked("person") != "":
		sections, err = t.suspects(q, q.asked("person"))
	case q.asked("client") != "":
		sections, err = t.suspectClients(q, q.asked("client"))
	default:
		sections = []ui.Section{{Heading: "If you do not know who it is", Text: "Stop all changes, or everything, for everybody. Look then at what was done last.",
			Facts: []ui.Fact{{Name: "Stop", Cell: ui.Cell{Text: "the stop switch", Path: "/console"}},
				{Name: "Changes of today", Cell: ui.Cell{Text: "search the audit log", Path: "/console/audit?action=tool.call&outcome=ok&since=" + q.Now.UTC().Format(time.DateOnly)}}}}}
	}
	if err != nil {
		return missing(err)
	}
	p.Sections = sections
	return t.show(q, p)
}

// suspects are the people whom a text names; of one alone it is said what would end.
func (t peoplePages) suspects(q *request, name string) ([]ui.Section, error) {
	found, err := t.Reads.People(q.Context(), oversight.PeopleSearch{Name: name, Most: maxLines})
	if err != nil {
		return nil, err
	}
	if found.Found == 1 {
		return t.aboutPerson(q, found.Page[0].Org, found.Page[0].Subject)
	}
	table := &ui.Table{Caption: "People", Columns: []string{"Person", "Org", "State", "Connections"}, Empty: "Nobody fits. Whoever never signed in here is blocked at the command line: 'incident contain --user', with the Salesforce user id (005…)."}
	for i := range found.Page {
		u := &found.Page[i]
		table.Rows = append(table.Rows, []ui.Cell{{Text: called(u.Name, u.Username, u.Subject), Faint: u.Username, Path: incidentPath("org", u.Org, "subject", u.Subject)},
			{Text: u.Org}, standing(u.Standing), {Text: strconv.Itoa(u.Connections)}})
	}
	return []ui.Section{{Text: shown(len(table.Rows), found.Found, "Type more of the name to see fewer."), Table: table}}, nil
}

// suspectClients are the programs whom a text names.
func (t peoplePages) suspectClients(q *request, name string) ([]ui.Section, error) {
	found, err := t.Reads.ClientsNamed(q.Context(), name)
	if err != nil {
		return nil, err
	}
	if len(found) == 1 {
		return t.aboutClient(q, &found[0]), nil
	}
	table := &ui.Table{Caption: "Programs", Columns: []string{"Program", "Kind", "Connections", "People"}, Empty: "No program fits."}
	for _, c := range found[:min(len(found), maxLines)] {
		table.Rows = append(table.Rows, []ui.Cell{{Text: c.Name, Faint: c.ID, Path: incidentPath("id", c.ID)}, kindOf(&c), {Text: strconv.Itoa(c.Connections)}, {Text: strconv.Itoa(c.People)}})
	}
	return []ui.Section{{Text: shown(len(table.Rows), len(found), "Type more of the name to see fewer."), Table: table}}, nil
}

// incidentPath is the page about one person or program, by the fields that name them.
func incidentPath(fields ...string) string {
	values := url.Values{}
	for i := 0; i+1 < len(fields); i += 2 {
		values.Set(fields[i], fields[i+1])
	}
	return "/console/incident?" + values.Encode()
}

// aboutPerson says what a person has, which would end.
func (t peoplePages) aboutPerson(q *request, org, subject string) ([]ui.Section, error) {
	u, err := t.Reads.Person(q.Context(), org, subject)
	if err != nil {
		return nil, err
	}
	name := called(u.Name, u.Username, u.Subject)
	will := fmt.Sprintf("%s is refused from now on. %s, %s and every browser session end, calls under way too. The login is revoked at Salesforce, and the audit log is signed up to here.",
		name, ui.Capital(counted(len(u.Grants), "connection")), counted(len(u.Waiting), "waiting call"))
	sections := []ui.Section{{Heading: name, Facts: t.personFacts(q, u), Acts: acts(t.containAct(q, will, "Contain "+name, "org", u.Org, "subject", u.Subject))}}
	return append(append(sections, t.elsewhere(q, u)...), t.recent(q, u)), nil
}

// aboutClient says what a program has, which would end.
func (t peoplePages) aboutClient(q *request, c *oversight.Client) []ui.Section {
	will := fmt.Sprintf("The program is refused from now on, for everybody. What ends: %s of %s, and calls under way. The Salesforce login of those who have no other connection is revoked, and the audit log is signed up to here.",
		counted(c.Connections, "connection"), counted(c.People, "user"))
	return []ui.Section{{Heading: c.Name, Facts: []ui.Fact{{Name: "Client id", Cell: ui.Cell{Text: c.ID, Code: true}}, {Name: "Kind", Cell: kindOf(c)},
		{Name: "Last use", Cell: ui.Cell{Text: sinceUse(q, c.LastUse)}},
		{Name: "Connections", Cell: ui.Cell{Text: strconv.Itoa(c.Connections), Path: "/console/connections?client=" + url.QueryEscape(c.ID)}},
		{Name: "Everything recorded", Cell: ui.Cell{Text: "search the audit log", Path: "/console/audit?client=" + url.QueryEscape(c.ID)}}},
		Acts: acts(t.containAct(q, will, "Contain "+c.Name, "client", c.ID))}}
}

// containAct is the form that contains an incident; fields are names and values.
func (t peoplePages) containAct(q *request, will, label string, fields ...string) *ui.Act {
	a := ui.Act{Path: "incident/contain", Label: label, Text: will, Reason: true, Danger: true}
	for i := 0; i+1 < len(fields); i += 2 {
		a.Fields = append(a.Fields, ui.HiddenField{Name: fields[i], Value: fields[i+1]})
	}
	return q.button(a)
}

// contain contains an incident, and tells each step with whether it was confirmed.
func (t peoplePages) contain(q *request) error {
	form := q.Member.Form
	whom := authproxy.Target{Org: form.Get("org"), Subject: form.Get("subject"), Client: form.Get("client")}
	act, err := q.act()
	if err != nil {
		return err
	}
	if whom.Client != "" {
		_, err = t.Reads.Client(q.Context(), whom.Client)
	} else {
		_, err = t.Reads.Person(q.Context(), whom.Org, whom.Subject)
	}
	if err != nil {
		return missing(err)
	}
	done := t.Cutoff.ContainForAnswer(q.Context(), whom, act)
	var others oversight.Elsewhere
	if whom.Client == "" && len(done.People) > 0 {
		if others, err = t.Reads.Elsewhere(q.Context(), &done.People[0]); err != nil {
			done.Add("elsewhere", "it is looked where else they are", err)
		}
	}
	return t.contained(q, done, others)
}

// contained is the list of what was done, and where nothing was done about the same human.
func (t peoplePages) contained(q *request, done *authproxy.Containment, others oversight.Elsewhere) error {
	p := q.page("Incident", "/console/incident", "")
	p.Back = &ui.Link{Text: "Incident", Path: "/console/incident"}
	note := ui.ConsoleNote{Kind: "good", Text: "Contained. Each step was looked at again after it was done, and is so."}
	if !done.Confirmed() {
		note = ui.ConsoleNote{Kind: "denied", Text: "Not everything is confirmed. Do it again; what is done stays done."}
	}
	p.Notes = append(p.Notes, note)
	if len(others.People) > 0 {
		p.Notes = append(p.Notes, otherOrgsNote(others))
	}
	table := &ui.Table{Caption: "What was done", Columns: []string{"Step", "Confirmed"}}
	for _, s := range done.Steps {
		is := ui.Cell{Text: "confirmed", Kind: "good"}
		if !s.Confirmed {
			is = ui.Cell{Text: "not confirmed", Kind: "denied", Faint: s.Problem}
		}
		table.Rows = append(table.Rows, []ui.Cell{{Text: ui.Capital(s.Text)}, is})
	}
	table.Rows = append(table.Rows, []ui.Cell{{Text: ui.Capital(authproxy.OtherProcesses)}, {Text: "within a second"}})
	fields, again, search := []ui.HiddenField{{Name: "client", Value: done.Client}}, incidentPath("id", done.Client), "/console/audit?client="+url.QueryEscape(done.Client)
	if done.Client == "" {
		fields = []ui.HiddenField{{Name: "org", Value: done.Org}, {Name: "subject", Value: done.Subject}}
		again, search = incidentPath("org", done.Org, "subject", done.Subject), "/console/audit?person="+url.QueryEscape(done.Subject)
	}
	p.Sections = append(append(p.Sections, ui.Section{Heading: "What was done", Table: table}), elsewhereSection(others)...)
	p.Sections = append(p.Sections,
		ui.Section{Heading: "What to do now", Facts: []ui.Fact{
			{Name: "See what happened", Cell: ui.Cell{Text: "search the audit log", Path: search}},
			{Name: "See what they have now", Cell: ui.Cell{Text: "look again", Path: again}}},
			Acts: acts(q.button(ui.Act{Path: "incident/evidence", Label: "Download what the log has", Fields: fields,
				Text: "Every entry of the audit log about them, one a line, as JSON. It holds arguments of calls, so that somebody took it is an entry too."}))})
	return t.show(q, p)
}

// evidence answers with every entry of the audit log about a person or a program. That it was read
// is recorded first.
func (t peoplePages) evidence(q *request) error {
	form := q.Member.Form
	org, subject, client := form.Get("org"), form.Get("subject"), form.Get("client")
	filter, read := audit.Filter{Client: client}, audit.Entry{Actor: q.Actor(), Action: audit.LogRead, Outcome: audit.OK, Object: "all entries", Client: client}
	if client == "" {
		u, err := t.Reads.Person(q.Context(), org, subject)
		if err != nil {
			return missing(err)
		}
		read.Org, read.Subject, read.Username = u.Org, u.Subject, u.Username
		whom, err := t.Reads.Humans().Of(q.Context(), u.User)
		if err != nil {
			return err
		}
		filter.Person = whom.Person
	}
	if _, err := t.Cutoff.Audit.Append(q.Context(), read); err != nil {
		return err
	}
	h := q.ResponseWriter.Header()
	h.Set("Content-Type", "application/x-ndjson")
	h.Set("Content-Disposition", `attachment; filename="audit-entries.jsonl"`)
	h.Set("Cache-Control", "no-store")
	q.WriteHeader(http.StatusOK)
	if err := t.Cutoff.Audit.Export(q.Context(), filter, q.ResponseWriter); err != nil && !errors.Is(err, context.Canceled) {
		t.Log.ErrorContext(q.Context(), "evidence is cut off", "error", err)
		panic(http.ErrAbortHandler) // so that nobody takes a part for the whole
	}
	return nil
}
