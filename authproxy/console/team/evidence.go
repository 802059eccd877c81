package team

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/console"
	"sfmcp-proxy/authproxy/packing"
	"sfmcp-proxy/authproxy/ui"
)

// packFields name what a pack is of, in addresses and forms.
var packFields = []string{"user", "approval", "control", "since", "until"}

// evidence says what a pack of evidence would hold, and offers it.
func (t logPages) evidence(q *request) error {
	p := q.page("Evidence", "/console/audit", "For somebody who has neither this machine nor a reason to trust it: entries of the audit log with their proofs, in one file that is checked with the public key of the log alone.")
	p.Back = &ui.Link{Text: "Audit log", Path: "/console/audit"}
	asked := func(name string) string { return q.asked(name) }
	p.Search = []ui.SearchField{
		{Name: "user", Label: "Person", Value: asked("user"), Hint: "user id, username, or a colleague's name or e-mail address"},
		{Name: "approval", Label: "Call that waited", Value: asked("approval"), Hint: "apr_…"},
		{Name: "control", Label: "Control", Value: asked("control"), Options: packing.Controls(), All: "none"},
		{Name: "since", Label: "Since", Value: asked("since"), Hint: "7d, 2026-03-01"},
		{Name: "until", Label: "Until", Value: asked("until"), Hint: "a date means its end"},
	}
	if !slices.ContainsFunc(packFields, func(name string) bool { return asked(name) != "" }) {
		p.Sections = []ui.Section{{Heading: "What a pack can be of", Facts: packKinds()}}
		return t.show(q, p)
	}
	of, err := t.packAsked(q, asked)
	var preview packing.Preview
	if err == nil {
		preview, err = t.Packs.Preview(q.Context(), of)
	}
	if wrong := packing.Wrong(err); wrong != "" {
		p.Notes = append(p.Notes, ui.ConsoleNote{Kind: "warn", Text: ui.Capital(wrong) + "."})
		p.Sections = []ui.Section{{Heading: "What a pack can be of", Facts: packKinds()}}
		return t.show(q, p)
	}
	if err != nil {
		return err
	}
	if preview.Whom != "" {
		p.Notes = append(p.Notes, whomNotes(preview.Whom, preview.Unsure)...)
	}
	p.Sections = []ui.Section{t.packSection(q, of, preview)}
	return t.show(q, p)
}

// packAsked reads what a pack is to be of.
func (t logPages) packAsked(q *request, asked func(string) string) (of packing.Asked, err error) {
	of = packing.Asked{User: asked("user"), Approval: asked("approval"), Control: asked("control")}
	of.Since, of.Until, err = t.Reads.Span(asked("since"), asked("until"), q.Now)
	return of, err
}

// packHolds is what a pack has beside the entries, by what it is of.
var packHolds = map[string]string{
	"user":     "who they are, their connections and their calls that waited, as the database has them",
	"approval": "the record of the call, from asking to what Salesforce answered, with its arguments",
	"access":   "a table of each connection and block: when and by whom it was given and ended, and the time between",
	"policy":   "a table of changes of the configuration, of what policies decide, of definitions, of the stop switch",
	"reviews":  "nothing: the entries say who was in each review and what was decided",
	"":         "nothing: it is every entry of the time, and the pack says whether a number is missing",
}

// packKinds say what a pack can be of.
func packKinds() []ui.Fact {
	return []ui.Fact{
		{Name: "A person", Cell: ui.Cell{Text: "every entry that concerns them", Faint: "besides: " + packHolds["user"]}},
		{Name: "A call that waited", Cell: ui.Cell{Text: "every entry of it", Faint: "besides: " + packHolds["approval"]}},
		{Name: "Control: access", Cell: ui.Cell{Text: "who was given access and lost it", Faint: "besides: " + packHolds["access"], Path: "/console/evidence?control=access&since=90d"}},
		{Name: "Control: policy", Cell: ui.Cell{Text: "what changed how calls are decided", Faint: "besides: " + packHolds["policy"], Path: "/console/evidence?control=policy&since=90d"}},
		{Name: "Control: reviews", Cell: ui.Cell{Text: "access reviews and their decisions", Path: "/console/evidence?control=reviews"}},
		{Name: "A time", Cell: ui.Cell{Text: "every entry of it", Faint: "since when, alone", Path: "/console/evidence?since=1d"}},
	}
}

