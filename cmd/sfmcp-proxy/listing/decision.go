package listing

import (
	"fmt"
	"slices"
	"strings"

	"sfmcp-proxy/authproxy/policy"
)

type decisionRow struct {
	Effect  string   `json:"effect"`
	Rule    int      `json:"rule"`
	Reason  string   `json:"reason"`
	Class   string   `json:"class"`
	Objects []string `json:"objects,omitempty"`
	Listed  bool     `json:"listed"`
	Shadow  bool     `json:"shadow,omitempty"`
	Text    string   `json:"says,omitempty"`
	Policy  string   `json:"policy"`
	Version string   `json:"policy_version"`
	Hides   []string `json:"hides,omitempty"` // fields in the answer
	Limit   int      `json:"limit,omitempty"` // that the query is given
}

// Decision is what a policy decides for a user's call.
type Decision struct {
	policy.Decision
	Policy string // its name
	Listed bool   // whether tools/list shows the tool to this user
	// Outside: the user may not use the server at all, whatever the policy says.
	Outside bool
}

// InForce is what happens to the call: allow, confirm or deny.
func (d Decision) InForce() string {
	if d.Outside {
		return string(policy.Deny)
	}
	return string(d.Effect)
}

// Why says for operators what decided.
func (d Decision) Why() string {
	if d.Outside {
		return "the user is in none of the server's groups: cannot connect to it at all"
	}
	return d.Reason
}

// Decision prints a decision.
func (p Printer) Decision(d Decision) error {
	row := decisionRow{d.InForce(), d.Rule + 1, d.Why(), string(d.Class), d.Objects, d.Listed, d.Shadow, d.Text, d.Policy, d.Version,
		slices.Concat(d.Obligations.Mask, d.Obligations.Drop), d.Obligations.Limit}
	if d.Outside {
		row.Rule, row.Listed = 0, false
	}
	if p.JSON {
		return rows(p, []decisionRow{row})
	}
	fmt.Fprintf(p.Out, "%s\n  reason:  %s\n  class:   %s\n", strings.ToUpper(row.Effect), row.Reason, row.Class)
	if len(row.Objects) > 0 {
		fmt.Fprintf(p.Out, "  objects: %s\n", strings.Join(row.Objects, ", "))
	}
	fmt.Fprintf(p.Out, "  listed:  %v (whether tools/list shows the tool to this user)\n  policy:  %s, version %s\n", row.Listed, row.Policy, row.Version)
	if len(row.Hides) > 0 {
		fmt.Fprintf(p.Out, "  hides:   %s\n", strings.Join(row.Hides, ", "))
	}
	if row.Limit > 0 {
		fmt.Fprintf(p.Out, "  sends:   the query with LIMIT %d\n", row.Limit)
	}
	if row.Text != "" {
		fmt.Fprintf(p.Out, "  answer:  %s\n", row.Text)
	}
	return nil
}
