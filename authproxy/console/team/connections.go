package team

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"sfmcp-proxy/authproxy"
	"sfmcp-proxy/authproxy/console"
	"sfmcp-proxy/authproxy/grant"
	"sfmcp-proxy/authproxy/ui"
)

// search is which connections are looked for; empty fields select all.
type search struct{ person, client, server string }

// connections lists live connections by person, client and server, and offers to end all that
// were looked for.
func (t peoplePages) connections(q *request) error {
	p := q.page("Connections", "/console/connections", "A connection lets one program act as one person at one server. Search for a program, person or server to end everything of it.")
	s := search{q.asked("person"), q.asked("client"), q.asked("server")}
	p.Search = []ui.SearchField{
		{Name: "person", Label: "Person", Value: s.person, Hint: "user id, username or name"},
		{Name: "client", Label: "Client", Value: s.client, Hint: "client id"},
		{Name: "server", Label: "Server", Value: s.server, Options: t.serverNames()},
	}
	all, err := t.selected(q.Context(), s)
	if err != nil {
		return err
	}
	section := ui.Section{Text: shown(min(len(all), maxLines), len(all), "Search to see fewer."), Table: t.connectionTable(q, all[:min(len(all), maxLines)], true)}
	if s != (search{}) && len(all) > 0 {
		section.Acts = acts(q.button(ui.Act{Path: "connections/end", Label: "End all of these", Reason: true, Danger: true,
			Text:   fmt.Sprintf("%s of %s end. Calls of theirs that wait are void, and whoever has no other connection is revoked at Salesforce.", counted(len(all), "connection"), counted(personsIn(all), "user")),
			Fields: []ui.HiddenField{{Name: "person", Value: s.person}, {Name: "client", Value: s.client}, {Name: "server", Value: s.server}, {Name: "count", Value: fmt.Sprint(len(all))}}}))
	}
	p.Sections = append(p.Sections, section)
	return t.show(q, p)
}

func (t *Team) serverNames() (names []string) {
	for _, s := range t.Access.Servers() {
		names = append(names, s.Name)
	}
	return names
}

// selected are the live connections that a search selects, the newest first.
func (t peoplePages) selected(ctx context.Context, s search) (all []grant.Grant, err error) {
	grants, err := t.Grants.Grants(ctx, grant.Filter{ClientID: s.client})
	if err != nil {
		return nil, err
	}
	for _, g := range grants {
		u := grant.User{Subject: g.Subject, Username: g.Username, Name: g.Name}
		if (s.server == "" || g.Server == s.server) && isNamed(&u, s.person) {
			all = append(all, g)
		}
	}
	slices.SortStableFunc(all, func(a, b grant.Grant) int { return b.CreatedAt.Compare(a.CreatedAt) })
	return all, nil
}

func personsIn(all []grant.Grant) int {
	seen := map[[2]string]bool{}
	for _, g := range all {
		seen[[2]string{g.Org, g.Subject}] = true
	}
	return len(seen)
}

// connectionTable lists connections, each with a button that ends it.
func (t *Team) connectionTable(q *request, all []grant.Grant, persons bool) *ui.Table {
	table := &ui.Table{Caption: "Connections", Columns: []string{"Client", "Server", "Since", "Last use", "What to do"}, Empty: "None."}
	if persons {
		table.Columns = append([]string{"Person"}, table.Columns...)
	}
	for _, g := range all {
		row := []ui.Cell{
			{Text: t.Clients.Name(q.Context(), g.ClientID), Faint: g.ClientID, Path: "/console/connections?client=" + url.QueryEscape(g.ClientID)},
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
		if errors.Is(err, grant.ErrNotFound) {
			return errNothing
		}
		if g == nil {
			return err
		}
		return t.done(q, "Ended", fmt.Sprintf("The connection of %s by %s to %s has ended.", called(g.Name, g.Username, g.Subject), t.Clients.Name(q.Context(), g.ClientID), g.Server), err, back)
	}
	s := search{q.Member.Form.Get("person"), q.Member.Form.Get("client"), q.Member.Form.Get("server")}
	act, err := q.act()
	if err != nil {
		return err
	}
	all, err := t.selected(q.Context(), s)
	if err != nil {
		return err
	}
	if s == (search{}) || fmt.Sprint(len(all)) != q.Member.Form.Get("count") {
		return console.Problem(http.StatusConflict, "There are others by now", fmt.Sprintf("%s fit what was looked for, and the page had counted another number. Nothing was done. Look again.", counted(len(all), "connection")))
	}
	n, failed := 0, error(nil)
	for _, g := range all {
		if _, err := t.Cutoff.RevokeGrant(q.Context(), g.ID, act); err == nil {
			n++
		} else if !errors.Is(err, grant.ErrNotFound) {
			failed = errors.Join(failed, err)
		}
	}
	return t.done(q, "Ended", counted(n, "connection")+" ended. Whoever had no other one is revoked at Salesforce too.", failed, back)
}
