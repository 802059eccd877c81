package reach

import (
	_ "embed" // what is copied
	"slices"
	"strings"
)

// This file knows where the values of records can be seen without naming their object. It is
// for denials only: what is allowed for Contact is not allowed for ContactHistory.

// mirror says of an object what its records show of others.
type mirror struct {
	of     []string // objects; UnknownObject: any
	values bool     // its fields hold the values of all of theirs
	fields bool     // it has fields of the same name with the same values
}

// mirrors are standard objects that show records of others.
var mirrors = map[string]mirror{
	"activityhistory":         {of: []string{"task", "event", "emailmessage"}, fields: true},
	"openactivity":            {of: []string{"task", "event", "emailmessage"}, fields: true},
	"lookedupfromactivity":    {of: []string{"task", "event", "emailmessage"}, fields: true},
	"noteandattachment":       {of: []string{"note", "attachment", "contentdocument"}, fields: true},
	"combinedattachment":      {of: []string{"note", "attachment", "contentdocument"}, fields: true},
	"attachedcontentdocument": {of: []string{"contentdocument"}, fields: true},
	"ownedcontentdocument":    {of: []string{"contentdocument"}, fields: true},
	"accountcleaninfo":        {of: []string{"account"}, fields: true},
	"contactcleaninfo":        {of: []string{"contact"}, fields: true},
	"leadcleaninfo":           {of: []string{"lead"}, fields: true},
	"contentdocument":         {of: []string{"contentversion"}, fields: true},
	"contentversion":          {of: []string{"contentdocument"}, fields: true},
	"knowledgearticleversion": {of: []string{anyArticle}, fields: true},
	"permissionset":           {of: []string{"profile"}, fields: true},
	"feeditem":                {of: []string{UnknownObject}},
	"feedcomment":             {of: []string{UnknownObject}},
	"feedrevision":            {of: []string{UnknownObject}},
	"newsfeed":                {of: []string{UnknownObject}},
	"userprofilefeed":         {of: []string{UnknownObject}},
	"recentlyviewed":          {of: []string{UnknownObject}, values: true},
	"feedtrackedchange":       {of: []string{UnknownObject}, values: true},
	"fieldhistoryarchive":     {of: []string{UnknownObject}, values: true},
}

// anyArticle stands for every object that holds knowledge articles.
const anyArticle = "*__kav"

// companions are the suffixes of objects that belong to another: ContactHistory to
// Contact, Secret__Share to Secret__c. Longer suffixes come first.
var companions = []struct {
	suffix string
	values bool
}{
	{"fieldhistory", true}, {"history", true}, {"changeevent", true}, {"share", false}, {"feed", false}, {"__kav", false},
}

// mirrorOf returns what an object shows of others.
func mirrorOf(object string) mirror {
	var b [64]byte
	if m, ok := mirrors[string(Lower(b[:0], object))]; ok {
		return m
	}
	for _, c := range companions {
		cut := len(object) - len(c.suffix)
		if cut <= 0 || !strings.EqualFold(object[cut:], c.suffix) {
			continue
		}
		stem := object[:cut]
		if c.suffix == "__kav" {
			return mirror{of: []string{"KnowledgeArticleVersion"}, fields: true}
		}
		if strings.HasSuffix(stem, "__") {
			stem += "c"
		}
		return mirror{of: []string{stem}, values: c.values}
	}
	return mirror{}
}

// Ref names a field of an object. Object is "" where it cannot be determined; Name is
// [Whole] for all fields.
type Ref struct{ Object, Name string }

// copies are the fields that hold a copy of a value of another object, by "object.field" in
// lower case, and all of an object by "object.*".
//
//go:embed copies.txt
var copiesText string

var copies = func() map[string][]Ref {
	of := make(map[string][]Ref)
	for line := range strings.Lines(copiesText) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		field, from, _ := strings.Cut(strings.TrimSpace(line), " ")
		object, _, _ := strings.Cut(strings.ToLower(field), ".")
		copied, name, _ := strings.Cut(from, ".")
		ref := Ref{copied, name}
		of[strings.ToLower(field)] = append(of[strings.ToLower(field)], ref)
		of[object+".*"] = append(of[object+".*"], ref)
	}
	of["contact.accountname"] = []Ref{{"Account", "Name"}} // in no record, see nameFields
	return of
}()

// standardCopies returns the fields of other objects of which a standard field holds a copy.
func standardCopies(object, name string) []Ref {
	var b [128]byte
	return copies[string(Lower(append(Lower(b[:0], object), '.'), name))]
}

// AppendShownObjects appends the objects of which records can be seen in those of an object:
// itself, [UnknownObject] if they may be of any, and patterns such as *__kav for several.
func AppendShownObjects(list []string, object string) []string {
	return append(append(list, object), mirrorOf(object).of...)
}

// appendStandard is [Schema.AppendShown] without what stands in formulas.
func (c *Schema) appendStandard(list []Ref, object, name string) []Ref {
	begin := len(list)
	list = append(list, Ref{object, name})
	if object == "" {
		return list
	}
	list = append(list, standardCopies(object, name)...)
	m := mirrorOf(object)
	for _, of := range m.of {
		if of == UnknownObject || of == anyArticle {
			of = ""
		}
		switch {
		case m.values && holdsValues(object, name):
			list = append(list, Ref{of, Whole})
		case m.values || m.fields:
			list = append(list, Ref{of, name})
		}
	}
	for _, ref := range list[begin:] {
		if twin, ok := c.personTwin(ref.Object, ref.Name); ok {
			list = append(list, twin)
		}
	}
	return list
}

// holdsValues reports whether a field of an object that holds the values of another may be one of
// them. Of a history, what says that a field was changed, when and by whom is none.
func holdsValues(object, name string) bool {
	stem := len(object) - len("history")
	if stem < 0 || !strings.EqualFold(object[stem:], "history") {
		return true
	}
	return !strings.EqualFold(name, object[:stem]+"Id") && !slices.ContainsFunc(aboutChanges, func(none string) bool { return strings.EqualFold(none, name) })
}

// aboutChanges are the fields of a history that hold no value of what it is the history of.
var aboutChanges = []string{"Id", "Field", "DataType", "CreatedDate", "CreatedById", "IsDeleted", "ParentId"}
