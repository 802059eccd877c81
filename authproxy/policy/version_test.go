package policy

import (
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/policy/condition"
	"sfmcp-proxy/authproxy/policy/reach"
)

// whole is a policy that says something in every place.
func whole(t *testing.T) *Policy {
	t.Helper()
	hours, faults := condition.ParseCalendar("hours", "Europe/Berlin", []string{"Mon-Fri 08:00-18:00"}, []string{"2026-12-20 to 2027-01-06"})
	if faults != nil {
		t.Fatal(faults)
	}
	return (&Policy{
		Name: "whole", Mode: Shadow, Taint: time.Hour, Calendars: []*condition.Calendar{hours},
		Budgets: []Budget{{EachUser, Calls, Hour, "Europe/Berlin", 5, 0.5, []Class{Read}, []string{"Account"}}},
		Rules: []Rule{{
			Effect: Confirm, Observe: true, Tools: []string{"t"}, Classes: []Class{Update}, Users: []string{"u@x.example"}, Groups: []string{"g"}, Clients: []string{"c"},
			Objects: []string{"Account"}, Fields: []string{"Account.Name"}, MaxRows: 7, Rewrite: true, When: `during("hours")`, After: OutsideText,
			Mask: []string{"Contact.Phone"}, Drop: []string{"Contact.Fax"}, Approvers: "role:security", Quorum: 2, Factors: []Factor{{Role: "security", Quorum: 3}},
			StepUp: true, Group: true, Escalate: Escalation{After: time.Hour, To: "role:second"}, Verify: true, OnChange: AllowOnChange,
		}},
	}).For("https://api.salesforce.com/platform/mcp/v1/custom/Ops", reach.Declaration{
		Tool: "declared", Class: Update, SOQL: "q", SOSL: "s", Object: "o", ID: "i", Record: "r", Others: []string{"x"},
	})
}

// The versions of policies do not change with the program: approvals and replays are bound to them. Whoever changes one here
// says in the changelog that calls wait again.
func TestAP02VersionsStayAsTheyAre(t *testing.T) {
	t.Parallel()
	all := whole(t)
	for _, tt := range []struct {
		of   string
		p    *Policy
		want string
	}{
		{"nothing", &Policy{}, "2973c8713a7decd734b8f51e2063ef87"},
		{"rules alone", given(allow(tools("a", "b"), class(Read)), deny()), "1d43dba4b1dc588595e4322b42535421"},
		{"everything", all, "6be90c4222c889e558277d8c91448d32"},
	} {
		if got := tt.p.Version(); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.of, got, tt.want)
		}
	}
	if got, want := CatalogueDigest(), "99b1412f1dbc84727e8f5e2d61957bf2"; got != want {
		t.Errorf("the catalogue has changed: %s, was %s; policies_need_replay asks for new replays", got, want)
	}

	// What is said in another order, or by the name of the tool alone, is the same.
	declared := func(d ...reach.Declaration) string { return (&Policy{}).For("custom/Ops", d...).Version() }
	a, b := reach.Declaration{Tool: "a", Class: Read, Others: []string{"x", "y"}}, reach.Declaration{Tool: "b", Class: Read}
	turned := a
	turned.Others = []string{"y", "x"}
	if declared(a, b) != declared(b, turned) || declared(a, b) == declared(a) {
		t.Error("the order of declarations is part of the version, or they are not")
	}
	if declared(reach.Declaration{Tool: "getRecord"}) != declared(reach.Declaration{Tool: "getRecord", Class: Read}) {
		t.Error("a class that the name of the tool says is another one when it is declared")
	}
}

// Whatever a policy says is part of its version: a field that is new is not forgotten.
func TestAP02EveryFieldIsPartOfTheVersion(t *testing.T) {
	t.Parallel()
	base := whole(t).Version()
	changed := 0
	for i, path := range fieldsOf(reflect.ValueOf(whole(t)).Elem(), "Policy") {
		p := whole(t)
		alter(fieldsOf(reflect.ValueOf(p).Elem(), "Policy")[i].value)
		if version := p.in(p.catalogue).Version(); version == base {
			t.Errorf("%s is no part of the version", path.name)
		}
		changed++
	}
	for i, path := range fieldsOf(reflect.ValueOf(&whole(t).catalogue.Declared[0]).Elem(), "Declaration") {
		p := whole(t)
		d := p.catalogue.Declared[0]
		alter(fieldsOf(reflect.ValueOf(&d).Elem(), "Declaration")[i].value)
		if version := p.For("custom/Ops", d).Version(); version == base {
			t.Errorf("%s is no part of the version", path.name)
		}
		changed++
	}
	if want := 45; changed < want {
		t.Errorf("%d fields were changed, there are %d at least", changed, want)
	}
	if one, other := whole(t).For("custom/Ops"), whole(t).For("custom/Other"); one.Version() == other.Version() {
		t.Error("the hosted server is no part of the version")
	}

	shape := Shape{Classes: []Class{Read}}
	for i, path := range fieldsOf(reflect.ValueOf(&shape).Elem(), "Shape") {
		other := Shape{Classes: []Class{Read}}
		alter(fieldsOf(reflect.ValueOf(&other).Elem(), "Shape")[i].value)
		if slices.Equal(appendShape(nil, shape), appendShape(nil, other)) {
			t.Errorf("%s is no part of the digest of the catalogue", path.name)
		}
	}
}

// field is a value that can be set, and where it stands.
type field struct {
	name  string
	value reflect.Value
}

// fieldsOf are the exported fields of a struct that hold no others, those of its structs, and those of
// the first of each list of them.
func fieldsOf(v reflect.Value, name string) (all []field) {
	for i := range v.NumField() {
		if !v.Type().Field(i).IsExported() {
			continue
		}
		f, at := v.Field(i), name+"."+v.Type().Field(i).Name
		for f.Kind() == reflect.Slice && f.Len() > 0 && f.Type().Elem().Kind() != reflect.String || f.Kind() == reflect.Pointer {
			if f.Kind() == reflect.Slice {
				f = f.Index(0)
			} else {
				f = f.Elem()
			}
		}
		if f.Kind() == reflect.Struct {
			all = append(all, fieldsOf(f, at)...)
		} else {
			all = append(all, field{at, f})
		}
	}
	return all
}

// alter gives a field another value.
func alter(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(v.String() + "x")
	case reflect.Bool:
		v.SetBool(!v.Bool())
	case reflect.Int, reflect.Int64:
		v.SetInt(v.Int() + 1)
	case reflect.Float64:
		v.SetFloat(v.Float() + 0.25)
	case reflect.Slice:
		v.Set(reflect.Append(v, reflect.New(v.Type().Elem()).Elem()))
	default:
		panic(fmt.Sprintf("a %s", v.Kind()))
	}
}
