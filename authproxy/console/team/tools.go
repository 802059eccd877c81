package team

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"sfmcp-proxy/authproxy"
	"sfmcp-proxy/authproxy/console"
	"sfmcp-proxy/authproxy/definition"
	"sfmcp-proxy/authproxy/ui"
)

// hostedServer is one hosted server, with the first endpoint in front of it.
type hostedServer struct {
	endpoint string
	hosted   definition.Server
}

// hosted are the hosted servers, each once.
func (t *Team) hosted() (all []hostedServer) {
	seen := map[definition.Server]bool{}
	for _, s := range t.Access.Servers() {
		of := definition.Server{Org: s.Org, URL: s.URL}
		if !seen[of] {
			seen[of] = true
			all = append(all, hostedServer{s.Name, of})
		}
	}
	return all
}

// tools lists what hosted servers list: what waits for a person first.
func (t toolPages) tools(q *request) error {
	p := q.page("Tools", "/console/tools", "What the hosted servers list. A new or changed definition is hidden until somebody has read the difference and accepts it.")
	server, state := q.asked("server"), q.asked("state")
	var names []string
	for _, s := range t.hosted() {
		names = append(names, s.endpoint)
	}
	p.Search = []ui.SearchField{
		{Name: "server", Label: "Server", Value: server, Options: names},
		{Name: "state", Label: "State", Value: state, Options: []string{string(definition.Waiting), string(definition.Accepted), string(definition.Rejected)}},
	}
	var waiting, others [][]ui.Cell
	for _, s := range t.hosted() {
		if server != "" && server != s.endpoint {
			continue
		}
		all, err := t.Definitions.List(q.Context(), s.hosted)
		if err != nil {
			return err
		}
		for _, d := range all {
			if state != "" && state != string(d.State) {
				continue
			}
			if row := definitionRow(q, s.endpoint, d); d.State == definition.Waiting {
				waiting = append(waiting, row)
			} else {
				others = append(others, row)
			}
		}
	}
	columns := []string{"Name", "Server", "State", "Class", "Seen", "Decided by"}
	p.Sections = append(p.Sections, ui.Section{Heading: "Waiting for a person", Table: &ui.Table{Caption: "Definitions that wait", Columns: columns, Rows: waiting, Empty: "None: nothing changed that nobody has looked at."}})
	found := len(others)
	others = others[:min(found, maxLines)]
	p.Sections = append(p.Sections, ui.Section{Heading: "Decided", Text: shown(len(others), found, "Choose a server to see fewer."),
		Table: &ui.Table{Caption: "Definitions that are decided", Columns: columns, Rows: others, Empty: "None. What a hosted server lists is recorded when a client first lists or calls its tools."}})
	t.addClasses(p)
	return t.show(q, p)
}

func definitionRow(q *request, endpoint string, d definition.Pinned) []ui.Cell {
	name := definition.Called(d.Kind, d.Name)
	return []ui.Cell{{Text: name, Path: toolPath(endpoint, name)}, {Text: endpoint}, stateOf(d), {}, {Text: ui.Moment(d.SeenAt, q.Now)}, {Text: d.DecidedBy.String()}}
}

// addClasses says in each row what class the policy of its server gives the tool.
func (t toolPages) addClasses(p *ui.ConsolePage) {
	for _, s := range p.Sections {
		for _, row := range s.Table.Rows {
			if server := t.Access.Server(row[1].Text); server != nil && server.Policy != nil && !strings.Contains(row[0].Text, ":") {
				row[3].Text = string(server.Policy.ClassOf(row[0].Text, nil))
			}
		}
	}
}

func stateOf(d definition.Pinned) ui.Cell {
	kind := map[definition.State]string{definition.Accepted: "good", definition.Waiting: "warn", definition.Rejected: "denied"}[d.State]
	return ui.Cell{Text: string(d.State), Kind: kind}
}

func toolPath(endpoint, name string) string {
	return "/console/tools/" + url.PathEscape(endpoint) + "/" + url.PathEscape(name)
}

// definitionsOf are those of the name in the path, and the names of the server's other tools.
func (t toolPages) definitionsOf(ctx context.Context, server, called string) (of []definition.Pinned, others []string, err error) {
	s := t.Access.Server(server)
	if s == nil {
		return nil, nil, errNothing
	}
	all, err := t.Definitions.List(ctx, definition.Server{Org: s.Org, URL: s.URL})
	if err != nil {
		return nil, nil, err
	}
	kind, name := definition.ParseCalled(called)
	for _, d := range all {
		if d.Kind == kind && d.Name == name {
			of = append(of, d)
		} else if d.Kind == definition.Tool {
			others = append(others, d.Name)
		}
	}
	if len(of) == 0 {
		return nil, nil, errNothing
	}
	return of, others, nil
}

// maxSide is how much of each side of a difference is shown, in bytes.
const maxSide = 2000

