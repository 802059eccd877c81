package policy

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Approvers says who must agree to a call: [Requester], or of each of some roles so many holders,
// "role:NAME", "2 of role:NAME", "role:NAME and 2 of role:OTHER". This is its one grammar:
// approvals store it, lists show it, and the configuration writes its simple forms.
type Approvers string

// Requester is the user in whose name the call is made.
const Requester Approvers = "requester"

const (
	rolePrefix = "role:"
	factorsAnd = " and "
	quorumOf   = " of "
)

// Bounds of what one call may ask for: more people than that never come together.
const (
	maxFactors = 5
	maxQuorum  = 10
)

// Factor is what one role must agree with. Everybody counts for one factor, and once.
type Factor struct {
	Role   string `mapstructure:"role" need:"value"`
	Quorum int    `mapstructure:"quorum" need:"value"` // 0 means 1
}

// String is the factor in the grammar of [Approvers].
func (f Factor) String() string {
	if f.Quorum > 1 {
		return strconv.Itoa(f.Quorum) + quorumOf + rolePrefix + f.Role
	}
	return rolePrefix + f.Role
}

// approversOf names factors, whatever their order.
func approversOf(factors []Factor) Approvers {
	texts := make([]string, len(factors))
	for i, f := range slices.SortedFunc(slices.Values(factors), func(a, b Factor) int { return cmp.Compare(a.Role, b.Role) }) {
		texts[i] = f.String()
	}
	return Approvers(strings.Join(texts, factorsAnd))
}

// Factors returns what must be met, sorted by role, with quorums of at least 1; nil for the requester, and for what is
// not valid.
func (a Approvers) Factors() []Factor {
	var factors []Factor
	for text := range strings.SplitSeq(string(a), factorsAnd) {
		f := Factor{Quorum: 1}
		number, who, many := strings.Cut(text, quorumOf)
		if !many {
			who = text
		} else if n, err := strconv.Atoi(number); err != nil || n < 2 || n > maxQuorum {
			return nil
		} else {
			f.Quorum = n
		}
		var ok bool
		if f.Role, ok = strings.CutPrefix(who, rolePrefix); !ok || !validWord(f.Role) {
			return nil
		}
		factors = append(factors, f)
	}
	if len(factors) > maxFactors || approversOf(factors) != a || duplicateRole(factors) != "" {
		return nil
	}
	return factors
}

// duplicateRole returns a role that two factors name, or "".
func duplicateRole(factors []Factor) string {
	for i, f := range factors {
		if slices.ContainsFunc(factors[:i], func(other Factor) bool { return other.Role == f.Role }) {
			return f.Role
		}
	}
	return ""
}

// Valid reports whether a names somebody.
func (a Approvers) Valid() bool { return a == Requester || a.Factors() != nil }

// checkFactors adds what is wrong with the key factors.
func checkFactors(r *Rule, c *problems) {
	if r.Effect != Confirm {
		return
	}
	if len(r.Factors) == 0 || len(r.Factors) > maxFactors {
		c.add("factors", strconv.Itoa(len(r.Factors))+" of them", fmt.Sprintf("1 to %d", maxFactors))
	}
	if r.Approvers != "" || r.Quorum != 0 {
		c.add("factors", "it beside approvers or quorum", "either of them: each factor has its role and its quorum")
	}
	for i, f := range r.Factors {
		at := fmt.Sprintf("factors[%d]", i)
		if !validWord(f.Role) || strings.HasPrefix(f.Role, rolePrefix) {
			c.add(at+".role", strconv.Quote(f.Role), "the name of a role, without role: before it")
		}
		if f.Quorum < 0 || f.Quorum > maxQuorum {
			c.add(at+".quorum", strconv.Itoa(f.Quorum), fmt.Sprintf("1 to %d", maxQuorum))
		}
	}
	if role := duplicateRole(r.Factors); role != "" {
		c.add("factors", strconv.Quote(role)+" a second time", "it once, with the quorum of both")
	}
}

func factorTexts(factors []Factor) []string {
	if factors == nil {
		return nil
	}
	texts := make([]string, len(factors))
	for i, f := range factors {
		texts[i] = f.String()
	}
	return texts
}
