package policy

import "testing"

// FIELDS(STANDARD) holds no custom field, so that a denial of one does not hold a query of it; a denial of
// a standard field does, and of every query with FIELDS(ALL) or FIELDS(CUSTOM).
func TestStandardFieldsHoldNoCustomField(t *testing.T) {
	t.Parallel()
	standard := func(object string) Call { return soqlCall("SELECT FIELDS(STANDARD) FROM " + object + " LIMIT 5") }
	everything := allow(class(Read))
	for _, c := range []struct {
		denied, object, want string
	}{
		{"Contact.SSN__c", "Contact", "allow"}, {"Contact.ssn__C", "contact", "allow"}, {"Contact.acme__SSN__c", "Contact", "allow"},
		{"Contact.*__c", "Contact", "allow"}, {"*.SSN__c", "Contact", "allow"}, {"Con*.SSN__c", "Contact", "allow"}, {"Contact.Home__Latitude__s", "Contact", "allow"},
		{"Secret__c.Key__c", "Secret__c", "allow"}, {"Contact.SSN__c", "Account", "allow"}, {"Account.SSN__pc", "Account", "allow"}, {"Account.SSN__pc", "Contact", "allow"},
		{"Contact.Email", "Contact", "deny"}, {"Contact.*", "Contact", "deny"}, {"*.*", "Contact", "deny"}, {"Contact.SSN*", "Contact", "deny"}, {"Contact.S?N__*", "Contact", "deny"},
		{"*.Email", "Contact", "deny"}, {"Con*.Email", "Contact", "deny"}, {"Contact.Name", "Contact", "deny"}, {"Contact.Email", "Account", "deny"}, {"Account.PersonEmail", "Contact", "deny"},
		{"Contact.SSN__c", "ContactHistory", "deny"}, {"Contact.SSN__c", "ContactChangeEvent", "deny"}, {"ssot__A__dlm.ssot__B__c", "ssot__A__dlm", "deny"},
		{"Secret__c.Name", "Secret__c", "deny"},
	} {
		p := given(deny(fields(c.denied)), everything)
		decided(t, p, c.want, standard(c.object))
		for _, which := range []string{"FIELDS(ALL)", "FIELDS(CUSTOM)", "FIELDS(STANDARD), FIELDS(CUSTOM)", "FIELDS(CUSTOM), FIELDS(STANDARD)"} {
			decided(t, p, "deny", soqlCall("SELECT "+which+" FROM "+c.object+" LIMIT 5"))
		}
	}
	p := given(deny(fields("Contact.SSN__c")), everything)
	decided(t, p, "deny", soqlCall("SELECT FIELDS(STANDARD), SSN__c FROM Contact LIMIT 5"), soqlCall("SELECT FIELDS(STANDARD) FROM Contact WHERE SSN__c = '1' LIMIT 5"),
		soqlCall("SELECT FIELDS(ALL), (SELECT FIELDS(STANDARD) FROM Contacts LIMIT 5) FROM Account LIMIT 5"))
	accounts := given(deny(fields("Account.SSN__c")), everything)
	decided(t, accounts, "deny", soqlCall("SELECT FIELDS(STANDARD), (SELECT FIELDS(ALL) FROM ChildAccounts LIMIT 5) FROM Account LIMIT 5"),
		soqlCall("SELECT FIELDS(ALL), (SELECT FIELDS(STANDARD) FROM ChildAccounts LIMIT 5) FROM Account LIMIT 5"))
	decided(t, accounts, "allow", soqlCall("SELECT FIELDS(STANDARD), (SELECT FIELDS(STANDARD) FROM ChildAccounts LIMIT 5) FROM Account LIMIT 5"))
	decided(t, p, "allow", soqlCall("SELECT Name, (SELECT FIELDS(STANDARD) FROM Contacts LIMIT 5) FROM Account LIMIT 5"))
	decided(t, given(allow(class(Read), fields("Contact.Email", "Contact.Id"))), "deny", standard("Contact"))
	conditional := deny()
	conditional.When = `field("Contact.SSN__c")`
	decided(t, given(conditional, everything), "allow", standard("Contact"))
	decided(t, given(conditional, everything), "deny", soqlCall("SELECT FIELDS(ALL) FROM Contact LIMIT 5"))
}
