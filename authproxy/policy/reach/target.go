package reach

import "github.com/go-json-experiment/json/jsontext"

// Target is the one record that a call is about, as its arguments name it: for people, and for
// reading what the record is. Decisions rest on [Value].
type Target struct {
	Object string // API name, as written
	ID     string // "" if the record is made, or none is named
	// Path leads from that record to those that the call is about; "": it is that record itself.
	Path string
	// Body holds the fields that are set, a JSON object; nil if there are none.
	Body jsontext.Value
}

// TargetOf returns the record that a call of a tool names as Salesforce's record tools do, or as
// a request of the REST API that writes one record. ok is false if it names none. A tool of
// a custom server may have such arguments too: nobody knows what it does with them.
func TargetOf(tool string, raw jsontext.Value) (t Target, ok bool) {
	a, refused := parseArguments(raw)
	if refused != nil {
		return t, false
	}
	if tool == "dispatch" {
		r, refused := a.request(false)
		if refused != nil || r.unknown || !r.rest || r.method == "GET" || len(r.path) < 2 || len(r.path) > 3 || r.path[0] != "sobjects" {
			return t, false
		}
		if t.Object = r.path[1]; len(r.path) == 3 {
			t.ID = r.path[2]
		}
		if t.ID != "" && !ValidID(t.ID) || (t.ID == "") != (r.method == "POST") {
			return t, false
		}
	} else {
		t.Object, _, _ = a.text("sobject-name")
		t.ID, _, _ = a.text("id")
		t.Path, _, _ = a.text("relationship-path")
	}
	if body, given := a.get("body"); given && body.Kind() == '{' {
		t.Body = body
	}
	return t, ValidObject(t.Object)
}
