package preview

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"sfmcp-proxy/authproxy/policy/reach"
)

// Bounds of one question: a person compares no more.
const (
	MaxFields  = 50  // that are read of a record
	sameNames  = 5   // records of the same name
	nameLength = 255 // characters of a name that is looked for
)

var (
	apiName  = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]{0,79}$`)
	recordID = regexp.MustCompile(`^([A-Za-z0-9]{15}|[A-Za-z0-9]{18})$`)
)

// Question is what is asked about a call.
type Question struct {
	Object string
	ID     string   // of the record; empty: records of the same name are asked for
	Called string   // the name that is looked for, where ID is empty
	Name   string   // field that holds what a record of Object is called; empty: not known
	Fields []string // that the call sets, by name without regard to case, at most MaxFields
	// IDs are those of several records, of which the names are asked for; then ID and Called are empty.
	IDs []string
	// Deletes: the call deletes the record, so that what hangs on it is to be counted, behind the
	// relations that are its Children.
	Deletes  bool
	Children []string
}

// Of is what to ask about a call of that tool; ok is false if nothing can be asked.
func Of(tool string, arguments []byte) (q Question, ok bool) {
	call, ok := reach.TargetOf(tool, arguments)
	if !ok || !apiName.MatchString(call.Object) {
		return q, false
	}
	var body map[string]json.RawMessage
	if call.Body != nil && json.Unmarshal(call.Body, &body) != nil {
		return q, false
	}
	q = Question{Object: call.Object, Name: nameField(call.Object)}
	switch tool {
	case "updateSobjectRecord":
		q.ID, q.Fields = call.ID, simple(body)
	case "deleteSobjectRecord":
		q.ID, q.Deletes = call.ID, true
	case "createSobjectRecord":
		return q, q.Name != "" && json.Unmarshal(body[q.Name], &q.Called) == nil && isName(q.Called)
	default:
		return q, false
	}
	return q, recordID.MatchString(q.ID)
}

// simple are the fields of a body that a query can read: those whose value is no object or
// list, each once.
func simple(body map[string]json.RawMessage) (fields []string) {
	seen := map[string]bool{"id": true}
	for _, name := range slices.Sorted(maps.Keys(body)) {
		value := body[name]
		if len(value) == 0 || value[0] == '{' || value[0] == '[' || !apiName.MatchString(name) || seen[strings.ToLower(name)] {
			continue
		}
		seen[strings.ToLower(name)] = true
		if fields = append(fields, name); len(fields) == MaxFields {
			break
		}
	}
	return fields
}

func isName(s string) bool {
	return s != "" && len([]rune(s)) <= nameLength && !strings.ContainsFunc(s, unicode.IsControl)
}

// otherNames are the objects whose records are called by another field than Name, by their
// API names in lower case; "" is none. (Object Reference for the Salesforce Platform)
var otherNames = map[string]string{
	"case": "CaseNumber", "task": "Subject", "event": "Subject", "contract": "ContractNumber", "order": "OrderNumber",
	"solution": "SolutionName", "contentversion": "Title", "contentdocument": "Title",
	"casecomment": "", "feeditem": "", "feedcomment": "", "emailmessage": "Subject", "opportunitylineitem": "Name",
	"opportunitycontactrole": "", "accountcontactrole": "", "campaignmember": "", "accountteammember": "", "opportunityteammember": "",
}

func nameField(object string) string {
	if name, ok := otherNames[strings.ToLower(object)]; ok {
		return name
	}
	return "Name"
}

// SOQL is the query.
func (q Question) SOQL() string {
	fields := []string{"Id"}
	if q.Name != "" && !slices.ContainsFunc(q.Fields, func(f string) bool { return strings.EqualFold(f, q.Name) }) {
		fields = append(fields, q.Name)
	}
	fields = append(fields, q.Fields...)
	for _, relation := range q.Children {
		fields = append(fields, fmt.Sprintf("(SELECT Id FROM %s LIMIT %d)", relation, MaxCounted+1))
	}
	list := strings.Join(fields, ", ")
	switch {
	case len(q.IDs) > 0:
		return fmt.Sprintf("SELECT %s FROM %s WHERE Id IN ('%s') LIMIT %d", list, q.Object, strings.Join(q.IDs, "', '"), len(q.IDs))
	case q.ID != "":
		return fmt.Sprintf("SELECT %s FROM %s WHERE Id = '%s' LIMIT 1", list, q.Object, q.ID)
	}
	quoted := strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(q.Called)
	return fmt.Sprintf("SELECT %s FROM %s WHERE %s = '%s' LIMIT %d", list, q.Object, q.Name, quoted, sameNames)
}
