package team

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/oversight"
	"sfmcp-proxy/authproxy/ui"
)

// entriesShown is how many entries a page shows.
const entriesShown = 50

// everyEntry asks for what was recorded before and after a deed, both: without it stands how it ended.
const everyEntry = "every entry"

// entries searches the audit log.
func (t logPages) entries(q *request) error {
	p := q.page("Audit log", "/console/audit", "Who did what, for whom, by which rule, and how it ended. Times are UTC.")
	p.Search = t.entryFields(q)
	filter, whom, err := t.Reads.Filter(q.Context(), q.asked, q.Now)
	if err != nil {
		return t.wrongSearch(q, p, err)
	}
	if whom != nil {
		p.Notes = append(p.Notes, whomNotes(whom.String(), whom.Unsure)...)
	}
	look := t.Reads.Ended
	if q.asked("show") == everyEntry {
		look = t.Reads.Entries
	}
	found, before, err := look(q.Context(), filter, q.asked("text"), entriesShown)
	if err != nil {
		return err
	}
	table := entryTable(q, found)
	table.Empty = "No entry fits."
	p.Tiles = t.wholeTiles(q)
	p.Sections = append(p.Sections, ui.Section{Table: table}, t.wholeSection(q))
	if before > 0 {
		if len(found) < entriesShown { // of a text, or what never ended
			p.Notes = append(p.Notes, ui.ConsoleNote{Kind: "warn", Text: fmt.Sprintf("It was looked for in %d entries, down to entry %d. Go on with older ones below.", oversight.TextLooked, before)})
		}
		older := q.URL.Query()
		older.Set("before", strconv.FormatInt(before, 10))
		p.More = &ui.Link{Text: "Older entries", Path: "/console/audit?" + older.Encode()}
	}
	return t.show(q, p)
}

// whomNotes say who somebody is that was asked for, and what is not known of that.
func whomNotes(whom string, unsure []string) (notes []ui.ConsoleNote) {
	notes = append(notes, ui.ConsoleNote{Text: "About and by: " + whom + "."})
	for _, text := range unsure {
		notes = append(notes, ui.ConsoleNote{Kind: "warn", Text: "Not known: " + text + "."})
	}
	return notes
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
		field("person", "Person", "id, name or e-mail"), field("tool", "Tool", "soqlQuery"), field("outcome", "Outcome", "", outcomes...), field("since", "Since", "7d, 2026-03-01"),
		field("text", "Text", "anywhere in an entry"),
	}
	for _, f := range []ui.SearchField{
		field("until", "Until", "a date means its end"), field("client", "Client", "client id"), field("server", "Server", "", t.Reads.ServerNames()...),
		field("action", "Action", "", actions...), field("object", "Acted on", "exactly"), field("rule", "Rule", "as an entry names it"),
		field("approval", "Approval", "apr_…"), field("grant", "Connection", "grt_…"), field("request", "Request id", "from an error page"),
		{Name: "show", Label: "Show", Value: q.asked("show"), All: "each deed once", Options: []string{everyEntry}},
	} {
		f.Rare = true
		fields = append(fields, f)
	}
	return fields
}

func entryPath(seq int64) string { return "/console/audit/" + strconv.FormatInt(seq, 10) }

// entryTable lists entries, the newest first.
func entryTable(q *request, found []audit.Entry) *ui.Table {
	table := &ui.Table{Caption: "Entries", Columns: []string{"When", "Who", "What", "Outcome", "Rule", "Through"}, Empty: "None."}
	for _, e := range slices.Backward(found) {
		table.Rows = append(table.Rows, []ui.Cell{
			{Text: e.At.UTC().Format("2006-01-02 15:04:05"), Path: entryPath(e.Seq), Faint: "entry " + strconv.FormatInt(e.Seq, 10)},
			whoOf(q, e), {Text: whatOf(e), Faint: reasonBeside(e)}, outcomeOf(e), {Text: e.Rule}, {Text: e.Server, Faint: e.Client},
		})
	}
	return table
}

// reasonBeside is the reason of an entry, unless its rule says the same.
func reasonBeside(e audit.Entry) string {
	if e.Reason == e.Rule {
		return ""
	}
	return e.Reason
}

// whoOf is who acted, or for whom, as people know them.
func whoOf(q *request, e audit.Entry) ui.Cell {
	c := ui.Cell{Text: called("", e.Username, e.Subject)}
	if e.Subject != "" && e.Personal == "" {
		c.Path = personPath(e.Org, e.Subject)
	}
	if !e.Actor.IsUser() || e.Actor.ID != e.Subject {
		c.Faint = "by " + q.by(e.Actor)
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
	e, err := t.Reads.ReadEntry(q.Context(), q.Actor(), seq)
	if err != nil {
		return missing(err)
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
		same, err := t.Reads.SameRequest(q.Context(), e.RequestID, entriesShown+1)
		if err != nil {
			return err
		}
		p.Sections = append(p.Sections, sameSection(q, "All of the same request", same, url.Values{"request": {e.RequestID}}))
	}
	if e.Approval != "" { // across requests: asked for, decided, spent, answered
		same, _, err := t.Reads.Entries(q.Context(), audit.Filter{Approval: e.Approval}, "", entriesShown+1)
		if err != nil {
			return err
		}
		section := sameSection(q, "All of the same approval", same, url.Values{"approval": {e.Approval}})
		section.Facts = append(section.Facts, packFact("approval", e.Approval))
		p.Sections = append(p.Sections, section)
	}
	p.Sections = append(p.Sections, ui.Section{Heading: "Proof", Text: "Whoever has the log's public key can check that exactly this entry stands in the log, without trusting this page:",
		Block: fmt.Sprintf("sfmcp-proxy audit prove %d > entry-%d.proof", seq, seq)})
	return t.show(q, p)
}

// sameSection lists entries that have something in common: the newest, if there is one more than a
// page shows, with where the others are.
func sameSection(q *request, heading string, same []audit.Entry, search url.Values) ui.Section {
	s := ui.Section{Heading: heading}
	same, older := newestOf(same)
	if older {
		s.Heading = "The newest " + strconv.Itoa(entriesShown) + strings.TrimPrefix(heading, "All")
		s.Facts = []ui.Fact{{Name: "Older ones", Cell: ui.Cell{Text: "search the audit log", Path: "/console/audit?" + search.Encode()}}}
	}
	s.Table = entryTable(q, same)
	return s
}

// newestOf are the newest entries of some in their order, and whether that leaves any out.
func newestOf(all []audit.Entry) (newest []audit.Entry, older bool) {
	return all[max(0, len(all)-entriesShown):], len(all) > entriesShown
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
	for _, name := range inReadingOrder(maps.Keys(members)) {
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

// readFirst are the members of an entry that are asked for first: when, what, how it ended, why, who.
var readFirst = []string{"at", "action", "tool", "object", "outcome", "decision", "rule", "reason", "status", "approval", "username", "subject", "org", "server", "client"}

// inReadingOrder are the names of members, those of readFirst before the others.
func inReadingOrder(names iter.Seq[string]) []string {
	place := func(name string) int {
		if i := slices.Index(readFirst, name); i >= 0 {
			return i
		}
		return len(readFirst)
	}
	return slices.SortedFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(place(a), place(b)), cmp.Compare(a, b))
	})
}

// entryLink is where a member of an entry leads: to the others that have the same.
func entryLink(name, value string) string {
	switch name {
	case "client", "server", "tool", "rule", "approval", "grant":
		return "/console/audit?" + url.Values{name: {value}}.Encode()
	case "intent":
		return "/console/audit/" + url.PathEscape(value)
	}
	return ""
}
