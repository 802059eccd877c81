package policy

import "testing"

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

// How many records a query can read is counted exactly until it cannot be told any more.
func TestCountsOfRows(t *testing.T) {
	t.Parallel()
	half := unlimited / 2
	for _, tt := range []struct{ a, b, want int }{
		{0, unlimited, 0}, {unlimited, 0, 0}, {3, 4, 12}, {half, 2, half * 2}, {2, half, half * 2}, {half + 1, 2, unlimited}, {unlimited, 1, unlimited}, {unlimited, 2, unlimited},
	} {
		if got := multiply(tt.a, tt.b); got != tt.want {
			t.Errorf("%d times %d is %d, want %d", tt.a, tt.b, got, tt.want)
		}
	}
	for _, tt := range []struct{ a, b, want int }{
		{0, 0, 0}, {unlimited, 0, unlimited}, {unlimited - 1, 1, unlimited}, {unlimited, 1, unlimited}, {unlimited, unlimited, unlimited}, {unlimited - 2, 1, unlimited - 1},
	} {
		if got := add(tt.a, tt.b); got != tt.want {
			t.Errorf("%d and %d are %d, want %d", tt.a, tt.b, got, tt.want)
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
		if got := compoundAndPart(tt.denied, tt.reached); got != tt.want {
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
		f, refused := given().footprint(soqlCall(query))
		if refused != nil {
			continue // what is not read is refused, which is as good
		}
		got := ""
		for i, name := range f.names() {
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
			f, refused := given().footprint(call("dispatch", `{"method":"`+method+`","url":"/services/data/v67.0/`+path+`"}`))
			if refused == nil && !f.opaque && f.class == Read && path != "sobjects" {
				t.Errorf("%s %s is read as %s of %v", method, path, f.class, f.names())
			}
			if refused == nil && method == "DELETE" && f.class != Delete {
				t.Errorf("DELETE %s is %s", path, f.class)
			}
		}
	}
}
