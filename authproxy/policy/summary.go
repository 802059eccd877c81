package policy

import (
	"slices"
	"strings"

	"sfmcp-proxy/authproxy/policy/reach"
)

// Summary says in general what a policy lets a principal do, for the consent page.
// It speaks of the most that may happen; single objects, fields and tools may be
// excepted.
type Summary struct {
	Reads           bool // some calls that only read pass
	ConfirmedWrites bool // some writes pass after a person agreed
	FreeWrites      bool // some writes pass without asking
	Shadow          bool // nothing is denied, see [Shadow]

	Free      []Class // classes that pass without asking, mildest first
	Confirmed []Class // classes that pass after a person agreed and are not in Free
}

// Summary returns what the policy lets who do. Before sign-in the Subject is "";
// then every user and group counts as possible.
func (p *Policy) Summary(who Principal) Summary {
	s := Summary{Shadow: p.Mode == Shadow}
	for _, c := range reach.Classes {
		free, confirmed := p.possible(who, c)
		switch {
		case free || s.Shadow && !confirmed:
			s.Free = append(s.Free, c)
		case confirmed:
			s.Confirmed = append(s.Confirmed, c)
		}
	}
	s.Reads = slices.Contains(s.Free, Read) || slices.Contains(s.Confirmed, Read)
	write := func(c Class) bool { return c != Read }
	s.FreeWrites = slices.ContainsFunc(s.Free, write)
	s.ConfirmedWrites = slices.ContainsFunc(s.Confirmed, write)
	return s
}

// possible reports whether calls of a class may be allowed or confirmed.
func (p *Policy) possible(who Principal, c Class) (free, confirmed bool) {
	asked := aboutClass | aboutClient
	if who.Subject != "" {
		asked |= aboutUser
	}
	q := &question{who: who, reach: &reach.Value{Class: c}}
	rules := p.compile().rules
	for i := range rules {
		r := &rules[i]
		if r.Observe || !p.toolOfClass(r.Rule, c) || r.asks(asked, q) != nil {
			continue
		}
		free = free || r.Effect == Allow
		confirmed = confirmed || r.Effect == Confirm
		if !r.has(aboutCall &^ (asked)) {
			break // every call of the class ends here
		}
	}
	return free, confirmed
}

// toolOfClass reports whether the tools key of a rule may match a call of a class.
// Unknown tools may have any name that the catalogue does not have.
func (p *Policy) toolOfClass(r *Rule, c Class) bool {
	if r.Tools == nil {
		return true
	}
	if c == Unknown && slices.ContainsFunc(r.Tools, func(pattern string) bool {
		return strings.ContainsAny(pattern, "*?") || slices.Contains(p.catalogue.Tool(pattern).Classes, c)
	}) {
		return true
	}
	for name, t := range p.catalogue.Tools() {
		if slices.Contains(t.Classes, c) && r.namesTool(name) {
			return true
		}
	}
	return false
}

// InWords says what calls of a class do, for people: "create records".
func InWords(c Class) string { return words[c] }

// words are the classes in words for people.
var words = map[Class]string{
	Read:       "read records that you can see in Salesforce",
	SideEffect: "mark records as viewed",
	Create:     "create records",
	Update:     "change records",
	Delete:     "delete records",
	Unknown:    "run other actions of your organization",
	Admin:      "administer your organization (users, permissions, metadata, code)",
}

// Lines returns the summary as sentences, one for what passes without asking and
// one for what needs a person.
func (s Summary) Lines() []string {
	var lines []string
	if len(s.Free) > 0 {
		lines = append(lines, "It may "+inWords(s.Free)+".")
	}
	if len(s.Confirmed) > 0 {
		lines = append(lines, "It may "+inWords(s.Confirmed)+", each time only after a person agreed.")
	}
	if lines == nil {
		lines = []string{"It may do nothing with your records."}
	}
	return lines
}

func inWords(cs []Class) string {
	parts := make([]string, len(cs))
	for i, c := range cs {
		parts[i] = words[c]
	}
	if len(parts) == 1 {
		return parts[0]
	}
	last := len(parts) - 1
	return strings.Join(parts[:last], ", ") + " and " + parts[last]
}
