package preview

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Modified is the field that says when a record was last written, by people or by machines.
const Modified = "SystemModstamp"

// RecordOf is the question for the record that a call of the standard record tools is about, with
// the fields that it sets: the one that it names, or, of a create, the one with that id, which
// Salesforce's answer gives. all: these are all fields that it sets. ok is false for other calls.
func RecordOf(tool string, arguments []byte, created string) (q Question, all, ok bool) {
	var call struct {
		Object string                     `json:"sobject-name"`
		ID     string                     `json:"id"`
		Body   map[string]json.RawMessage `json:"body"`
	}
	if json.Unmarshal(arguments, &call) != nil || !apiName.MatchString(call.Object) {
		return q, false, false
	}
	q = Question{Object: call.Object, ID: call.ID}
	switch tool {
	case "updateSobjectRecord", "createSobjectRecord":
		q.Fields = simple(call.Body)
		all = len(q.Fields) == len(call.Body)
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
	var call struct {
		Object string `json:"sobject-name"`
	}
	if json.Unmarshal(arguments, &call) != nil || !apiName.MatchString(call.Object) {
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

// Fields are the values that a call sets, by the names of the fields in lower case; of a name that
// stands there in several cases the last in order counts nothing: it is not among them.
func Fields(arguments []byte) map[string]json.RawMessage {
	var call struct {
		Body map[string]json.RawMessage `json:"body"`
	}
	_ = json.Unmarshal(arguments, &call)
	values, twice := map[string]json.RawMessage{}, map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(call.Body)) {
		lower := strings.ToLower(name)
		if _, there := values[lower]; there {
			twice[lower] = true
		}
		values[lower] = call.Body[name]
	}
	for name := range twice {
		delete(values, name)
	}
	return values
}
