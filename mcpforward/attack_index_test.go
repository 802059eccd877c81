package mcpforward

import (
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/authproxy/policy/mask"
	"sfmcp-proxy/mcpforward/jsonrpc"
)

// indexed are the objects in the answer to getObjectSchema without objects.
func indexed(t *testing.T, a *answer) (names []string) {
	t.Helper()
	var index struct {
		Objects []struct {
			Name string `json:"name"`
		} `json:"sobjects"`
	}
	if a.failed() {
		t.Fatalf("%s", a.body)
	}
	if err := json.Unmarshal([]byte(a.text()), &index); err != nil {
		t.Fatal(err)
	}
	for _, o := range index.Objects {
		names = append(names, o.Name)
	}
	return names
}

// FW-16, FW-33: the index of objects names those that the caller could have described, and no
// others, whichever way the rules say so.
func TestFW16IndexOfObjectsIsFiltered(t *testing.T) {
	t.Parallel()
	read := []policy.Class{policy.Read}
	for name, tt := range map[string]struct {
		rules          []policy.Rule
		shown, missing string
	}{
		"all but some":    {[]policy.Rule{{Effect: policy.Deny, Objects: []string{"Secret__c", "Use*"}}, {Effect: policy.Allow, Classes: read}}, "Account Contact Plan__c", "Secret__c User"},
		"a list":          {[]policy.Rule{{Effect: policy.Allow, Classes: read, Objects: []string{"Account", "Contact"}}}, "Account Contact", "Secret__c User Plan__c Opportunity"},
		"by a condition":  {[]policy.Rule{{Effect: policy.Deny, When: `reaches("Lead")`}, {Effect: policy.Allow, Classes: read}}, "Account User", "Lead"},
		"with a person":   {[]policy.Rule{{Effect: policy.Confirm, Objects: []string{"Lead"}}, {Effect: policy.Allow, Classes: read, Objects: []string{"Account"}}}, "Account Lead", "Secret__c Contact"},
		"with masks too":  {[]policy.Rule{{Effect: policy.Deny, Objects: []string{"User"}}, {Effect: policy.Allow, Classes: read, Mask: []string{"Contact.Phone"}, Drop: []string{"Contact.Email"}}}, "Account Contact", "User"},
		"nothing is left": {[]policy.Rule{{Effect: policy.Allow, Classes: read, Objects: []string{"Nothing__c"}}}, "", "Account User"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(s *setup) { s.Servers[0].Policy = &policy.Policy{Name: "p", Rules: tt.rules} })
			names := indexed(t, rep(w).tool("getObjectSchema", `{}`))
			have := " " + strings.Join(names, " ") + " "
			for _, object := range strings.Fields(tt.shown) {
				if !strings.Contains(have, " "+object+" ") {
					t.Errorf("%s is not shown in%s", object, have)
				}
			}
			for _, object := range strings.Fields(tt.missing) {
				if strings.Contains(have, " "+object+" ") {
					t.Errorf("%s is shown in%s", object, have)
				}
			}
			if e := w.entries("tool.call"); !strings.Contains(e[len(e)-1].Reason, "left out of the index") {
				t.Errorf("the log does not say that objects were left out: %+v", e[len(e)-1])
			}
		})
	}
}

// FW-16: an index in a form in which nobody can tell the objects apart is withheld.
func TestFW16IndexInOtherForms(t *testing.T) {
	t.Parallel()
	c := &call{}
	shows := func(object string) bool { return object == "Account" }
	for text, want := range map[string]string{
		`{"sobjects":[{"name":"Account"},{"name":"User"}],"encoding":"UTF-8"}`: `{"encoding":"UTF-8","sobjects":[{"name":"Account"}]}`,
		`["User","Account","User"]`:                       `["Account"]`,
		`[]`:                                              `[]`,
		`{"a":["User"],"b":[{"name":"User"}]}`:            `{"a":[],"b":[]}`,
		`{"sobjects":{"User":{}}}`:                        "",
		`{"sobjects":[{"label":"User"}]}`:                 "",
		`{"sobjects":[["User"]]}`:                         "",
		`{"sobjects":[{"name":"User and more"}]}`:         "",
		`{"sobjects":[{"name":"Account","name":"User"}]}`: "",
		`{"sobjects":[1]}`:                                "",
		`Account, User`:                                   "",
		`"User"`:                                          "",
		`[` + strings.Repeat(`"A",`, maxIndexed) + `"A"]`: "",
	} {
		f := &indexFilter{known: map[string]bool{}, shows: shows}
		got, ok := f.index(jsontext.Value(text))
		if string(got) != want || ok != (want != "") {
			t.Errorf("%.60s is given as %s", text, got)
		}
	}
	for _, result := range []string{`{"content":[{"type":"image","data":"x"}]}`, `{"content":[]}`, `{"content":[{"type":"text","text":"no objects"}]}`, `{"content":{}}`, `{"structuredContent":{"a":{"User":1}}}`} {
		members, err := jsonrpc.ParseObject(jsontext.Value(result))
		if err != nil {
			t.Fatal(err)
		}
		if err := c.filterIndex(&members, &outcome{}); err != mask.ErrShape {
			t.Errorf("%s passes: %v", result, err)
		}
	}
}
