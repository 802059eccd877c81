package api

import (
	"encoding/json"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// field is what the tags of a member say: json its name; doc what it is; min and max its bounds
// (characters of a text, values of a number); enum its values; free that it may hold line breaks.
type field struct {
	name, doc string
	min, max  int64
	enum      []string
	required  bool
	free      bool
}

// schemaOf reads the tags of a member. One that can be left away says omitempty or omitzero.
func schemaOf(f reflect.StructField) field {
	name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
	s := field{name: name, doc: f.Tag.Get("doc"), required: options == "", free: f.Tag.Get("free") != ""}
	s.min, _ = strconv.ParseInt(f.Tag.Get("min"), 10, 64) // 0 without it
	s.max, _ = strconv.ParseInt(f.Tag.Get("max"), 10, 64)
	if enum := f.Tag.Get("enum"); enum != "" {
		s.enum = strings.Split(enum, ",")
	}
	return s
}

// schemas are those of the types that an API speaks of, by name.
type schemas map[string]any

var (
	timeType = reflect.TypeFor[time.Time]()
	rawType  = reflect.TypeFor[json.RawMessage]()
)

// of is the schema of a type, JSON Schema 2020-12 as OpenAPI 3.1 has it. Structs with a name get a place of their own.
func (s schemas) of(t reflect.Type) map[string]any {
	switch {
	case t == timeType:
		return map[string]any{"type": "string", "format": "date-time"}
	case t == rawType:
		return map[string]any{"type": "object"}
	case t == reasonType:
		return map[string]any{"type": "string", "pattern": reasonPattern}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return s.of(t.Elem())
	case reflect.Slice:
		return map[string]any{"type": "array", "items": s.of(t.Elem())}
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.Int, reflect.Int64:
		return map[string]any{"type": "integer"}
	case reflect.String:
		return map[string]any{"type": "string"}
	case reflect.Struct:
		name := nameOf(t)
		if _, ok := s[name]; !ok {
			s[name] = nil // a type that names itself
			s[name] = s.object(t)
		}
		return map[string]any{"$ref": "#/components/schemas/" + name}
	}
	return map[string]any{} // anything
}

// nameOf is the name of a type; of List[Person] it is ListOfPerson.
func nameOf(t reflect.Type) string {
	name, of, generic := strings.Cut(t.Name(), "[")
	if !generic {
		return name
	}
	of = strings.TrimSuffix(of, "]")
	return name + "Of" + of[strings.LastIndex(of, ".")+1:]
}

// object is the schema of a struct.
func (s schemas) object(t reflect.Type) map[string]any {
	members := map[string]any{}
	required := []string{}
	for _, member := range reflect.VisibleFields(t) {
		if !member.IsExported() || member.Anonymous { // what an embedded struct has is visible itself
			continue
		}
		f := schemaOf(member)
		members[f.name] = f.bounded(s.of(member.Type))
		if f.required {
			required = append(required, f.name)
		}
	}
	object := map[string]any{"type": "object", "properties": members, "additionalProperties": false}
	if len(required) > 0 {
		object["required"] = required
	}
	return object
}

// bounded adds to a schema what the tags of a member say.
func (f field) bounded(schema map[string]any) map[string]any {
	if f.doc != "" {
		schema["description"] = f.doc
	}
	if len(f.enum) > 0 {
		schema["enum"] = f.enum
		return schema
	}
	least, most := "minLength", "maxLength"
	if schema["type"] == "integer" {
		least, most = "minimum", "maximum"
	}
	if f.min != 0 || f.max != 0 {
		schema[least] = f.min
	}
	if f.max != 0 {
		schema[most] = f.max
	}
	if schema["type"] == "string" && schema["pattern"] == nil && f.min > 0 && !f.free { // not only white space, no control character
		schema["pattern"] = textPattern
	}
	return schema
}

// textPattern is a text without control characters, and not of white space alone.
const textPattern = `^[^\x00-\x1f\x7f]*[^\x00-\x20\x7f\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000][^\x00-\x1f\x7f]*$`

// reasonPattern is a [Reason]: a text without control characters of which one can be seen. A reason of
// characters beyond U+FFFF alone, which not every program's patterns know, is taken all the same.
const reasonPattern = `^[^\x00-\x1f\x7f]*[!-~\u00a1-\u00ac\u00ae-\u05ff\u0620-\u06dc\u06de-\u070e\u0710-\u088f\u0892-\u08e1\u08e3-\u167f\u1681-\u180d\u180f-\u1fff` +
	`\u2010-\u2027\u2030-\u205e\u2070-\u2fff\u3001-\ud7ff\uf900-\ufefe\uff00-\uffef][^\x00-\x1f\x7f]*$`
