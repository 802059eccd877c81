package review

import (
	"sfmcp-proxy/authproxy/audit"
)

// Usage counts who called which tools of which server.
type Usage struct{ of map[Of]map[string]*Use }

// Add takes an entry. A call counts once, by how it ended, if it was sent or waited for a person;
// one that was denied is no use of what somebody has.
func (u *Usage) Add(e audit.Entry) {
	if e.Action != audit.ToolCall || e.Tool == "" || e.Subject == "" || e.Outcome == audit.Intent || e.Outcome == audit.Denied {
		return
	}
	of := Of{e.Org, e.Subject, e.Server}
	if u.of == nil {
		u.of = map[Of]map[string]*Use{}
	}
	if u.of[of] == nil {
		u.of[of] = map[string]*Use{}
	}
	use := u.of[of][e.Tool]
	if use == nil {
		use = &Use{Tool: e.Tool}
		u.of[of][e.Tool] = use
	}
	use.Calls++
	use.Last = e.At
}

// By are the tools that somebody called on a server.
func (u *Usage) By(of Of) (all []Use) {
	for _, use := range u.of[of] {
		all = append(all, *use)
	}
	return all
}

// Called says whether somebody called a tool on a server.
func (u *Usage) Called(of Of, tool string) bool { return u.of[of][tool] != nil }
