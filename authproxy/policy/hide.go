package policy

import (
	"slices"

	"sfmcp-proxy/authproxy/policy/mask"
	"sfmcp-proxy/authproxy/policy/reach"
)

// ConcealsFields reports whether a rule denies fields, or hides them in answers: then formulas that
// show them must be known.
func (p *Policy) ConcealsFields() bool {
	return slices.ContainsFunc(p.Rules, func(r Rule) bool { return r.hides() || r.Effect == Deny && r.Fields != nil })
}

// HidesFields reports whether a rule hides fields in answers, of whomever.
func (p *Policy) HidesFields() bool {
	return slices.ContainsFunc(p.Rules, func(r Rule) bool { return r.hides() })
}

// textNoFields is what a caller is told of a call whose answer cannot be read.
const textNoFields = "Your organization hides fields in answers of this kind, and in this one they cannot be told apart. The call was not made; use a query for the records instead."

// dispatches are the tools that make any request, and queries in languages that are not read
// here: nobody knows what they look up and count.
var dispatches = map[string]bool{"dispatch": true, "dispatch_readonly": true, "execute": true, "post_dc_query_sql": true, "execute_query": true}

// guardHidden prepares what hides fields in the answer of a call that passes, and denies one
// that would find them out otherwise, or in whose answer they cannot be told apart. It does so
// in the mode [Shadow], too: what is hidden there is hidden.
func (d *Decision) guardHidden(tool string) {
	o := &d.Obligations
	if len(o.Mask)+len(o.Drop) == 0 {
		return
	}
	o.Hiding = mask.New(o.Mask, o.Drop).In(d.Reach.Schema())
	why, text := "", ""
	if reach.OtherKind(tool) != "" || d.Reach.OpaqueFields && dispatches[tool] {
		why, text = "in its answer hidden fields cannot be told apart", textNoFields
	} else if text = o.Hiding.Refusal(d.Reach); text != "" {
		why = "it would find out a hidden field"
	}
	if text != "" {
		d.Effect, d.Text, d.Reason, d.Obligations = Deny, text, d.Reason+", but "+why, Obligations{}
	}
}
