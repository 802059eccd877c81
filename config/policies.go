package config

import (
	"fmt"
	"slices"
	"strings"

	"sfmcp-proxy/authproxy/nearest"
	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/authproxy/policy/condition"
)

func (v *validator) policies() {
	v.escalation()
	seen := map[string]bool{}
	calendars := v.calendars()
	for i, p := range v.c.Policies {
		key := fmt.Sprintf("policies[%d]", i)
		if p.Name == "" || seen[p.Name] {
			v.add(key+".name", quote(p.Name), "a name of its own")
		}
		seen[p.Name] = true
		for _, problem := range p.Judge(calendars).Validate() {
			if problem.Path() != "name" { // checked above, with the others
				v.add(key+"."+problem.Path(), problem.Found, problem.Want)
			}
		}
		for j, r := range p.Rules {
			v.rule(fmt.Sprintf("%s.rules[%d]", key, j), r)
		}
	}
}

// calendars checks the calendars and returns those that can be read.
func (v *validator) calendars() []*condition.Calendar {
	seen := map[string]bool{}
	for i, k := range v.c.Calendars {
		key := fmt.Sprintf("calendars[%d]", i)
		if k.Name == "" || seen[k.Name] {
			v.add(key+".name", quote(k.Name), "a name of its own")
		}
		seen[k.Name] = true
		_, faults := condition.ParseCalendar(k.Name, k.TimeZone, k.Weekly, k.Dated)
		for _, f := range faults {
			v.add(strings.TrimSuffix(key+"."+f.Key, "."), f.Found, f.Want)
		}
	}
	return v.c.CalendarsRead()
}

// rule checks what a rule refers to; its own content is the policy's to judge.
func (v *validator) rule(key string, r policy.Rule) {
	for k, g := range r.Groups {
		if !v.hasGroup(g) {
			v.add(fmt.Sprintf("%s.groups[%d]", key, k), quote(g), "the name of a group under groups"+nearest.Question(g, namesOf(v.c.Groups, func(g Group) string { return g.Name })))
		}
	}
	for k, who := range r.Users {
		v.person(fmt.Sprintf("%s.users[%d]", key, k), who)
	}
	for k, id := range r.Clients {
		if !slices.ContainsFunc(v.c.Clients, func(c Client) bool { return c.ID == id }) && !v.publishes(id) {
			v.add(fmt.Sprintf("%s.clients[%d]", key, k), quote(id), "the id of a client under clients, or the URL of a document on one of registration.metadata_documents.allow_hosts"+nearest.Question(id, namesOf(v.c.Clients, func(c Client) string { return c.ID })))
		}
	}
}

// escalate gives the rules that ask a role, and do not say when another one is asked too, what
// approvals.escalate says.
func (c *Config) escalate(rules []policy.Rule) {
	e := policy.Escalation{After: c.Approvals.Escalate.After, To: policy.Approvers(c.Approvals.Escalate.To)}
	for i := range rules {
		r := &rules[i]
		if e.Role() != "" && r.Effect == policy.Confirm && r.Escalate == (policy.Escalation{}) && r.Confirmation().Approvers != policy.Requester {
			r.Escalate = e
		}
	}
}

// escalation checks when other people are asked too.
func (v *validator) escalation() {
	e := v.c.Approvals.Escalate
	given := policy.Escalation{After: e.After, To: policy.Approvers(e.To)}
	switch {
	case e.To == "" && e.After != 0:
		v.add("approvals.escalate.to", quote(e.To), "role:NAME, or no approvals.escalate.after")
	case e.To != "" && e.After <= 0:
		v.add("approvals.escalate.after", e.After.String(), "how long a call waits first, such as 10m")
	case e.To != "" && given.Role() == "":
		v.add("approvals.escalate.to", quote(e.To), "role:NAME")
	}
	for i, p := range v.c.Policies {
		for j := range p.Rules {
			if after := p.Rules[j].Escalate.After; after >= v.c.Lifetimes.Approval && after > 0 {
				v.add(fmt.Sprintf("policies[%d].rules[%d].escalate.after", i, j), after.String(), "less than lifetimes.approval ("+v.c.Lifetimes.Approval.String()+"), when the call expires")
			}
		}
	}
}
