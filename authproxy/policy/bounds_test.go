package policy

import (
	"testing"

	"sfmcp-proxy/authproxy/policy/reach"
)

// The name of a hosted server, by which its tools are known, in every form of its URL.
func TestHostedNames(t *testing.T) {
	t.Parallel()
	for upstream, want := range map[string]string{
		"https://api.salesforce.com/platform/mcp/v1/platform/sobject-all":         "platform/sobject-all",
		"https://api.salesforce.com/platform/mcp/v1/sandbox/platform/sobject-all": "platform/sobject-all",
		"https://api.salesforce.com/platform/mcp/v1/data/sandbox/queries/":        "data/queries",
		"v1/sandbox/x": "v1/x", "sandbox/x": "sandbox/x", "a/b": "a/b", "a/b/": "a/b", "x": "custom/x", "": "custom/",
	} {
		if got := HostedName(upstream); got != want {
			t.Errorf("%q is %q, want %q", upstream, got, want)
		}
	}
}

// FW-22: a denied part of an address or a name denies the whole of it, and nothing that
// only begins alike.
func TestFW22PartsOfFields(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		denied, reached string
		want            bool
	}{
		{"BillingCity", "billingaddress", true}, {"billingaddress", "billingcity", true}, {"FirstName", "name", true}, {"name", "lastname", true},
		{"Home__Latitude__s", "home__c", true}, {"home__c", "home__city__s", true}, {"Billing*", "billingaddress", true},
		{"BillingCity", "billing", false}, {"billing", "billingcity", false}, {"City", "", false}, {"ShippingCity", "billingaddress", false},
		{"BillingCity", "billingcountry", false}, {"Phone", "name", false}, {"Home__City__s", "home", false}, {"Other__City__s", "home__c", false},
	} {
		x, hit := newIndex(1), newBits(1)
		x.addField(newLike("Account"), newLike(tt.denied), 0, 1)
		x.hitField(hit, reach.Ref{Object: "account", Name: tt.reached})
		if got := hit.has(0); got != tt.want {
			t.Errorf("%s denied, %s reached: %t", tt.denied, tt.reached, got)
		}
	}
}

// What a FROM names is an object, a relation of an alias, or nobody knows what: it is not
// taken for an object then.
func TestFW22SourcesOfQueries(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]string{
		"SELECT a.Id FROM Contact c, c.Account a":           "Account Contact",
		"SELECT c.Id FROM Contact c, c.Account.Owner o":     "Account Contact Group User",
		"SELECT c.Id FROM Contact c, x.Account a":           "Contact ?",
		"SELECT c.Id FROM Contact c, Account a":             "Contact ?",
		"SELECT c.Id FROM Contact c, c":                     "Contact ?",
		"SELECT Id FROM Contact.Account":                    "?",
		"SELECT Id, (SELECT Id FROM Contacts) FROM Account": "Account Contact",
	} {
		f, refused := read(soqlCall(query))
		if refused != nil {
			continue // what is not read is refused, which is as good
		}
		got := ""
		for i, name := range f.ObjectNames() {
			if i > 0 {
				got += " "
			}
			got += name
		}
		if got != want {
			t.Errorf("%s reaches %q, want %q", query, got, want)
		}
	}
}

// FW-24: a path that ends where a resource begins is nobody knows what.
func TestFW24PathsThatEndEarly(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"tooling", "tooling/", "sobjects", "composite", "query", "search", "queryAll", "", "/"} {
		for _, method := range []string{"GET", "POST", "PATCH", "DELETE"} {
			f, refused := read(call("dispatch", `{"method":"`+method+`","url":"/services/data/v67.0/`+path+`"}`))
			if refused == nil && !f.Opaque && f.Class == Read && path != "sobjects" {
				t.Errorf("%s %s is read as %s of %v", method, path, f.Class, f.ObjectNames())
			}
			if refused == nil && method == "DELETE" && f.Class != Delete {
				t.Errorf("DELETE %s is %s", path, f.Class)
			}
		}
	}
}

// What a rule that allows says of fields by patterns is what it says: those that they match,
// in any case, and whole records only by a pattern for every field.
func TestAllowedFieldsByPattern(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		listed, object, field string
		want                  bool
	}{
		{"Account.Billing*", "Account", "BillingCity", true}, {"account.billing*", "ACCOUNT", "BILLINGCITY", true}, {"Account.*City", "Account", "ShippingCity", true},
		{"Account.?ax", "Account", "Fax", true}, {"*.Name", "Contact", "Name", true}, {"Plan*.Name", "Plan__c", "Name", true}, {"Account.*", "Account", "Fax", true},
		{"*.*", "Lead", "Email", true}, {"Account.*", "Account", reach.Whole, true},
		{"Account.Billing*", "Account", "ShippingCity", false}, {"Account.Billing*", "Contact", "BillingCity", false}, {"Account.Billing*", "Account", "Billin", false},
		{"Account.Billing*", "Account", reach.Whole, false}, {"Account.??*", "Account", reach.Whole, false}, {"Plan*.Name", "Plan__c", reach.Whole, false},
		{"Account.Billing*", "Account", "ns__BillingCity", false}, {"Account.Billing*", "ns__Account", "BillingCity", false},
	} {
		a := newAllowed([]string{"Case.Subject", tt.listed})
		if got := a.listsField(tt.object, tt.field); got != tt.want {
			t.Errorf("%s lists %s of %s: %t", tt.listed, tt.field, tt.object, got)
		}
	}
}

// A wildcard counts wherever it stands, and case nowhere.
func TestMatches(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		pattern, name string
		want          bool
	}{
		{"*", "Account", true}, {"*ount", "ACCOUNT", true}, {"?ccount", "Account", true}, {"Acc*", "account", true}, {"a?c*t", "Account", true}, {"account", "Account", true},
		{"*ount", "Accounts", false}, {"?ccount", "ccount", false}, {"Acc", "Account", false}, {"*", "", true}, {"?", "", false},
	} {
		if got := Matches(tt.pattern, tt.name); got != tt.want {
			t.Errorf("%q matches %q: %t", tt.pattern, tt.name, got)
		}
	}
}
