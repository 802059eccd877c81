package preview

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"sfmcp-proxy/authproxy/policy/reach"
)

// Modified is the field that says when a record was last written, by people or by machines.
const Modified = "SystemModstamp"

// RecordOf is the question for the record that a call of the standard record tools is about, with
// the fields that it sets: the one that it names, or, of a create, the one with that id, which
// Salesforce's answer gives. all: these are all fields that it sets. ok is false for other calls.
func RecordOf(tool string, arguments []byte, created string) (q Question, all, ok bool) {
	call, ok := reach.TargetOf(tool, arguments)
	if !ok || !apiName.MatchString(call.Object) {
		return q, false, false
	}
	var body map[string]json.RawMessage
	if call.Body != nil && json.Unmarshal(call.Body, &body) != nil {
		return q, false, false
	}
	q = Question{Object: call.Object, ID: call.ID}
	switch tool {
	case "updateSobjectRecord", "createSobjectRecord":
		q.Fields = simple(body)
		all = len(q.Fields) == len(body)
	case "deleteSobjectRecord":
		all = true
	default:
		return q, false, false
	}
	if tool == "createSobjectRecord" {
		q.ID = created
	}
	return q, all, recordID.MatchString(q.ID)
}

// Lost is the query that tells a person whether a call was carried out whose answer was lost: the
// record that it names with the fields that it sets and who wrote it last, or the records that
// the user made since a minute before the call was sent. "" where there is none.
func Lost(tool string, arguments []byte, subject string, sent time.Time) string {
	call, ok := reach.TargetOf(tool, arguments)
	if !ok || !apiName.MatchString(call.Object) {
		return ""
	}
	if tool == "createSobjectRecord" {
		if !recordID.MatchString(subject) {
			return ""
		}
		q := Question{Object: call.Object, Name: nameField(call.Object)}
		fields := []string{"Id", "CreatedDate"}
		if q.Name != "" {
			fields = append(fields, q.Name)
		}
		return fmt.Sprintf("SELECT %s FROM %s WHERE CreatedById = '%s' AND CreatedDate >= %s ORDER BY CreatedDate LIMIT 20",
			strings.Join(fields, ", "), call.Object, subject, sent.Add(-time.Minute).UTC().Format("2006-01-02T15:04:05Z"))
	}
	q, _, ok := RecordOf(tool, arguments, "")
	if !ok {
		return ""
	}
	q.Fields = append(slices.Clone(q.Fields), "LastModifiedDate", "LastModifiedById")
	return q.SOQL()
}

// Fields are the values that a call sets, by the names of the fields in lower case, without those
// that stand there in several cases.
func Fields(tool string, arguments []byte) map[string]json.RawMessage {
	var body map[string]json.RawMessage
	if call, ok := reach.TargetOf(tool, arguments); ok && call.Body != nil {
		_ = json.Unmarshal(call.Body, &body) // an object, as TargetOf says
	}
	values, twice := map[string]json.RawMessage{}, map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(body)) {
		lower := strings.ToLower(name)
		if _, there := values[lower]; there {
			twice[lower] = true
		}
		values[lower] = body[name]
	}
	for name := range twice {
		delete(values, name)
	}
	return values
}
