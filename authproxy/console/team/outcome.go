package team

import (
	"fmt"
	"strconv"
	"strings"

	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/oversight"
	"sfmcp-proxy/authproxy/ui"
)

// outcome is what an act did, as its page says it.
type outcome struct {
	title, text string
	reached     bool  // something is otherwise now; what reached nobody is no success
	incomplete  error // what could not be done; nil: all was
	back        ui.Link
	elsewhere   oversight.Elsewhere // where nothing was done about the same human
	unfound     error               // why that is not known
}

// done tells what an act did, with a way back.
func (t *Team) done(q *request, title, text string, incomplete error, back ui.Link) error {
	return t.tell(q, outcome{title: title, text: text, reached: true, incomplete: incomplete, back: back})
}

// tell answers with the page of an outcome.
func (t *Team) tell(q *request, o outcome) error {
	p := q.page(o.title, "", "")
	p.Back = &o.back
	note := ui.ConsoleNote{Kind: "good", Text: o.text}
	switch {
	case o.incomplete != nil && audit.TookEffect(o.incomplete):
		t.Log.ErrorContext(q.Context(), "an act of the console is not in the audit log", "path", q.URL.Path, "error", o.incomplete)
		note = ui.ConsoleNote{Kind: "warn", Text: o.text + " It is done, but not in the audit log, which could not be written: the proxy's own log says why."}
	case o.incomplete != nil:
		t.Log.ErrorContext(q.Context(), "an act of the console is incomplete", "path", q.URL.Path, "error", o.incomplete)
		note = ui.ConsoleNote{Kind: "denied", Text: o.text + " Not all of it could be done: " + o.incomplete.Error() + ". Do it again; what is done already stays done."}
	case !o.reached:
		note.Kind = "warn"
	}
	p.Notes = append(p.Notes, note)
	if o.unfound != nil {
		t.Log.ErrorContext(q.Context(), "where else a person is could not be looked up", "path", q.URL.Path, "error", o.unfound)
		p.Notes = append(p.Notes, ui.ConsoleNote{Kind: "warn", Text: "Whether the same person is in other orgs could not be looked up. Nothing was done there: look at them again, and at the other orgs."})
	}
	if len(o.elsewhere.People) > 0 {
		p.Notes = append(p.Notes, otherOrgsNote(o.elsewhere))
	}
	p.Sections = elsewhereSection(o.elsewhere)
	return t.show(q, p)
}

// otherOrgsNote says that the same human is in other orgs.
func otherOrgsNote(e oversight.Elsewhere) ui.ConsoleNote {
	return ui.ConsoleNote{Kind: "warn", Text: "The same person is in other orgs too, where nothing was done: " + orgsOf(e.People) + ". See below."}
}

// orgsOf names the orgs of people, each once.
func orgsOf(all []oversight.Person) string {
	var orgs []string
	for i := range all {
		if i == 0 || all[i].Org != all[i-1].Org {
			orgs = append(orgs, all[i].Org)
		}
	}
	return strings.Join(orgs, ", ")
}

// elsewhereSection leads to the same human in other orgs; of nobody there is no section.
func elsewhereSection(e oversight.Elsewhere) []ui.Section {
	text := "What is done here is done in one org. 'user revoke' and 'user block' at the command line act in every org."
	if len(e.Never) > 0 {
		text += fmt.Sprintf(" Where they have not signed in (%s) they are not refused either; 'user block' refuses them there, too.", strings.Join(e.Never, ", "))
	}
	if len(e.People) == 0 {
		if len(e.Never) == 0 {
			return nil
		}
		return []ui.Section{{Heading: "Other orgs", Text: text}}
	}
	table := &ui.Table{Caption: "The same person elsewhere", Columns: []string{"Person", "Org", "State", "Connections"}}
	for i := range e.People {
		u := &e.People[i]
		table.Rows = append(table.Rows, []ui.Cell{{Text: called(u.Name, u.Username, u.Subject), Faint: u.Username, Path: personPath(u.Org, u.Subject)},
			{Text: u.Org}, standing(u.Standing), {Text: strconv.Itoa(u.Connections)}})
	}
	return []ui.Section{{Heading: "The same person in other orgs", Text: text, Table: table}}
}
