package policy

import (
	"slices"
	"strings"
	"testing"
)

const (
	standardServer = "https://api.salesforce.com/platform/mcp/v1/platform/sobject-all"
	customServer   = "https://api.salesforce.com/platform/mcp/v1/custom/Ops"
)

// U7: a misspelt denial is no denial.
func TestU7Doubts(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		rule     Rule
		upstream string
		says     string
	}{
		"object":             {Rule{Effect: Deny, Objects: []string{"Profile", "Userr"}}, standardServer, `rules[1].objects[1]: found "Userr", which is no object that is known here, did you mean "User"?`},
		"transposed":         {Rule{Effect: Deny, Objects: []string{"Uesr"}}, standardServer, `did you mean "User"?`},
		"plural":             {Rule{Effect: Deny, Objects: []string{"Opportunities"}}, standardServer, `did you mean "Opportunity"?`},
		"custom without __c": {Rule{Effect: Deny, Objects: []string{"Secret"}}, standardServer, "custom objects end in __c"},
		"one underscore":     {Rule{Effect: Deny, Objects: []string{"Salary_c"}}, standardServer, "custom objects end in __c"},
		"with a glob":        {Rule{Effect: Deny, Objects: []string{"PermisionSet*"}}, standardServer, `did you mean "PermissionSet"?`},
		"of history":         {Rule{Effect: Deny, Objects: []string{"Contcat"}}, standardServer, `did you mean "Contact"?`},
		"object of a field":  {Rule{Effect: Deny, Fields: []string{"Contacts.Email"}}, standardServer, `did you mean "Contact"?`},
		"field":              {Rule{Effect: Deny, Fields: []string{"Contact.Emial"}}, standardServer, `did you mean "Email"?`},
		"field without __c":  {Rule{Effect: Deny, Fields: []string{"Contact.SSN"}}, standardServer, "custom fields end in __c"},
		"tool":               {Rule{Effect: Deny, Tools: []string{"deleteSObjectRecords"}}, standardServer, `did you mean "deleteSobjectRecord"?`},
		"case of a tool":     {Rule{Effect: Deny, Tools: []string{"soqlquery"}}, standardServer, `did you mean "soqlQuery"?`},
		"invented tool":      {Rule{Effect: Deny, Tools: []string{"removeEverything"}}, standardServer, "no tool that Salesforce's hosted servers are known to have"},
		"glob of tools":      {Rule{Effect: Deny, Tools: []string{"delete_*"}}, standardServer, ""},
		"glob of no tool":    {Rule{Effect: Deny, Tools: []string{"remove*"}}, standardServer, "no tool that"},
		"tool, own tools":    {Rule{Effect: Deny, Tools: []string{"updateSobjectRecrd"}}, customServer, `did you mean "updateSobjectRecord"?`},
		"prompt":             {Rule{Effect: Deny, Tools: []string{"prompt:accountReviewBriefings"}}, standardServer, `did you mean "prompt:accountReviewBriefing"?`},
		"class of no tool":   {Rule{Effect: Deny, Tools: []string{"deleteSobjectRecord"}, Classes: []Class{Update}}, standardServer, "update, which no call of its tools is"},
		"everything":         {Rule{Effect: Allow}, standardServer, "lets every call pass"},
		"allow":              {Rule{Effect: Allow, Objects: []string{"Acount"}}, standardServer, `did you mean "Account"?`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := &Policy{Name: "p", Rules: []Rule{{Effect: Deny, Objects: []string{"Profile"}}, c.rule}}
			if problems := p.Validate(); len(problems) > 0 {
				t.Fatal(problems)
			}
			doubts := p.Doubts([]Front{{Upstream: c.upstream}})
			if c.says == "" && len(doubts) == 0 {
				return
			}
			if len(doubts) != 1 || !strings.Contains(doubts[0].String(), c.says) {
				t.Errorf("got %v, want one that says %q", doubts, c.says)
			}
		})
	}
}

