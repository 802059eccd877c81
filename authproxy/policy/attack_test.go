package policy

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/policy/reach"
	"sfmcp-proxy/authproxy/policy/soql"
)

// The attacks on the decision, by the ids of THREATS.md.

func TestFW16HiddenToolIsDeniedLikeAnUnknownOne(t *testing.T) {
	t.Parallel()
	p := given(allow(class(Read)))
	for _, name := range []string{"deleteSobjectRecord", "sales.deleteSobjectRecord", "sales-getUserInfo", "no_such_tool"} {
		d := p.Decide(rep, call(name, account))
		if d.Effect != Deny || !d.Hidden || d.Text != "" {
			t.Errorf("%s: %+v", name, d)
		}
		if p.Visible(rep, name) {
			t.Errorf("%s is listed", name)
		}
	}
}

func TestFW17ToolNameSpelling(t *testing.T) {
	t.Parallel()
	p := given(allow(tools("soqlQuery", "getUserInfo")), allow(class(Read)))
	for _, name := range []string{
		"GetUserInfo", "getuserinfo", " getUserInfo", "getUserInfo ", "getUserInfo\n", "getUser\u200bInfo", "ｇetUserInfo",
		"getUserInf\u006f\u0301", "get_user_info", "soql_query", "delete_sobject_record", "sales/getUserInfo", "../getUserInfo",
		"tools.getUserInfo", "getUserInfo\x00", "", strings.Repeat("a", 10<<10), "prompt:", "resource:", "resource:ui:// x",
	} {
		if d := p.Decide(rep, call(name, "")); d.Effect != Deny || !d.Hidden || d.Class != Unknown {
			t.Errorf("%q: %s, class %s", name, verdict(d), d.Class)
		}
		if p.Visible(rep, name) {
			t.Errorf("%q is visible", name)
		}
	}
}

func TestFW18EmptyAndEdgePolicies(t *testing.T) {
	t.Parallel()
	denied := []*Policy{
		{}, given(), given(allow(tools())), given(allow(tools(""))), given(allow(class())), given(allow(users())), given(allow(objects())),
		given(allow(fields())), given(allow(clients())), given(allow(groups())), given(Rule{}), given(rule("permit")), given(deny(), allow()),
		given(deny(tools("*")), allow(tools("*"))), given(deny(tools()), allow()), given(deny(class()), allow()), given(deny(objects()), allow()),
	}
	for i, p := range denied {
		if d := p.Decide(rep, soqlCall("SELECT Id FROM Account")); d.Effect != Deny {
			t.Errorf("policy %d: %s by %s", i, d.Effect, d.Reason)
		}
		if p.Validate() == nil && len(p.Rules) != 1 {
			t.Errorf("policy %d is valid", i)
		}
	}
}

func TestFW19NewToolIsDeniedUntilClassified(t *testing.T) {
	t.Parallel()
	p := given(allow(class(Read)), confirm(class(Create, Update, Delete)))
	if d := p.Decide(rep, call("brandNewTool", "{}")); !d.Hidden || d.Class != Unknown {
		t.Errorf("%+v", d)
	}
}

func TestFW21UpstreamHintsAreNotAsked(t *testing.T) {
	t.Parallel()
	p := given(allow(class(Read)), confirm(class(Delete)))
	if d := p.Decide(rep, call("deleteSobjectRecord", account)); d.Effect != Confirm || d.Class != Delete {
		t.Errorf("%+v", d)
	}
	if h := p.Annotations(rep, "deleteSobjectRecord"); h.ReadOnly || !h.Destructive {
		t.Errorf("%+v", h)
	}
}

