package policy

import (
	"slices"

	"sfmcp-proxy/authproxy/policy/reach"
)

// Hints are MCP tool annotations, all of them explicit because their defaults
// differ between clients.
type Hints struct {
	ReadOnly    bool // changes nothing
	Destructive bool // may overwrite or delete; false if it only adds
	Idempotent  bool // a second identical call changes nothing more
	OpenWorld   bool // may reach beyond the records of the org
}

// Annotations returns the hints of a tool for who: the worst case over those of
// its calls that this policy lets pass. With a policy that allows reads only,
// soqlQuery is read-only, because its clauses with side effects are denied. What the upstream
// declares is not asked.
func (p *Policy) Annotations(who Principal, tool string) Hints {
	passing := p.passing(who, tool)
	if len(passing) == 0 {
		passing = p.catalogue.Tool(tool).Classes
	}
	return hintsOf(passing)
}

func hintsOf(possible []Class) Hints {
	worst := Read
	for _, c := range possible {
		if c != Admin { // says of what, not what is done
			worst = reach.Worse(worst, c)
		}
	}
	if slices.Contains(possible, Admin) && (worst == Read || worst == SideEffect) {
		worst = Unknown
	}
	switch worst {
	case Read:
		return Hints{ReadOnly: true, Idempotent: true}
	case SideEffect, Create:
		return Hints{}
	case Update, Delete:
		return Hints{Destructive: true, Idempotent: true}
	}
	return Hints{Destructive: true, OpenWorld: true}
}
