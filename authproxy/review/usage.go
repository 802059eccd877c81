package review

import (
	"sfmcp-proxy/authproxy/audit"
)

// Usage counts who called which tools of which server.
type Usage struct {
	of     map[Of]map[string]*Use
	waited map[waited]bool // calls that waited and were counted
}

// waited is a call of a tool that waited, by the id of its approval.
type waited struct{ approval, tool string }

// maxWaited is how many calls that waited are told apart; of what comes beyond, each time counts that a client asked.
const maxWaited = 200_000

// Add takes an entry. A call counts if it was sent or waited for a person; one that was denied is no use of what
// somebody has. A call that waited counts once, however often its client asked for it before and after it was made.
func (u *Usage) Add(e audit.Entry) {
	if e.Action != audit.ToolCall || e.Tool == "" || e.Subject == "" || e.Outcome == audit.Intent || e.Outcome == audit.Denied {
		return
	}
	of := Of{e.Org, e.Subject, e.Server}
	if u.of == nil {
		u.of, u.waited = map[Of]map[string]*Use{}, map[waited]bool{}
	}
	if u.of[of] == nil {
		u.of[of] = map[string]*Use{}
	}
	use := u.of[of][e.Tool]
	if use == nil {
		use = &Use{Tool: e.Tool}
		u.of[of][e.Tool] = use
	}
	use.Last = e.At
	if call := (waited{e.Approval, e.Tool}); e.Approval != "" {
		if u.waited[call] {
			return
		}
		if len(u.waited) < maxWaited {
			u.waited[call] = true
		}
	}
	use.Calls++
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