// tool shows the definitions of one name: what is accepted, and how others differ from it.
func (t toolPages) tool(q *request) error {
	server, name := q.variable("server"), q.variable("tool")
	of, others, err := t.definitionsOf(q.Context(), server, name)
	if err != nil {
		return err
	}
	p := q.page(name, "/console/tools", "")
	p.Back = &ui.Link{Text: "Tools of " + server, Path: "/console/tools?server=" + url.QueryEscape(server)}
	var accepted *definition.Pinned
	for i := range of {
		if of[i].State == definition.Accepted {
			accepted = &of[i]
		}
	}
	for _, d := range of {
		p.Sections = append(p.Sections, t.definitionSection(q, server, d, accepted, others))
	}
	return t.show(q, p)
}

func (t toolPages) definitionSection(q *request, server string, d definition.Pinned, accepted *definition.Pinned, others []string) ui.Section {
	s := ui.Section{Heading: strings.ToUpper(string(d.State)[:1]) + string(d.State)[1:], Facts: []ui.Fact{
		{Name: "State", Cell: stateOf(d)}, {Name: "Why it was recorded", Cell: ui.Cell{Text: string(d.Why)}}, {Name: "Seen", Cell: ui.Cell{Text: ui.Moment(d.SeenAt, q.Now)}},
		{Name: "Digest (SHA-256)", Cell: ui.Cell{Text: d.Digest, Code: true}},
	}}
	if !d.DecidedAt.IsZero() {
		s.Facts = append(s.Facts, ui.Fact{Name: "Decided", Cell: ui.Cell{Text: ui.Moment(d.DecidedAt, q.Now), Faint: "by " + d.DecidedBy.String()}})
	}
	for _, sign := range definition.Signs(d.Text, others) {
		s.Facts = append(s.Facts, ui.Fact{Name: "Look at", Cell: ui.Cell{Text: sign, Kind: "warn"}})
	}
	s.Table = differences(d, accepted)
	hidden := []ui.HiddenField{{Name: "digest", Value: d.Digest}}
	path := strings.TrimPrefix(toolPath(server, definition.Called(d.Kind, d.Name)), "/console/") + "/decide"
	if d.State != definition.Accepted {
		s.Acts = append(s.Acts, acts(q.button(ui.Act{Path: path, Label: "Accept exactly this", Text: "Clients will see it, and may call it by the policy. Every other definition of this name stays hidden.",
			Fields: append(hidden, ui.HiddenField{Name: "decision", Value: "accept"})}))...)
	}
	if d.State != definition.Rejected {
		s.Acts = append(s.Acts, acts(q.button(ui.Act{Path: path, Label: "Reject", Danger: true, Text: "It will be hidden, and nobody can call it any more.",
			Fields: append(hidden[:1:1], ui.HiddenField{Name: "decision", Value: "reject"})}))...)
	}
	return s
}

// differences is what of a definition is not as in the accepted one, or all of it if there is
// none or it is the accepted one.
func differences(d definition.Pinned, accepted *definition.Pinned) *ui.Table {
	table := &ui.Table{Caption: "Definition", Columns: []string{"Where", "Text"}, Empty: "The text is too long to be kept, or was changed by something else than the proxy."}
	var before []byte
	if accepted != nil && accepted.Digest != d.Digest {
		before = accepted.Text
		table.Caption, table.Columns = "How it differs from what is accepted", []string{"Where", "Accepted", "This one"}
	}
	for _, c := range definition.Difference(before, d.Text) {
		was, is := definition.Around(c.Before, c.After, maxSide)
		row := []ui.Cell{{Text: c.Path, Code: true}}
		if before != nil {
			row = append(row, ui.Cell{Text: was})
		}
		table.Rows = append(table.Rows, append(row, ui.Cell{Text: is}))
	}
	return table
}

// decideTool takes a decision about exactly one definition.
func (t toolPages) decideTool(q *request) error {
	server, name := q.variable("server"), q.variable("tool")
	of, _, err := t.definitionsOf(q.Context(), server, name)
	if err != nil {
		return err
	}
	to := &authproxy.Definitions{Store: t.Definitions, Audit: t.Audit}
	decide, done := to.Accept, "Accepted: clients see it and may call it by the policy."
	switch q.Member.Form.Get("decision") {
	case "accept":
	case "reject":
		decide, done = to.Reject, "Rejected: it is hidden, and nobody can call it."
	default:
		return console.Problem(http.StatusBadRequest, "No decision", "The form holds no decision. Nothing was done.")
	}
	for _, d := range of {
		if d.Digest != q.Member.Form.Get("digest") {
			continue
		}
		err := decide(q.Context(), q.Actor(), server, d)
		switch {
		case errors.Is(err, definition.ErrUnclear):
			return console.Problem(http.StatusConflict, "It cannot be accepted", "What it means is not known: it is listed twice, or too long to be kept whole. Nothing was done.")
		case errors.Is(err, definition.ErrNotFound):
			return errNothing
		case err != nil && !errors.Is(err, definition.ErrAlready):
			return err
		}
		return t.done(q, name, done, nil, ui.Link{Text: name, Path: toolPath(server, name)})
	}
	return errNothing
}
