package team

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"sfmcp-proxy/authproxy/access"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/ui"
)

// Bounds of a search in the audit log.
const (
	entriesShown = 50
	// textLooked is how many of the newest entries that fit otherwise are looked through for a
	// text, which no index knows.
	textLooked = 5000
)

// entries searches the audit log.
func (t logPages) entries(q *request) error {
	p := q.page("Audit log", "/console/audit", "Who did what, for whom, by which rule, and how it ended. Times are UTC.")
	p.Search = t.entryFields(q)
	filter, err := t.filter(q)
	if err != nil {
		p.Notes = append(p.Notes, ui.ConsoleNote{Kind: "warn", Text: err.Error()})
		return t.show(q, p)
	}
	found, err := t.search(q.Context(), filter, q.asked("text"))
	if err != nil {
		return err
	}
	table := entryTable(q.Now, found)
	table.Empty = "No entry fits."
	p.Sections = append(p.Sections, ui.Section{Table: table})
	if len(found) == entriesShown {
		older := q.URL.Query()
		older.Set("before", strconv.FormatInt(found[0].Seq, 10))
		p.More = &ui.Link{Text: "Older entries", Path: "/console/audit?" + older.Encode()}
	}
	return t.show(q, p)
}

func (t logPages) entryFields(q *request) []ui.SearchField {
	var outcomes, actions []string
	for _, o := range audit.Outcomes() {
		outcomes = append(outcomes, string(o))
	}
	for _, d := range audit.Actions() {
		actions = append(actions, string(d.Action))
	}
	field := func(name, label, hint string, options ...string) ui.SearchField {
		return ui.SearchField{Name: name, Label: label, Value: q.asked(name), Hint: hint, Options: options}
	}
	fields := []ui.SearchField{
		field("person", "Person", "user id or username"), field("tool", "Tool", "soqlQuery"), field("outcome", "Outcome", "", outcomes...), field("since", "Since", "7d, 2026-03-01"),
		field("text", "Text", fmt.Sprintf("in the newest %d that fit", textLooked)),
	}
	for _, f := range []ui.SearchField{
		field("until", "Until", "a date means its end"), field("client", "Client", "client id"), field("server", "Server", "", t.serverNames()...),
		field("action", "Action", "", actions...), field("object", "Acted on", "exactly"), field("rule", "Rule", "as an entry names it"),
		field("approval", "Approval", "apr_…"), field("request", "Request id", "from an error page"),
	} {
		f.Rare = true
		fields = append(fields, f)
	}
	return fields
}

// filter is what was asked for. Its error is a sentence for whoever asked.
func (t logPages) filter(q *request) (f audit.Filter, err error) {
	f = audit.Filter{Tool: q.asked("tool"), Client: q.asked("client"), Server: q.asked("server"), Outcome: audit.Outcome(q.asked("outcome")), Action: q.asked("action"),
		Object: q.asked("object"), Rule: q.asked("rule"), Approval: q.asked("approval"), Request: strings.ToUpper(q.asked("request"))}
	for _, at := range []struct {
		name string
		set  func(begin, end time.Time)
	}{
		{"since", func(begin, _ time.Time) { f.Since = begin }},
		{"until", func(_, end time.Time) { f.Until = end }},
	} {
		text := q.asked(at.name)
		if text == "" {
			continue
		}
		begin, end, err := t.Times(text, q.Now.UTC())
		if err != nil {
			return f, fmt.Errorf("%s: %w", at.name, err)
		}
		at.set(begin, end)
	}
	if before := q.asked("before"); before != "" {
		if f.Before, err = strconv.ParseInt(before, 10, 64); err != nil || f.Before < 1 {
			return f, errors.New("before: expected the number of an entry")
		}
	}
	if who := q.asked("person"); who != "" {
		f.Person, err = t.PersonIn(q.Context(), who)
		if unknown, ok := errors.AsType[*access.UnknownUserError](err); ok {
			return f, unknown
		}
	}
	return f, err
}

// found are the entries that a filter with a limit selects, the oldest first.
func (t *Team) found(ctx context.Context, f audit.Filter) (found []audit.Entry, err error) {
	err = t.Audit.List(ctx, f, func(e audit.Entry) error { found = append(found, e); return nil })
	return found, err
}

// search are the newest entries that fit and say the text, the oldest first.
func (t logPages) search(ctx context.Context, f audit.Filter, text string) ([]audit.Entry, error) {
	if f.Limit = entriesShown; text != "" {
		f.Limit = textLooked
	}
	found, err := t.found(ctx, f)
	if err != nil || text == "" {
		return found, err
	}
	text = strings.ToLower(text)
	fits := slices.DeleteFunc(found, func(e audit.Entry) bool {
		line, err := json.Marshal(e)
		return err != nil || !strings.Contains(strings.ToLower(string(line)), text)
	})
	return fits[max(0, len(fits)-entriesShown):], nil
}

func entryPath(seq int64) string { return "/console/audit/" + strconv.FormatInt(seq, 10) }

