package policy

import (
	"fmt"
	"strings"
	"testing"

	"sfmcp-proxy/authproxy/policy/reach"
)

// hostile are 500 rules about fields, each by name, by object, by name alone and by patterns.
func hostile() *Policy {
	var rules []Rule
	for i := range 500 {
		rules = append(rules, deny(fields(fmt.Sprintf("Account.Secret%d__c", i), fmt.Sprintf("*.Hidden%d__c", i), fmt.Sprintf("Contact%d__c.*", i),
			fmt.Sprintf("Account.Prefix%d*", i), fmt.Sprintf("*.*Inner%d*", i))))
	}
	return given(append(rules, allow(class(Read, Create)))...).in(reach.Catalogue{})
}

// permissive are 500 rules that list all fields of a hostile call but the last.
func permissive() *Policy {
	var rules []Rule
	for i := range 500 {
		rules = append(rules, allow(class(Read), fields("Account.Field*", fmt.Sprintf("Account.Other%d__c", i))))
	}
	return given(rules...).For("https://api.salesforce.com/platform/mcp/v1/platform/sobject-all")
}

// hostileCall is one made to cost much.
type hostileCall struct {
	name string
	call Call
	want Effect
}

// numbered are so many texts with a number each, without the first byte.
func numbered(format string, n int) string {
	var names strings.Builder
	for i := range n {
		fmt.Fprintf(&names, format, i)
	}
	return names.String()[1:]
}

// hostileFields are names of fields.
func hostileFields(n int) string { return numbered(",Field%d__c", n) }

// manyRecords makes records of one object with so many fields each, of so many names.
func manyRecords(records, fields, names int) Call {
	var list strings.Builder
	for i := range records {
		list.WriteString(`,{"attributes":{"type":"Account"}`)
		for j := range fields {
			fmt.Fprintf(&list, `,"F%d":1`, (i*fields+j)%names)
		}
		list.WriteByte('}')
	}
	return dispatch("POST", "/composite/sobjects", `"body":{"records":[`+list.String()[1:]+`]}`)
}

func hostileCalls() []hostileCall {
	return []hostileCall{
		{"1900 fields", soqlCall("SELECT " + hostileFields(1900) + " FROM Account"), Allow},
		{"99 kB of fields", soqlCall("SELECT " + numbered(",f%d", 14_500) + " FROM Account"), Deny},
		{"1 MB of members", call("createSobjectRecord", `{"sobject-name":"Account","body":{`+numbered(`,"F%d":1`, 90_000)+`}}`), Deny},
		{"1 MB of records", manyRecords(180, 450, 180*450), Deny},
		{"200 records of 50 fields", manyRecords(200, 50, 50), Allow},
		{"500 records", manyRecords(500, 3, 1500), Allow},
		{"100 kB of conditions", soqlCall("SELECT Id FROM Account WHERE Name='x'" + strings.Repeat(" OR A='x'", 11_000)), Allow},
	}
}

// BenchmarkDecideHostile is what calls made to cost much do cost: at most 30 ms each.
func BenchmarkDecideHostile(b *testing.B) {
	p := hostile()
	for _, bench := range hostileCalls() {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if d := p.Decide(rep, bench.call); d.Effect != bench.want {
					b.Fatal(d.Effect, d.Reason, d.Text)
				}
			}
		})
	}
}
