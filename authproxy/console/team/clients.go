package team

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"sfmcp-proxy/authproxy"
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
	if id := q.asked("id"); id != "" {
		c, err := t.among(q, all, id)
		if err != nil {
			return err
		}
		p.Sections = append(p.Sections, t.clientActs(q, c))
	}
	asked := q.asked("unused")
	p.Search = []ui.SearchField{{Name: "unused", Label: "Which", Value: asked, Options: []string{hiddenClients}, All: "in use"}}
	var listed []oversight.Client
	hidden := 0
	for _, c := range all {
		if c.Hidden {
			hidden++
		}
		if c.Hidden == (asked == hiddenClients) {
			listed = append(listed, c)
		}
	}
	p.Sections = append(p.Sections, t.clientTable(q, listed, asked == hiddenClients))
	if hidden > 0 && asked != hiddenClients {
		p.More = &ui.Link{Text: counted(hidden, "client") + " unused for " + inDays(t.Reads.Clients.Lifecycle().HideAfter) + " or longer", Path: "/console/clients?" + url.Values{"unused": {hiddenClients}}.Encode()}
	}
	return t.show(q, p)
}

// among is one of the clients that are listed, or one that is known by its connections alone.
func (t peoplePages) among(q *request, all []oversight.Client, id string) (*oversight.Client, error) {
	if at := slices.IndexFunc(all, func(c oversight.Client) bool { return c.ID == id }); at >= 0 {
		return &all[at], nil
	}
	c, err := t.Reads.Client(q.Context(), id)
	return c, missing(err)
}

// hiddenClients is what is chosen to see those that nobody has used for long.
const hiddenClients = "unused for long"

// clientTable lists programs; hidden are those that nobody has used for long.
func (t peoplePages) clientTable(q *request, all []oversight.Client, hidden bool) ui.Section {
	table := &ui.Table{Caption: "Clients", Columns: []string{"Client", "Kind", "Connections", "People", "Last use", "What to do"}, Empty: "No client is known."}
	s := ui.Section{Table: table}
	if hidden {
		s.Text, table.Empty = t.lifecycleInWords(), "None: everything that is known was used lately, or is configured and has no connection."
	}
	for _, c := range all[:min(len(all), maxLines)] {
		use := ui.Cell{Text: sinceUse(q, c.LastUse)}
		if c.Hidden && !c.EndsAt.IsZero() {
			use.Faint = "its connections end " + ui.Moment(c.EndsAt, q.Now)
		}
		table.Rows = append(table.Rows, []ui.Cell{
			{Text: c.Name, Faint: c.ID}, kindOf(&c), {Text: fmt.Sprint(c.Connections), Path: "/console/connections?client=" + url.QueryEscape(c.ID)},
			{Text: fmt.Sprint(c.People)}, use, {Text: "Block, or end everything", Path: "/console/clients?id=" + url.QueryEscape(c.ID)},
		})
	}
	s.Text = strings.TrimSpace(s.Text + " " + shown(len(table.Rows), len(all), "'client list --all' at the command line has all."))
	return s
}

// lifecycleInWords says what becomes of clients that nobody uses.
func (t peoplePages) lifecycleInWords() string {
	l := t.Reads.Clients.Lifecycle()
	text := "Nobody has used these for " + inDays(l.HideAfter) + ". One call, and a client is in the list again."
	if l.EndAfter > 0 {
		text += " After " + inDays(l.EndAfter) + " all its connections end by themselves, and the audit log says so."
	}
	return text
}

// inDays is a long time in words.
func inDays(d time.Duration) string {
	if d%(24*time.Hour) == 0 {
		return counted(int(d/(24*time.Hour)), "day")
	}
	return d.String()
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
	if q.reaches(http.MethodGet, "/console/incident") {
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
	o := outcome{title: "Revoked", text: fmt.Sprintf("%s of the client %s ended.", counted(len(ended), "connection"), c.ID), reached: len(ended) > 0 || err != nil, incomplete: err, back: ui.Link{Text: "Clients", Path: "/console/clients"}}
	switch {
	case o.reached:
	case c.Kind == client.Document || c.Kind == client.Dynamic:
		o.reached, o.text = true, fmt.Sprintf("The client %s had no connection. What it registered is forgotten.", c.ID)
	default:
		o.title, o.text = "Nothing to end", fmt.Sprintf("The client %s has no connection, and no registration to be forgotten: nothing ended.", c.ID)
	}
	return t.tell(q, o)
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
	o := outcome{title: "Blocked", text: fmt.Sprintf("%s of the client %s ended. It is refused until somebody unblocks it.", counted(len(ended), "connection"), c.ID), reached: len(ended) > 0 || !c.Blocked || err != nil, incomplete: err, back: clientLink(c)}
	if !o.reached {
		o.title, o.text = "Nothing to end", fmt.Sprintf("The client %s is blocked already, and had no connection: nothing ended.", c.ID)
	}
	return t.tell(q, o)
}

// unblockClient lets people connect a program again.
func (t peoplePages) unblockClient(q *request) error {
	c, act, err := t.clientToCut(q)
	if err != nil {
		return err
	}
	if err := t.Cutoff.UnblockClient(q.Context(), c.ID, act); errors.Is(err, client.ErrNotBlocked) {
		return notBlocked("The client " + c.Name)
	} else if err != nil {
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
