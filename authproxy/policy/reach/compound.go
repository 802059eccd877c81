package reach

import (
	"slices"
	"strings"
)

// This file knows by their names which fields hold parts of others. What decides about calls and what hides
// fields in answers both ask here, so that neither lets through what the other refuses.

// NameParts are the fields of which Salesforce makes the Name of a person, in lower case.
var NameParts = []string{"firstname", "lastname", "middlename", "salutation", "suffix"}

// AddressParts are the parts of an address as its compound has them, in lower case:
// MailingAddress.street is MailingStreet. A part that some addresses lack is no part of theirs.
var AddressParts = []string{"street", "city", "state", "statecode", "postalcode", "country", "countrycode", "latitude", "longitude", "geocodeaccuracy"}

// customParts are those of an address or place of an org's own, by what replaces __c: Home__c has Home__Latitude__s.
var customParts = func() []string {
	all := make([]string, len(AddressParts))
	for i, part := range AddressParts {
		all[i] = Stem{custom: true}.Part(part)
	}
	return all
}()

// Stem is what the names of a compound field and of its parts have in common.
type Stem struct {
	text   string
	custom bool
}

// CompoundStem returns the stem of a field, in lower case, that can be a compound of several:
// MailingAddress, Spot__c.
func CompoundStem(name string) (Stem, bool) {
	if text, ok := strings.CutSuffix(name, "address"); ok {
		return Stem{text: text}, true
	}
	if text, ok := strings.CutSuffix(name, "__c"); ok {
		return Stem{text, true}, true
	}
	return Stem{}, false
}

// PartOf returns the stem of the compound that a field, in lower case, can be a part of:
// of MailingAddress for MailingStreet, of Spot__c for Spot__Latitude__s.
func PartOf(name string) (Stem, bool) {
	parts := AddressParts
	custom := strings.HasSuffix(name, "__s")
	if custom {
		parts = customParts
	}
	for _, part := range parts {
		if text, ok := strings.CutSuffix(name, part); ok {
			return Stem{text, custom}, true
		}
	}
	return Stem{}, false
}

// Compound is the name of the compound.
func (s Stem) Compound() string {
	if s.custom {
		return s.text + "__c"
	}
	return s.text + "address"
}

// Part is the field that a member of the compound, one of [AddressParts], shows.
func (s Stem) Part(member string) string {
	if s.custom {
		return s.text + "__" + member + "__s"
	}
	return s.text + member
}

// Compound returns the names of fields that hold a field's value, or parts of it, within the
// same record, as a stem with several ends: of a compound field its parts, of a part the
// compound. The name must be in lower case; without ends there are none.
func Compound(name string) (stem string, ends []string) {
	if name == "name" {
		return "", NameParts
	}
	if slices.Contains(NameParts, name) {
		return "", []string{"name"}
	}
	if s, ok := CompoundStem(name); ok {
		if s.custom {
			return s.text, customParts
		}
		return s.text, AddressParts
	}
	if s, ok := PartOf(name); ok {
		return s.text, []string{Stem{custom: s.custom}.Compound()}
	}
	return "", nil
}
