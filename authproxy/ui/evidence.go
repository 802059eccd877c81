package ui

import "slices"

// EvidencePage is the record of one call that waited for a person, to be printed. Its texts have
// not passed Visible; the template does that.
type EvidencePage struct {
	Viewer   Viewer
	ID       string
	Sentence string // what the call would do, in a line; may be empty
	Status   string // what became of it, in words
	Printed  string // when the record was made

	Facts     []EvidenceFact
	Factors   []FactorLine
	Decisions []EvidenceLine
	Seen      []EvidenceLine
	Answer    []EvidenceFact // what Salesforce answered; empty: nothing
	Check     []EvidenceFact // what was found out afterwards; those without a value are not shown
	Missing   []string       // sentences: what the record lacks
	Entries   []EvidenceEntry

	Pack string // where the same is packed with proofs, for viewers who may; else empty

	Canonical string // arguments as JSON, passed through Visible; empty: not kept
}

// EvidenceFact is one thing that is known, with what it is.
type EvidenceFact struct{ Name, Value string }

// EvidenceLine is what somebody did at a time.
type EvidenceLine struct{ When, Who, What, Said string }

// EvidenceEntry is one entry of the audit log.
type EvidenceEntry struct {
	Number                   int64
	When, What, Outcome, Who string
}

func (p EvidencePage) page() head {
	return head{Template: "evidence", Title: "Evidence of " + p.ID, Viewer: &p.Viewer}
}

// HasCheck reports whether anything was found out afterwards.
func (p EvidencePage) HasCheck() bool {
	return slices.ContainsFunc(p.Check, func(f EvidenceFact) bool { return f.Value != "" })
}