// packSection says what a pack would hold, with the form that makes it.
func (t logPages) packSection(q *request, of packing.Asked, preview packing.Preview) ui.Section {
	holds := packHolds[of.Control]
	switch {
	case of.User != "":
		holds = packHolds["user"]
	case of.Approval != "":
		holds = packHolds["approval"]
	}
	s := ui.Section{Heading: "A pack of: " + preview.About, Facts: []ui.Fact{
		{Name: "Entries of the log", Cell: ui.Cell{Text: fmt.Sprint(preview.Entries), Faint: "of the process that answers you; other replicas have logs of their own"}},
		{Name: "With them", Cell: ui.Cell{Text: "the proof of each, the signed checkpoint, what each says in the clear with the arguments of calls, and a manifest with the SHA-256 of each file"}},
		{Name: "Besides", Cell: ui.Cell{Text: holds}},
		{Name: "How it is checked", Cell: ui.Cell{Text: "sfmcp-proxy evidence verify FILE --key KEY", Code: true, Faint: "on any machine; the key comes another way than the pack, by 'audit key'"}},
	}}
	if preview.TooMany != "" {
		s.Text = "That is too much for a download: " + preview.TooMany + "."
		return s
	}
	act := ui.Act{Path: "evidence/make", Label: "Download this pack", Text: "That you take it is an entry of the audit log in your name, with the SHA-256 of the manifest: so the pack can be checked against the log."}
	for _, name := range packFields {
		if value := q.asked(name); value != "" {
			act.Fields = append(act.Fields, ui.HiddenField{Name: name, Value: value})
		}
	}
	s.Acts = acts(q.button(act))
	return s
}

// makeEvidence answers with the pack.
func (t logPages) makeEvidence(q *request) error {
	of, err := t.packAsked(q, func(name string) string { return storable(strings.TrimSpace(q.Member.Form.Get(name))) })
	var made *packing.Archive
	if err == nil {
		made, err = t.Packs.Archive(q.Context(), of, approval.Decider{Actor: q.Actor(), Roles: q.Person.Roles})
	}
	if errors.Is(err, packing.ErrBusy) {
		return console.Problem(http.StatusConflict, "Others take packs", "This process makes one at a time, within a minute, and hands over a few. Nothing was done: try again in a minute.")
	}
	if wrong := packing.Wrong(err); wrong != "" {
		return console.Problem(http.StatusBadRequest, "No such pack", ui.Capital(wrong)+". Nothing was handed over.")
	}
	if err != nil {
		return err
	}
	defer func() {
		if err := made.Close(); err != nil {
			t.Log.ErrorContext(q.Context(), "a pack of evidence is not removed from where it was made", "error", err)
		}
	}()
	if err := made.Answer(q.ResponseWriter); err != nil {
		if !errors.Is(err, context.Canceled) {
			t.Log.InfoContext(q.Context(), "a pack of evidence was not taken whole", "error", err)
		}
		panic(http.ErrAbortHandler) // so that nobody takes a part for the whole
	}
	return nil
}

// packFact leads to the page that says what a pack would hold, of what those fields say.
func packFact(fields ...string) ui.Fact {
	return ui.Fact{Name: "Evidence", Cell: ui.Cell{Text: "a pack with proofs, for an auditor", Path: packPath(fields...)}}
}

// packPath is that page, of names and values of fields.
func packPath(fields ...string) string {
	values := url.Values{}
	for i := 0; i+1 < len(fields); i += 2 {
		if fields[i+1] != "" {
			values.Set(fields[i], fields[i+1])
		}
	}
	return strings.TrimSuffix("/console/evidence?"+values.Encode(), "?")
}
