package team

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"sfmcp-proxy/authproxy"
	"sfmcp-proxy/authproxy/console"
	"sfmcp-proxy/authproxy/grant"
	"sfmcp-proxy/authproxy/oversight"
	"sfmcp-proxy/authproxy/ui"
)

// connections lists live connections by person, client and server, and offers to end all that
// were looked for.
func (t peoplePages) connections(q *request) error {
	p := q.page("Connections", "/console/connections", "A connection lets one program act as one person at one server. Search for a program, person or server to end everything of it.")
	s := oversight.Search{Person: q.asked("person"), Client: q.asked("client"), Server: q.asked("server")}
	p.Search = []ui.SearchField{
		{Name: "person", Label: "Person", Value: s.Person, Hint: "user id, username or name"},
		{Name: "client", Label: "Client", Value: s.Client, Hint: "client id"},
		{Name: "server", Label: "Server", Value: s.Server, Options: t.Reads.ServerNames()},
	}
	if err := t.Reads.CheckSearch(q.Context(), s); err != nil {
		return t.wrongSearch(q, p, err)
	}
	found, err := t.Reads.NewestConnections(q.Context(), s, maxLines, nil)
	if err != nil {
		return err
	}
	section := ui.Section{Text: shown(len(found.Newest), found.Connections, "Search to see fewer."), Table: t.connectionTable(q, found.Newest, true)}
	if s != (oversight.Search{}) && found.Connections > 0 {
		section.Acts = acts(q.button(ui.Act{Path: "connections/end", Label: "End all of these", Reason: true, Danger: true,
			Text:   fmt.Sprintf("%s of %s end. Calls of theirs that wait are void, and whoever has no other connection is revoked at Salesforce.", counted(found.Connections, "connection"), counted(found.Users, "user")),
			Fields: []ui.HiddenField{{Name: "person", Value: s.Person}, {Name: "client", Value: s.Client}, {Name: "server", Value: s.Server}, {Name: "count", Value: strconv.Itoa(found.Connections)}}}))
	}
	p.Sections = append(p.Sections, section)
	return t.show(q, p)
}

// connectionTable lists connections, each with a button that ends it.
func (t *Team) connectionTable(q *request, all []grant.Grant, persons bool) *ui.Table {
	table := &ui.Table{Caption: "Connections", Columns: []string{"Client", "Server", "Since", "Last use", "What to do"}, Empty: "None."}
	if persons {
		table.Columns = append([]string{"Person"}, table.Columns...)
	}
	for _, g := range all {
		row := []ui.Cell{
			{Text: t.Reads.Clients.Name(q.Context(), g.ClientID), Faint: g.ClientID, Path: "/console/connections?client=" + url.QueryEscape(g.ClientID)},
			{Text: g.Server}, {Text: ui.Moment(g.CreatedAt, q.Now)}, {Text: lastUse(q, &g)},
			{Act: q.button(ui.Act{Path: "connections/end", Label: "End", Unseen: "connection " + g.ID, Danger: true, Plain: true, Fields: []ui.HiddenField{{Name: "grant", Value: g.ID}}})},
		}
		if persons {
			row = append([]ui.Cell{{Text: called(g.Name, g.Username, g.Subject), Faint: g.Org, Path: personPath(g.Org, g.Subject)}}, row...)
		}
		table.Rows = append(table.Rows, row)
	}
	return table
}

func lastUse(q *request, g *grant.Grant) string {
	if g.LastUsedAt.IsZero() {
		return "never"
	}
	return ui.Moment(g.LastUsedAt, q.Now)
}

// endConnections ends the connection that the form names, or all that were looked for. If there
// are others by now than the page counted, nothing is done: what is ended is what was seen.
func (t peoplePages) endConnections(q *request) error {
	back := ui.Link{Text: "Connections", Path: "/console/connections"}
	if id := q.Member.Form.Get("grant"); id != "" {
		act := authproxy.Act{By: q.Actor(), Why: "ended by the security team"}
		g, err := t.Cutoff.RevokeGrant(q.Context(), id, act)
		if g == nil {
			return missing(err)
		}
		return t.done(q, "Ended", fmt.Sprintf("The connection of %s by %s to %s has ended.", called(g.Name, g.Username, g.Subject), t.Reads.Clients.Name(q.Context(), g.ClientID), g.Server), err, back)
	}
	s := oversight.Search{Person: q.Member.Form.Get("person"), Client: q.Member.Form.Get("client"), Server: q.Member.Form.Get("server")}
	act, err := q.act()
	if err != nil {
		return err
	}
	count, err := strconv.Atoi(q.Member.Form.Get("count"))
	if err != nil {
		count = -1 // none was counted
	}
	all, err := t.Reads.Counted(q.Context(), s, count)
	if others, ok := errors.AsType[*oversight.OthersError](err); ok {
		return console.Problem(http.StatusConflict, "There are others by now", fmt.Sprintf("%s fit what was looked for, and the page had counted another number. Nothing was done. Look again.", counted(others.Found, "connection")))
	}
	if err != nil {
		return err
	}
	n, failed := t.Cutoff.RevokeGrants(q.Context(), all, act)
	o := outcome{title: "Ended", text: counted(n, "connection") + " ended. Whoever had no other one is revoked at Salesforce too.", reached: n > 0 || failed != nil, incomplete: failed, back: back}
	if !o.reached {
		o.title, o.text = "Nothing to end", "0 connections ended: somebody else ended them meanwhile."
	}
	return t.tell(q, o)
}
