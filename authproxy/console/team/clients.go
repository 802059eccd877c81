package team

import (
	"fmt"
	"net/url"

	"sfmcp-proxy/authproxy/client"
	"sfmcp-proxy/authproxy/oversight"
	"sfmcp-proxy/authproxy/ui"
)

// clients lists the programs that are known.
func (t peoplePages) clients(q *request) error {
	p := q.page("Clients", "/console/clients", "Programs that may ask to be connected. A name that nobody here has checked is what the program says of itself.")
	all, err := t.Reads.ClientList(q.Context())
	if err != nil {
		return err
	}
	table := &ui.Table{Caption: "Clients", Columns: []string{"Client", "Kind", "Connections", "People", "Last use", "What to do"}, Empty: "No client is known."}
	for _, c := range all[:min(len(all), maxLines)] {
		last := "never"
		if !c.LastUse.IsZero() {
			last = ui.Moment(c.LastUse, q.Now)
		}
		table.Rows = append(table.Rows, []ui.Cell{
			{Text: c.Name, Faint: c.ID}, kindOf(c.Client), {Text: fmt.Sprint(c.Connections), Path: "/console/connections?client=" + url.QueryEscape(c.ID)},
			{Text: fmt.Sprint(c.People)}, {Text: last}, {Text: "End everything", Path: "/console/clients?id=" + url.QueryEscape(c.ID)},
		})
	}
	p.Sections = append(p.Sections, ui.Section{Text: shown(len(table.Rows), len(all), "'client list' at the command line has all."), Table: table})
	if id := q.asked("id"); id != "" {
		c, err := t.Reads.Client(q.Context(), id)
		if err != nil {
			return missing(err)
		}
		p.Sections = append(p.Sections, t.clientActs(q, c))
	}
	return t.show(q, p)
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
func (t peoplePages) clientActs(q *request, c *oversight.Client) ui.Section {
	return ui.Section{Heading: "End everything of " + c.Name, Acts: acts(q.button(ui.Act{Path: "clients/revoke", Label: "Revoke this client", Reason: true, Danger: true,
		Text: fmt.Sprintf("%s of %s end, and what it registered is forgotten. A configured client, or one that publishes its own document, can be connected anew; "+
			"to keep it out, take it, or its host, from the configuration as well.", counted(c.Connections, "connection"), counted(c.People, "user")),
		Fields: []ui.HiddenField{{Name: "client", Value: c.ID}}}))}
}

// revokeClient ends all connections of a client.
func (t peoplePages) revokeClient(q *request) error {
	id := q.Member.Form.Get("client")
	act, err := q.act()
	if err != nil {
		return err
	}
	if _, err := t.Reads.Client(q.Context(), id); err != nil {
		return missing(err)
	}
	ended, err := t.Cutoff.RevokeClient(q.Context(), id, act)
	return t.done(q, "Revoked", fmt.Sprintf("%s of the client %s ended.", counted(len(ended), "connection"), id), err, ui.Link{Text: "Clients", Path: "/console/clients"})
}