func TestFW22ObjectPolicyAgainstSOQLAndSOSL(t *testing.T) {
	t.Parallel()
	p := given(deny(objects("User", "Profile", "Secret__c", "OauthToken", "LoginHistory", "SetupAuditTrail")), allow(class(Read)))
	for _, c := range []Call{
		soqlCall("SELECT Id FROM User"),
		soqlCall("sElEcT iD fRoM uSeR"),
		soqlCall("SELECT\n\tId\n\tFROM\n\tUser"),
		soqlCall("SELECT Id/**/FROM Account, User"),
		soqlCall("SELECT Id -- x\nFROM User"),
		soqlCall("SELECT a.Id FROM Account a, a.Owner u"),
		soqlCall("SELECT u.Id FROM User u"),
		soqlCall("SELECT Owner.Profile.Name FROM Account"),
		soqlCall("SELECT Id, (SELECT Id FROM Users) FROM Account"),
		soqlCall("SELECT Id, (SELECT Id FROM Secrets__r) FROM Account"),
		soqlCall("SELECT Secret__r.Code__c FROM Account"),
		soqlCall("SELECT Id FROM Account WHERE OwnerId IN (SELECT Id FROM User)"),
		soqlCall("SELECT Id FROM Account WHERE OwnerId NOT IN (SELECT UserId FROM LoginHistory)"),
		soqlCall("SELECT Id FROM Account ORDER BY CreatedBy.Email"),
		soqlCall("SELECT COUNT(Id) FROM Account GROUP BY LastModifiedBy.Name"),
		soqlCall("SELECT TYPEOF Owner WHEN User THEN Email END FROM Case"),
		soqlCall("SELECT TYPEOF What WHEN Account THEN Phone ELSE Name END FROM Task"),
		soqlCall("SELECT FIELDS(ALL) FROM User LIMIT 200"),
		soqlCall("SELECT Id FROM ns__Secret__c"),
		soqlCall("SELECT Id FROM OauthToken"), soqlCall("SELECT Id FROM LoginHistory"), soqlCall("SELECT Id FROM SetupAuditTrail"),
		soqlCall("SELECT User.Name FROM Account User"),
		soqlCall("SELECT Owner.Name FROM Account Owner"),
		soslCall("FIND {x} RETURNING Account, Contact(Id), User(Id, Email)"),
		soslCall("FIND {x} RETURNING Account(Owner.Name)"),
		soslCall("FIND {x}"),
		soslCall(`FIND {x\u007d RETURNING User(Id WHERE Name = '} RETURNING Account(Id WHERE Name = ')')`),
		call("soqlQuery", `{"query":"SELECT Id FROM User"}`),
		call("soqlQuery", `{"q":"SELECT Id FROM Account","query":"SELECT Id FROM User"}`),
		call("soqlQuery", `{"q":"SELECT Id FROM Account","Q":"SELECT Id FROM User"}`),
		call("soqlQuery", `{"q":"SELECT Id FROM Account","soql":"SELECT Id FROM User"}`),
		call("find", `{"q":"FIND {x} RETURNING Account","search":"FIND {x} RETURNING User"}`),
		call("getObjectSchema", `{"objects":"Account,User"}`),
		call("getObjectSchema", `{"objects":"Account","object-name":"User"}`),
		call("getObjectSchema", `{"Objects":"User"}`),
		call("getObjectSchema", `{"objects":["Account"]}`),
		call("listRecentSobjectRecords", `{"sobject-name":"USER"}`),
		call("getRelatedRecords", `{"sobject-name":"Account","id":"001xx000003DGb1AAG","relationship-path":"Owner"}`),
		call("getRelatedRecords", `{"sobject-name":"Account","id":"001xx000003DGb1AAG","relationship-path":"Contacts/Owner"}`),
		call("getRelatedRecords", `{"sobject-name":"Account","id":"001xx000003DGb1AAG","relationship-path":"Secrets__r"}`),
		call("dispatch_readonly", `{"url":"/services/data/v67.0/sobjects/User/005xx000001Sv6AAAS"}`),
		call("dispatch_readonly", `{"url":"/services/data/v67.0/ui-api/records/005xx000001Sv6AAAS"}`),
	} {
		if d := p.Decide(rep, c); verdict(d) != "deny" {
			t.Errorf("%s %s: %s, objects %v", c.Tool, c.Arguments, verdict(d), d.Objects)
		}
	}
}

func TestFW22SameReadsPassWithoutTheDeniedObjects(t *testing.T) {
	t.Parallel()
	p := given(deny(objects("User")), allow(class(Read)))
	for _, c := range []Call{
		soqlCall("SELECT Id, Account.Name, (SELECT Id FROM Cases) FROM Contact WHERE AccountId IN (SELECT Id FROM Account)"),
		soslCall("FIND {x} RETURNING Account, Contact(Id)"),
		call("getRelatedRecords", `{"sobject-name":"Account","id":"001xx000003DGb1AAG","relationship-path":"Contacts"}`),
	} {
		if d := p.Decide(rep, c); d.Effect != Allow {
			t.Errorf("%s: %s, %s", c.Arguments, d.Reason, d.Text)
		}
	}
}

