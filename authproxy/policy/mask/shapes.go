package mask

import (
	"bytes"
	"slices"

	"github.com/go-json-experiment/json/jsontext"
)

// envelopes are the forms in which Salesforce's APIs put what they answer: objects with the
// first of these members and none but these. Their members are no fields.
var envelopes = [][]string{
	{"records", "totalSize", "done", "nextRecordsUrl", "queryLocator", "size", "entityTypeName"},
	{"searchRecords", "metadata"},
	{"recentItems", "objectDescribe"},
	{"sobjects", "encoding", "maxBatchSize"},
	{"status_code", "body", "url"},
	{"compositeResponse"},
	{"httpStatusCode", "body", "httpHeaders", "referenceId"},
	{"hasErrors", "results"},
	{"statusCode", "result"},
	{"success", "id", "errors", "created", "referenceId"},
	{"errorCode", "message", "fields", "statusCode"},
	{"statusCode", "message", "fields"},
	{"isSuccess", "actionName", "errors", "outputValues", "invocationId", "outcome", "sortOrder", "version"},
	{"results"},
}

func isEnvelope(parts []part) bool {
	return slices.ContainsFunc(envelopes, func(names []string) bool {
		return has(parts, names[0]) && !slices.ContainsFunc(parts, func(p part) bool { return !slices.Contains(names, string(p.name)) })
	})
}

func has(parts []part, name string) bool {
	return slices.ContainsFunc(parts, func(p part) bool { return string(p.name) == name })
}

// isTable reports whether an object holds a table, whose columns are named elsewhere or
// nowhere: data with rowCount (Data 360).
func isTable(parts []part) bool { return has(parts, "rowCount") && has(parts, "data") }

// isUnreadReply reports whether an object is the reply of a REST request in which the body is
// a text that is not JSON, such as XML.
func (w *walker) isUnreadReply(parts []part) bool {
	if !has(parts, "status_code") && !has(parts, "httpStatusCode") {
		return false
	}
	return slices.ContainsFunc(parts, func(p part) bool {
		return string(p.name) == "body" && p.kind == '"' && !isJSON(w.text[p.value:p.to])
	})
}

// isJSON reports whether a JSON string is empty or holds JSON.
func isJSON(text jsontext.Value) bool {
	plain, err := jsontext.AppendUnquote(nil, text)
	plain = bytes.TrimSpace(plain)
	return err == nil && (len(plain) == 0 || jsontext.Value(plain).IsValid())
}

// isAddress reports whether an object has the members of a compound alone.
func isAddress(parts []part) bool {
	return !slices.ContainsFunc(parts, func(p part) bool { return !isAddressPart(p.name) })
}

// isDescription reports whether an object describes an sObject.
func isDescription(parts []part) bool {
	return has(parts, "name") && (has(parts, "keyPrefix") || has(parts, "labelPlural") || has(parts, "queryable"))
}

// description takes the fields that are dropped from answers out of what describes their
// object. Those that are masked stay: their type does, too.
func (w *walker) description(parts []part) {
	object := ""
	for _, p := range parts {
		if string(p.name) == "name" && p.kind == '"' {
			text, _ := jsontext.AppendUnquote(nil, w.text[p.value:p.to])
			object = string(text)
		}
	}
	for _, p := range parts {
		switch {
		case p.kind != '[':
		case string(p.name) == "fields":
			w.undescribed(p, func(said map[string]string) Field { return Field{Object: object, Name: said["name"]} })
		case string(p.name) == "childRelationships":
			w.undescribed(p, func(said map[string]string) Field { return Field{Object: said["childSObject"], Name: said["field"]} })
		}
	}
}

// undescribed takes the elements out of an array that are about a dropped field. about makes
// the field of those of their members that are texts.
func (w *walker) undescribed(list part, about func(said map[string]string) Field) {
	in := jsontext.NewDecoder(bytes.NewBuffer(w.text[list.value:list.to]))
	at := func() int { return list.value + int(in.InputOffset()) }
	var elements []part
	in.ReadToken()
	for in.PeekKind() == '{' {
		in.ReadToken()
		e := part{from: at() - 1}
		said := map[string]string{}
		for in.PeekKind() == '"' {
			token, _ := in.ReadToken()
			name := token.String()
			if in.PeekKind() != '"' {
				in.SkipValue()
				continue
			}
			token, _ = in.ReadToken()
			said[name] = token.String()
		}
		in.ReadToken()
		e.to = at()
		if f := about(said); f.Name != "" {
			e.action = w.r.hiding.Of(f)
		}
		elements = append(elements, e)
	}
	before := len(w.edits)
	w.remove(elements, isDropped)
	for i := range w.edits[before:] {
		w.edits[before+i].did = Done{} // no value of a record
	}
}

// objectIn returns the object that the url of a record names: …/sobjects/User/005….
func objectIn(url []byte) []byte {
	const before = "/sobjects/"
	i := bytes.Index(url, []byte(before))
	if i < 0 {
		return nil
	}
	object, _, _ := bytes.Cut(url[i+len(before):], []byte("/"))
	return object
}
