package main

import (
	"slices"
	"strings"

	"sfmcp-proxy/authproxy/console/team"
	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/authproxy/policy/analysis"
)

// pendingSize is how many cases of one server a page compares: a tenth of a second or so.
const pendingSize = analysis.Quick / 20

// pending is what a reload would change for whom; nil where there is nothing to reload.
func (p *product) pending() *team.Pending {
	if p.reread == nil {
		return nil
	}
	after, err := p.reread()
	if err != nil {
		return &team.Pending{Problem: err.Error()}
	}
	if after == nil {
		return nil
	}
	previous, then := p.config.Analysed()
	servers, now := after.Analysed()
	var changed team.Pending
	for _, s := range servers {
		old := analysis.Server{Name: s.Name, Policy: (&policy.Policy{}).For("")}
		if i := slices.IndexFunc(previous, func(was analysis.Server) bool { return was.Name == s.Name }); i >= 0 {
			old = previous[i]
		}
		same := old.Policy.Version() == s.Policy.Version() && slices.Equal(old.Groups, s.Groups) && slices.EqualFunc(then.Groups, now.Groups, sameGroup) && slices.Equal(then.Clients, now.Clients)
		if same {
			continue
		}
		lines := []string{"too many rules, objects and groups to be compared here: 'policy diff' does it"}
		if analysis.Size(old, then, s, now) <= pendingSize {
			lines = nil
			for _, change := range analysis.Diff(old, then, s, now) {
				lines = append(lines, change.String())
			}
		}
		if len(lines) > 0 {
			changed.Servers = append(changed.Servers, team.PendingServer{Server: s.Name, Policy: strings.TrimSpace(s.Policy.Name), Lines: lines})
		}
	}
	return &changed
}

func sameGroup(a, b analysis.Group) bool {
	return a.Name == b.Name && slices.Equal(a.Members, b.Members)
}
