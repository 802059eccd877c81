package policy

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Confirmation is what a rule with the effect confirm asks for. It is a value: two calls that
// are asked for the same have equal ones.
type Confirmation struct {
	Approvers Approvers
	// StepUp: whoever agrees must have signed in anew, in the way that is configured for it.
	StepUp bool
	// Group: the call may be decided together with others of the same connection.
	Group bool
	// Escalate lets others agree too when it has waited for long.
	Escalate Escalation
	// AllowChanged: the call passes too where what people saw of the record when they agreed is
	// not what Salesforce has when it is made.
	AllowChanged bool
	// Verify: the record is read before and after the call, which says whether it came out as
	// intended, and lets it be undone.
	Verify bool
}

// OnChange is what becomes of a call that people agreed to when the record has moved on since.
type OnChange string

// The values of OnChange; empty is [HoldOnChange].
const (
	HoldOnChange  OnChange = "hold" // people are asked again
	AllowOnChange OnChange = "allow"
)

// Escalation lets the holders of another role agree to a call that has waited for After, in the
// place of any that were asked first. The zero value is none.
type Escalation struct {
	After time.Duration `mapstructure:"after" need:"value"`
	To    Approvers     `mapstructure:"to" need:"value"` // role:NAME
}

// Role is that of those who may agree then; "" if there is none.
func (e Escalation) Role() string {
	if f := e.To.Factors(); len(f) == 1 && f[0].Quorum == 1 && e.After > 0 {
		return f[0].Role
	}
	return ""
}

// Confirmation returns what the rule asks for, with the defaults filled in.
func (r *Rule) Confirmation() Confirmation {
	c := Confirmation{Approvers: r.Approvers, StepUp: r.StepUp, Group: r.Group, Escalate: r.Escalate, AllowChanged: r.OnChange == AllowOnChange, Verify: r.Verify}
	switch {
	case r.Factors != nil:
		factors := slices.Clone(r.Factors)
		for i := range factors {
			factors[i].Quorum = max(factors[i].Quorum, 1)
		}
		c.Approvers = approversOf(factors)
	case c.Approvers == "":
		c.Approvers = Requester
	case r.Quorum > 1:
		c.Approvers = Approvers(Factor{Role: strings.TrimPrefix(string(r.Approvers), rolePrefix), Quorum: r.Quorum}.String())
	}
	return c
}

// Valid reports whether anybody can agree.
func (c Confirmation) Valid() bool {
	return c.Approvers.Valid() && (c.Escalate == Escalation{} || c.Escalate.Role() != "")
}

const (
	termStepUp   = "step_up"
	termGroup    = "group"
	termEscalate = "escalate"
	termOnChange = "on_change"
	termVerify   = "verify"
)

// Terms is what is asked for beside the approvers, as one text for [ParseTerms]: "step_up
// escalate=10m0s=role:lead"; "" where that is nothing.
func (c Confirmation) Terms() string {
	var terms []string
	if c.StepUp {
		terms = append(terms, termStepUp)
	}
	if c.Group {
		terms = append(terms, termGroup)
	}
	if c.Escalate != (Escalation{}) {
		terms = append(terms, termEscalate+"="+c.Escalate.After.String()+"="+string(c.Escalate.To))
	}
	if c.AllowChanged {
		terms = append(terms, termOnChange+"="+string(AllowOnChange))
	}
	if c.Verify {
		terms = append(terms, termVerify)
	}
	return strings.Join(terms, " ")
}

// ParseTerms returns the confirmation by these approvers under terms of [Confirmation.Terms].
func ParseTerms(approvers Approvers, terms string) (Confirmation, error) {
	c := Confirmation{Approvers: approvers}
	for term := range strings.FieldsSeq(terms) {
		name, value, _ := strings.Cut(term, "=")
		var err error
		switch name {
		case termStepUp:
			c.StepUp = true
		case termGroup:
			c.Group = true
		case termEscalate:
			after, to, _ := strings.Cut(value, "=")
			c.Escalate.To = Approvers(to)
			c.Escalate.After, err = time.ParseDuration(after)
		case termOnChange:
			c.AllowChanged = value == string(AllowOnChange)
		case termVerify:
			c.Verify = true
		}
		if err != nil {
			return c, fmt.Errorf("terms %q: %w", terms, err)
		}
	}
	if !c.Valid() || c.Terms() != terms {
		return c, fmt.Errorf("approvers %q with terms %q cannot be read", approvers, terms)
	}
	return c, nil
}

// String says who agrees and how, for people: "2 of role:security, signed in anew".
func (c Confirmation) String() string {
	text := string(c.Approvers)
	if c.StepUp {
		text += ", signed in anew"
	}
	if c.Group {
		text += ", together with others"
	}
	if c.Escalate != (Escalation{}) {
		text += ", after " + c.Escalate.After.String() + " also " + string(c.Escalate.To)
	}
	if c.AllowChanged {
		text += ", even if the record changes meanwhile"
	}
	if c.Verify {
		text += ", verified after it"
	}
	return text
}

