package policy

import (
	"fmt"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"sfmcp-proxy/authproxy/policy/reach"
)

// The tables below read as prose: given(rules…) is a policy, call("tool", `{…}`) a
// call, and the expectation one of the words allow, confirm, deny, hidden.

type change func(*Rule)

func rule(e Effect, keys ...change) Rule {
	r := Rule{Effect: e}
	for _, key := range keys {
		key(&r)
	}
	return r
}

func allow(keys ...change) Rule   { return rule(Allow, keys...) }
func confirm(keys ...change) Rule { return rule(Confirm, keys...) }
func deny(keys ...change) Rule    { return rule(Deny, keys...) }

func tools(s ...string) change     { return func(r *Rule) { r.Tools = append([]string{}, s...) } }
func users(s ...string) change     { return func(r *Rule) { r.Users = append([]string{}, s...) } }
func groups(s ...string) change    { return func(r *Rule) { r.Groups = append([]string{}, s...) } }
func clients(s ...string) change   { return func(r *Rule) { r.Clients = append([]string{}, s...) } }
func class(s ...Class) change      { return func(r *Rule) { r.Classes = append([]Class{}, s...) } }
func objects(s ...string) change   { return func(r *Rule) { r.Objects = append([]string{}, s...) } }
func fields(s ...string) change    { return func(r *Rule) { r.Fields = append([]string{}, s...) } }
func maxRows(n int) change         { return func(r *Rule) { r.MaxRows = n } }
func approvers(s Approvers) change { return func(r *Rule) { r.Approvers = s } }
func quorum(n int) change          { return func(r *Rule) { r.Quorum = n } }

func factors(all ...Factor) change {
	return func(r *Rule) { r.Factors = append([]Factor{}, all...) }
}

func given(rules ...Rule) *Policy { return &Policy{Name: "test", Mode: Enforce, Rules: rules} }

func call(tool, args string) Call { return Call{Tool: tool, Arguments: jsontext.Value(args)} }

func soqlCall(q string) Call { return call("soqlQuery", `{"q":`+quote(q)+`}`) }
func soslCall(q string) Call { return call("find", `{"q":`+quote(q)+`}`) }

