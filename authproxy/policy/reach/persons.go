package reach

import (
	"slices"
	"strings"
)

// In an org with person accounts a person is an Account and a Contact at once: the fields of the
// contact are fields of the account, too. Whether an org has them its description of Account tells
// (IsPersonAccount, PersonEmail, …). While the user was not told, it may: then a whole account
// shows a whole contact. Name, Phone and Fax of an account are its own, also where a person has them.

// Persons is the name of a field that stands for all fields of Account that hold those of a person.
const Persons = "person*"

const (
	accountObject = "Account"
	contactObject = "Contact"
	person        = "person"
)

// personNames are fields of Account that hold those of a person, to compare patterns with: the
// standard ones, and one for all of an org's own.
var personNames = strings.Fields(`firstname lastname middlename salutation suffix personemail personbirthdate persontitle persondepartment
	personhomephone personmobilephone personotherphone personassistantphone personassistantname personleadsource persongenderidentity personpronouns
	personmailingaddress personmailingstreet personmailingcity personmailingstate personmailingpostalcode personmailingcountry
	personotheraddress personotherstreet personothercity personotherstate personotherpostalcode personothercountry
	personindividualid persondonotcall personhasoptedoutofemail personhasoptedoutoffax personlastcurequestdate personlastcuupdatedate
	personemailbouncedreason personemailbounceddate x__pc`)

// IsPersonField reports whether a field of Account, in lower case, holds one of a person.
func IsPersonField(name string) bool {
	return slices.Contains(NameParts, name) || strings.HasSuffix(name, "__pc") || strings.HasPrefix(name, person) && !strings.Contains(name, "__")
}

// PersonAlias returns the name by which a rule for a field of Account is found as well where a field
// of Contact shows it, "" if there is none: PersonLastName for LastName. Account.LastName itself would
// stand for Account.Name, too, which is that of companies. All in lower case.
func PersonAlias(name string) string {
	if !slices.Contains(NameParts, name) {
		return ""
	}
	return person + name
}

// PersonsMatch reports whether a pattern of names, in lower case, matches a field of Account that
// holds one of a person.
func PersonsMatch(matches func(name string) bool) bool {
	return slices.ContainsFunc(personNames, matches)
}

// personTwin returns the field that holds the same value where a person is an Account and a Contact:
// Account.PersonEmail is Contact.Email, Account.SSN__pc is Contact.SSN__c, Account.LastName is
// Contact.LastName (see [PersonAlias]), and whole records hold all of them.
func (c *Schema) personTwin(object, name string) (Ref, bool) {
	custom := len(name) - len("__c")
	switch {
	case strings.EqualFold(object, accountObject):
		stem := len(name) - len("__pc")
		switch {
		case name == Whole:
			return Ref{contactObject, Whole}, !c.withoutPersons()
		case stem > 0 && strings.EqualFold(name[stem:], "__pc"):
			return Ref{contactObject, name[:stem] + "__c"}, true
		case len(name) > len(person) && strings.EqualFold(name[:len(person)], person):
			return Ref{contactObject, name[len(person):]}, true
		case slices.ContainsFunc(NameParts, func(part string) bool { return strings.EqualFold(part, name) }):
			return Ref{contactObject, name}, true
		}
	case strings.EqualFold(object, contactObject):
		switch {
		case name == Whole:
			return Ref{accountObject, Persons}, !c.withoutPersons()
		case custom > 0 && strings.EqualFold(name[custom:], "__c"):
			return Ref{accountObject, name[:custom] + "__pc"}, true
		}
		return Ref{accountObject, person + name}, true
	}
	return Ref{}, false
}

// personCopy returns the field of a contact that a field of an account shows, for denials of the
// object Contact. The id of the contact is no value of it.
func (c *Schema) personCopy(object, name string) (Ref, bool) {
	custom := len(name) - len("__c")
	if !strings.EqualFold(object, accountObject) || strings.EqualFold(name, "PersonContactId") || custom > 0 && strings.EqualFold(name[custom:], "__c") {
		return Ref{}, false
	}
	return c.personTwin(object, name)
}

// ShowsPerson reports whether a field shows another only because an account may be a person: a whole
// account a whole contact, or the reverse.
func ShowsPerson(field *Field, shown Ref) bool {
	return field.Name == Whole && shown.Object != field.Object && isPerson(field.Object) && isPerson(shown.Object) && (shown.Name == Whole || shown.Name == Persons)
}

// withoutPersons reports whether the org is known to have no person accounts: it described Account
// to this user without any field of a person, and to nobody with one.
func (c *Schema) withoutPersons() bool {
	if c != nil && c.companies {
		return true
	}
	own, all := c.ofUser(accountObject), c.ofAny(accountObject)
	return own != nil && own.told && !own.persons && (all == nil || !all.persons)
}

// WithoutPersons returns what is known in c, and that there are no person accounts.
func (c *Schema) WithoutPersons() *Schema {
	without := &Schema{companies: true}
	if c != nil {
		without.own, without.all = c.own, c.all
	}
	return without
}

// HangsOnPersons reports whether what the call shows hangs on whether the org has person accounts,
// and the user was not told.
func (v *Value) HangsOnPersons() bool {
	return slices.ContainsFunc(v.Fields, func(f Field) bool { return v.schema.hangsOnPersons(f.Object, f.Name) })
}

// AskForPersons notes that a description of Account would decide more of the call.
func (v *Value) AskForPersons() {
	v.Undescribed = union(slices.Clip(v.Undescribed), []string{accountObject})
}

// hangsOnPersons reports whether what a field shows hangs on whether the org has person accounts,
// and the user was not told.
func (c *Schema) hangsOnPersons(object, name string) bool {
	const begin = len(accountObject) // which is that of contactObject, too
	if len(object) < begin || !isPerson(object[:begin]) || c.ofUser(accountObject) != nil {
		return false
	}
	if len(object) == begin {
		return name == Whole
	}
	m := mirrorOf(object)
	return (m.values && holdsValues(object, name) || m.fields && name == Whole) && slices.ContainsFunc(m.of, isPerson)
}

func isPerson(object string) bool {
	return strings.EqualFold(object, accountObject) || strings.EqualFold(object, contactObject)
}
