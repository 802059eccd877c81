//go:build !race

package policy

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// typical is a policy of n rules in front of a hosted server, the last of which lets
// reads pass.
func typical(n int) *Policy {
	p := &Policy{Name: "typical"}
	for i := range n - 1 {
		object := fmt.Sprintf("Hidden%d__c", i)
		p.Rules = append(p.Rules, Rule{Effect: Deny, Objects: []string{object}, Fields: []string{object + ".Secret__c"}})
	}
	p.Rules = append(p.Rules, Rule{Effect: Allow, Classes: []Class{Read}, MaxRows: 2000})
	return p.For("https://api.salesforce.com/platform/mcp/v1/platform/sobject-reads")
}

var typicalCall = Call{Tool: "soqlQuery", Arguments: jsontext.Value(`{"q":"SELECT Id, Name, Industry FROM Account WHERE Industry = 'Energy' ORDER BY Name LIMIT 50"}`)}

func BenchmarkDecideTypical(b *testing.B) {
	for _, n := range []int{1, 20, 500} {
		p := typical(n)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if d := p.Decide(Principal{Org: "acme", Subject: "005xx000001Sv6AAAS"}, typicalCall); d.Effect != Allow {
					b.Fatal(d)
				}
			}
		})
	}
}

// The policy that decisions are measured against: 50 rules, five of them with a condition
// that is asked.
func BenchmarkDecideConditions(b *testing.B) {
	p, c := withConditions(b)
	b.ReportAllocs()
	for b.Loop() {
		if d := p.Decide(Principal{Org: "acme", Subject: "005xx000001Sv6AAAS"}, c); d.Effect != Allow {
			b.Fatal(d.Reason)
		}
	}
}

// withConditions makes that policy, and the call.
func withConditions(tb testing.TB) (*Policy, Call) {
	p := typical(45)
	var rules []Rule
	for _, when := range []string{`during("change-freeze")`, `!source.in_network("10.0.0.0/8")`, `rows > 2000`, `field("Contact.SSN__c")`, `"contractors" in principal.groups`} {
		rules = append(rules, Rule{Effect: Deny, When: when})
	}
	p = (&Policy{Name: "p", Rules: append(rules, p.Rules...), Calendars: calendars(tb)}).For("https://api.salesforce.com/platform/mcp/v1/platform/sobject-all")
	c := typicalCall
	c.Server, c.Source, c.Now = "sales", "10.1.2.3", time.Date(2026, 11, 30, 8, 30, 0, 0, time.UTC)
	return p, c
}

// decideAllocs is what a decision may allocate: what it did when this was written, and a
// little. Rules that do not concern the call add nothing.
const decideAllocs, conditionAllocs = 18, 25

func TestDecideAllocations(t *testing.T) {
	for _, n := range []int{20, 500} {
		p := typical(n)
		allocs := testing.AllocsPerRun(100, func() {
			p.Decide(Principal{Org: "acme", Subject: "005xx000001Sv6AAAS"}, typicalCall)
		})
		if allocs > decideAllocs {
			t.Errorf("with %d rules a decision allocates %v times, at most %d are agreed on", n, allocs, decideAllocs)
		}
	}
	p, c := withConditions(t)
	if allocs := testing.AllocsPerRun(100, func() { p.Decide(Principal{Org: "acme", Subject: "005xx000001Sv6AAAS"}, c) }); allocs > conditionAllocs {
		t.Errorf("with five conditions a decision allocates %v times, at most %d are agreed on", allocs, conditionAllocs)
	}
}

// P5: a call that was made to cost much takes at most 30 ms of the processor, or is refused within that. The
// best of several runs counts, since other work on the machine takes memory and caches, too.
func TestP5HostileCallsTakeAtMost30Milliseconds(t *testing.T) {
	p := hostile()
	for _, h := range hostileCalls() {
		takesLittle(t, p, h)
	}
	list := soqlCall("SELECT " + strings.Repeat("Field__c,", 100) + hostileFields(1900) + ",Last__c FROM Account")
	takesLittle(t, permissive(), hostileCall{"1900 fields, all but one of them listed by each rule", list, Deny})
}

func takesLittle(t *testing.T, p *Policy, h hostileCall) {
	t.Helper()
	const most, runs = 30 * time.Millisecond, 50
	best := time.Hour
	for run := 0; run < runs && best > most; run++ {
		var d Decision
		best = min(best, processorTime(t, func() { d = p.Decide(rep, h.call) }))
		if d.Effect != h.want {
			t.Fatalf("%s: %s by %s", h.name, d.Effect, d.Reason)
		}
	}
	if best > most {
		t.Errorf("%s: %v, at most %v are agreed on", h.name, best, most)
	}
}
