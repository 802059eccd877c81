package records

import "fmt"

// Error is a refusal as Salesforce's REST API words it: a sentence and a code.
type Error struct {
	Message string   `json:"message"`
	Code    string   `json:"errorCode"` // INVALID_FIELD, MALFORMED_QUERY, …
	Fields  []string `json:"fields,omitempty"`
}

// Error returns the code and the sentence.
func (e *Error) Error() string { return e.Code + ": " + e.Message }

// Refuse makes an error of this code; format and args are its sentence.
func Refuse(code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}
