package config

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/authproxy/policy/condition"
)

// everyKey is a policy with every key that policies, rules and budgets have.
const everyKey = `mode: enforce
taint: 10m
budgets:
  - {who: user, what: rows, window: day, time_zone: Europe/Berlin, limit: 5000, alarm_at: 0.5, classes: [read], objects: [Contact]}
  - {who: all, what: bytes, window: hour, limit: 50MiB}
rules:
  - effect: deny
    objects: [User, 'Plan*__c']
  - effect: deny
    when: during("freeze") && !(class in ["read"])
  - effect: deny
    observe: true
    fields: ['Contact.SSN__c']
  - effect: confirm
    classes: [create, update]
    after: outside_text
  - effect: confirm
    tools: [deleteSobjectRecord]
    approvers: role:lead
    quorum: 2
    step_up: true
    escalate: {after: 10m, to: role:security}
  - effect: confirm
    classes: [create]
    objects: [Lead]
    factors: [{role: lead}, {role: security, quorum: 2}]
    group: true
    on_change: allow
    verify: true
  - effect: allow
    users: [rep@acme.example]
    groups: [g]
    clients: [c]
    classes: [read]
    max_rows: 200
    rewrite: true
    mask: ['*.Birthdate']
    drop: [Contact.Email]
`

// FuzzReadPolicy puts any text in place of any line of a policy in a file of its own, or of all
// of it. What is refused is refused in few words that name a line; what is accepted says all
// that the file says and nothing else, prints as a file that means the same, and can be asked.
func FuzzReadPolicy(f *testing.F) {
	shipped, err := filepath.Glob("../examples/policies/*.yaml")
	if err != nil || len(shipped) == 0 {
		f.Fatalf("no policies to begin with: %v", err)
	}
	for _, file := range shipped {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint8(0), string(text))
	}
	for _, text := range []string{
		"rules: [{effect: deny}]", "mode: shadow\nrules:\n  - {effect: allow, classes: [read], max_rows: 10, rewrite: true}\n", "rules: []", "rules: [{}]", "rules:", "name: x\nrules: [{effect: deny}]",
		"rules: [{effect: allow, when: 'during(\"freeze\") && rows > 3'}]", "rules: [{effect: confirm, after: outside_text}]\ntaint: 10m\n", "rules: [{effect: allow, classes: [read], mask: ['*.SSN__c'], drop: [Contact.Email]}]",
		"rules: [{effect: deny}]\nbudgets: [{who: user, what: rows, window: day, time_zone: Europe/Berlin, limit: 5000, alarm_at: 0.5, classes: [read], objects: [Contact]}]\n",
		"rules: [{effect: deny}]\nbudgets: [{who: all, what: bytes, window: hour, limit: 50MiB}]\n", "rules: [{effect: deny, observe: true, users: [rep@acme.example], groups: [g], clients: [c]}]", "rules: [{effect: confirm, approvers: 'role:lead', quorum: 2}]",
		"rules: [{effect: allow, tools: ['get*', 'prompt:x']}]", "Rules: [{effect: deny}]", "rules: [{Effect: deny}]", "rules: [{effect: deny, effect: allow}]", "rules: &r [{effect: deny}]", "rules: [{effect: !!binary YWxsb3c=}]", "rules: [{effect: allow, max_rows: 010}]",
		"rules: [{effect: allow, classes: ['read,delete']}]", "rules: [{effect: deny}]\n---\nrules: [{effect: allow}]", "<<: {rules: [{effect: allow}]}", "{", "\xff", "rules.0.effect: allow", "mode: ''\nrules: [{effect: deny}]", "rules: [{effect: deny}]\ntaint: 9223372036s",
	} {
		f.Add(uint8(0), text)
	}
	lines := strings.Split(everyKey, "\n")
	for i, line := range lines {
		f.Add(uint8(i), line)
	}
	freeze, faults := condition.ParseCalendar("freeze", "UTC", nil, []string{"2026-12-20 to 2027-01-06"})
	if faults != nil {
		f.Fatal(faults)
	}
	calendars := []*condition.Calendar{freeze}
	file := filepath.Join(f.TempDir(), "draft.yaml")
	read := func(t *testing.T, text string) (*policy.Policy, Policy, error) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		p, err := ReadPolicy(file)
		if err != nil {
			return nil, p, err
		}
		judge := p.Judge(calendars)
		if problems := judge.Validate(); problems != nil {
			return nil, p, fmt.Errorf("%v", problems)
		}
		return judge, p, nil
	}
	if err := os.WriteFile(file, []byte(everyKey), 0o600); err != nil {
		f.Fatal(err)
	}
	p, err := ReadPolicy(file)
	if err != nil || p.Judge(calendars).Validate() != nil {
		f.Fatalf("%v %v", err, p.Judge(calendars).Validate())
	}
	for _, shape := range []reflect.Type{reflect.TypeFor[Policy](), reflect.TypeFor[policy.Rule](), reflect.TypeFor[policy.Budget]()} {
		for field := range shape.Fields() {
			if key := field.Tag.Get("mapstructure"); key != "name" && !strings.Contains(everyKey, key+":") {
				f.Errorf("the key %s is not tried", key)
			}
		}
	}
	f.Fuzz(func(t *testing.T, at uint8, text string) {
		if at > 0 {
			text = strings.Join(slices.Replace(slices.Clone(lines), int(at)%len(lines), int(at)%len(lines)+1, text), "\n")
		}
		judge, p, err := read(t, text)
		if err != nil {
			checkRefusal(t, text, err)
			return
		}
		if said, means := saidKeys(t, text), meantKeys(reflect.ValueOf(p)); !slices.Equal(said, means) {
			t.Fatalf("%s\nsays %q and means %q", text, said, means)
		}
		again, _, err := read(t, printedPolicy(t, p))
		if err != nil || again.Version() != judge.Version() {
			t.Fatalf("%s\nis printed as\n%s\nwhich is another policy: %v", text, printedPolicy(t, p), err)
		}
		askPolicy(t, judge)
	})
}

