package team

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/console"
	"sfmcp-proxy/authproxy/definition"
	"sfmcp-proxy/authproxy/oversight"
	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/authproxy/policy/analysis"
	"sfmcp-proxy/authproxy/ui"
)

// tools lists what hosted servers list: what waits for a person first.
func (t toolPages) tools(q *request) error {
	p := q.page("Tools", "/console/tools", "What the hosted servers list. A new or changed definition is hidden until somebody has read the difference and accepts it.")
	server, state := q.asked("server"), q.asked("state")
	var names []string
	for _, s := range t.Reads.Hosted() {
		names = append(names, s.Endpoint)
	}
	p.Search = []ui.SearchField{
		{Name: "server", Label: "Server", Value: server, Options: names},
		{Name: "state", Label: "State", Value: state, Options: []string{string(definition.Waiting), string(definition.Accepted), string(definition.Rejected)}},
	}
	all, err := t.Reads.DefinitionList(q.Context(), server, state)
	if err != nil {
		return err
	}
	var waiting, others [][]ui.Cell
	found := map[*[][]ui.Cell]int{}
	for _, d := range all {
		of := &others
		if d.State == definition.Waiting {
			of = &waiting
		}
		if found[of]++; found[of] > maxLines {
			continue
		}
		*of = append(*of, t.definitionRow(q, d))
	}
	columns := []string{"Name", "Server", "State", "Class", "Last call", "Seen", "Decided by"}
	p.Sections = append(p.Sections, ui.Section{Heading: "Waiting for a person", Text: shown(len(waiting), found[&waiting], "Choose a server to see fewer."), Table: &ui.Table{Caption: "Definitions that wait", Columns: columns, Rows: waiting, Empty: "None: nothing changed that nobody has looked at."}})
	p.Sections = append(p.Sections, ui.Section{Heading: "Decided", Text: shown(len(others), found[&others], "Choose a server to see fewer."),
		Table: &ui.Table{Caption: "Definitions that are decided", Columns: columns, Rows: others, Empty: "None. What a hosted server lists is recorded when a client first lists or calls its tools."}})
	return t.show(q, p)
}

func (t toolPages) definitionRow(q *request, d oversight.Definition) []ui.Cell {
	used, err := t.Reads.LastUse(q.Context(), d.Endpoint, d.Called())
	use := ui.Cell{Text: sinceUse(q, used)}
	if err != nil {
		t.unread(q, "when a tool was called last", err)
		use = ui.Cell{Text: unreadCell, Kind: "warn"}
	}
	return []ui.Cell{{Text: d.Called(), Path: toolPath(d.Endpoint, d.Called())}, {Text: d.Endpoint}, stateOf(d.Pinned), {Text: classesOf(d.Classes)}, use,
		{Text: ui.Moment(d.SeenAt, q.Now)}, {Text: q.by(d.DecidedBy)}}
}

// classesOf are the classes that calls of a tool can have, as policies write them.
func classesOf(classes []policy.Class) string {
	var names []string
	for _, c := range classes {
		names = append(names, string(c))
	}
	return strings.Join(names, " or ")
}

func stateOf(d definition.Pinned) ui.Cell {
	kind := map[definition.State]string{definition.Accepted: "good", definition.Waiting: "warn", definition.Rejected: "denied"}[d.State]
	return ui.Cell{Text: string(d.State), Kind: kind}
}

func toolPath(endpoint, name string) string {
	return "/console/tools/" + url.PathEscape(endpoint) + "/" + url.PathEscape(name)
}

// maxSide is how much of each side of a difference is shown, in bytes.
const maxSide = 2000

// tool shows the definitions of one name: what is accepted, and how others differ from it.
func (t toolPages) tool(q *request) error {
	server, name := q.variable("server"), q.variable("tool")
	of, others, err := t.Reads.DefinitionsOf(q.Context(), server, name)
	if err != nil {
		return missing(err)
	}
	p := q.page(name, "/console/tools", "")
	p.Back = &ui.Link{Text: "Tools of " + server, Path: "/console/tools?server=" + url.QueryEscape(server)}
	var accepted *definition.Pinned
	for i := range of {
		if of[i].State == definition.Accepted {
			accepted = &of[i]
		}
	}
	use := ui.Cell{Text: "never, as far as the log is kept"}
	switch used, err := t.Reads.LastCall(q.Context(), server, name); {
	case err != nil:
		t.unread(q, "when a tool was called last", err)
		use = ui.Cell{Text: unreadCell, Kind: "warn"}
	case used.Seq != 0:
		use = ui.Cell{Text: ui.Moment(used.At, q.Now), Path: entryPath(used.Seq), Faint: "by " + called("", used.Username, used.Subject) + ", " + string(used.Outcome)}
	}
	p.Sections = append(p.Sections, ui.Section{Facts: []ui.Fact{{Name: "Last call", Cell: use},
		{Name: "All calls", Cell: ui.Cell{Text: "search the audit log", Path: "/console/audit?" + url.Values{"tool": {name}, "server": {server}}.Encode()}}}})
	for _, d := range of {
		p.Sections = append(p.Sections, t.definitionSection(q, server, d, accepted, others))
	}
	p.Sections = append(p.Sections, t.whoCanCall(server, name)...)
	return t.show(q, p)
}

