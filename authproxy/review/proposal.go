package review

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"sfmcp-proxy/authproxy/audit"
)

// Change is what a policy or a group could do without.
type Change struct {
	// Policy and Servers are where it stands: a policy in front of these servers of the review.
	Policy  string   `json:"policy"`
	Servers []string `json:"servers"`
	// Tools are those that somebody in the review sees and nobody in it called.
	Tools []string `json:"tools,omitempty"`
	// Members are those whose access to one of the servers was ended, and who could connect again
	// by these groups.
	Members []Member `json:"members,omitempty"`
}

// Member is somebody in a group.
type Member struct {
	Group    string `json:"group"`
	Server   string `json:"server"`
	Subject  string `json:"subject"`
	Username string `json:"username,omitempty"`
}

// Proposal is what could change, for each policy in front of servers of the review: policies maps a
// server to the name of its policy. A tool counts as unused only if no item of these servers says
// otherwise, no list of an item was cut, and no other log may have calls.
func (r *Review) Proposal(policies map[string]string) (all []Change) {
	by := map[string]*Change{}
	used, unused, cut := map[string]map[string]bool{}, map[string]map[string]bool{}, map[string]bool{}
	for _, server := range slices.Sorted(maps.Keys(policies)) {
		p := policies[server]
		if by[p] == nil {
			by[p], used[p], unused[p] = &Change{Policy: p}, map[string]bool{}, map[string]bool{}
		}
		if by[p].Servers = append(by[p].Servers, server); !slices.Contains(r.Servers, server) || slices.Contains(r.Unknown, server) || len(r.OtherLogs) > 0 {
			cut[p] = true // who uses it there is not known
		}
	}
	for _, i := range r.Items {
		p, known := policies[i.Server]
		if !known {
			continue
		}
		cut[p] = cut[p] || i.Erased || i.UsedTotal > len(i.Used) || i.UnusedTotal > len(i.Unused)
		for _, use := range i.Used {
			used[p][use.Tool] = true
		}
		for _, tool := range i.Unused {
			unused[p][tool] = true
		}
		if d := i.Decision; d != nil && d.What == audit.Revoke {
			for _, group := range i.Groups {
				by[p].Members = append(by[p].Members, Member{group, i.Server, i.Subject, i.Username})
			}
		}
	}
	for _, p := range slices.Sorted(maps.Keys(by)) {
		for _, tool := range slices.Sorted(maps.Keys(unused[p])) {
			if !used[p][tool] && !cut[p] {
				by[p].Tools = append(by[p].Tools, tool)
			}
		}
		if len(by[p].Tools)+len(by[p].Members) > 0 {
			all = append(all, *by[p])
		}
	}
	return all
}

// Difference is the change as lines of a difference to the configuration: what to write, and what
// to take out.
func (c Change) Difference() string {
	var b strings.Builder
	if len(c.Tools) > 0 {
		fmt.Fprintf(&b, "policy %s, in front of %s: as the first of its rules, because nobody in the review called them\n", c.Policy, strings.Join(c.Servers, ", "))
		fmt.Fprintf(&b, "+      - {effect: deny, tools: [%s]}\n", strings.Join(c.Tools, ", "))
	}
	for _, m := range c.Members {
		fmt.Fprintf(&b, "group %s, which lets them connect to %s again\n", m.Group, m.Server)
		if m.Group == "*" {
			fmt.Fprintf(&b, "~    every user of the org is in it: name groups in the place of \"*\", or block %s\n", m.Subject)
			continue
		}
		fmt.Fprintf(&b, "-      %s\n", m.Subject)
	}
	return b.String()
}