func quote(s string) string {
	b, err := jsontext.AppendQuote(nil, s)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// rep is an ordinary caller.
var rep = Principal{Org: "acme", Subject: "005xx000001Sv6AAAS", Username: "rep@acme.example", Client: "chatgpt", Groups: []string{"sales"}}

// verdict is a decision in one word.
func verdict(d Decision) string {
	if d.Hidden {
		return "hidden"
	}
	return string(d.Effect)
}

const (
	account = `{"sobject-name":"Account","id":"001xx000003DGb1AAG"}`
	create  = `{"sobject-name":"Account","body":{"Name":"Acme"}}`
)

// confirmWrites is the policy that contract.md shows.
var confirmWrites = given(
	deny(objects("User", "Profile")),
	allow(class(Read), maxRows(2000)),
	confirm(class(Create, Update), approvers("requester")),
	confirm(tools("deleteSobjectRecord"), approvers("role:approver"), quorum(1)),
)

func TestDecide(t *testing.T) {
	t.Parallel()
	readOnly := given(allow(class(Read)))
	someone := rep
	someone.Username = ""
	tests := []struct {
		name   string
		policy *Policy
		who    Principal
		call   Call
		want   string
	}{
		{"no rules deny", given(), rep, call("getUserInfo", ""), "hidden"},
		{"zero policy denies", &Policy{}, rep, call("getUserInfo", "{}"), "hidden"},
		{"read only reads", readOnly, rep, soqlCall("SELECT Id FROM Account"), "allow"},
		{"read only hides writes", readOnly, rep, call("createSobjectRecord", create), "hidden"},
		{"read only denies a query that leaves traces", readOnly, rep, soqlCall("SELECT Id FROM Account FOR VIEW"), "deny"},
		{"first match decides", given(deny(tools("find")), allow()), rep, call("find", `{"q":"FIND {x} RETURNING Account"}`), "hidden"},
		{"later rule does not", given(allow(), deny(tools("find"))), rep, soslCall("FIND {x}"), "allow"},
		{"every key must match", given(allow(class(Read), tools("get*"))), rep, soqlCall("SELECT Id FROM Account"), "hidden"},
		{"glob", given(allow(tools("get*"))), rep, call("getUserInfo", ""), "allow"},

		{"user by long id", given(allow(users("005xx000001Sv6AAAS"))), rep, call("getUserInfo", ""), "allow"},
		{"user by short id", given(allow(users("005xx000001Sv6A"))), rep, call("getUserInfo", ""), "allow"},
		{"ids are case-sensitive", given(allow(users("005xx000001sv6a"))), rep, call("getUserInfo", ""), "hidden"},
		{"user by name, any case", given(allow(users("REP@Acme.example"))), rep, call("getUserInfo", ""), "allow"},
		{"unknown name does not allow", given(allow(users("rep@acme.example"))), someone, call("getUserInfo", ""), "hidden"},
		{"unknown name is denied", given(deny(users("eve@acme.example")), allow()), someone, call("getUserInfo", ""), "hidden"},
		{"another name is not denied", given(deny(users("eve@acme.example")), allow()), rep, call("getUserInfo", ""), "allow"},
		{"group", given(allow(groups("sales"))), rep, call("getUserInfo", ""), "allow"},
		{"other group", given(allow(groups("ops"))), rep, call("getUserInfo", ""), "hidden"},
		{"client", given(allow(clients("chatgpt"))), rep, call("getUserInfo", ""), "allow"},
		{"other client", given(allow(clients("cursor"))), rep, call("getUserInfo", ""), "hidden"},
		{"no client", given(allow(clients(""))), Principal{}, call("getUserInfo", ""), "hidden"},

		{"contract: read within rows", confirmWrites, rep, soqlCall("SELECT Id FROM Account LIMIT 2000"), "allow"},
		{"contract: read without rows", confirmWrites, rep, soqlCall("SELECT Id FROM Account"), "deny"},
		{"contract: count", confirmWrites, rep, soqlCall("SELECT COUNT() FROM Account"), "allow"},
		{"contract: user data", confirmWrites, rep, soqlCall("SELECT Owner.Name FROM Account LIMIT 1"), "deny"},
		{"contract: own identity", confirmWrites, rep, call("getUserInfo", ""), "allow"},
		{"contract: create", confirmWrites, rep, call("createSobjectRecord", create), "confirm"},
		{"contract: create user", confirmWrites, rep, call("createSobjectRecord", `{"sobject-name":"user","body":{}}`), "deny"},
		{"contract: delete", confirmWrites, rep, call("deleteSobjectRecord", account), "confirm"},
		{"contract: related delete is another tool", confirmWrites, rep, call("deleteRelatedRecord", `{}`), "hidden"},

		{"allowed object", given(allow(objects("Account"))), rep, soqlCall("SELECT id FROM ACCOUNT"), "allow"},
		{"all objects must be listed", given(allow(objects("Account"))), rep, soqlCall("SELECT Id, (SELECT Id FROM Contacts) FROM Account"), "deny"},
		{"all are", given(allow(objects("Account", "Contact"))), rep, soqlCall("SELECT Id, (SELECT Id FROM Contacts) FROM Account"), "allow"},
		{"custom relation is not known", given(allow(objects("*"))), rep, soqlCall("SELECT Plan__r.Name FROM Account"), "deny"},
		{"custom relation may be denied", given(deny(objects("Secret__c")), allow()), rep, soqlCall("SELECT Plan__r.Name FROM Account"), "deny"},
		{"object glob", given(deny(objects("*__Share", "*Share")), allow()), rep, soqlCall("SELECT Id FROM AccountShare"), "deny"},
		{"namespace does not hide", given(deny(objects("Secret__c")), allow()), rep, soqlCall("SELECT Id FROM acme__Secret__c"), "deny"},
		{"no object, allow objects", given(allow(objects("Account"))), rep, call("getUserInfo", ""), "hidden"},
		{"no object, deny objects", given(deny(objects("User")), allow()), rep, call("getUserInfo", ""), "allow"},
		{"index of all objects, to be filtered", given(deny(objects("User")), allow()), rep, call("getObjectSchema", "{}"), "allow"},
		{"index where some are allowed, to be filtered", given(allow(objects("Account"))), rep, call("getObjectSchema", "{}"), "allow"},
		{"index where every object is denied", given(deny(objects("*")), allow()), rep, call("getObjectSchema", "{}"), "hidden"},
		{"index where what is allowed is denied before", given(deny(objects("Account")), allow(objects("Account"))), rep, call("getObjectSchema", "{}"), "hidden"},
		{"index where some need a person", given(confirm(objects("Account"))), rep, call("getObjectSchema", "{}"), "deny"},
		{"index beside some that need a person", given(confirm(objects("Account")), allow(class(Read))), rep, call("getObjectSchema", "{}"), "allow"},
		{"index where all need a person", given(confirm(class(Read))), rep, call("getObjectSchema", "{}"), "confirm"},
		{"index with a parameter that nobody knows", given(deny(objects("User")), allow()), rep, call("getObjectSchema", `{"x":1}`), "deny"},
		{"schema of one", given(deny(objects("User")), allow()), rep, call("getObjectSchema", `{"objects":"Account,Contact"}`), "allow"},
		{"schema of several", given(deny(objects("User")), allow()), rep, call("getObjectSchema", `{"object-name":"Account, uSer"}`), "deny"},
		{"unknown tool may reach anything", given(deny(objects("User")), allow()), rep, call("doSomething", "{}"), "hidden"},

		{"denied field", given(deny(fields("Contact.SSN__c")), allow()), rep, soqlCall("SELECT ssn__C FROM contact"), "deny"},
		{"denied field in a condition", given(deny(fields("Contact.SSN__c")), allow()), rep, soqlCall("SELECT Id FROM Contact WHERE SSN__c LIKE '1%'"), "deny"},
		{"denied field in an order", given(deny(fields("Contact.SSN__c")), allow()), rep, soqlCall("SELECT Id FROM Contact ORDER BY SSN__c"), "deny"},
		{"denied field of a parent", given(deny(fields("Contact.SSN__c")), allow()), rep, soqlCall("SELECT Contact.SSN__c FROM Case"), "deny"},
		{"denied field through an alias", given(deny(fields("Contact.SSN__c")), allow()), rep, soqlCall("SELECT c.SSN__c FROM Contact c"), "deny"},
		{"denied field in an aggregate", given(deny(fields("Contact.SSN__c")), allow()), rep, soqlCall("SELECT MAX(SSN__c) FROM Contact"), "deny"},
		{"denied field behind an unknown relation", given(deny(fields("Contact.SSN__c")), allow()), rep, soqlCall("SELECT Owner__r.SSN__c FROM Case"), "deny"},
		{"other field behind an unknown relation", given(deny(fields("Contact.SSN__c")), allow()), rep, soqlCall("SELECT Owner__r.Name FROM Case"), "allow"},
		{"all fields", given(deny(fields("Contact.SSN__c")), allow()), rep, soqlCall("SELECT FIELDS(ALL) FROM Contact LIMIT 200"), "deny"},
		{"all fields of another object", given(deny(fields("Contact.SSN__c")), allow()), rep, soqlCall("SELECT FIELDS(ALL) FROM Opportunity LIMIT 200"), "allow"},
		{"all fields of an account that may be a person", given(deny(fields("Contact.SSN__c")), allow()), rep, soqlCall("SELECT FIELDS(ALL) FROM Account LIMIT 200"), "deny"},
		{"whole records", given(deny(fields("Contact.SSN__c")), allow()), rep, call("listRecentSobjectRecords", `{"sobject-name":"Contact"}`), "deny"},
		{"search tells what a field holds", given(deny(fields("Contact.SSN__c")), allow()), rep, soslCall("FIND {123} RETURNING Contact(Id)"), "deny"},
		{"search in names", given(deny(fields("Contact.SSN__c")), allow()), rep, soslCall("FIND {Ann} IN NAME FIELDS RETURNING Contact(Id)"), "allow"},
		{"part of a compound", given(deny(fields("Contact.MailingStreet")), allow()), rep, soqlCall("SELECT MailingAddress FROM Contact"), "deny"},
		{"compound of a part", given(deny(fields("Contact.MailingAddress")), allow()), rep, soqlCall("SELECT MailingCity FROM Contact"), "deny"},
		{"name is a compound", given(deny(fields("Contact.LastName")), allow()), rep, soqlCall("SELECT Name FROM Contact"), "deny"},
		{"id through the relation", given(deny(fields("Contact.AccountId")), allow()), rep, soqlCall("SELECT Account.Id FROM Contact"), "deny"},
		{"field written", given(deny(fields("Contact.SSN__c")), allow()), rep, call("createSobjectRecord", `{"sobject-name":"Contact","body":{"ssn__c":"1"}}`), "deny"},
		{"schema holds no values", given(deny(fields("Contact.SSN__c")), allow()), rep, call("getObjectSchema", `{"objects":"Contact"}`), "allow"},
		{"only listed fields", given(allow(fields("Contact.Id", "Contact.LastName"))), rep, soqlCall("SELECT Id, LastName FROM Contact"), "allow"},
		{"one field too many", given(allow(fields("Contact.Id", "Contact.LastName"))), rep, soqlCall("SELECT Id, Phone FROM Contact"), "deny"},
		{"whole record is not a list", given(allow(fields("Contact.I*"))), rep, soqlCall("SELECT FIELDS(ALL) FROM Contact"), "deny"},
		{"every field is", given(allow(fields("Contact.*"))), rep, soqlCall("SELECT FIELDS(ALL) FROM Contact"), "allow"},

		{"known prompt", readOnly, rep, call("prompt:accountReviewBriefing", "{}"), "allow"},
		{"unknown prompt", readOnly, rep, call("prompt:other", "{}"), "hidden"},
		{"widget", readOnly, rep, call("resource:ui://widget/lightningType/c__X", ""), "allow"},
		{"other resource", readOnly, rep, call("resource:file:///etc/passwd", ""), "hidden"},
		{"star means tools", given(allow(tools("*"))), rep, call("prompt:accountReviewBriefing", "{}"), "hidden"},
		{"prompts by name", given(allow(tools("prompt:account*"))), rep, call("prompt:accountReviewBriefing", "{}"), "allow"},
		{"deny star means all", given(deny(tools("*")), allow()), rep, call("prompt:accountReviewBriefing", "{}"), "hidden"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := tt.policy.Decide(tt.who, tt.call)
			if got := verdict(d); got != tt.want {
				t.Errorf("Decide = %s (%s), want %s", got, d.Reason, tt.want)
			}
			if d.Effect == Deny && !d.Hidden && d.Text == "" {
				t.Error("a denial by arguments says nothing")
			}
			if d.Hidden == tt.policy.Visible(tt.who, tt.call.Tool) && d.Effect == Deny {
				t.Errorf("Hidden = %v and Visible are equal", d.Hidden)
			}
		})
	}
}