// entryTable lists entries, the newest first.
func entryTable(now time.Time, found []audit.Entry) *ui.Table {
	table := &ui.Table{Caption: "Entries", Columns: []string{"When", "Who", "What", "Outcome", "Rule", "Through"}, Empty: "None."}
	for _, e := range slices.Backward(found) {
		table.Rows = append(table.Rows, []ui.Cell{
			{Text: e.At.UTC().Format("2006-01-02 15:04:05"), Path: entryPath(e.Seq), Faint: "entry " + strconv.FormatInt(e.Seq, 10)},
			whoOf(e), {Text: whatOf(e), Faint: e.Reason}, outcomeOf(e), {Text: e.Rule}, {Text: e.Server, Faint: e.Client},
		})
	}
	return table
}

// whoOf is who acted, or for whom, as people know them.
func whoOf(e audit.Entry) ui.Cell {
	c := ui.Cell{Text: called("", e.Username, e.Subject)}
	if e.Subject != "" && e.Personal == "" {
		c.Path = personPath(e.Org, e.Subject)
	}
	if !e.Actor.IsUser() || e.Actor.ID != e.Subject {
		by := e.Actor.String()
		c.Faint = "by " + by[strings.LastIndex(by, " ")+1:] // of somebody of the company, without the issuer
	}
	return c
}

// whatOf is what was done, to what.
func whatOf(e audit.Entry) string {
	what := string(e.Action)
	switch {
	case e.Tool != "":
		what += " " + e.Tool
	case e.Object != "":
		what += " " + e.Object
	}
	if len(e.Records) > 0 {
		what += ", " + e.Records[0].Object
	}
	return what
}

func outcomeOf(e audit.Entry) ui.Cell {
	kind := map[audit.Outcome]string{audit.OK: "good", audit.Held: "warn", audit.Denied: "denied", audit.Failed: "denied", audit.Unknown: "denied"}[e.Outcome]
	return ui.Cell{Text: string(e.Outcome), Kind: kind, Faint: e.Status}
}

// entry shows one entry whole, with the others of the same request. That somebody read it is
// recorded first.
func (t logPages) entry(q *request) error {
	seq, err := strconv.ParseInt(q.variable("entry"), 10, 64)
	if err != nil || seq < 1 {
		return errNothing
	}
	e, _, err := t.Audit.Entry(q.Context(), seq)
	if errors.Is(err, audit.ErrNoEntry) {
		return errNothing
	}
	if err != nil {
		return err
	}
	if _, err := t.Audit.Append(q.Context(), audit.Entry{Actor: q.Actor(), Action: audit.LogRead, Outcome: audit.OK, Object: "entry " + strconv.FormatInt(seq, 10)}); err != nil {
		return err
	}
	p := q.page("Entry "+strconv.FormatInt(seq, 10), "/console/audit", "")
	p.Back = &ui.Link{Text: "Audit log", Path: "/console/audit"}
	facts, block, err := factsOf(e)
	if err != nil {
		return err
	}
	p.Sections = append(p.Sections, ui.Section{Facts: facts})
	if block != "" {
		p.Sections = append(p.Sections, ui.Section{Heading: "Arguments, as they are recorded", Block: block})
	}
	if e.RequestID != "" {
		same, err := t.found(q.Context(), audit.Filter{Request: e.RequestID, Limit: entriesShown})
		if err != nil {
			return err
		}
		p.Sections = append(p.Sections, ui.Section{Heading: "All of the same request", Table: entryTable(q.Now, same)})
	}
	p.Sections = append(p.Sections, ui.Section{Heading: "Proof", Text: "Whoever has the log's public key can check that exactly this entry stands in the log, without trusting this page:",
		Block: fmt.Sprintf("sfmcp-proxy audit prove %d > entry-%d.proof", seq, seq)})
	return t.show(q, p)
}

// factsOf are the members of an entry, by name, and its arguments in lines.
func factsOf(e audit.Entry) (facts []ui.Fact, arguments string, err error) {
	text, err := json.Marshal(e)
	if err != nil {
		return nil, "", err
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(text, &members); err != nil {
		return nil, "", err
	}
	var lines bytes.Buffer
	for _, name := range []string{"arguments", "sent"} {
		if value, ok := members[name]; ok {
			if lines.Len() > 0 {
				lines.WriteString("\n\nsent in their place:\n")
			}
			if err := json.Indent(&lines, value, "", "  "); err != nil {
				return nil, "", err
			}
			delete(members, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		var plain string
		if json.Unmarshal(members[name], &plain) != nil {
			plain = string(members[name])
		}
		cell := ui.Cell{Text: plain}
		if path := entryLink(name, plain); path != "" {
			cell.Path = path
		}
		facts = append(facts, ui.Fact{Name: strings.ReplaceAll(name, "_", " "), Cell: cell})
	}
	return facts, lines.String(), nil
}

// entryLink is where a member of an entry leads: to the others that have the same.
func entryLink(name, value string) string {
	switch name {
	case "client", "server", "tool", "rule", "approval":
		return "/console/audit?" + url.Values{name: {value}}.Encode()
	case "intent":
		return "/console/audit/" + url.PathEscape(value)
	}
	return ""
}
