package team

import (
	"fmt"
	"net/url"
	"time"

	"sfmcp-proxy/authproxy"
	"sfmcp-proxy/authproxy/client"
	"sfmcp-proxy/authproxy/oversight"
	"sfmcp-proxy/authproxy/people"
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
		table.Rows = append(table.Rows, []ui.Cell{
			{Text: c.Name, Faint: c.ID}, kindOf(&c), {Text: fmt.Sprint(c.Connections), Path: "/console/connections?client=" + url.QueryEscape(c.ID)},
			{Text: fmt.Sprint(c.People)}, {Text: sinceUse(q, c.LastUse)}, {Text: "Block, or end everything", Path: "/console/clients?id=" + url.QueryEscape(c.ID)},
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
func kindOf(c *oversight.Client) ui.Cell {
	if c.Blocked {
		return ui.Cell{Text: "blocked", Kind: "denied", Faint: string(c.Kind)}
	}
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
	var facts []ui.Fact
	if q.Holds(people.Security) {
		facts = append(facts, ui.Fact{Name: "An incident?", Cell: ui.Cell{Text: "contain it, with every step confirmed", Path: incidentPath("id", c.ID)}})
	}
	fields := []ui.HiddenField{{Name: "client", Value: c.ID}}
	amount := fmt.Sprintf("%s of %s end", counted(c.Connections, "connection"), counted(c.People, "user"))
	block := q.button(ui.Act{Path: "clients/block", Label: "Block this client", Reason: true, Danger: true, Fields: fields,
		Text: amount + ", and it is refused for everybody until somebody unblocks it. A program that registers itself can come again under another id."})
	if c.Blocked {
		block = q.button(ui.Act{Path: "clients/unblock", Label: "Unblock this client", Reason: true, Text: "People can connect it again. What was ended stays so.", Fields: fields})
	}
	return ui.Section{Heading: "End everything of " + c.Name, Facts: facts, Acts: acts(block, q.button(ui.Act{Path: "clients/revoke", Label: "Revoke this client", Reason: true, Danger: true,
		Text: amount + ", and what it registered is forgotten. It can be connected anew.", Fields: fields}))}
}

// revokeClient ends all connections of a client.
func (t peoplePages) revokeClient(q *request) error {
	c, act, err := t.clientToCut(q)
	if err != nil {
		return err
	}
	ended, err := t.Cutoff.RevokeClient(q.Context(), c.ID, act)
	return t.done(q, "Revoked", fmt.Sprintf("%s of the client %s ended.", counted(len(ended), "connection"), c.ID), err, ui.Link{Text: "Clients", Path: "/console/clients"})
}

// sinceUse is when something was used last.
func sinceUse(q *request, at time.Time) string {
	if at.IsZero() {
		return "never"
	}
	return ui.Moment(at, q.Now)
}

// blockClient ends all connections of a program and refuses it.
func (t peoplePages) blockClient(q *request) error {
	c, act, err := t.clientToCut(q)
	if err != nil {
		return err
	}
	ended, _, err := t.Cutoff.BlockClient(q.Context(), c.ID, act)
	return t.done(q, "Blocked", fmt.Sprintf("%s of the client %s ended. It is refused until somebody unblocks it.", counted(len(ended), "connection"), c.ID), err, clientLink(c))
}

// unblockClient lets people connect a program again.
func (t peoplePages) unblockClient(q *request) error {
	c, act, err := t.clientToCut(q)
	if err != nil {
		return err
	}
	if err := t.Cutoff.UnblockClient(q.Context(), c.ID, act); err != nil {
		return missing(err)
	}
	return t.done(q, "Unblocked", "People can connect "+c.Name+" again. What was ended stays so.", nil, clientLink(c))
}

// clientToCut is the client that a form names, with why.
func (t peoplePages) clientToCut(q *request) (*oversight.Client, authproxy.Act, error) {
	act, err := q.act()
	if err != nil {
		return nil, act, err
	}
	c, err := t.Reads.Client(q.Context(), q.Member.Form.Get("client"))
	return c, act, missing(err)
}

func clientLink(c *oversight.Client) ui.Link {
	return ui.Link{Text: c.Name, Path: "/console/clients?id=" + url.QueryEscape(c.ID)}
}