func TestDecisionTellsOperatorsWhyAndCallersNothing(t *testing.T) {
	t.Parallel()
	d := confirmWrites.Decide(rep, soqlCall("SELECT LastName, Owner.Title FROM Contact WHERE LastName = 'Smith'"))
	want := Decision{
		Effect: Deny, Rule: 0, Class: Read, Objects: []string{"Contact", "Group", "User"}, Reach: d.Reach,
		Reason: "rule 1 (deny objects User, Profile)", Text: textAbout + "Owner.Title in the field list (character 18) cannot pass.", Version: confirmWrites.Version(),
	}
	if diff := cmp.Diff(want, d, cmpopts.IgnoreUnexported(reach.Value{})); diff != "" {
		t.Error(diff)
	}
	for _, secret := range []string{"Smith", "Profile", "User", "rule 1"} {
		if strings.Contains(d.Text, secret) {
			t.Errorf("Text reveals %s: %s", secret, d.Text)
		}
	}

	d = confirmWrites.Decide(rep, call("deleteSobjectRecord", account))
	want = Decision{
		Effect: Confirm, Rule: 3, Class: Delete, Objects: []string{"Account"}, Reach: d.Reach, Records: []Record{{Class: Delete, Object: "Account", ID: "001xx000003DGb1AAG"}}, Confirmation: Confirmation{Approvers: "role:approver"},
		Reason: "rule 4 (confirm tools deleteSobjectRecord)", Version: confirmWrites.Version(),
	}
	if diff := cmp.Diff(want, d, cmpopts.IgnoreUnexported(reach.Value{})); diff != "" {
		t.Error(diff)
	}

	d = given(confirm()).Decide(rep, call("getUserInfo", ""))
	if d.Confirmation != (Confirmation{Approvers: "requester"}) {
		t.Errorf("by default %+v is asked for", d.Confirmation)
	}

	d = confirmWrites.Decide(rep, soqlCall("SELECT Id FROM Account WHERE Name = 'Smith' LIMIT 5000"))
	if !strings.Contains(d.Text, "LIMIT 2000 or less") || d.Rule != -1 {
		t.Errorf("a query that only lacks LIMIT is told so: %q, rule %d", d.Text, d.Rule)
	}
}

