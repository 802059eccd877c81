package policy

import "strings"

// This file knows where records can be seen without naming their object. It only
// widens denials: an allow rule for Contact does not reach ContactHistory.

// mirror says of an object what its records show of others.
type mirror struct {
	of     []string // objects in lower case; UnknownObject: any
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
	"recentlyviewed":          {of: []string{UnknownObject}, values: true},
	"feedtrackedchange":       {of: []string{UnknownObject}, values: true},
	"fieldhistoryarchive":     {of: []string{UnknownObject}, values: true},
}

// companions are the suffixes of objects that belong to another: ContactHistory to
// Contact, Secret__Share to Secret__c. Longer suffixes come first.
var companions = []struct {
	suffix string
	values bool
}{
	{"fieldhistory", true}, {"history", true}, {"changeevent", true}, {"share", false}, {"feed", false},
}

// mirrorOf returns what an object, in lower case, shows of others.
func mirrorOf(object string) mirror {
	if m, ok := mirrors[object]; ok {
		return m
	}
	for _, c := range companions {
		stem, ok := strings.CutSuffix(object, c.suffix)
		if !ok || stem == "" {
			continue
		}
		if strings.HasSuffix(stem, "__") {
			stem += "c"
		}
		return mirror{of: []string{stem}, values: c.values}
	}
	return mirror{}
}

// seenAs returns at and the fields of other objects whose values it shows.
func (at field) seenAs() []field {
	all := []field{at}
	if twin, ok := at.personTwin(); ok {
		all = append(all, twin)
	}
	m := mirrorOf(at.object)
	for _, object := range m.of {
		if object == UnknownObject {
			object = ""
		}
		switch {
		case m.values:
			all = append(all, field{object, wholeRecord})
		case m.fields:
			all = append(all, field{object, at.name})
		}
	}
	return all
}

// personTwin returns the field that holds the same value in an org with person
// accounts, where a person is an Account and a Contact: Account.PersonEmail is
// Contact.Email, Account.SSN__pc is Contact.SSN__c.
func (at field) personTwin() (field, bool) {
	switch at.object {
	case "account":
		if stem, ok := strings.CutSuffix(at.name, "__pc"); ok {
			return field{"contact", stem + "__c"}, true
		}
		if name, ok := strings.CutPrefix(at.name, "person"); ok && name != "" {
			return field{"contact", name}, true
		}
	case "contact":
		if stem, ok := strings.CutSuffix(at.name, "__c"); ok {
			return field{"account", stem + "__pc"}, true
		}
		if at.name != wholeRecord {
			return field{"account", "person" + at.name}, true
		}
	}
	return field{}, false
}
