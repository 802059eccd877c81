package records

import (
	"slices"
	"strings"
	"unicode"
)

// fieldType is the type of a field as a describe result names it.
type fieldType string

const (
	typeID        fieldType = "id"
	typeString    fieldType = "string"
	typeTextArea  fieldType = "textarea" // long text: cannot be filtered or sorted by
	typePicklist  fieldType = "picklist"
	typeEmail     fieldType = "email"
	typePhone     fieldType = "phone"
	typeURL       fieldType = "url"
	typeBoolean   fieldType = "boolean"
	typeInt       fieldType = "int"
	typeDouble    fieldType = "double"
	typeCurrency  fieldType = "currency"
	typePercent   fieldType = "percent"
	typeDate      fieldType = "date"
	typeDateTime  fieldType = "datetime"
	typeReference fieldType = "reference"
	typeMulti     fieldType = "multipicklist" // values in one text, separated by semicolons
	typeAddress   fieldType = "address"       // compound: read as a whole, filtered by DISTANCE alone
)

// isNumber reports whether values of the type are numbers.
func (t fieldType) isNumber() bool {
	return t == typeInt || t == typeDouble || t == typeCurrency || t == typePercent
}

// isText reports whether values of the type are text that is compared without regard to case.
func (t fieldType) isText() bool {
	return !t.isNumber() && !t.isDate() && t != typeBoolean && t != typeAddress
}

// isDate reports whether values of the type are dates, with or without a time.
func (t fieldType) isDate() bool { return t == typeDate || t == typeDateTime }

// isID reports whether values of the type are ids of records.
func (t fieldType) isID() bool { return t == typeID || t == typeReference }

// comparable reports whether fields of the type can be filtered and sorted by.
func (t fieldType) comparable() bool { return t != typeTextArea && t != typeAddress }

// fieldSchema describes one field of an object.
type fieldSchema struct {
	Name     string
	Type     fieldType
	Length   int      // of text, in characters; 0 means the default of the type
	Required bool     // must be given a value by whoever creates the record
	Default  any      // taken when the creator gives none
	System   bool     // written by the platform only
	Values   []string // of a picklist, for describe; like standard picklists it accepts others

	// Compute reads the value of a field that stores none of its own: a copy from another
	// record, a total, a compound.
	Compute func(d *Store, r *record) any
	Formula string // by which an administrator says so, for describe

	// Of a reference: the objects it may point at, the name of the path from here to
	// there, and the name of the child relationship from there to here.
	RefTo    []string
	Rel      string
	ChildRel string
	// What happens to the record that holds the reference when its target is deleted.
	OnDelete deleteRule
}

type deleteRule int

const (
	clearReference deleteRule = iota // the reference becomes null
	deleteWithIt                     // the record goes to the Recycle Bin too
	forbidDelete                     // the target cannot be deleted
)

// maxLength is how many characters the field takes.
func (f *fieldSchema) maxLength() int {
	switch {
	case f.Length > 0:
		return f.Length
	case f.Type == typeTextArea:
		return 32000
	}
	return 255
}

// childSchema is one relationship from an object to the records that point at it.
type childSchema struct {
	Rel    string
	Object *objectSchema
	Field  *fieldSchema
}

// objectSchema describes one object of the org.
type objectSchema struct {
	Name, Plural, Prefix string
	NameField            string // the field that people call the record by
	Fields               []*fieldSchema
	Children             []childSchema
	SetupOnly            bool               // its records are made by the platform, not by record tools
	NoOwner              bool               // its records belong to another record instead of a person
	Unsearchable         bool               // searches leave it out unless it is named
	Article              bool               // has data categories, and is queried by publication status
	Number               func(n int) string // names the n-th record, where people do not
	DuplicateBy          string             // a field whose value may occur once: the duplicate rule
	Guidance             string             // the admin's words for agents, part of the describe result
}

// customSuffixes end the names of what administrators make: objects, big and external
// ones, metadata types, and the histories and shares of objects.
var customSuffixes = []string{"__c", "__x", "__mdt", "__History", "__Share"}

// custom reports whether the object was made by the org's administrators.
func (s *objectSchema) custom() bool {
	return slices.ContainsFunc(customSuffixes, func(suffix string) bool { return strings.HasSuffix(s.Name, suffix) })
}

// owned reports whether the object's records have an owner.
func (s *objectSchema) owned() bool { return !s.SetupOnly && !s.NoOwner }

// field finds a field by its name without regard to case; nil means there is none.
func (s *objectSchema) field(name string) *fieldSchema {
	i := slices.IndexFunc(s.Fields, func(f *fieldSchema) bool { return strings.EqualFold(f.Name, name) })
	if i < 0 {
		return nil
	}
	return s.Fields[i]
}

// parent finds the reference field behind a relationship name like Account or Owner.
func (s *objectSchema) parent(rel string) *fieldSchema {
	i := slices.IndexFunc(s.Fields, func(f *fieldSchema) bool { return f.Rel != "" && strings.EqualFold(f.Rel, rel) })
	if i < 0 {
		return nil
	}
	return s.Fields[i]
}

// child finds a child relationship by its name, like Contacts.
func (s *objectSchema) child(rel string) (childSchema, bool) {
	i := slices.IndexFunc(s.Children, func(c childSchema) bool { return strings.EqualFold(c.Rel, rel) })
	if i < 0 {
		return childSchema{}, false
	}
	return s.Children[i], true
}

// labelOf turns an API name into words: BillingCity becomes Billing City, Secret__c becomes Secret.
func labelOf(name string) string {
	if name == "Id" {
		return "Record ID"
	}
	var b strings.Builder
	name = strings.TrimSuffix(strings.TrimSuffix(name, "__c"), "Id")
	for i, r := range name {
		switch {
		case r == '_':
			b.WriteByte(' ')
		case i > 0 && unicode.IsUpper(r) && !unicode.IsUpper(rune(name[i-1])) && name[i-1] != '_':
			b.WriteByte(' ')
			b.WriteRune(r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// orgSchema is all objects of an org, in the order in which the index lists them.
type orgSchema []*objectSchema

// object finds an object by name without regard to case; nil means there is none.
func (o orgSchema) object(name string) *objectSchema {
	i := slices.IndexFunc(o, func(s *objectSchema) bool { return strings.EqualFold(s.Name, name) })
	if i < 0 {
		return nil
	}
	return o[i]
}

// objectOf finds the object whose key prefix the id carries.
func (o orgSchema) objectOf(id string) *objectSchema {
	i := slices.IndexFunc(o, func(s *objectSchema) bool { return strings.HasPrefix(id, s.Prefix) })
	if i < 0 {
		return nil
	}
	return o[i]
}
