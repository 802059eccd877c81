package api

import (
	"errors"
	"reflect"

	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/packing"
)

// packParams are the members of a [Pack], in a query.
func packParams() (params []Param) {
	for _, member := range reflect.VisibleFields(reflect.TypeFor[Pack]()) {
		s := schemaOf(member)
		params = append(params, Param{Name: s.name, Doc: s.doc, Enum: s.enum})
	}
	return params
}

// Pack is what a pack of evidence is to be of: one of user, approval and control, or a time.
type Pack struct {
	User     string `json:"user,omitempty" doc:"every entry that concerns them: Salesforce user id or username, or the name, e-mail address or subject of somebody of the company" max:"300"`
	Approval string `json:"approval,omitempty" doc:"every entry of a call that waited, and its record with the arguments: apr_…" max:"300"`
	Control  string `json:"control,omitempty" doc:"who was given access and lost it; what changed how calls are decided; access reviews" enum:"access,policy,reviews"`
	Since    string `json:"since,omitempty" doc:"7d, 2026-03-01; alone: every entry of a time" max:"300"`
	Until    string `json:"until,omitempty" doc:"a date means its end" max:"300"`
}

// PackPreview is what a pack would hold.
type PackPreview struct {
	About   string `json:"about"`
	Whom    string `json:"whom,omitempty" doc:"who the user is, at Salesforce and at the company"`
	Entries int    `json:"entries" doc:"of the log of the process that answers, as it is now"`
	TooMany bool   `json:"too_many" doc:"more than an answer has or, of the control access, than it is made of, also before the time: choose a shorter time, or have it made at the command line"`
}

// asked reads what a pack is to be of.
func (a logRoutes) asked(q *call, p Pack) (of packing.Asked, err error) {
	of = packing.Asked{User: p.User, Approval: p.Approval, Control: p.Control}
	of.Since, of.Until, err = a.Reads.Span(p.Since, p.Until, q.now)
	return of, err
}

// previewEvidence says what a pack would hold.
func (a logRoutes) previewEvidence(q *call) (PackPreview, error) {
	of, err := a.asked(q, Pack{q.query.Get("user"), q.query.Get("approval"), q.query.Get("control"), q.query.Get("since"), q.query.Get("until")})
	if err != nil {
		return PackPreview{}, noPack(err)
	}
	p, err := a.Packs.Preview(q.Context(), of)
	return PackPreview{p.About, withUnsure(p.Whom, p.Unsure), p.Entries, p.TooMany != ""}, noPack(err)
}

// makeEvidence makes a pack.
func (a logRoutes) makeEvidence(q *call, in *Pack) (*packing.Archive, error) {
	of, err := a.asked(q, *in)
	if err != nil {
		return nil, noPack(err)
	}
	made, err := a.Packs.Archive(q.Context(), of, approval.Decider{Actor: q.token.Actor(), Roles: []string{q.token.Role}})
	return made, noPack(err)
}

// noPack says what is wrong with what was asked for, where that is what is wrong.
func noPack(err error) error {
	if errors.Is(err, packing.ErrBusy) {
		return conflict.is("Packs are being made or taken by others.", "Try again in half a minute.").with("Retry-After", "30")
	}
	if wrong := packing.Wrong(err); wrong != "" {
		return badRequest.is(wrong+".", "Correct what the detail names, and ask again.")
	}
	return err
}
