package analysis

import (
	"cmp"
	"slices"
	"time"

	"sfmcp-proxy/authproxy/policy"
)

// Recorded is a call that was decided once.
type Recorded struct {
	Seq    int64 // number of its entry in the audit log
	Server string
	Who    policy.Principal
	Call   policy.Call // made at the moment of the entry
	Effect policy.Effect
	// Unjudged, if not empty, is why the call cannot be judged any more: "arguments too long".
	Unjudged string
}

// Replay is what a draft would have decided about recorded calls. It is evidence, and puts
// nothing into force.
type Replay struct {
	// What was judged by what: digests of the draft, of what it is in front of its servers
	// (what is declared of their tools is part of that), and of the catalogue of tools, and the
	// range of the log.
	Policy    string    `json:"policy"`
	Version   string    `json:"policy_version"`
	Versions  []string  `json:"versions"` // sorted, each once
	Catalogue string    `json:"catalogue"`
	Since     time.Time `json:"since"`
	Until     time.Time `json:"until"`
	First     int64     `json:"first"` // entries of the audit log; 0: there were none
	Last      int64     `json:"last"`

	Calls    int            `json:"calls"`
	Judged   int            `json:"judged"`
	Unjudged map[string]int `json:"unjudged,omitempty"` // calls by why
	Changed  int            `json:"changed"`            // calls that the draft decides otherwise
	Changes  []Replayed     `json:"changes,omitempty"`  // in the order of [Replay.Sort]
	// Unlisted are changed calls of further groups, for which there is no room.
	Unlisted int `json:"unlisted,omitempty"`
}

// Replayed are calls of one user and tool that the draft decides otherwise by one rule.
type Replayed struct {
	Server   string        `json:"server"`
	User     string        `json:"user"`
	Tool     string        `json:"tool"`
	From     policy.Effect `json:"from"`
	To       policy.Effect `json:"to"`
	Rule     string        `json:"rule"` // of the draft
	Calls    int           `json:"calls"`
	Examples []int64       `json:"examples"` // numbers of entries, at most 5
}

// Bounds of a result.
const (
	maxReplayed = 1000
	maxExamples = 5
)

// Add judges one call by the draft as it holds in front of the call's server.
func (r *Replay) Add(call Recorded, draft *policy.Policy) {
	r.Calls++
	r.First, r.Last = cmp.Or(r.First, call.Seq), call.Seq
	if call.Unjudged != "" {
		r.unjudged(call.Unjudged)
		return
	}
	d := draft.Decide(call.Who, call.Call)
	if d.Effect == policy.Deny && d.Effect != call.Effect && len(d.Reach.Undescribed) > 0 {
		r.unjudged(unknownSchema)
		return
	}
	r.Judged++
	if d.Effect == call.Effect {
		return
	}
	r.Changed++
	key := Replayed{Server: call.Server, User: cmp.Or(call.Who.Username, call.Who.Subject), Tool: call.Call.Tool, From: call.Effect, To: d.Effect, Rule: draft.Words(d.Rule)}
	i := slices.IndexFunc(r.Changes, func(c Replayed) bool {
		return c.Server == key.Server && c.User == key.User && c.Tool == key.Tool && c.From == key.From && c.To == key.To && c.Rule == key.Rule
	})
	if i < 0 && len(r.Changes) == maxReplayed {
		r.Unlisted++
		return
	}
	if i < 0 {
		i, r.Changes = len(r.Changes), append(r.Changes, key)
	}
	c := &r.Changes[i]
	if c.Calls++; len(c.Examples) < maxExamples {
		c.Examples = append(c.Examples, call.Seq)
	}
}

// unknownSchema is why a call cannot be judged that leads over a relation of the org's own:
// where it leads was asked of Salesforce then, and is not recorded.
const unknownSchema = "leads over relations that only the org knows"

func (r *Replay) unjudged(why string) {
	if r.Unjudged == nil {
		r.Unjudged = map[string]int{}
	}
	r.Unjudged[why]++
}

// Sort puts the changes in order: what lets more pass first, then most calls.
func (r *Replay) Sort() {
	slices.SortStableFunc(r.Changes, func(a, b Replayed) int { return cmp.Or(b.More()-a.More(), b.Calls-a.Calls) })
}

// More says whether the draft lets more pass (1) or less (-1).
func (r Replayed) More() int {
	return cmp.Compare(Way{Effect: r.To}.rank(), Way{Effect: r.From}.rank())
}
