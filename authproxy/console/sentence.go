package console

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/authproxy/policy/reach"
	"sfmcp-proxy/authproxy/salesforce"
	"sfmcp-proxy/authproxy/ui"
)

// recordCall is the record that a call names, and the fields that it sets.
type recordCall struct {
	reach.Target
	Body map[string]json.RawMessage
}

// recordOf returns the record that a call that waits names; ok is false if it names none.
func recordOf(a *approval.Request) (r recordCall, ok bool) {
	if r.Target, ok = reach.TargetOf(a.Tool, a.Arguments); ok && r.Target.Body != nil {
		ok = json.Unmarshal(r.Target.Body, &r.Body) == nil
	}
	return r, ok
}

// name is what the call calls the record, "" if nothing.
func (r *recordCall) name() string {
	for _, field := range []string{"Name", "LastName", "Subject"} {
		var text string
		if json.Unmarshal(r.Body[field], &text) == nil && text != "" {
			return text
		}
	}
	return ""
}

// sentence says in a line what a call would do, for whoever decides. It leaves out what the
// page shows below; names of records are those that the call gives, for nobody else has said
// them.
func sentence(a *approval.Request) string {
	call, ok := recordOf(a)
	if !ok {
		return cmp.Or(restSentence(a), "Run "+a.Tool)
	}
	record := "a record of " + shortened(ui.Printable(call.Object))
	if call.Path != "" { // another record is written than the one that is named
		record = "what " + shortened(ui.Printable(call.Path)) + " leads to from " + record
	}
	switch policy.Class(a.Class) {
	case policy.Create:
		return joined("Create "+record, quoted(call.name()))
	case policy.Update:
		what := "Change " + record
		if n := len(call.Body); n > 0 {
			what = fmt.Sprintf("Change %s of %s", counted(n, "field"), record)
		}
		return joined(what, cmp.Or(shortened(call.ID), quoted(call.name())))
	case policy.Delete:
		return joined("Delete "+record, shortened(call.ID))
	}
	return joined("Run "+a.Tool+" on "+shortened(ui.Printable(call.Object)), shortened(call.ID))
}

// sentenceAbout is [sentence] with the name that Salesforce gave the one record that the call
// changes or deletes. Its id stands below.
func sentenceAbout(a *approval.Request, name string) string {
	call, ok := recordOf(a)
	if !ok || call.Path != "" {
		return sentence(a)
	}
	record := "the " + shortened(ui.Printable(call.Object)) + " " + quoted(ui.Printable(name))
	switch policy.Class(a.Class) {
	case policy.Update:
		if n := len(call.Body); n > 0 {
			return fmt.Sprintf("Change %s of %s", counted(n, "field"), record)
		}
		return "Change " + record
	case policy.Delete:
		return "Delete " + record
	}
	return sentence(a)
}

// inKind ends a sentence with what the org is for, as far as that is known.
func inKind(kind string) string {
	switch salesforce.OrgKind(kind) {
	case salesforce.ProductionOrg:
		return ", in PRODUCTION"
	case salesforce.SandboxOrg:
		return ", in a sandbox"
	case salesforce.ScratchOrg:
		return ", in a scratch org"
	}
	return ""
}

// restSentence says which request a call of one of the tools makes that carry any request of the
// REST API; "" if it is none. The policy lets only plain paths pass, which need no decoding.
func restSentence(a *approval.Request) string {
	var call struct {
		Method string `json:"method"`
		URL    string `json:"url"`
	}
	if a.Tool != "dispatch" && a.Tool != "dispatch_readonly" || json.Unmarshal(a.Arguments, &call) != nil || call.URL == "" {
		return ""
	}
	return fmt.Sprintf("Send %s %s to the REST API of Salesforce", ui.Printable(cmp.Or(call.Method, http.MethodGet)), shortened(ui.Printable(call.URL)))
}

// joined puts what a record is called behind what is done with it.
func joined(what, record string) string {
	if record == "" {
		return what
	}
	return what + ": " + record
}

func quoted(name string) string {
	if name == "" {
		return ""
	}
	return "“" + strings.Trim(shortened(name), "“”") + "”"
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// consequence says what cannot be taken back of a call of that class; "": nothing that needs
// to be said.
func consequence(class string) string {
	switch policy.Class(class) {
	case policy.Delete:
		return "A deletion can take what hangs on the record with it, and cannot be undone from here."
	case policy.Admin:
		return "It changes who may do what in the organization, or how it works."
	case policy.Unknown:
		return "Nobody here knows what this tool does: it may change anything."
	}
	return ""
}