func TestMaxRows(t *testing.T) {
	t.Parallel()
	p := given(allow(class(Read), maxRows(100)))
	tests := []struct {
		call Call
		want string
	}{
		{soqlCall("SELECT Id FROM Account LIMIT 100"), "allow"},
		{soqlCall("SELECT Id FROM Account LIMIT 101"), "deny"},
		{soqlCall("SELECT Id FROM Account"), "deny"},
		{soqlCall("SELECT Id FROM Account LIMIT 0"), "allow"},
		{soqlCall("SELECT Id FROM Account LIMIT 10 OFFSET 5"), "allow"},
		{soqlCall("SELECT COUNT() FROM Account"), "allow"},
		{soqlCall("SELECT COUNT(Id), MAX(Amount) FROM Opportunity"), "allow"},
		{soqlCall("SELECT COUNT(Id), Name FROM Opportunity GROUP BY Name"), "deny"},
		{soqlCall("SELECT COUNT(Id) FROM Opportunity GROUP BY Name"), "deny"},
		{soqlCall("SELECT COUNT(Id) n FROM Opportunity GROUP BY Name LIMIT 9"), "allow"},
		{soqlCall("SELECT Id, (SELECT Id FROM Contacts) FROM Account LIMIT 1"), "deny"},
		{soqlCall("SELECT Id, (SELECT Id FROM Contacts LIMIT 9) FROM Account LIMIT 10"), "allow"},
		{soqlCall("SELECT Id, (SELECT Id FROM Contacts LIMIT 10) FROM Account LIMIT 10"), "deny"},
		{soqlCall("SELECT Id, (SELECT Id FROM Contacts LIMIT 2147483647) FROM Account LIMIT 2147483647"), "deny"},
		{soqlCall("SELECT Id FROM Account WHERE Id IN (SELECT AccountId FROM Contact) LIMIT 5"), "allow"},
		{soslCall("FIND {x} RETURNING Account"), "deny"},
		{soslCall("FIND {x} RETURNING Account LIMIT 100"), "allow"},
		{soslCall("FIND {x} RETURNING Account(Id LIMIT 60), Contact(Id LIMIT 40)"), "allow"},
		{soslCall("FIND {x} RETURNING Account(Id LIMIT 60), Contact(Id LIMIT 41)"), "deny"},
		{soslCall("FIND {x} RETURNING Account(Id LIMIT 60), Contact(Id) LIMIT 50"), "allow"},
		{call("post_dc_query_sql", `{"sql":"SELECT * FROM x"}`), "hidden"},
		{call("getUserInfo", ""), "allow"},
		{call("listRecentSobjectRecords", `{"sobject-name":"Account"}`), "allow"},
		{call("dispatch_readonly", `{"url":"/services/data/v67.0/query?q=SELECT+Id+FROM+Account+LIMIT+5"}`), "allow"},
		{call("dispatch_readonly", `{"url":"/services/data/v67.0/query?q=SELECT+Id+FROM+Account"}`), "deny"},
		{call("dispatch_readonly", `{"url":"/services/data/v67.0/query/01gxx-2000"}`), "deny"},
	}
	for _, tt := range tests {
		if d := p.Decide(rep, tt.call); verdict(d) != tt.want {
			t.Errorf("%s: %s (%s), want %s", tt.call.Arguments, verdict(d), d.Reason, tt.want)
		}
	}
}

