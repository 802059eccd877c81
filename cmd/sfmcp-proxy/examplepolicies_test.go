package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/authproxy/policy/analysis"
	"sfmcp-proxy/config"
)

const (
	examplePolicies = "../../examples/policies"
	exampleConfig   = examplePolicies + "/try/sfmcp-proxy.yaml"
)

// examplesByName are the files of cases, by the name of the policy that they are about.
func examplesByName(t *testing.T) map[string]string {
	t.Helper()
	byName := map[string]string{}
	policies, err := filepath.Glob(examplePolicies + "/*.yaml")
	if err != nil || len(policies) == 0 {
		t.Fatal(len(policies), err)
	}
	for _, file := range policies {
		name := strings.TrimSuffix(filepath.Base(file), ".yaml")
		byName[name] = filepath.Join(examplePolicies, "try", "cases", name+".yaml")
	}
	files, err := filepath.Glob(examplePolicies + "/try/cases/*.yaml")
	if err != nil || len(files) != len(policies) {
		t.Errorf("%d files of cases for %d policies (%v)", len(files), len(policies), err)
	}
	return byName
}

// U13: each example decides as its cases say, by the command that its comments name.
func TestU13ExamplePolicies(t *testing.T) {
	t.Parallel()
	for name, cases := range examplesByName(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out, errOut bytes.Buffer
			status := run(t.Context(), []string{"policy", "test", "--config", exampleConfig, "--file", cases}, &out, &errOut)
			if status != exitDone || !strings.HasSuffix(out.String(), " cases as expected\n") {
				t.Errorf("status %d\n%s%s", status, &out, &errOut)
			}
		})
	}
}

// Nothing of the examples can hardly be meant, but what this version cannot do yet.
func TestExamplePoliciesNotes(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	status := run(t.Context(), []string{"policy", "check", "--config", exampleConfig}, &out, &out)
	want := counted(len(examplesByName(t)), "policy") + ": 1 note\nnote: policy admin-two-people, rule 4 waits for role:security, which nobody holds who can sign in: console.oidc and console.roles give it to people; until then such calls are decided with 'approval approve'\n"
	if status != exitDone || out.String() != want {
		t.Errorf("status %d\n%s", status, &out)
	}
}

// exampleCases are the calls of a file and the server that they are made to.
type exampleCases struct {
	server analysis.Server
	people analysis.People
	cases  []policyCase
}

func exampleOf(t *testing.T, c *config.Config, name, file string) (e exampleCases) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if e.cases, err = parseCases(text); err != nil {
		t.Fatal(err)
	}
	servers, people := c.Analysed()
	e.people = people
	at := slices.IndexFunc(servers, func(s analysis.Server) bool { return s.Policy.Name == name })
	if at < 0 {
		t.Fatalf("no server has the policy %s", name)
	}
	e.server = servers[at]
	for _, k := range e.cases {
		if k.Server != e.server.Name {
			t.Fatalf("line %d is about another policy", k.line)
		}
	}
	return e
}

// failing returns how many cases p decides otherwise than expected. People who may not use
// the server are not asked about: no rule is what keeps them out.
func (e *exampleCases) failing(p *policy.Policy) (n int) {
	for _, k := range e.cases {
		who := policy.Principal{Org: "acme", Username: k.User, Client: k.Client}
		mayUse := false
		for _, g := range e.people.Groups {
			if slices.Contains(g.Members, k.User) {
				who.Groups = append(who.Groups, g.Name)
				mayUse = mayUse || slices.Contains(e.server.Groups, g.Name)
			}
		}
		if mayUse && string(p.Decide(who, k.call(time.Now())).Effect) != k.Expect {
			n++
		}
	}
	return n
}

// notOfTheEffect are the keys that change no effect, and so does max_rows beside rewrite.
var notOfTheEffect = []string{"Observe", "Mask", "Drop", "Approvers", "Quorum", "Factors", "StepUp", "Group", "Escalate", "OnChange"}

// Without any rule of an example, or any key of one that makes a difference to the effect, a
// case fails: the cases show what each is for.
func TestExampleCasesNeedEveryKey(t *testing.T) {
	t.Parallel()
	c, err := config.Load(exampleConfig, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, file := range examplesByName(t) {
		e := exampleOf(t, c, name, file)
		whole := e.server.Policy
		if n := e.failing(whole); n > 0 {
			t.Errorf("%s: %d cases fail", name, n)
		}
		with := func(what string, rules []policy.Rule) {
			changed := &policy.Policy{Name: name, Rules: rules, Calendars: whole.Calendars}
			if e.failing(changed.For(upstreamOf(c, e.server.Name))) == 0 {
				t.Errorf("%s: no case needs %s", name, what)
			}
		}
		for i, r := range whole.Rules {
			if r.Observe {
				continue
			}
			with(fmt.Sprintf("rule %d", i+1), slices.Delete(slices.Clone(whole.Rules), i, i+1))
			for field, value := range reflect.ValueOf(r).Fields() {
				if value.IsZero() || field.Name == "Effect" || slices.Contains(notOfTheEffect, field.Name) || field.Name == "MaxRows" && r.Rewrite {
					continue
				}
				rules := slices.Clone(whole.Rules)
				reflect.ValueOf(&rules[i]).Elem().FieldByIndex(field.Index).SetZero()
				with(fmt.Sprintf("%s of rule %d", field.Tag.Get("mapstructure"), i+1), rules)
			}
		}
	}
}

func upstreamOf(c *config.Config, server string) string {
	return c.Servers[slices.IndexFunc(c.Servers, func(s config.Server) bool { return s.Name == server })].Upstream
}

// What the cases cannot say: which values of an answer are hidden, what is only noted, and who
// must agree.
func TestExamplePoliciesBesideTheEffect(t *testing.T) {
	t.Parallel()
	c, err := config.Load(exampleConfig, nil)
	if err != nil {
		t.Fatal(err)
	}
	decide := func(server, user, group, tool, arguments string) policy.Decision {
		servers, _ := c.Analysed()
		at := slices.IndexFunc(servers, func(s analysis.Server) bool { return s.Name == server })
		return servers[at].Policy.Decide(policy.Principal{Org: "acme", Username: user, Groups: []string{group}},
			policy.Call{Tool: tool, Arguments: []byte(arguments), Now: time.Now()})
	}
	d := decide("sales", "rep@acme.example", "sales", "soqlQuery", `{"q":"SELECT Name, Birthdate, SSN__c FROM Contact"}`)
	if !slices.Contains(d.Obligations.Mask, "*.Birthdate") || !slices.Contains(d.Obligations.Drop, "*.SSN__c") || d.Obligations.Limit != 500 {
		t.Errorf("%+v", d.Obligations)
	}
	d = decide("pilot", "rep@acme.example", "sales", "soqlQuery", `{"q":"SELECT Email FROM Contact LIMIT 5"}`)
	if d.Effect != policy.Allow || len(d.Observed) != 1 {
		t.Errorf("%s, observed %q", d.Effect, d.Observed)
	}
	d = decide("setup", "admin@acme.example", "admins", "dispatch", `{"method":"POST","url":"/services/data/v67.0/sobjects/PermissionSetAssignment","body":{}}`)
	if d.Effect != policy.Confirm || d.Confirmation.Approvers != "role:security" || d.Class != policy.Admin {
		t.Errorf("%s by %s, class %s: %s", d.Effect, d.Confirmation, d.Class, d.Reason)
	}
}
