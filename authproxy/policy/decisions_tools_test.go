package policy

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// hostedServers are Salesforce's own, as namespace/name.
var hostedServers = []string{
	"platform/sobject-all", "platform/headless-360", "platform/salesforce-api-context", "platform/metadata-experts", "platform/agentforce-grid",
	"platform/backup-and-recover", "platform/content-readonly", "platform/content-write", "industries/engagement-interaction", "data/data-cloud-queries",
	"data/data360", "analytics/tableau-next", "analytics/crma-beta", "custom/AcmeOps",
}

// typicalArguments are those of tools that take some, as a model gives them.
var typicalArguments = map[string][]string{
	"getObjectSchema":          {`{"objects":"Account,Contact"}`, `{}`},
	"soqlQuery":                {`{"q":"SELECT Id, Name FROM Account LIMIT 20"}`},
	"find":                     {`{"q":"FIND {acme} IN NAME FIELDS RETURNING Account(Id, Name) LIMIT 20"}`},
	"listRecentSobjectRecords": {`{"sobject-name":"Account"}`},
	"getRelatedRecords":        {`{"sobject-name":"Account","id":"001xx000003DGb1AAG","relationship-path":"Contacts"}`},
	"createSobjectRecord":      {`{"sobject-name":"Case","body":{"Subject":"x"}}`, `{"sobject-name":"User","body":{"Alias":"x"}}`},
	"updateSobjectRecord":      {`{"sobject-name":"Account","id":"001xx000003DGb1AAG","body":{"Name":"x"}}`},
	"updateRelatedRecord":      {`{"sobject-name":"Case","id":"500xx000003DGb1AAG","relationship-path":"Account","body":{"Name":"x"}}`},
	"deleteSobjectRecord":      {`{"sobject-name":"Account","id":"001xx000003DGb1AAG"}`},
	"deleteRelatedRecord":      {`{"sobject-name":"Case","id":"500xx000003DGb1AAG","relationship-path":"Contact"}`},
	"dispatch_readonly":        {`{"url":"/services/data/v67.0/limits"}`, `{"url":"/services/data/v67.0/query?q=SELECT+Id+FROM+Account+LIMIT+5"}`},
	"dispatch": {`{"method":"POST","url":"/services/data/v67.0/sobjects/Case","body":{"Subject":"x"}}`, `{"method":"DELETE","url":"/services/data/v67.0/sobjects/Account/001xx000003DGb1AAG"}`,
		`{"method":"POST","url":"/services/data/v67.0/tooling/sobjects/ApexClass","body":{"Name":"x"}}`, `{"method":"POST","url":"/services/data/v67.0/composite","body":{}}`},
	"execute": {`{"toolName":"d360_segment_list"}`, `{"toolName":"d360_query_sql","paramsJson":"{\"sql\":\"SELECT 1\"}"}`, `{"toolName":"d360_segment_create"}`, `{"toolName":"d360_segment_delete"}`,
		`{"toolName":"d360_dataspace_member_add"}`, `{"toolName":"d360_of_tomorrow"}`},
	"execute_metadata_action": {`{"metadataType":"ExperienceSiteLwr","actionName":"getSiteContentMetadata"}`, `{"metadataType":"Flow","actionName":"deploy","parameters":{}}`},
}

// TestDecisionsByTools holds what becomes of a call of every tool of every hosted server under
// a policy that lets reads pass, has changes confirmed and denies one object, against
// testdata/tools.txt, which is written to be read.
func TestDecisionsByTools(t *testing.T) {
	t.Parallel()
	given := &Policy{Name: "reads pass, changes need a person, nothing of Secret__c", Rules: []Rule{
		deny(objects("Secret__c"), tools("soqlQuery", "find", "dispatch*")), allow(class(Read)), confirm(class(SideEffect, Create, Update)), deny(class(Delete, Unknown, Admin)),
	}}
	var out strings.Builder
	for i := range given.Rules {
		fmt.Fprintf(&out, "#   %s\n", given.Rules[i].reason(i))
	}
	rows := 0
	for _, server := range hostedServers {
		p := given.For("https://api.salesforce.com/platform/mcp/v1/" + server)
		names, others := p.Tools()
		fmt.Fprintf(&out, "\n# %s\n", server)
		if others {
			names = append(names, "soqlQuery", "closeCase") // what an administrator may have called so
		}
		slices.Sort(names)
		for _, name := range names {
			for _, arguments := range orNone(typicalArguments[name]) {
				rows++
				fmt.Fprintf(&out, "%s %s\n    %s\n", name, arguments, inProse(p.Decide(rep, call(name, arguments))))
			}
		}
	}
	compareGolden(t, "testdata/tools.txt", out.String())
	if rows < 180 {
		t.Errorf("only %d decisions", rows)
	}
	known, _ := (&Policy{}).Tools()
	for _, name := range known {
		if !strings.Contains(out.String(), "\n"+name+" ") {
			t.Errorf("%s of no server is called", name)
		}
	}
}

// orNone returns the lists of arguments, or that there are none.
func orNone(arguments []string) []string {
	if len(arguments) == 0 {
		return []string{`{}`}
	}
	return arguments
}