// checkRefusal fails the test if a refusal is longer than what people read, or of no line.
func checkRefusal(t *testing.T, text string, err error) {
	t.Helper()
	problems, ok := err.(Problems)
	if !ok {
		return // of the policy as a whole; config adds lines where it reads a configuration
	}
	for _, p := range problems {
		if len(p.Found) > 500 || len(p.Want) > 1000 {
			t.Fatalf("%q is refused at length: %s", text, p)
		}
		if p.Line == 0 && p.Key != "(file)" {
			t.Fatalf("%q is refused without a line: %s", text, p)
		}
	}
}

// saidKeys are the keys of a policy and of its rules and budgets, in the file's own words, as a
// plain reader of YAML finds them; those that say false or nothing are left out.
func saidKeys(t *testing.T, text string) (keys []string) {
	t.Helper()
	var plain map[string]any
	if err := yaml.Unmarshal([]byte(text), &plain); err != nil {
		t.Fatalf("%q is accepted: %v", text, err)
	}
	var walk func(path string, v any)
	walk = func(path string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for key, child := range v {
				walk(path+"."+key, child)
			}
		case []any:
			for i, child := range v {
				walk(fmt.Sprintf("%s[%d]", path, i), child)
			}
		case bool:
			if v {
				keys = append(keys, path)
			}
		default:
			keys = append(keys, path)
		}
	}
	walk("", plain)
	return slices.Sorted(slices.Values(slices.DeleteFunc(keys, func(key string) bool { return key == ".mode" })))
}

// meantKeys are those that the policy has once it is read.
func meantKeys(v reflect.Value) (keys []string) {
	var walk func(path string, v reflect.Value)
	walk = func(path string, v reflect.Value) {
		switch v.Kind() {
		case reflect.Struct:
			for i := range v.NumField() {
				if field := v.Type().Field(i); !v.Field(i).IsZero() {
					walk(path+"."+field.Tag.Get("mapstructure"), v.Field(i))
				}
			}
		case reflect.Slice:
			for i := range v.Len() {
				walk(fmt.Sprintf("%s[%d]", path, i), v.Index(i))
			}
		default:
			keys = append(keys, path)
		}
	}
	walk("", v)
	return slices.Sorted(slices.Values(slices.DeleteFunc(keys, func(key string) bool { return key == ".name" || key == ".mode" })))
}

// printedPolicy is a policy as a file of its own.
func printedPolicy(t *testing.T, p Policy) string {
	t.Helper()
	p.Name = ""
	n := asYAML(reflect.ValueOf(p), false)
	for i := 0; i < len(n.Content); i += 2 {
		if value := n.Content[i+1]; n.Content[i].Value == "name" || n.Content[i].Value == "budgets" && len(value.Content) == 0 || n.Content[i].Value == "taint" && p.Taint == 0 {
			n.Content = slices.Delete(n.Content, i, i+2)
			i -= 2
		}
	}
	text, err := yaml.Marshal(n)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// askPolicy asks a policy about calls: what cannot be read passes by no rule, and whoever is
// answered is answered by one of the rules.
func askPolicy(t *testing.T, p *policy.Policy) {
	t.Helper()
	p = p.For("https://api.salesforce.com/platform/mcp/v1/platform/sobject-all")
	who := policy.Principal{Org: "acme", Subject: "005xx000001SvogAAC", Username: "rep@acme.example", Client: "c", Groups: []string{"g"}}
	for _, c := range []policy.Call{
		{Tool: "soqlQuery", Arguments: []byte(`{"query":"SELECT Id, Email FROM Contact LIMIT 5"}`)}, {Tool: "soqlQuery", Arguments: []byte(`{"query":"nonsense"}`)}, {Tool: "getUserInfo"}, {Tool: "nobody knows"},
		{Tool: "deleteSobjectRecord", Arguments: []byte(`{"sobject-name":"Account","id":"001xx000003DGb2AAG"}`)}, {Tool: "prompt:x"},
	} {
		c.Server, c.Source, c.Now = "sales", "192.0.2.7", time.Date(2026, 12, 24, 12, 0, 0, 0, time.UTC)
		d := p.Decide(who, c)
		if passes := d.Effect == policy.Allow || d.Effect == policy.Confirm; passes && !d.Shadow && (d.Rule < 0 || d.Rule >= len(p.Rules) || p.Rules[d.Rule].Effect != d.Effect) {
			t.Fatalf("%s passes by rule %d of %+v", c.Tool, d.Rule, p.Rules)
		}
		if strings.Contains(string(c.Arguments), "nonsense") && d.Effect != policy.Deny {
			t.Fatalf("what cannot be read passes: %s", d.Reason)
		}
	}
}
