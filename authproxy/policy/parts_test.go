package policy

import (
	"fmt"
	"strings"
	"testing"
)

// Requests and records within one request, in the five forms that carry them.
const (
	version      = "/services/data/v67.0"
	readContact  = `{"method":"GET","referenceId":"c","url":"` + version + `/sobjects/Contact/003xx000004TmiQAAS"}`
	readAccount  = `{"method":"GET","referenceId":"r","url":"` + version + `/query?q=SELECT+Name+FROM+Account+LIMIT+5"}`
	makeAccount  = `{"method":"POST","referenceId":"a","url":"` + version + `/sobjects/Account","body":{"Name":"x"}}`
	linkContact  = `{"method":"POST","referenceId":"k","url":"` + version + `/sobjects/Contact","body":{"LastName":"x","AccountId":"@{a.id}"}}`
	laterAccount = `{"method":"PATCH","referenceId":"l","url":"` + version + `/sobjects/Account/@{a.id}","body":{"Name":"y"}}`
	dropTask     = `{"method":"DELETE","referenceId":"t","url":"` + version + `/sobjects/Task/00Txx000004TmiQAAS"}`
)

func composite(requests ...string) Call {
	return dispatch("POST", "/composite", `"body":{"allOrNone":true,"compositeRequest":[`+strings.Join(requests, ",")+`]}`)
}

func graph(requests ...string) Call {
	return dispatch("POST", "/composite/graph", `"body":{"graphs":[{"graphId":"g","compositeRequest":[`+strings.Join(requests, ",")+`]}]}`)
}

func batch(requests ...string) Call {
	text := strings.NewReplacer(`"url":"/services/data/`, `"url":"`, `"body"`, `"richInput"`, `"referenceId":"a",`, "", `"referenceId":"c",`, "", `"referenceId":"r",`, "", `"referenceId":"t",`, "").Replace(strings.Join(requests, ","))
	return dispatch("POST", "/composite/batch", `"body":{"batchRequests":[`+text+`]}`)
}

func collection(method, path, records string) Call {
	return dispatch(method, "/composite/"+path, `"body":{"records":[`+records+`]}`)
}

// Each request that a request carries is judged as if it came alone: with others nothing passes that
// would not pass without them.
func TestSRFW5RequestsWithinOthersAreJudgedOneByOne(t *testing.T) {
	t.Parallel()
	const account, contact = `{"attributes":{"type":"Account"},"Name":"x"}`, `{"attributes":{"type":"Contact","referenceId":"k"},"LastName":"x"}`
	everything := allow(class(Read, Create, Update, Delete))
	for name, c := range map[string]struct {
		policy *Policy
		call   Call
		want   string
	}{
		"an object that is denied, composite":   {given(deny(objects("Contact")), everything), composite(makeAccount, readContact), "deny"},
		"an object that is denied, graph":       {given(deny(objects("Contact")), everything), graph(makeAccount, linkContact), "deny"},
		"an object that is denied, batch":       {given(deny(objects("Contact")), everything), batch(readAccount, readContact), "deny"},
		"an object that is denied, collection":  {given(deny(objects("Contact")), everything), collection("POST", "sobjects", account+","+contact), "deny"},
		"an object that is denied, tree":        {given(deny(objects("Contact")), everything), collection("POST", "tree/Account", `{"attributes":{"type":"Account","referenceId":"a"},"Name":"x","Contacts":{"records":[`+contact+`]}}`), "deny"},
		"an object that is denied, deletions":   {given(deny(objects("Contact")), everything), dispatch("DELETE", "/composite/sobjects?ids=001xx000003DGb1AAG,003xx000004TmiQAAS", ""), "deny"},
		"an object that is denied, by ids":      {given(deny(objects("Contact")), everything), dispatch("GET", "/composite/sobjects/Contact?ids=003xx000004TmiQAAS&fields=Id", ""), "deny"},
		"an object that is denied, by a list":   {given(deny(objects("Contact")), everything), dispatch("POST", "/composite/sobjects/Contact", `"body":{"ids":["003xx000004TmiQAAS"],"fields":["Id"]}`), "deny"},
		"other objects, composite":              {given(deny(objects("Case")), everything), composite(makeAccount, linkContact, laterAccount, readContact), "allow"},
		"other objects, graph":                  {given(deny(objects("Case")), everything), graph(makeAccount, linkContact), "allow"},
		"other objects, batch":                  {given(deny(objects("Case")), everything), batch(readAccount, makeAccount, dropTask), "allow"},
		"other objects, collection":             {given(deny(objects("Case")), everything), collection("PATCH", "sobjects", `{"attributes":{"type":"Account"},"id":"001xx000003DGb1AAG","Name":"x"}`), "allow"},
		"other objects, tree":                   {given(deny(objects("Case")), everything), collection("POST", "tree/Account", `{"attributes":{"type":"Account","referenceId":"a"},"Name":"x"}`), "allow"},
		"other objects, by ids":                 {given(deny(objects("Case")), everything), dispatch("GET", "/composite/sobjects/Contact?ids=003xx000004TmiQAAS&fields=Id,Name", ""), "allow"},
		"a collection within a composite":       {given(deny(objects("Contact")), everything), composite(`{"method":"POST","referenceId":"a","url":"` + version + `/composite/sobjects","body":{"records":[` + contact + `]}}`), "deny"},
		"a field that is denied":                {given(deny(fields("Contact.LastName")), everything), composite(makeAccount, linkContact), "deny"},
		"a field that is not listed":            {given(allow(objects("Account"), fields("Account.Site"))), composite(makeAccount), "deny"},
		"a field of a child that nobody names":  {given(allow(objects("Account", "Contact"), fields("Account.Name", "Contact.LastName"))), collection("POST", "tree/Account", `{"attributes":{"type":"Account","referenceId":"a"},"Name":"x","Contacts":{"records":[`+contact+`]}}`), "deny"},
		"a milder class among graver ones":      {given(deny(class(Create), objects("Account")), everything), composite(makeAccount, dropTask), "deny"},
		"a class that no rule lets pass":        {given(allow(class(Read, Create))), batch(makeAccount, dropTask), "deny"},
		"one that people are asked about":       {given(confirm(class(Delete)), everything), batch(makeAccount, dropTask), "confirm"},
		"different people are asked":            {given(confirm(class(Delete)), confirm(class(Create), approvers("role:lead"))), batch(makeAccount, dropTask), "deny"},
		"a rule for one condition":              {given(deny(when(`reaches("Task") && arguments.method == "DELETE"`)), everything), batch(makeAccount, dropTask), "deny"},
		"hidden fields":                         {given(Rule{Effect: Allow, Classes: []Class{Read}, Mask: []string{"Contact.Email"}}), batch(readAccount, readContact), "deny"},
		"answers that are bounded":              {given(allow(class(Read), maxRows(10))), batch(readAccount, readContact), "allow"},
		"answers that are bounded, too large":   {given(allow(class(Read), maxRows(4))), batch(readAccount, readContact), "deny"},
		"answers of which no bound is known":    {given(allow(class(Read), maxRows(10))), batch(`{"method":"GET","url":"` + version + `/sobjects/Contact"}`), "deny"},
		"more records by ids than are allowed":  {given(allow(class(Read), maxRows(1))), dispatch("GET", "/composite/sobjects/Contact?ids=003xx000004TmiQAAS,003xx000004TmiRAAS&fields=Id", ""), "deny"},
		"unknown, which is allowed, is not met": {given(allow(class(Unknown))), composite(makeAccount), "deny"},
	} {
		t.Run(name, func(t *testing.T) { decided(t, c.policy, c.want, c.call) })
	}
}

