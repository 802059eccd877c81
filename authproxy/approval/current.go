package approval

import "github.com/go-json-experiment/json/jsontext"

// Current is what Salesforce had at a moment of what a call would change, for whoever decides.
type Current struct {
	// Missing says in a sentence why it is not known; then nothing else is set.
	Missing string
	// Fields are those that the call sets, of the record that it names.
	Fields []CurrentField
	// Records are that record, or those that are called already what a new one would be.
	Records []CurrentRecord
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

// CurrentRecord is a record that there is.
type CurrentRecord struct{ ID, Name string }