func TestShadowLetsPassWhatWouldBeDenied(t *testing.T) {
	t.Parallel()
	p := given(deny(objects("User")), allow(class(Read)), confirm(class(Create)))
	p.Mode = Shadow
	if d := p.Decide(rep, soqlCall("SELECT Id FROM User")); d.Effect != Allow || !d.Shadow || !strings.HasPrefix(d.Reason, "shadow: would be denied, rule 1") {
		t.Errorf("denied by a rule: %+v", d)
	}
	if d := p.Decide(rep, call("customTool", "{}")); d.Effect != Allow || !d.Shadow || d.Hidden {
		t.Errorf("denied by no rule: %+v", d)
	}
	if d := p.Decide(rep, soqlCall("SELECT Id FROM Account")); d.Effect != Allow || d.Shadow {
		t.Errorf("allowed: %+v", d)
	}
	if d := p.Decide(rep, call("createSobjectRecord", create)); d.Effect != Confirm || d.Shadow {
		t.Errorf("confirmed: %+v", d)
	}
	if d := p.Decide(rep, soqlCall("SELECT Id FROM Account; DROP")); d.Effect != Deny || d.Shadow || d.Text == "" {
		t.Errorf("arguments that cannot be read: %+v", d)
	}
	if d := p.Decide(rep, call("soql Query", "{}")); d.Effect != Deny || !d.Hidden {
		t.Errorf("a name that cannot be: %+v", d)
	}
	if !p.Visible(rep, "customTool") {
		t.Error("shadow hides a tool")
	}
}

