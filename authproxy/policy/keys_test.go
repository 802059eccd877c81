package policy

import (
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// Every field of a rule but its effect is a row of the table, under the name of its tag, so
// that none is forgotten where rules are validated, described or compared.
func TestEveryKeyIsInTheTable(t *testing.T) {
	t.Parallel()
	rows := map[string]*key{}
	for i := range keys {
		rows[keys[i].name] = &keys[i]
	}
	of := reflect.TypeFor[Rule]()
	for i := range of.NumField() {
		name := of.Field(i).Tag.Get("mapstructure")
		if name == "effect" {
			continue
		}
		k := rows[name]
		if k == nil {
			t.Errorf("%s (%s) has no row", of.Field(i).Name, name)
			continue
		}
		var r Rule
		if k.set(&r) {
			t.Errorf("%s is set in a rule without keys", name)
		}
		switch v := reflect.ValueOf(&r).Elem().Field(i); v.Kind() {
		case reflect.Slice:
			v.Set(reflect.MakeSlice(v.Type(), 1, 1))
			if v.Index(0).Kind() == reflect.String {
				v.Index(0).SetString("x")
			}
		case reflect.Struct:
			v.Field(0).SetInt(7)
		case reflect.String:
			v.SetString("x")
		case reflect.Int:
			v.SetInt(7)
		case reflect.Bool:
			v.SetBool(true)
		}
		if !k.set(&r) || len(k.values(&r)) != 1 || !r.has(k.about) {
			t.Errorf("%s does not read its own field: %v", name, k.values(&r))
		}
		if p, bare := given(r), given(Rule{}); p.Version() == bare.Version() {
			t.Errorf("%s is no part of the version", name)
		}
		delete(rows, name)
	}
	for name := range rows {
		t.Errorf("%s has a row, and no field", name)
	}
}

// What rules hide is hidden whichever of them decides, and only from calls that they are
// about.
func TestObligations(t *testing.T) {
	t.Parallel()
	hiding := func(e Effect, mask, drop []string, with ...change) Rule {
		return rule(e, append(with, func(r *Rule) { r.Mask, r.Drop = mask, drop })...)
	}
	rewriting := allow(class(Read), maxRows(10))
	rewriting.Rewrite = true
	contacts := hiding(Allow, []string{"Contact.Phone"}, nil, objects("Contact"))
	for name, tt := range map[string]struct {
		policy *Policy
		query  string
		want   Obligations
	}{
		"nothing":          {given(allow()), "SELECT Id FROM Contact", Obligations{}},
		"its own":          {given(hiding(Allow, []string{"Contact.Phone"}, []string{"*.Fax"})), "SELECT Id FROM Contact", Obligations{Mask: []string{"Contact.Phone"}, Drop: []string{"*.Fax"}}},
		"of a later rule":  {given(allow(class(Read)), contacts), "SELECT Id FROM Contact", Obligations{Mask: []string{"Contact.Phone"}}},
		"of an earlier":    {given(contacts, allow(class(Read))), "SELECT Id, (SELECT Id FROM Contacts) FROM Account", Obligations{Mask: []string{"Contact.Phone"}}},
		"of unknown reach": {given(allow(class(Read)), contacts), "SELECT X__r.Id FROM Account", Obligations{Mask: []string{"Contact.Phone"}}},
		"about others":     {given(allow(class(Read)), contacts), "SELECT Id FROM Account", Obligations{}},
		"of other callers": {given(allow(class(Read)), hiding(Allow, []string{"*.*"}, nil, groups("ops"))), "SELECT Id FROM Contact", Obligations{}},
		"of too many rows": {given(allow(class(Read)), hiding(Allow, []string{"*.Phone"}, nil, maxRows(1))), "SELECT Id FROM Contact", Obligations{Mask: []string{"*.Phone"}}},
		"both, once":       {given(hiding(Confirm, []string{"b.c", "a.b"}, nil), hiding(Allow, []string{"a.b"}, nil)), "SELECT Id FROM Contact", Obligations{Mask: []string{"a.b", "b.c"}}},
		"rows":             {given(allow(maxRows(50))), "SELECT Id FROM Contact LIMIT 5", Obligations{Rows: 50}},
		"a limit":          {given(rewriting), "SELECT Id FROM Contact", Obligations{Rows: 10, Limit: 10}},
		"a lower limit":    {given(rewriting), "SELECT Id FROM Contact LIMIT 11", Obligations{Rows: 10, Limit: 10}},
		"with children":    {given(rewriting), "SELECT Id, (SELECT Id FROM Cases LIMIT 4) FROM Contact", Obligations{Rows: 10, Limit: 2}},
		"a limit that is":  {given(rewriting), "SELECT Id FROM Contact LIMIT 10", Obligations{Rows: 10}},
	} {
		d := tt.policy.Decide(rep, soqlCall(tt.query))
		if d.Effect == Deny {
			t.Errorf("%s: %s", name, d.Reason)
		}
		if diff := cmp.Diff(tt.want, d.Obligations, cmpopts.IgnoreFields(Obligations{}, "Hiding")); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if hides := len(d.Obligations.Mask)+len(d.Obligations.Drop) > 0; hides != (d.Obligations.Hiding != nil) {
			t.Errorf("%s: hides %v, and has %v to do it", name, hides, d.Obligations.Hiding)
		}
	}
	for name, c := range map[string]Call{
		"children beyond any limit": soqlCall("SELECT Id, (SELECT Id FROM Cases LIMIT 10) FROM Contact LIMIT 1"),
		"other parameters":          call("soqlQuery", `{"q":"SELECT Id FROM Contact","more":1}`),
		"a query within a URL":      call("dispatch_readonly", `{"url":"/services/data/v67.0/query?q=SELECT+Id+FROM+Contact"}`),
	} {
		if d := given(rewriting).Decide(rep, c); d.Effect != Deny {
			t.Errorf("%s: %s with %+v", name, d.Effect, d.Obligations)
		}
	}
}
