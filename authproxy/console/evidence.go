package console

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/gorilla/mux"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/approval/evidence"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/ui"
)

// evidences are the pages with all that is known of a call.
type evidences struct{ *Console }

// evidence shows the record of one call, to be printed.
func (c evidences) evidence(w http.ResponseWriter, r *http.Request, v *visit) error {
	record, err := c.recordOf(r.Context(), mux.Vars(r)["id"], v)
	if err != nil {
		return err
	}
	c.render(w, r, http.StatusOK, c.evidencePage(r.Context(), v, record))
	return nil
}

// recordOf returns the record of a call that the viewer may read. Another does not exist.
func (c evidences) recordOf(ctx context.Context, id string, v *visit) (*evidence.Record, error) {
	a, err := c.Approvals.Get(ctx, id)
	if errors.Is(err, approval.ErrNotFound) { // auditors read it from the log all the same
		a, err = &approval.Request{}, nil
	}
	if err != nil {
		return nil, err
	}
	record, err := c.FollowUps.Evidence(ctx, v.decider(a), id)
	if errors.Is(err, approval.ErrNotFound) {
		if v.person != nil && v.person.Stale {
			return nil, errStale
		}
		return nil, errNoCall
	}
	return record, err
}

func (c evidences) evidencePage(ctx context.Context, v *visit, r *evidence.Record) ui.EvidencePage {
	of := c.names(ctx)
	named := func(text string) string { return withSubject(of, text) }
	as := &approval.Request{State: r.State, Outcome: r.Outcome, Class: r.Class, Binding: approval.Binding{
		Org: r.Org, Server: r.Server, Tool: r.Tool, Arguments: jsontext.Value(r.Arguments)}}
	if r.Check != nil {
		as.Check = &approval.Check{Verification: r.Check.Verification, Happened: r.Check.Happened}
	}
	page := ui.EvidencePage{
		Viewer: v.viewer, ID: r.Approval, Status: statusInWords(as), Printed: exactly(c.Now()), Missing: r.Missing,
		Canonical: ui.Visible(string(r.Arguments)),
		Facts: []ui.EvidenceFact{
			{Name: "Tool", Value: r.Tool}, {Name: "What it does", Value: classInWords(r.Class)}, {Name: "Asked for by", Value: strings.TrimSpace(r.Username + " " + r.Subject)},
			{Name: "Client", Value: c.Clients.Name(ctx, r.Client) + " (" + r.Client + ")"}, {Name: "Connection", Value: r.Connection},
			{Name: "Server", Value: r.Server}, {Name: "Salesforce org", Value: r.Org}, {Name: "Rule", Value: r.Rule}, {Name: "Policy version", Value: r.PolicyVersion},
			{Name: "Definition of the tool (SHA-256)", Value: r.DefinitionHash}, {Name: "Arguments (SHA-256)", Value: r.ArgumentsDigest},
			{Name: "Asked", Value: exactly(r.Asked)}, {Name: "Expires", Value: exactly(r.Expires)}, {Name: "Decided", Value: exactly(r.Decided)}, {Name: "Made", Value: exactly(r.Made)},
			{Name: "Proposed by", Value: named(r.Author)}, {Name: "In the place of", Value: r.CounterOf}, {Name: "Ended because", Value: r.Void},
		},
	}
	if opensConsole(v.person) {
		page.Pack = "/console/evidence?" + url.Values{"approval": {r.Approval}}.Encode()
	}
	if r.State == "" {
		page.Status = "It is over"
	}
	if r.Arguments != nil {
		page.Sentence = sentence(as)
	}
	for _, f := range r.Factors {
		line := ui.FactorLine{Role: f.Role, Quorum: f.Quorum, Met: f.Met}
		for _, a := range f.By {
			line.By = append(line.By, agreementInWords(a, named))
		}
		page.Factors = append(page.Factors, line)
	}
	for _, d := range r.Decisions {
		page.Decisions = append(page.Decisions, ui.EvidenceLine{When: exactly(d.At), Who: named(d.By), What: decisionInWords(d), Said: d.Reason})
	}
	for _, s := range r.Seen {
		what := "was given the evidence"
		if s.Action == audit.ApprovalPreview {
			what = "asked Salesforce, for whoever decides, what the call would change"
		}
		page.Seen = append(page.Seen, ui.EvidenceLine{When: exactly(s.At), Who: named(s.By), What: what})
	}
	page.Answer = answerFacts(r.Answer)
	page.Check = checkFacts(r, named)
	for _, e := range r.Entries {
		page.Entries = append(page.Entries, ui.EvidenceEntry{Number: e.Number, When: exactly(e.At), What: string(e.Action), Outcome: string(e.Outcome), Who: named(e.By)})
	}
	return page
}