func TestForBelievesOnlyTheCatalogueOfTheServer(t *testing.T) {
	t.Parallel()
	const base = "https://api.salesforce.com/platform/mcp/v1/"
	tests := []struct {
		upstream, tool string
		want           Class
	}{
		{base + "platform/sobject-reads", "getUserInfo", Read},
		{base + "sandbox/platform/sobject-all", "getUserInfo", Read},
		{base + "d/acme--uat/sandbox/platform/sobject-all/", "getUserInfo", Read},
		{base + "platform/headless-360", "getUserInfo", Unknown},
		{base + "data/data360", "search", Read},
		{base + "data/sandbox/data360", "search", Read},
		{base + "platform/sobject-all", "search", Unknown},
		{base + "custom/AcmeOps", "getUserInfo", Unknown},
		{base + "sandbox/custom/AcmeOps", "search", Unknown},
		{base + "new/server", "getUserInfo", Unknown},
		{"", "getUserInfo", Unknown},
	}
	for _, tt := range tests {
		if got := given().For(tt.upstream).ClassOf(tt.tool, nil); got != tt.want {
			t.Errorf("%s on %s = %s, want %s", tt.tool, tt.upstream, got, tt.want)
		}
	}
	p := given(allow(class(Read)))
	if custom := p.For(base + "custom/AcmeOps"); custom.Visible(rep, "soqlQuery") || custom.Version() == p.Version() {
		t.Error("a custom server's tool is believed for its name")
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	base := given(allow(tools("a", "b"), class(Read)), deny())
	same := given(allow(tools("b", "a"), class(Read)), deny())
	if base.Version() != same.Version() {
		t.Error("order within a list changes the version")
	}
	others := map[string]*Policy{
		"rules swapped":  given(deny(), allow(tools("a", "b"), class(Read))),
		"key moved":      given(allow(users("a", "b"), class(Read)), deny()),
		"value joined":   given(allow(tools("ab"), class(Read)), deny()),
		"key gone":       given(allow(tools("a", "b")), deny()),
		"effect":         given(confirm(tools("a", "b"), class(Read)), deny()),
		"max rows":       given(allow(tools("a", "b"), class(Read), maxRows(1)), deny()),
		"rule gone":      given(allow(tools("a", "b"), class(Read))),
		"shadow":         {Name: "test", Mode: Shadow, Rules: base.Rules},
		"name":           {Name: "other", Mode: Enforce, Rules: base.Rules},
		"confirm quorum": given(confirm(tools("a", "b"), class(Read), quorum(2)), deny()),
	}
	seen := map[string]string{base.Version(): "base"}
	for name, p := range others {
		if twin, ok := seen[p.Version()]; ok {
			t.Errorf("%s has the version of %s", name, twin)
		}
		seen[p.Version()] = name
	}
}

func TestHostedName(t *testing.T) {
	t.Parallel()
	const base = "https://api.salesforce.com/platform/mcp/v1/"
	for path, want := range map[string]string{
		"platform/sobject-all": "platform/sobject-all", "platform/sobject-all/": "platform/sobject-all",
		"sandbox/platform/sobject-reads": "platform/sobject-reads", "data/sandbox/data360": "data/data360",
		"custom/Sales": "custom/Sales", "sandbox/custom/Sales": "custom/Sales",
	} {
		if got := HostedName(base + path); got != want {
			t.Errorf("%s: %s, expected %s", path, got, want)
		}
	}
}

// What a call is asked to change is known before it is made.
func TestU5DecisionNamesRecords(t *testing.T) {
	t.Parallel()
	const id = "001xx000003DGb1AAG"
	rest := func(method, path string) Call {
		return call("dispatch", fmt.Sprintf(`{"method":%q,"url":"/services/data/v64.0/%s","body":{}}`, method, path))
	}
	for name, c := range map[string]struct {
		call Call
		want []Record
	}{
		"query":          {soqlCall("SELECT Id FROM Account WHERE Id = '" + id + "'"), nil},
		"create":         {call("createSobjectRecord", `{"sobject-name":"account","body":{"Name":"A","OwnerId":"005xx000001Sv6AAAS"}}`), []Record{{Class: Create, Object: "Account", ID: ""}}},
		"update":         {call("updateSobjectRecord", `{"sobject-name":"Account","id":"`+id+`","body":{"Name":"A"}}`), []Record{{Class: Update, Object: "Account", ID: id}}},
		"delete":         {call("deleteSobjectRecord", `{"sobject-name":"Account","id":"`+id[:15]+`"}`), []Record{{Class: Delete, Object: "Account", ID: id[:15]}}},
		"related":        {call("getRelatedRecords", `{"sobject-name":"Account","id":"`+id+`","relationship-path":"Contacts"}`), []Record{{Class: Read, Object: "Account", ID: id}}},
		"update related": {call("updateRelatedRecord", `{"sobject-name":"Account","id":"`+id+`","relationship-path":"Owner","body":{"Title":"A"}}`), []Record{{Class: Read, Object: "Account", ID: id}}},
		"refused":        {call("deleteSobjectRecord", `{"sobject-name":"Contact","id":"`+id+`"}`), nil},
		"rest read":      {rest("GET", "sobjects/Account/"+id), nil}, // with a body it is nobody knows what
		"rest create":    {rest("POST", "sobjects/Account"), []Record{{Class: Create, Object: "Account", ID: ""}}},
		"rest update":    {rest("PATCH", "sobjects/Account/"+id), []Record{{Class: Update, Object: "Account", ID: id}}},
		"rest related":   {rest("PATCH", "sobjects/Account/"+id+"/Owner"), []Record{{Class: Read, Object: "Account", ID: id}}},
		"rest delete":    {call("dispatch", `{"method":"DELETE","url":"/services/data/v64.0/sobjects/Account/`+id+`"}`), []Record{{Class: Delete, Object: "Account", ID: id}}},
		"rest composite": {rest("POST", "composite"), nil},
		"unknown tool":   {call("closeCase", `{"id":"`+id+`"}`), nil},
	} {
		if diff := cmp.Diff(c.want, given(allow()).Decide(rep, c.call).Records); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// read reads a call with the tools of all servers.
func read(c Call) (*reach.Value, *reach.Refusal) {
	return reach.Catalogue{}.Read(c.Tool, c.Arguments)
}
