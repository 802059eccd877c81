package mask

import "strings"

// nameParts are the fields of which Salesforce makes the Name of a person.
var nameParts = []string{"firstname", "lastname", "middlename", "salutation", "suffix"}

// addressParts are the parts of an address as its compound has them, in lower case.
// MailingAddress.street is MailingStreet.
var addressParts = []string{"street", "city", "state", "statecode", "postalcode", "country", "countrycode", "latitude", "longitude", "geocodeaccuracy"}

// stem is what the names of a compound field and of its parts have in common.
type stem struct {
	text   string
	custom bool
}

// compoundStem returns the stem of a field that can be a compound: MailingAddress, Spot__c.
func compoundStem(name string) (stem, bool) {
	if text, ok := strings.CutSuffix(name, "address"); ok {
		return stem{text: text}, true
	}
	if text, ok := strings.CutSuffix(name, "__c"); ok {
		return stem{text, true}, true
	}
	return stem{}, false
}

// part is the field that a member of the compound shows.
func (s stem) part(member string) string {
	if s.custom {
		return s.text + "__" + member + "__s"
	}
	return s.text + member
}

// parts are the fields of which the compound consists.
func (s stem) parts() []string {
	all := make([]string, len(addressParts))
	for i, member := range addressParts {
		all[i] = s.part(member)
	}
	return all
}

// compoundOf returns the compound that a field can be a part of: MailingAddress of
// MailingStreet, Spot__c of Spot__Latitude__s.
func compoundOf(name string) (string, bool) {
	if text, ok := strings.CutSuffix(name, "__s"); ok {
		for _, part := range addressParts {
			if stem, ok := strings.CutSuffix(text, "__"+part); ok {
				return stem + "__c", true
			}
		}
		return "", false
	}
	for _, part := range addressParts {
		if stem, ok := strings.CutSuffix(name, part); ok {
			return stem + "address", true
		}
	}
	return "", false
}

// isAddressPart reports whether a member of an answer can be a part of an address.
func isAddressPart(member []byte) bool {
	for _, part := range addressParts {
		if len(part) == len(member) && strings.EqualFold(part, string(member)) {
			return true
		}
	}
	return false
}
