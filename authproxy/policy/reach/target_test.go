package reach

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What record a call is about is told as its arguments name it, and of nothing else.
func TestTargetOf(t *testing.T) {
	t.Parallel()
	const id, v = "001xx000003DGb1AAG", `"url":"/services/data/v67.0/`
	for _, tt := range []struct {
		tool, arguments string
		want            *Target // nil: none
	}{
		{"createSobjectRecord", `{"sobject-name":"Account","body":{"Name":"x"}}`, &Target{Object: "Account", Body: []byte(`{"Name":"x"}`)}},
		{"updateSobjectRecord", `{"sobject-name":"Account","id":"` + id + `","body":{"Name":"x"}}`, &Target{Object: "Account", ID: id, Body: []byte(`{"Name":"x"}`)}},
		{"deleteSobjectRecord", `{"sobject-name":"Account","id":"` + id + `"}`, &Target{Object: "Account", ID: id}},
		{"deleteRelatedRecord", `{"sobject-name":"Account","id":"` + id + `","relationship-path":"Contacts"}`, &Target{Object: "Account", ID: id, Path: "Contacts"}},
		{"dispatch", `{"method":"POST",` + v + `sobjects/Account","body":{"Name":"x"}}`, &Target{Object: "Account", Body: []byte(`{"Name":"x"}`)}},
		{"dispatch", `{"method":"PATCH",` + v + `sobjects/Account/` + id + `","body":{"Name":"x"}}`, &Target{Object: "Account", ID: id, Body: []byte(`{"Name":"x"}`)}},
		{"dispatch", `{"method":"DELETE",` + v + `sobjects/Account/` + id + `"}`, &Target{Object: "Account", ID: id}},

		{"dispatch", `{"method":"GET",` + v + `sobjects/Account/` + id + `"}`, nil},
		{"dispatch", `{"method":"PATCH",` + v + `sobjects/Account/Ext__c/7","body":{}}`, nil},
		{"dispatch", `{"method":"DELETE",` + v + `sobjects/Account"}`, nil},
		{"dispatch", `{"method":"POST",` + v + `sobjects/Account/` + id + `","body":{}}`, nil},
		{"dispatch", `{"method":"POST",` + v + `tooling/sobjects/ApexClass","body":{}}`, nil},
		{"dispatch", `{"method":"DELETE",` + v + `sobjects/Account/` + id + `","headers":{"X-Odd":"1"}}`, nil},
		{"closeCase", `{"object":"Account"}`, nil},
		{"createSobjectRecord", `{"sobject-name":"no name","body":{}}`, nil},
		{"createSobjectRecord", `{"sobject-name":7}`, nil},
		{"createSobjectRecord", `[]`, nil},
	} {
		got, ok := TargetOf(tt.tool, []byte(tt.arguments))
		if ok != (tt.want != nil) || ok && !cmp.Equal(got, *tt.want) {
			t.Errorf("%s %s: %+v, %t", tt.tool, tt.arguments, got, ok)
		}
	}
}

// A declared tool that may be called without the id of its record names none then.
func TestUnnamedRecordsOfDeclaredTools(t *testing.T) {
	t.Parallel()
	c := Catalogue{Hosted: "custom/Ops", Declared: []Declaration{
		{Tool: "change", Class: Update, Object: "object", ID: "id", Record: "fields"},
		{Tool: "make", Class: Create, Object: "object", Record: "fields"},
		{Tool: "show", Class: Read, Object: "object", ID: "id"},
	}}
	for call, unnamed := range map[[2]string]bool{
		{"change", `{"object":"Contact","fields":{"LastName":"x"}}`}:                           true,
		{"change", `{"object":"Contact","id":"003xx000004TmiQAAS","fields":{"LastName":"x"}}`}: false,
		{"make", `{"object":"Contact","fields":{"LastName":"x"}}`}:                             false,
		{"show", `{"object":"Contact"}`}:                                                       false,
	} {
		v, refused := c.Read(call[0], []byte(call[1]))
		if refused != nil || v.Unnamed != unnamed {
			t.Errorf("%s %s: unnamed %t, %v", call[0], call[1], v.Unnamed, refused)
		}
	}
}