func TestFW24NamesAndIDsAsPaths(t *testing.T) {
	t.Parallel()
	p := given(allow())
	const id = "001xx000003DGb1AAG"
	names := []string{
		"Account/../User", "Account?_HttpMethod=DELETE", "%2e%2e", "../../tooling/executeAnonymous", "Account.", "Account ", " Account",
		"Account\x00", "Account;User", "Account#", "Account\\User", "Äccount", "1Account", "_Account", "", strings.Repeat("a", 256),
	}
	for _, name := range names {
		for _, tool := range []string{"listRecentSobjectRecords", "createSobjectRecord", "updateSobjectRecord", "deleteSobjectRecord", "getRelatedRecords"} {
			args := fmt.Sprintf(`{"sobject-name":%s,"id":%q,"relationship-path":"Owner","body":{}}`, quote(name), id)
			if d := p.Decide(rep, call(tool, args)); verdict(d) != "deny" {
				t.Errorf("%s of %q: %s", tool, name, verdict(d))
			}
		}
		if d := p.Decide(rep, call("getObjectSchema", `{"objects":`+quote("Account,"+name)+`}`)); strings.TrimSpace(name) != "Account" && d.Effect != Deny {
			t.Errorf("getObjectSchema of %q: %s", name, verdict(d))
		}
	}
	ids := []string{
		"001xx000003DGb1AAG/Owner", "001xx000003DGb1AA", "001xx000003DGb", "001xx000003DGb1AAGG", "001xx000003DGb/", "../001xx000003DG",
		"001xx000003DGb%20", "", "003xx000003DGb1AAG", "a01xx000003DGb1AAG", "001xx000003DGb1AA\u0415",
	}
	for _, bad := range ids {
		args := fmt.Sprintf(`{"sobject-name":"Account","id":%s,"relationship-path":"Contacts","body":{}}`, quote(bad))
		for _, tool := range []string{"updateSobjectRecord", "deleteSobjectRecord", "getRelatedRecords", "updateRelatedRecord", "deleteRelatedRecord"} {
			if d := p.Decide(rep, call(tool, args)); verdict(d) != "deny" {
				t.Errorf("%s with id %q: %s", tool, bad, verdict(d))
			}
		}
	}
	for _, path := range []string{"../User", "Contacts/", "/Contacts", "Contacts//Owner", "Contacts?x", "%2e", "", ".", strings.Repeat("Owner/", 20) + "Owner"} {
		args := fmt.Sprintf(`{"sobject-name":"Account","id":%q,"relationship-path":%s}`, id, quote(path))
		if d := p.Decide(rep, call("getRelatedRecords", args)); verdict(d) != "deny" {
			t.Errorf("path %q: %s", path, verdict(d))
		}
	}
	for _, good := range []string{id, id[:15]} {
		args := fmt.Sprintf(`{"sobject-name":"Account","id":%q,"body":{"ns__X__c":1}}`, good)
		if d := p.Decide(rep, call("updateSobjectRecord", args)); d.Effect != Allow {
			t.Errorf("id %q: %s %s", good, verdict(d), d.Text)
		}
	}
	if d := p.Decide(rep, call("deleteSobjectRecord", `{"sobject-name":"ns__X__c","id":"a01xx000003DGb1AAG"}`)); d.Effect != Allow {
		t.Errorf("namespaced object: %s", d.Text)
	}
}

func TestFW25InjectedLiteralsAreJudgedAsParsed(t *testing.T) {
	t.Parallel()
	p := given(deny(objects("User")), allow(class(Read), maxRows(10)))
	injected := []string{
		`x' OR Id != null LIMIT 50000`,
		`x'; SELECT Id FROM User`,
		`x' AND OwnerId IN (SELECT Id FROM User) LIMIT 1`,
		`x' FOR VIEW`,
		`x\\' OR Id != null OR Name = 'y' LIMIT 99`,
	}
	for _, text := range injected {
		q := "SELECT Id FROM Account WHERE Name = '" + text
		if d := p.Decide(rep, soqlCall(q)); verdict(d) != "deny" {
			t.Errorf("%s: %s", q, verdict(d))
		}
	}
	if d := p.Decide(rep, soqlCall(`SELECT Id FROM Account WHERE Name = 'x\' OR Id != null LIMIT 50000' LIMIT 10`)); d.Effect != Allow {
		t.Errorf("an escaped quote stays in the string: %s", d.Reason)
	}
}

func TestFW28CustomToolsAreUnknownWhateverTheirName(t *testing.T) {
	t.Parallel()
	p := given(allow(class(Read)), confirm(class(Unknown))).For("https://api.salesforce.com/platform/mcp/v1/custom/AcmeOps")
	for _, name := range []string{"getInvoice", "lookupCustomer", "list_orders", "getUserInfo", "soqlQuery", "search"} {
		if d := p.Decide(rep, call(name, `{"inputs":[{}]}`)); d.Effect != Confirm || d.Class != Unknown {
			t.Errorf("%s: %s, class %s", name, verdict(d), d.Class)
		}
	}
}

