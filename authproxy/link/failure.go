package link

import (
	"sfmcp-proxy/authproxy/salesforce"
)

// Failure is why a login is lost, or why its last refresh failed. The zero value: nothing
// failed since. It is what package salesforce found at the time, and holds no token.
type Failure struct {
	// Kind is what can be done about it; "" if nothing failed.
	Kind salesforce.Kind
	// Code is Salesforce's error code, or one of package salesforce.
	Code string
	// Text is a description in a few plain words; may be empty.
	Text string
	// Hint is the Setup page and setting, or the key of the configuration, to look at.
	Hint string
	// Lost says that an answer of Salesforce's was lost on the way.
	Lost bool
}

// failureColumns are those of a [Failure] in the table links.
const failureColumns = `failure_kind, failure_code, failure_text, failure_hint, failure_lost`

func failureOf(e *salesforce.Error) Failure {
	return Failure{Kind: e.Kind, Code: e.Code, Text: e.Description, Hint: e.Hint, Lost: e.Lost}
}

// Reason is code and text, for an operator; "" if nothing failed.
func (f Failure) Reason() string {
	if f.Text == "" {
		return f.Code
	}
	return f.Code + " (" + f.Text + ")"
}