func answerFacts(a *evidence.Answer) []ui.EvidenceFact {
	if a == nil {
		return nil
	}
	facts := []ui.EvidenceFact{{Name: "Outcome", Value: string(a.Outcome)}, {Name: "Status", Value: a.Status}, {Name: "At", Value: exactly(a.At)}, {Name: "Remark", Value: a.Reason},
		{Name: "Answer (SHA-256)", Value: a.Digest}, {Name: "Duration", Value: (time.Duration(a.DurationMS) * time.Millisecond).String()}}
	for _, group := range a.Records {
		facts = append(facts, ui.EvidenceFact{Name: "Records, " + classInWords(group.Class), Value: strings.TrimSpace(group.Object + " " + strings.Join(group.IDs, ", "))})
	}
	return facts
}

// checkFacts says what was found out after the call was sent.
func checkFacts(r *evidence.Record, named func(string) string) (facts []ui.EvidenceFact) {
	if c := r.Check; c != nil {
		facts = append(facts, ui.EvidenceFact{Name: "What it came to", Value: c.Said}, ui.EvidenceFact{Name: "Read", Value: exactly(c.VerifiedAt)})
		if c.Images != nil {
			for _, f := range c.Images.Fields {
				facts = append(facts, ui.EvidenceFact{Name: f.Name, Value: fmt.Sprintf("before %s; set %s; after %s", valueInWords(f.Before), valueInWords(f.Set), valueInWords(f.After))})
			}
		}
		facts = append(facts, ui.EvidenceFact{Name: "What a person found out", Value: c.Reason}, ui.EvidenceFact{Name: "Who", Value: named(c.ResolvedBy)}, ui.EvidenceFact{Name: "When", Value: exactly(c.ResolvedAt)})
	}
	return append(facts, ui.EvidenceFact{Name: "Takes back", Value: r.UndoOf}, ui.EvidenceFact{Name: "Taken back by", Value: r.Undo})
}

// withSubject is who acted by name, and somebody of the company also by what records call them:
// evidence is about exactly one person.
func withSubject(named func(actor.Actor) string, text string) string {
	if name := named(actor.Parse(text)); text != "" && name != text {
		return name + ", " + text
	}
	return text
}

// agreementInWords says who agreed, when, and what proved who they are.
func agreementInWords(a evidence.Agreement, named func(string) string) string {
	text := named(a.By) + ", " + exactly(a.At)
	if a.Role != "" {
		text += ", by the role " + a.Role
	}
	if a.ACR != "" || !a.AuthTime.IsZero() {
		text += fmt.Sprintf(", signed in %s with acr %q", cmp.Or(exactly(a.AuthTime), "at an unknown time"), a.ACR)
	}
	return text
}

func decisionInWords(d evidence.Decision) string {
	what := map[audit.Decision]string{audit.Approve: "approved it", audit.Deny: "denied it", audit.Counter: "proposed another call"}[d.Decision]
	if d.Outcome != audit.OK {
		return "tried to decide (" + string(d.Decision) + "), which did not count"
	}
	return cmp.Or(what, string(d.Decision))
}

// exactly is a time for a record; "" for none.
func exactly(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05 UTC")
}