func when(text string) change { return func(r *Rule) { r.When = text } }

// What cannot be read within a request leaves it of unknown class, or of administration, and what it
// reaches unknown.
func TestSRFW5RequestsThatCannotBeReadStayUnknown(t *testing.T) {
	t.Parallel()
	request := func(members string) Call { return composite(makeAccount, `{`+members+`}`) }
	calls := map[string]Call{
		"a relation by reference":        request(`"method":"PATCH","referenceId":"b","url":"` + version + `/sobjects/Account/@{a.id}/@{a.name}","body":{}`),
		"a reference to another object":  request(`"method":"PATCH","referenceId":"b","url":"` + version + `/sobjects/Contact/@{a.id}","body":{}`),
		"a reference to nothing":         request(`"method":"PATCH","referenceId":"b","url":"` + version + `/sobjects/Account/@{b.id}","body":{}`),
		"a reference to another value":   request(`"method":"PATCH","referenceId":"b","url":"` + version + `/sobjects/Account/@{a.Name}","body":{}`),
		"a reference in a query":         request(`"method":"GET","referenceId":"b","url":"` + version + `/query?q=SELECT+Id+FROM+Account+WHERE+Name='@{a.name}'"`),
		"a reference in a query, hidden": request(`"method":"GET","referenceId":"b","url":"` + version + `/query?q=SELECT+Id+FROM+Account+WHERE+Name='%40%7Ba.name%7D'"`),
		"one name for two requests":      composite(makeAccount, makeAccount),
		"two bodies":                     request(`"method":"POST","url":"` + version + `/sobjects/Account","body":{"Name":"x"},"richInput":{"Name":"x"}`),
		"a member that nobody knows":     request(`"method":"GET","url":"` + version + `/sobjects/Account/001xx000003DGb1AAG","binaryPartName":"x"`),
		"a header that nobody knows":     request(`"method":"GET","url":"` + version + `/sobjects/Account/001xx000003DGb1AAG","httpHeaders":{"X-Odd":"1"}`),
		"another spelling":               request(`"Method":"GET","url":"` + version + `/sobjects/Account/001xx000003DGb1AAG"`),
		"no method":                      request(`"url":"` + version + `/sobjects/Account/001xx000003DGb1AAG"`),
		"a composite within a composite": request(`"method":"POST","url":"` + version + `/composite","body":{"compositeRequest":[` + makeAccount + `]}`),
		"no requests":                    composite(),
		"requests that are no objects":   composite(makeAccount, `1`),
		"a member of composites":         dispatch("POST", "/composite", `"body":{"compositeRequest":[`+makeAccount+`],"odd":1}`),
		"a parameter of composites":      dispatch("POST", "/composite?odd=1", `"body":{"compositeRequest":[`+makeAccount+`]}`),
		"a record without a type":        collection("POST", "sobjects", `{"Name":"x"}`),
		"a record with two ids":          collection("PATCH", "sobjects", `{"attributes":{"type":"Account"},"id":"001xx000003DGb1AAG","Id":"001xx000003DGb2AAG"}`),
		"a record without an id":         collection("PATCH", "sobjects", `{"attributes":{"type":"Account"},"Name":"x"}`),
		"a record with the id of others": collection("PATCH", "sobjects", `{"attributes":{"type":"Account"},"id":"003xx000004TmiQAAS"}`),
		"a record that has its id":       collection("POST", "sobjects", `{"attributes":{"type":"Account"},"id":"001xx000003DGb1AAG"}`),
		"a record by an external id":     collection("PATCH", "sobjects/Account/Ext__c", `{"attributes":{"type":"Account"},"Ext__c":"1"}`),
		"a tree of another type":         collection("POST", "tree/Account", `{"attributes":{"type":"Contact","referenceId":"a"},"Name":"x"}`),
		"a tree by an unknown relation":  collection("POST", "tree/Account", `{"attributes":{"type":"Account","referenceId":"a"},"Odd__r":{"records":[{"attributes":{"type":"Odd__c","referenceId":"b"}}]}}`),
		"records of nobody knows what":   dispatch("DELETE", "/composite/sobjects?ids=a01xx0000000001AAA", ""),
		"too many":                       collection("POST", "sobjects", strings.Repeat(`{"attributes":{"type":"Account"},"Name":"x"},`, 500)+`{"attributes":{"type":"Account"},"Name":"x"}`),
	}
	for name, c := range calls {
		t.Run(name, func(t *testing.T) {
			d := given(allow(class(Read, SideEffect, Create, Update))).Decide(rep, c)
			if d.Effect != Deny || !d.ReachesUnknown() || len(d.Reach.Parts) > 0 {
				t.Errorf("%s: %s of %q, %d parts", d.Effect, d.Class, d.Objects, len(d.Reach.Parts))
			}
			decided(t, given(deny(objects("Contact")), allow(class(Read, SideEffect, Create, Update, Delete, Unknown, Admin))), "deny", c)
		})
	}
}

