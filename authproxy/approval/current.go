package approval

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"
)

// Current is what Salesforce had at a moment of what a call would change, for whoever decides.
type Current struct {
	// Missing says in a sentence why it is not known; then nothing else is set.
	Missing string
	// Absent: it is missing because Salesforce shows the requester no such record.
	Absent bool
	// New: the call makes a record, and there is none yet that could change.
	New bool
	// Fields are those that the call sets, of the record that it names.
	Fields []CurrentField
	// Unread is how many more values the call sets: too many to read, or of no single field.
	Unread int
	// Records are that record, or those that are called already what a new one would be.
	Records []CurrentRecord
	// Hanging is what hangs on the record that the call would delete, as far as it was counted, and
	// Uncounted are further relations to such records.
	Hanging   []CurrentChildren
	Uncounted []string
}

// CurrentField is one field of the record before the call.
type CurrentField struct {
	Name string
	// Now is the value, spelled as Salesforce did; nil: Salesforce did not answer it.
	Now jsontext.Value
	// Then is the value that the call sets.
	Then jsontext.Value
	// Hidden: the policy hides the field, so that Now is not read.
	Hidden bool
}

// CurrentRecord is a record that there is. Without a Name it could not be read.
type CurrentRecord struct {
	ID, Name string
	Object   string // empty: not known
}

// CurrentChildren is how many records hang on one behind a relation; More: there are more.
type CurrentChildren struct {
	Relation string
	Count    int
	More     bool
}

// Known are the records of c whose names were read.
func (c *Current) Known() (named []CurrentRecord) {
	for _, r := range c.Records {
		if r.Name != "" {
			named = append(named, r)
		}
	}
	return named
}

// Shown names what a person was shown of a [Current] when they agreed.
type Shown string

const (
	// ShownNothing: there was nothing to show, or no page; what was agreed to is the call alone.
	ShownNothing Shown = ""
	// ShownUnread: it could not be read, and the page said so.
	ShownUnread Shown = "unread"
	// shownAbsent: the page said that there is no such record.
	shownAbsent Shown = "absent"
)

// Binds reports whether the call may be made only while Salesforce has the same.
func (s Shown) Binds() bool { return s != ShownNothing && s != ShownUnread }

// Shown is the name of c: the SHA-256 in hexadecimal of the record and of the values that the
// fields have, as Salesforce spelled them. What the call sets is bound by its arguments.
func (c *Current) Shown() Shown {
	switch {
	case c.New:
		return ShownNothing
	case c.Absent:
		return shownAbsent
	case c.Missing != "":
		return ShownUnread
	}
	h := sha256.New()
	part := func(text string) { fmt.Fprintf(h, "%d:%s", len(text), text) } // no two lists have the same bytes
	part("v1")
	for _, r := range c.Records {
		part("record")
		part(r.ID)
		part(r.Name)
	}
	for _, f := range c.Fields {
		part("field")
		part(f.Name)
		part(fmt.Sprintf("%t %t", f.Hidden, f.Now != nil))
		part(string(f.Now))
	}
	for _, children := range c.Hanging {
		part("hanging")
		part(children.Relation)
		part(fmt.Sprintf("%d %t", children.Count, children.More))
	}
	for _, relation := range c.Uncounted {
		part("uncounted")
		part(relation)
	}
	return Shown(hex.EncodeToString(h.Sum(nil)))
}
