package policy

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write testdata/*.txt anew, to be read before they are believed")

// TestDecisions holds what each policy decides about each call, by which rule and with which
// sentence, against testdata/decisions.txt, which is written to be read.
func TestDecisions(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	rows := 0
	for _, p := range decisionPolicies() {
		fmt.Fprintf(&out, "# %s\n", p.Name)
		for i := range p.Rules {
			fmt.Fprintf(&out, "#   %s\n", p.Rules[i].reason(i))
		}
		for _, c := range decisionCalls() {
			rows++
			fmt.Fprintf(&out, "%s %s\n    %s\n", c.Tool, c.Arguments, inProse(p.Decide(rep, c)))
		}
		out.WriteString("\n")
	}
	compareGolden(t, "testdata/decisions.txt", out.String())
	if rows < 300 {
		t.Errorf("only %d decisions", rows)
	}
}

// compareGolden compares what was written with a file, or writes that.
func compareGolden(t *testing.T, golden, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Error(diff)
	}
}

// inProse says a decision in a line.
func inProse(d Decision) string {
	text := string(d.Effect)
	if d.Hidden {
		text = "as if there were no such tool"
	}
	text += ", " + d.Reason + "; " + string(d.Class)
	if len(d.Objects) > 0 {
		text += " of " + strings.Join(d.Objects, ", ")
	}
	if o := d.Obligations; len(o.Mask)+len(o.Drop)+o.Rows+o.Limit > 0 {
		text += fmt.Sprintf("; mask %v, drop %v, at most %d rows, LIMIT %d", o.Mask, o.Drop, o.Rows, o.Limit)
	}
	if d.Obligations.Index {
		text += "; the index is filtered"
	}
	if d.Effect == Confirm {
		text += "; asks " + d.Confirmation.String()
	}
	if len(d.Observed) > 0 {
		text += "; observed: " + strings.Join(d.Observed, ", ")
	}
	if d.Text != "" {
		text += "; says: " + d.Text
	}
	return text
}

func decisionPolicies() []*Policy {
	named := func(name string, rules ...Rule) *Policy { return &Policy{Name: name, Rules: rules} }
	hides := func(r Rule) Rule {
		r.Mask, r.Drop = []string{"Contact.Phone", "*.Birthdate"}, []string{"Contact.SSN__c"}
		return r
	}
	bounded := allow(class(Read), maxRows(100))
	bounded.Rewrite = true
	watching := named("only watched", deny(objects("User")), allow(class(Read)))
	watching.Mode = Shadow
	return []*Policy{
		named("nothing is allowed"),
		named("everything is allowed", allow()),
		named("reads but users", deny(objects("User", "Profile")), allow(class(Read))),
		named("reads of accounts and contacts", allow(class(Read), objects("Account", "Contact"))),
		named("fields of accounts", allow(class(Read), fields("Account.Id", "Account.Name", "Account.Industry"))),
		named("no numbers of persons, writes asked", deny(fields("*.SSN__c", "Contact.Email")), allow(class(Read)), confirm(class(Create, Update), objects("Account", "Contact", "Case", "Task"))),
		named("at most 100 records, made so", bounded),
		named("hidden fields", hides(allow(class(Read), objects("Contact"))), allow(class(Read, SideEffect))),
		named("administration by a role", confirm(class(Admin), approvers("role:admins")), allow(class(Read))),
		watching,
	}
}

func decisionCalls() []Call {
	const id = `"id":"001xx000003DGb1AAG"`
	return []Call{
		call("getUserInfo", "{}"), call("getObjectSchema", "{}"), call("getObjectSchema", `{"objects":"Account"}`), call("getObjectSchema", `{"objects":"Account,User"}`),
		soqlCall("SELECT Id, Name FROM Account LIMIT 20"), soqlCall("SELECT Id, Name FROM Account"), soqlCall("SELECT COUNT() FROM Account"),
		soqlCall("SELECT Id, Owner.Name FROM Account LIMIT 20"), soqlCall("SELECT Id FROM Account WHERE Owner.Name = 'x' LIMIT 20"),
		soqlCall("SELECT Id, Owner.Type FROM Case LIMIT 20"), soqlCall("SELECT Id, Phone, SSN__c FROM Contact LIMIT 5"), soqlCall("SELECT Id FROM Contact WHERE SSN__c = '1' LIMIT 5"),
		soqlCall("SELECT ContactEmail FROM Case LIMIT 5"), soqlCall("SELECT Id, (SELECT Id FROM Contacts LIMIT 5) FROM Account LIMIT 200"),
		soqlCall("SELECT FIELDS(ALL) FROM Contact LIMIT 200"), soqlCall("SELECT Plan__r.Name FROM Account LIMIT 5"), soqlCall("SELECT Id FROM Account FOR VIEW"),
		soqlCall("SELECT NewValue FROM ContactHistory LIMIT 5"), soqlCall("SELECT Id FROM Account WHERE Name = :x"), soqlCall("SELECT Id FROM Account -- comment"),
		soslCall("FIND {acme} IN NAME FIELDS RETURNING Account(Id, Name) LIMIT 20"), soslCall("FIND {acme} RETURNING Account, User LIMIT 20"), soslCall("FIND {acme}"),
		call("listRecentSobjectRecords", `{"sobject-name":"Account"}`), call("listRecentSobjectRecords", `{"sobject-name":"User"}`),
		call("getRelatedRecords", `{"sobject-name":"Account",`+id+`,"relationship-path":"Contacts"}`), call("getRelatedRecords", `{"sobject-name":"Account",`+id+`,"relationship-path":"Owner"}`),
		call("createSobjectRecord", `{"sobject-name":"Contact","body":{"LastName":"x"}}`), call("createSobjectRecord", `{"sobject-name":"Contact","body":{"SSN__c":"1"}}`),
		call("updateSobjectRecord", `{"sobject-name":"Account",`+id+`,"body":{"Name":"x"}}`), call("updateSobjectRecord", `{"sobject-name":"User","id":"005xx000001Sv6AAAS","body":{"IsActive":false}}`),
		call("deleteSobjectRecord", `{"sobject-name":"Account",`+id+`}`), call("deleteSobjectRecord", `{"sobject-name":"Contact",`+id+`}`),
		dispatch("GET", "/limits", ""), dispatch("GET", "/query?q=SELECT+Id+FROM+Account+LIMIT+5", ""), dispatch("PATCH", "/sobjects/Account/001xx000003DGb1AAG", `"body":{"Name":"x"}`),
		dispatch("GET", "/tooling/executeAnonymous?anonymousBody=x", ""), dispatch("POST", "/composite", `"body":{}`), call("closeCase", "{}"), call("prompt:accountReviewBriefing", ""),
	}
}
