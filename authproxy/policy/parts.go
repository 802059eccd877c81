package policy

import (
	"fmt"
	"slices"
	"strings"

	"sfmcp-proxy/authproxy/policy/reach"
)

// What callers are told of a call that carries requests which cannot pass together.
const (
	textApart   = "This call carries requests of which your organization hides fields or bounds the answer. It was not made; make each of them a call of its own."
	textPersons = "This call carries requests to which different people have to agree. It was not made; make each of them a call of its own."
)

// decideParts judges a call that carries others. Each is judged as if it came alone, so that none
// passes with others that would not pass without; the gravest decision is that of the call.
func (p *Policy) decideParts(who Principal, call Call, whole *reach.Value) Decision {
	out := p.undecided(whole)
	out.Effect = Allow
	gravest := -1
	for i, part := range whole.Parts {
		d := p.decidePart(who, call, part, whole)
		d.place(i, len(whole.Parts))
		apart := textApart
		if gravity(&out) == 1 && gravity(&d) == 1 && out.Confirmation != d.Confirmation.alone() {
			apart = textPersons
		} else if !d.Obligations.concernsAnswer(part) {
			apart = ""
		}
		if apart != "" {
			d.Effect, d.Text, d.Reason = Deny, apart, d.Reason+", but not together with other requests"
		}
		out.OutsideText = out.OutsideText || d.OutsideText
		out.Observed = append(out.Observed, d.Observed[:min(len(d.Observed), MaxObserved-len(out.Observed))]...)
		if g := gravity(&d); g > gravest {
			gravest = g
			out.Effect, out.Rule, out.Reason, out.Shadow = d.Effect, d.Rule, d.Reason, d.Shadow
			out.Text, out.Hidden, out.Confirmation = d.Text, d.Hidden, d.Confirmation.alone()
		}
		if out.Effect == Deny {
			return out
		}
	}
	return out
}

// decidePart judges a request as if it came alone, and, where conditions ask for arguments, once more
// by rules about the call that carries it: a denial of composite requests by their URL denies what
// they carry.
func (p *Policy) decidePart(who Principal, call Call, part, whole *reach.Value) Decision {
	d := p.decide(who, call, part, nil)
	if slices.ContainsFunc(p.compile().rules, func(r ready) bool { return r.asksArguments() }) {
		if carried := p.decide(who, call, part, whole); gravity(&carried) > gravity(&d) {
			return carried
		}
	}
	return d
}

// gravity orders decisions: what is denied, or would be but for the mode, is graver than what
// people are asked about.
func gravity(d *Decision) int {
	switch {
	case d.Effect == Deny:
		return 3
	case d.Shadow:
		return 2
	case d.Effect == Confirm:
		return 1
	}
	return 0
}

// alone returns the confirmation of a call that is never decided together with others: what it
// carries is read one by one.
func (c Confirmation) alone() Confirmation {
	c.Group = false
	return c
}

// concernsAnswer reports whether anything must be done to the answer: in that of a call which
// carries others nobody can tell to which of them a value belongs.
func (o *Obligations) concernsAnswer(part *reach.Value) bool {
	reads := part.Class == Read || part.Class == SideEffect
	return len(o.Mask)+len(o.Drop) > 0 || o.Limit > 0 || o.Rows > 0 && reads && part.Rows == 0
}

// place says in the texts of a decision which of the requests in a call it is about.
func (d *Decision) place(i, of int) {
	d.Reason = fmt.Sprintf("request %d of %d: %s", i+1, of, d.Reason)
	if rest, ok := strings.CutPrefix(d.Text, textAbout); ok {
		d.Text = fmt.Sprintf("%sin request %d of %d, %s", textAbout, i+1, of, rest)
	}
}