// whoCanCall says who may call a tool, and by which rule, at each endpoint in front of its server.
func (t toolPages) whoCanCall(server, name string) (sections []ui.Section) {
	all, people := t.Analysed()
	for _, s := range all {
		if !t.Reads.SameHosted(server, s.Name) {
			continue
		}
		table := &ui.Table{Caption: "Who may call it at " + s.Name, Columns: []string{"What", "Who", "How"}, Empty: "Nobody may call it."}
		possible := analysis.WhoCanCall(s, people, name)
		for _, one := range possible[:min(len(possible), maxLines)] {
			table.Rows = append(table.Rows, []ui.Cell{{Text: one.What()}, {Text: one.Who()}, {Text: one.Ways.String()}})
		}
		sections = append(sections, ui.Section{Heading: "Who may call it at " + s.Name, Text: shown(len(table.Rows), len(possible), "'policy who-can' at the command line has all."), Table: table})
	}
	if n := len(sections); n > maxEndpoints {
		sections = append(sections[:maxEndpoints:maxEndpoints], ui.Section{Heading: "Who may call it elsewhere", Text: endpointsShown(n)})
	}
	return sections
}

// endpointsShown says that there are more endpoints than a page speaks of.
func endpointsShown(n int) string {
	return fmt.Sprintf("%d of %d servers are shown. 'policy who-can' and 'policy diff' at the command line have all.", maxEndpoints, n)
}

// maxEndpoints is of how many endpoints in front of one hosted server a page speaks.
const maxEndpoints = 10

func (t toolPages) definitionSection(q *request, server string, d definition.Pinned, accepted *definition.Pinned, others []string) ui.Section {
	s := ui.Section{Heading: ui.Capital(string(d.State)), Facts: []ui.Fact{
		{Name: "State", Cell: stateOf(d)}, {Name: "Why it was recorded", Cell: ui.Cell{Text: string(d.Why)}}, {Name: "Seen", Cell: ui.Cell{Text: ui.Moment(d.SeenAt, q.Now)}},
		{Name: "Digest (SHA-256)", Cell: ui.Cell{Text: d.Digest, Code: true}},
	}}
	if classes := t.Reads.At(server, d).Classes; len(classes) > 0 {
		s.Facts = append(s.Facts, ui.Fact{Name: "Class", Cell: ui.Cell{Text: classesOf(classes)}})
	}
	if !d.DecidedAt.IsZero() {
		s.Facts = append(s.Facts, ui.Fact{Name: "Decided", Cell: ui.Cell{Text: ui.Moment(d.DecidedAt, q.Now), Faint: "by " + q.by(d.DecidedBy)}})
	}
	for _, sign := range definition.Signs(d.Text, others) {
		s.Facts = append(s.Facts, ui.Fact{Name: "Look at", Cell: ui.Cell{Text: sign, Kind: "warn"}})
	}
	s.Table = differences(d, accepted)
	hidden := []ui.HiddenField{{Name: "digest", Value: d.Digest}}
	path := strings.TrimPrefix(toolPath(server, definition.Called(d.Kind, d.Name)), "/console/") + "/decide"
	switch {
	case d.State == definition.Accepted:
	case d.Acceptable() != nil:
		s.Facts = append(s.Facts, ui.Fact{Name: "It cannot be accepted", Cell: ui.Cell{Text: unclear}})
	default:
		s.Acts = append(s.Acts, acts(q.button(ui.Act{Path: path, Label: "Accept exactly this", Text: "Clients will see it, and may call it by the policy. Every other definition of this name stays hidden.",
			Fields: append(hidden, ui.HiddenField{Name: "decision", Value: "accept"})}))...)
	}
	if d.State != definition.Rejected {
		s.Acts = append(s.Acts, acts(q.button(ui.Act{Path: path, Label: "Reject", Danger: true, Text: "It will be hidden, and nobody can call it any more.",
			Fields: append(hidden[:1:1], ui.HiddenField{Name: "decision", Value: "reject"})}))...)
	}
	return s
}

// unclear is why a definition is not [definition.Pinned.Acceptable].
const unclear = "What it means is not known: it is listed twice, too long to be kept whole, or changed by something else than the proxy."

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
	of, _, err := t.Reads.DefinitionsOf(q.Context(), server, name)
	if err != nil {
		return missing(err)
	}
	decision := q.Member.Form.Get("decision")
	done := map[string]string{"accept": "Accepted: clients see it and may call it by the policy.", "reject": "Rejected: it is hidden, and nobody can call it."}[decision]
	if done == "" {
		return console.Problem(http.StatusBadRequest, "No decision", "The form holds no decision. Nothing was done.")
	}
	err = t.Definitions.Decide(q.Context(), q.Actor(), server, of, q.Member.Form.Get("digest"), decision == "accept")
	if errors.Is(err, definition.ErrUnclear) {
		return console.Problem(http.StatusConflict, "It cannot be accepted", unclear+" Nothing was done.")
	}
	if !audit.TookEffect(err) {
		return missing(err)
	}
	return t.done(q, name, done, err, ui.Link{Text: name, Path: toolPath(server, name)})
}