func TestFW29PromptsAndResourcesFollowTheSameRules(t *testing.T) {
	t.Parallel()
	p := given(allow(class(Read)), confirm(class(Unknown), tools("prompt:flowBacked")))
	want := map[string]string{
		"prompt:accountReviewBriefing": "allow", "prompt:flowBacked": "confirm", "prompt:other": "hidden",
		"resource:ui://widget/x": "allow", "resource:salesforce://record/1": "hidden", "resource:UI://widget": "hidden",
	}
	for name, verdictWant := range want {
		if d := p.Decide(rep, call(name, "")); verdict(d) != verdictWant {
			t.Errorf("%s: %s, want %s", name, verdict(d), verdictWant)
		}
	}
}

func TestRS11ReadPolicyCallsNoWriteByAnyMethod(t *testing.T) {
	t.Parallel()
	p := given(allow(class(Read)))
	for name, known := range (reach.Catalogue{}).Tools() {
		if slices.Contains(known.Classes, Read) && !p.Visible(rep, name) {
			t.Errorf("%s can read and is hidden", name)
		}
		if known.Classes[0] != Read && p.Visible(rep, name) {
			t.Errorf("%s writes and is listed", name)
		}
	}
	for _, c := range []Call{
		call("dispatch", `{"method":"DELETE","url":"/services/data/v67.0/sobjects/Account/001xx000003DGb1AAG"}`),
		call("dispatch", `{"method":"POST","url":"/services/data/v67.0/composite"}`),
		call("dispatch_readonly", `{"method":"POST","url":"/services/data/v67.0/sobjects/Account"}`),
		call("dispatch_readonly", `{"url":"/services/data/v67.0/tooling/executeAnonymous?anonymousBody=x"}`),
		call("execute_metadata_action", `{"metadataType":"Flow","actionName":"delete"}`),
	} {
		if d := p.Decide(rep, c); d.Effect != Deny {
			t.Errorf("%s: %s", c.Arguments, d.Effect)
		}
	}
}

func TestWrongTypesAreRefusedWithASentence(t *testing.T) {
	t.Parallel()
	p := given(allow())
	for _, c := range []Call{
		call("soqlQuery", `{"q":5}`), call("soqlQuery", `{"q":null}`), call("soqlQuery", `{"q":["SELECT Id FROM Account"]}`),
		call("soqlQuery", `{"q":""}`), call("soqlQuery", `{}`), call("soqlQuery", ``), call("soqlQuery", `[]`), call("soqlQuery", `"x"`),
		call("soqlQuery", `null`), call("soqlQuery", `{"q":"SELECT Id FROM Account"`), call("soqlQuery", `{"q":"a","q":"b"}`),
		call("soqlQuery", `{"q":"SELECT Id FROM Account"}{}`), call("getUserInfo", `[]`), call("getUserInfo", `{"x":{"a":1,"a":2}}`),
		call("createSobjectRecord", `{"sobject-name":"Account","body":"{}"}`), call("createSobjectRecord", `{"sobject-name":"Account"}`),
		call("createSobjectRecord", `{"sobject-name":"Account","body":{"a/b":1}}`), call("createSobjectRecord", `{"sobject-name":"Account","body":{"Name":1,"NAME":2}}`),
		call("createSobjectRecord", `{"sobject-name":"Account","body":{"attributes":{"type":"User"},"Name":"x"}}`),
		call("createSobjectRecord", `{"sobject_name":"User","sobject-name":"Account","body":{}}`), call("createSobjectRecord", `{"sobject-name":["Account"],"body":{}}`),
		call("dispatch", `{"method":"GET"}`), call("dispatch", `{"url":"/services/data/v67.0/limits"}`), call("dispatch", `{"url":1,"method":"GET"}`),
		call("execute", `{"toolName":1}`), call("execute", `{}`), call("execute_metadata_action", `{"metadataType":"x","actionName":"y","parameters":"z"}`),
	} {
		d := p.Decide(rep, c)
		if verdict(d) != "deny" || d.Class != Unknown || d.Rule != -1 {
			t.Errorf("%s %s: %+v", c.Tool, c.Arguments, d)
		}
		if !strings.HasSuffix(d.Text, ".") || strings.Count(d.Text, ". ") > 0 {
			t.Errorf("%s %s: not one sentence: %q", c.Tool, c.Arguments, d.Text)
		}
	}
}