// What is said of a call is what all requests in it do, and the sentence says in which of them
// something cannot pass.
func TestRequestsWithinOthersTogether(t *testing.T) {
	t.Parallel()
	call := composite(makeAccount, linkContact, laterAccount, readAccount)
	d := given(allow(class(Read, Create, Update))).Decide(rep, call)
	var records []string
	for _, r := range d.Records {
		records = append(records, fmt.Sprint(r.Class, " ", r.Object, " ", r.ID))
	}
	if got := strings.Join(records, ", "); d.Class != Update || strings.Join(d.Objects, " ") != "Account Contact" || got != "create Account , create Contact , update Account " {
		t.Errorf("%s of %q, %s", d.Class, d.Objects, got)
	}
	if d.Reason != "request 1 of 4: rule 1 (allow classes read, create, update)" {
		t.Error(d.Reason)
	}
	d = given(deny(objects("Contact")), allow(class(Read, Create, Update))).Decide(rep, call)
	if want := textAbout + "in request 2 of 4, Contact in the arguments cannot pass."; d.Text != want || d.Rule != 0 {
		t.Errorf("says %q, want %q", d.Text, want)
	}
	grouped := given(Rule{Effect: Confirm, Classes: []Class{Create, Update, Read}, Group: true}).Decide(rep, call)
	if grouped.Effect != Confirm || grouped.Confirmation.Group {
		t.Errorf("%s, in a group: %v", grouped.Effect, grouped.Confirmation.Group)
	}
	shadow := &Policy{Name: "p", Mode: Shadow, Rules: []Rule{confirm(class(Create)), allow(class(Read))}}
	if d := shadow.Decide(rep, call); d.Effect != Allow || !d.Shadow || !strings.Contains(d.Reason, "request 3 of 4: shadow: would be denied") {
		t.Errorf("%s, %v, %s", d.Effect, d.Shadow, d.Reason)
	}
	creates := Budget{Who: EachUser, What: Writes, Window: Hour, Limit: 10, Classes: []Class{Create}, Objects: []string{"Contact"}}
	deletes := Budget{Who: EachUser, What: Writes, Window: Hour, Limit: 10, Classes: []Class{Delete}}
	if !creates.Counts(&d) || deletes.Counts(&d) || creates.Before(&d) != 3 {
		t.Errorf("budgets: %v %v %d", creates.Counts(&d), deletes.Counts(&d), creates.Before(&d))
	}
}