// confirmationKeys are the rows of the keys of rules that say what is asked for.
var confirmationKeys = []key{
	{
		name: "approvers", about: aboutApproval, effects: []Effect{Confirm}, check: checkApprovers, implied: string(Requester),
		set: func(r *Rule) bool { return r.Approvers != "" }, values: func(r *Rule) []string { return []string{string(r.Approvers)} },
	},
	{
		name: "quorum", about: aboutApproval, effects: []Effect{Confirm}, check: checkQuorum, implied: "1",
		set: func(r *Rule) bool { return r.Quorum != 0 }, values: func(r *Rule) []string { return []string{strconv.Itoa(r.Quorum)} },
	},
	{
		name: "factors", about: aboutApproval, effects: []Effect{Confirm}, check: checkFactors,
		set: func(r *Rule) bool { return r.Factors != nil }, values: func(r *Rule) []string { return factorTexts(r.Factors) },
	},
	{
		name: "step_up", about: aboutApproval, effects: []Effect{Confirm}, check: checkStepUp,
		set: func(r *Rule) bool { return r.StepUp }, values: func(r *Rule) []string { return []string{strconv.FormatBool(r.StepUp)} },
	},
	{
		name: "group", about: aboutApproval, effects: []Effect{Confirm}, check: checkGroup,
		set: func(r *Rule) bool { return r.Group }, values: func(r *Rule) []string { return []string{strconv.FormatBool(r.Group)} },
	},
	{
		name: "escalate", about: aboutApproval, effects: []Effect{Confirm}, check: checkEscalate,
		set:    func(r *Rule) bool { return r.Escalate != Escalation{} },
		values: func(r *Rule) []string { return []string{r.Escalate.After.String() + " " + string(r.Escalate.To)} },
	},
	{
		name: "on_change", about: aboutApproval, effects: []Effect{Confirm}, check: checkOnChange, implied: string(HoldOnChange),
		set: func(r *Rule) bool { return r.OnChange != "" }, values: func(r *Rule) []string { return []string{string(r.OnChange)} },
	},
	{
		name: "verify", about: aboutApproval, effects: []Effect{Confirm}, check: checkVerify,
		set: func(r *Rule) bool { return r.Verify }, values: func(r *Rule) []string { return []string{strconv.FormatBool(r.Verify)} },
	},
}

func checkOnChange(r *Rule, c *problems) {
	if r.Effect == Confirm && r.OnChange != HoldOnChange && r.OnChange != AllowOnChange {
		c.add("on_change", strconv.Quote(string(r.OnChange)), "hold or allow")
	}
}

func checkApprovers(r *Rule, c *problems) {
	isRole := strings.HasPrefix(string(r.Approvers), rolePrefix)
	switch {
	case r.Effect != Confirm:
	case isRole && !validWord(string(r.Approvers[len(rolePrefix):])):
		c.add("approvers", strconv.Quote(string(r.Approvers))+", which names no role", "role:NAME")
	case !isRole && r.Approvers != Requester:
		c.add("approvers", strconv.Quote(string(r.Approvers)), "requester or role:NAME")
	}
}

func checkQuorum(r *Rule, c *problems) {
	if r.Effect != Confirm || r.Factors != nil {
		return
	}
	if r.Quorum < 0 || r.Quorum > maxQuorum {
		c.add("quorum", strconv.Itoa(r.Quorum), fmt.Sprintf("1 to %d", maxQuorum))
	}
	if r.Quorum > 1 && !r.byRole() {
		c.add("quorum", strconv.Itoa(r.Quorum)+", which is impossible with the requester alone", "approvers role:NAME")
	}
}

// byRole reports whether somebody else than the requester must agree.
func (r *Rule) byRole() bool {
	return r.Factors != nil || strings.HasPrefix(string(r.Approvers), rolePrefix)
}

// checkStepUp: the requester signs in at Salesforce, which does not say how.
func checkStepUp(r *Rule, c *problems) {
	if r.Effect == Confirm && !r.byRole() {
		c.add("step_up", "true with the requester alone", "it beside approvers role:NAME or factors")
	}
}

// checkGroup: what cannot be undone is looked at alone.
func checkGroup(r *Rule, c *problems) {
	for _, class := range r.Classes {
		if !Groups(class) {
			c.add("group", "true for calls of the class "+string(class), "it on a rule without that class: they are decided one by one")
		}
	}
}

// Groups reports whether calls of a class may be decided together at all.
func Groups(class Class) bool { return class != Delete && class != Admin && class != Unknown }

// checkVerify: of what else a call does nobody can tell by reading one record.
func checkVerify(r *Rule, c *problems) {
	if r.Effect != Confirm || r.Classes == nil {
		return
	}
	if !slices.ContainsFunc(r.Classes, func(class Class) bool { return class == Create || class == Update || class == Delete }) {
		c.add("verify", "true for calls that create, update and delete nothing", "it on a rule with the class create, update or delete, or without classes")
	}
}

func checkEscalate(r *Rule, c *problems) {
	if r.Effect != Confirm {
		return
	}
	if r.Escalate.After <= 0 {
		c.add("escalate.after", r.Escalate.After.String(), "how long the call waits first, such as 10m")
	}
	if f := r.Escalate.To.Factors(); len(f) != 1 || f[0].Quorum != 1 {
		c.add("escalate.to", strconv.Quote(string(r.Escalate.To)), "role:NAME")
	}
	if !r.byRole() {
		c.add("escalate", "it with the requester alone", "it beside approvers role:NAME or factors")
	}
}
