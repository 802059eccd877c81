package mask

import "testing"

// What hides a field hides it under the namespace of a package too, parts of compound fields
// with it: the same names as for rules that deny.
func TestNamespaces(t *testing.T) {
	for hidden, answered := range map[string]string{
		"Account.SSN__c": "ns__SSN__c", "Account.Home__City__s": "ns__Home__City__s", "Account.Home__*": "ns__Home__City__s", "ns__Deal__c.Rate__c": "Rate__c",
	} {
		object := "Account"
		if hidden == "ns__Deal__c.Rate__c" {
			object = "ns__Deal__c"
		}
		if New([]string{hidden}, nil).Of(Field{Object: object, Name: answered}) == Shown {
			t.Errorf("%s does not hide %s.%s", hidden, object, answered)
		}
	}
}