func TestU7WhatIsMeantIsNotAskedAbout(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		rules    []Rule
		upstream string
	}{
		"the documented policy": {[]Rule{
			{Effect: Deny, Objects: []string{"User", "Profile", "PermissionSet*"}}, {Effect: Allow, Classes: []Class{Read}, MaxRows: 2000},
			{Effect: Confirm, Classes: []Class{Create, Update}}, {Effect: Confirm, Tools: []string{"deleteSobjectRecord"}}}, standardServer},
		"custom names":      {[]Rule{{Effect: Deny, Objects: []string{"Salary__c", "ns__Secret__c", "Salary__Share", "*__mdt", "Setting__kav"}, Fields: []string{"Contact.SSN__c", "Salary__c.Anything__c", "Account.Phone__pc"}}}, standardServer},
		"other case":        {[]Rule{{Effect: Deny, Objects: []string{"user", "OPPORTUNITY"}, Fields: []string{"contact.email"}}}, standardServer},
		"companions":        {[]Rule{{Effect: Deny, Objects: []string{"ContactHistory", "AccountShare", "CaseFeed", "LeadChangeEvent", "OpportunityFieldHistory"}}}, standardServer},
		"globs":             {[]Rule{{Effect: Deny, Objects: []string{"*", "Live*", "*History", "*Salary*"}, Fields: []string{"*.*", "Contact.Mailing*", "Contact.*Secret*"}, Tools: []string{"*", "delete*", "*SobjectRecord"}}}, standardServer},
		"tools of our own":  {[]Rule{{Effect: Confirm, Tools: []string{"createAccountWithOpportunity"}}}, customServer},
		"unknown prompts":   {[]Rule{{Effect: Allow, Tools: []string{"prompt:quarterlyReview", "resource:file://x"}}}, standardServer},
		"exception first":   {[]Rule{{Effect: Allow, Users: []string{"boss@acme.example"}}, {Effect: Deny, Objects: []string{"User"}}, {Effect: Confirm}}, standardServer},
		"of a group":        {[]Rule{{Effect: Allow, Groups: []string{"pilot"}}, {Effect: Deny, Objects: []string{"User"}}, {Effect: Confirm}}, standardServer},
		"of a client":       {[]Rule{{Effect: Allow, Clients: []string{"chatgpt"}}, {Effect: Deny, Objects: []string{"User"}}, {Effect: Confirm}}, standardServer},
		"of objects":        {[]Rule{{Effect: Allow, Objects: []string{"Account"}}, {Effect: Deny, Objects: []string{"User"}}, {Effect: Confirm}}, standardServer},
		"of fields":         {[]Rule{{Effect: Allow, Fields: []string{"Account.Name"}}, {Effect: Deny, Objects: []string{"User"}}, {Effect: Confirm}}, standardServer},
		"of tools":          {[]Rule{{Effect: Allow, Tools: []string{"soqlQuery"}}, {Effect: Deny, Objects: []string{"User"}}, {Effect: Confirm}}, standardServer},
		"denial of another": {[]Rule{{Effect: Allow, Classes: []Class{Read}}, {Effect: Deny, Classes: []Class{Delete}}, {Effect: Confirm}}, standardServer},
		"tool of another":   {[]Rule{{Effect: Allow, Classes: []Class{Read}}, {Effect: Deny, Tools: []string{"deleteSobjectRecord"}}, {Effect: Confirm}}, standardServer},
	} {
		if doubts := (&Policy{Name: "p", Rules: c.rules}).Doubts([]Front{{Upstream: c.upstream}}); len(doubts) > 0 {
			t.Errorf("%s: %v", name, doubts)
		}
	}
}

// U7: so is one that comes after what lets its calls pass.
func TestU7DenialThatComesTooLate(t *testing.T) {
	t.Parallel()
	for name, rules := range map[string][]Rule{
		"objects": {{Effect: Allow, Classes: []Class{Read}}, {Effect: Deny, Objects: []string{"User"}}},
		"fields":  {{Effect: Allow, Classes: []Class{Read, Update}, MaxRows: 100}, {Effect: Deny, Fields: []string{"Contact.SSN__c"}}},
		"person":  {{Effect: Allow, Classes: []Class{Read}}, {Effect: Deny, Users: []string{"rep@acme.example"}}},
		"tool":    {{Effect: Confirm, Classes: []Class{Delete}}, {Effect: Deny, Tools: []string{"deleteSobjectRecord"}, Objects: []string{"Account"}}},
	} {
		doubts := (&Policy{Name: "p", Rules: rules}).Doubts([]Front{{Upstream: standardServer}})
		if !slices.ContainsFunc(doubts, func(d Problem) bool { return d.Rule == 1 && strings.Contains(d.Found, "after rule 1 (") }) {
			t.Errorf("%s: %v", name, doubts)
		}
	}
}