func TestBodyReachesRelatedRecords(t *testing.T) {
	t.Parallel()
	p := given(deny(objects("User")), deny(fields("Account.Secret__c")), allow())
	tests := []struct{ body, want string }{
		{`{"LastName":"x"}`, "allow"},
		{`{"Account":{"Ext__c":"7"},"LastName":"x"}`, "allow"},
		{`{"Account":{"Secret__c":"7"},"LastName":"x"}`, "deny"},
		{`{"Owner":{"Username":"a@b.example"},"LastName":"x"}`, "deny"},
		{`{"Boss__r":{"Ext__c":"7"}}`, "deny"},
		{`{"Cases":[{"Subject":"x"}]}`, "deny"},
		{`{"attributes":{"type":"contact"},"LastName":"x"}`, "allow"},
	}
	for _, tt := range tests {
		d := p.Decide(rep, call("createSobjectRecord", `{"sobject-name":"Contact","body":`+tt.body+`}`))
		if verdict(d) != tt.want {
			t.Errorf("%s: %s (%s %s), want %s", tt.body, verdict(d), d.Reason, d.Text, tt.want)
		}
	}
}

func TestFW43HostileSizesAreDecidedQuickly(t *testing.T) {
	t.Parallel()
	const million = 1 << 20
	fits := soql.MaxLength - 200
	p := given(deny(tools(strings.Repeat("*a", 100)), class(Delete)), deny(objects("User"), fields("Contact.*a*b*c*d")), allow())
	hostile := map[string]Call{
		"nested parentheses":      soqlCall("SELECT Id FROM Account WHERE " + strings.Repeat("(", million) + "Name='x'"),
		"nested within the cap":   soqlCall("SELECT Id FROM Account WHERE " + strings.Repeat("(", fits)),
		"100000 OR terms":         soqlCall("SELECT Id FROM Account WHERE Name='x'" + strings.Repeat(" OR Name='x'", 100_000)),
		"OR terms within the cap": soqlCall("SELECT Id FROM Account WHERE Name='x'" + strings.Repeat(" OR A='x'", fits/9-10)),
		"many fields":             soqlCall("SELECT " + distinct(fits/8) + "Id FROM Account"),
		"many relations":          soqlCall("SELECT " + strings.Repeat("Owner.Owner.Owner.Name,", fits/24) + "Id FROM Case"),
		"nested subqueries":       soqlCall(strings.Repeat("SELECT Id,(", fits/11) + "SELECT Id FROM Contacts"),
		"NOT NOT":                 soqlCall("SELECT Id FROM Account WHERE " + strings.Repeat("NOT ", fits/4-20) + "Name='x'"),
		"open string":             soqlCall("SELECT Id FROM Account WHERE Name = '" + strings.Repeat("\\'", fits/2)),
		"braces":                  soslCall("FIND {" + strings.Repeat("\\}", million)),
		"long tool name":          call(strings.Repeat("a", million), "{}"),
		"deep JSON":               call("createSobjectRecord", `{"sobject-name":"Account","body":`+strings.Repeat(`{"Parent":`, 100_000)+`1`+strings.Repeat("}", 100_001)),
		"fan out":                 call("createSobjectRecord", `{"sobject-name":"Task","body":`+strings.Repeat(`{"Who":`, 5)+`1`+strings.Repeat("}", 6)),
		"many ids":                call("getObjectSchema", `{"objects":"`+strings.Repeat("A,", million/2)+`A"}`),
		"distinct objects":        call("getObjectSchema", `{"objects":"`+distinct(20_000)+`A"}`),
		"long url":                call("dispatch", `{"method":"GET","url":"/services/data/v67.0/`+strings.Repeat("a/", million/2)+`"}`),
		"many query parameters":   call("dispatch", `{"method":"GET","url":"/services/data/v67.0/limits?`+strings.ReplaceAll(distinct(50_000), ",", "&")+`"}`),
	}
	for name, c := range hostile {
		// The goal is 100 ms; the bound here leaves room for the race detector on
		// a slow machine and still catches anything that is not linear. Other work on the
		// machine only ever makes it slower.
		const bound = 2 * time.Second
		fastest := time.Hour
		for i := 0; i < 10 && fastest > bound; i++ {
			started := time.Now()
			p.Decide(rep, c)
			fastest = min(fastest, time.Since(started))
		}
		if fastest > bound {
			t.Errorf("%s took %v", name, fastest)
		} else {
			t.Logf("%s: %v", name, fastest)
		}
	}
}

// distinct returns n different names, each followed by a comma.
func distinct(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "f%d,", i)
	}
	return b.String()
}
