package team

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"time"

	"sfmcp-proxy/authproxy/client"
	"sfmcp-proxy/authproxy/grant"
	"sfmcp-proxy/authproxy/ui"
)

// ofClient is what the connections of one client amount to.
type ofClient struct {
	connections, people int
	lastUse             time.Time
}

// clients lists the programs that are known.
func (t peoplePages) clients(q *request) error {
	p := q.page("Clients", "/console/clients", "Programs that may ask to be connected. A name that nobody here has checked is what the program says of itself.")
	all, err := t.Clients.All(q.Context())
	if err != nil {
		return err
	}
	grants, err := t.Grants.Grants(q.Context(), grant.Filter{})
	if err != nil {
		return err
	}
	of := tally(grants)
	table := &ui.Table{Caption: "Clients", Columns: []string{"Client", "Kind", "Connections", "People", "Last use", "What to do"}, Empty: "No client is known."}
	for _, c := range all[:min(len(all), maxLines)] {
		n := of[c.ID]
		last := "never"
		if !n.lastUse.IsZero() {
			last = ui.Moment(n.lastUse, q.Now)
		}
		table.Rows = append(table.Rows, []ui.Cell{
			{Text: c.Name, Faint: c.ID}, kindOf(c), {Text: fmt.Sprint(n.connections), Path: "/console/connections?client=" + url.QueryEscape(c.ID)},
			{Text: fmt.Sprint(n.people)}, {Text: last}, {Text: "End everything", Path: "/console/clients?id=" + url.QueryEscape(c.ID)},
		})
	}
	p.Sections = append(p.Sections, ui.Section{Text: shown(len(table.Rows), len(all), "'client list' at the command line has all."), Table: table})
	if q.asked("id") != "" {
		p.Sections = append(p.Sections, t.clientActs(q, q.asked("id"), of))
	}
	return t.show(q, p)
}

func tally(grants []grant.Grant) map[string]ofClient {
	of, seen := map[string]ofClient{}, map[[3]string]bool{}
	for _, g := range grants {
		n := of[g.ClientID]
		n.connections++
		if who := [3]string{g.ClientID, g.Org, g.Subject}; !seen[who] {
			seen[who] = true
			n.people++
		}
		if g.LastUsedAt.After(n.lastUse) {
			n.lastUse = g.LastUsedAt
		}
		of[g.ClientID] = n
	}
	return of
}

// kindOf says where what is known of a client comes from.
func kindOf(c client.Client) ui.Cell {
	switch c.Kind {
	case client.Configured:
		return ui.Cell{Text: "configured", Kind: "good"}
	case client.Document:
		return ui.Cell{Text: "published by " + c.Host}
	}
	return ui.Cell{Text: "registered itself", Kind: "warn"}
}

// clientActs is what can be done about one client.
func (t peoplePages) clientActs(q *request, id string, of map[string]ofClient) ui.Section {
	n := of[id]
	return ui.Section{Heading: "End everything of " + t.Clients.Name(q.Context(), id), Acts: acts(q.button(ui.Act{Path: "clients/revoke", Label: "Revoke this client", Reason: true, Danger: true,
		Text: fmt.Sprintf("%s of %s end, and what it registered is forgotten. A configured client, or one that publishes its own document, can be connected anew; "+
			"to keep it out, take it, or its host, from the configuration as well.", counted(n.connections, "connection"), counted(n.people, "user")),
		Fields: []ui.HiddenField{{Name: "client", Value: id}}}))}
}

// revokeClient ends all connections of a client.
func (t peoplePages) revokeClient(q *request) error {
	id := q.Member.Form.Get("client")
	act, err := q.act()
	if err != nil {
		return err
	}
	known, err := t.knows(q.Context(), id)
	if err != nil {
		return err
	}
	if !known {
		return errNothing
	}
	ended, err := t.Cutoff.RevokeClient(q.Context(), id, act)
	return t.done(q, "Revoked", fmt.Sprintf("%s of the client %s ended.", counted(len(ended), "connection"), id), err, ui.Link{Text: "Clients", Path: "/console/clients"})
}

// knows reports whether there is anything of a client to be ended or forgotten.
func (t peoplePages) knows(ctx context.Context, id string) (bool, error) {
	if id == "" {
		return false, nil
	}
	all, err := t.Clients.All(ctx)
	if err != nil || slices.ContainsFunc(all, func(c client.Client) bool { return c.ID == id }) {
		return err == nil, err
	}
	grants, err := t.Grants.Grants(ctx, grant.Filter{ClientID: id})
	return len(grants) > 0, err
}
