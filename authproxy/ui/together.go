package ui

import "strings"

// TogetherPage shows calls of one connection that are decided together. Its form posts "call."
// with its id for each that is meant, "decision" and "reason" to /approvals/ID/together.
type TogetherPage struct {
	Viewer      Viewer
	ID          string // of the call that the page was opened from
	Requester   string
	ClientName  string
	ServerTitle string
	OrgName     string
	OrgKind     string // as in [ApprovalPage]
	Approver    string // who decides, in words
	Calls       []TogetherCall
	Mark        string // see [Marks]
	TooSoon     bool   // a decision came sooner than the page can be read
	More        int    // calls that have no place here
}

func (p TogetherPage) page() head {
	return head{Template: "together", Title: "Decide calls together", Viewer: &p.Viewer}
}

// Listed are the ids of the calls, as the form posts them: field "listed".
func (p TogetherPage) Listed() string {
	ids := make([]string, len(p.Calls))
	for i, c := range p.Calls {
		ids[i] = c.ID
	}
	return strings.Join(ids, " ")
}

// TogetherCall is one of the calls of a [TogetherPage].
type TogetherCall struct {
	ID, Sentence, Tool, Class string
	Arguments                 []Argument
	Digest, Until             string // Until: when it expires, in few words
}
