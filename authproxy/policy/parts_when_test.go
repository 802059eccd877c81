package policy

import (
	"strings"
	"testing"
)

// The arguments of which a condition speaks are those of each request that a call carries, in
// whatever form it is carried: none passes with others that would not pass alone.
func TestSRFW5ConditionsSeeEachRequestAsIfItCameAlone(t *testing.T) {
	t.Parallel()
	const id = "006xx000001abcDAAQ"
	bounded := given(deny(class(Create, Update), when(`has(arguments.body) && has(arguments.body.Amount) && arguments.body.Amount > 100000`)), allow(class(Read, Create, Update, Delete)))
	byURL := given(deny(when(`arguments.method == "DELETE" && arguments.url.startsWith("/services/data/v67.0/sobjects/Task/")`)), allow(class(Read, Create, Update, Delete)))
	noComposite := given(deny(when(`has(arguments.url) && arguments.url.contains("/composite")`)), allow(class(Read, Create, Update, Delete)))
	asked := given(confirm(class(Create, Update), when(`arguments.url.contains("/composite")`)), allow(class(Read, Create, Update, Delete)))
	change := func(body string) string {
		return `{"method":"PATCH","referenceId":"o","url":"` + version + `/sobjects/Opportunity/` + id + `","body":` + body + `}`
	}
	const much, little = `{"Amount":500000}`, `{"Amount":5}`
	record := func(fields string) string {
		return `{"attributes":{"type":"Opportunity"},"id":"` + id + `",` + strings.TrimPrefix(fields, "{")
	}
	long := `{"Description":"` + strings.Repeat("x", 4000) + `",` // beyond what each condition reads its own members of
	for name, c := range map[string]struct {
		p    *Policy
		call Call
		want string
	}{
		"alone":                       {bounded, dispatch("PATCH", "/sobjects/Opportunity/"+id, `"body":`+much), "deny"},
		"alone, little":               {bounded, dispatch("PATCH", "/sobjects/Opportunity/"+id, `"body":`+little), "allow"},
		"composite":                   {bounded, composite(change(much)), "deny"},
		"composite, little":           {bounded, composite(change(little)), "allow"},
		"composite, the second":       {bounded, composite(makeAccount, change(much)), "deny"},
		"graph":                       {bounded, graph(change(much)), "deny"},
		"batch":                       {bounded, batch(strings.Replace(change(much), `"referenceId":"o",`, "", 1)), "deny"},
		"collection":                  {bounded, collection("PATCH", "sobjects", record(little)+","+strings.Replace(record(much), id, "006xx000001abcEAAQ", 1)), "deny"},
		"collection, little":          {bounded, collection("PATCH", "sobjects", record(little)), "allow"},
		"collection within composite": {bounded, composite(`{"method":"PATCH","referenceId":"o","url":"` + version + `/composite/sobjects","body":{"records":[` + record(much) + `]}}`), "deny"},
		"tree":                        {bounded, collection("POST", "tree/Opportunity", `{"attributes":{"type":"Opportunity","referenceId":"a"},"Amount":500000}`), "deny"},
		"long, composite":             {bounded, composite(change(long + `"Amount":500000}`)), "deny"},
		"long, alone":                 {bounded, dispatch("PATCH", "/sobjects/Opportunity/"+id, `"body":`+long+`"Amount":500000}`), "deny"},
		"in other case":               {bounded, dispatch("PATCH", "/sobjects/Opportunity/"+id, `"body":{"amount":500000}`), "deny"},
		"in other case, composite":    {bounded, composite(change(`{"AMOUNT":500000}`)), "deny"},
		"no composite":                {noComposite, composite(makeAccount), "deny"},
		"no composite, alone":         {noComposite, dispatch("POST", "/sobjects/Account", `"body":{"Name":"x"}`), "allow"},
		"asked about composite":       {asked, composite(readContact, makeAccount), "confirm"},
		"asked, by a collection":      {asked, collection("PATCH", "sobjects", record(little)), "confirm"},
		"asked about composite, read": {asked, composite(readContact), "allow"},
		"the url, alone":              {byURL, dispatch("DELETE", "/sobjects/Task/00Txx000004TmiQAAS", ""), "deny"},
		"the url, composite":          {byURL, composite(dropTask), "deny"},
		"the url, by ids":             {byURL, dispatch("DELETE", "/composite/sobjects?ids=00Txx000004TmiQAAS", ""), "deny"},
		"another url, by ids":         {byURL, dispatch("DELETE", "/composite/sobjects?ids=001xx000003DGb1AAG", ""), "allow"},
	} {
		if d := c.p.Decide(rep, c.call); verdict(d) != c.want {
			t.Errorf("%s: %s (%s), want %s", name, verdict(d), d.Reason, c.want)
		}
	}
}

// Who has no name that is known is nobody whom a rule speaks of by name, and may be anybody.
func TestConditionsOfUsersWithoutAName(t *testing.T) {
	t.Parallel()
	unnamed := rep
	unnamed.Username = ""
	for _, p := range []*Policy{
		given(deny(when(`principal.username == "temp@acme.example"`)), allow()),
		given(deny(users("temp@acme.example")), allow()),
		given(allow(when(`principal.username != "temp@acme.example"`))),
	} {
		if d := p.Decide(unnamed, soqlCall("SELECT Id FROM Account LIMIT 5")); verdict(d) == "allow" {
			t.Errorf("%+v: %s", p.Rules[0], d.Reason)
		}
		if d := p.Decide(rep, soqlCall("SELECT Id FROM Account LIMIT 5")); verdict(d) != "allow" {
			t.Errorf("%+v, of somebody else: %s", p.Rules[0], d.Reason)
		}
	}
}
