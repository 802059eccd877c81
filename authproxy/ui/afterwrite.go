package ui

// AfterWrite is what the page of a call says once it was sent to Salesforce, and of a call that
// takes another one back. Its forms post to /approvals/{ID}/resolve and /approvals/{ID}/undo.
type AfterWrite struct {
	Verified string // how the record compared with what the call set, in words; empty: nobody looked
	Differs  bool
	Fields   []AfterField

	Unresolved bool   // nobody knows whether it was carried out; "happened" and "reason" are asked for
	Query      string // that tells it; may be empty
	// Resolved is what a person says of it; empty: nobody has.
	Resolved, ResolvedBy, ResolvedAt, Reason string

	CanUndo          bool
	NoUndo           string // why it cannot be undone though it is known what was before; passed through [Visible]; may be empty
	Undo, UndoStatus string // the request of the call that takes it back; empty: there is none
	UndoOf           string // the request of the call that this one takes back
	// SendTool and Send are what the client sends to spend it, passed through [Visible].
	SendTool, Send string
}

// AfterField is one field of the record, its values passed through [Visible].
type AfterField struct{ Name, Before, Set, After string }
