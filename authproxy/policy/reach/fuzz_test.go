package reach

import (
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

// FuzzReadDescriptions reads what an org says of an object. Whatever it is, it is bounded, takes
// nothing away from what is known of standard objects, and a query with it ends.
func FuzzReadDescriptions(f *testing.F) {
	for _, seed := range []string{account, plan, `{"sobjects":[` + account + `]}`, `[` + plan + `]`, `{"name":"Account","fields":[{"name":"X__c","calculatedFormula":"'a\\' & Owner:User.Name /* "}]}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		all := map[string]*Description{}
		for _, d := range ReadDescriptions(jsontext.Value(text), []string{"Account", "Plan__c"}) {
			if d.Size() > 64*len(text)+4096 {
				t.Errorf("%d bytes of text take %d", len(text), d.Size())
			}
			if m := d.Merged(d); !m.Equal(d) {
				t.Error("merged with itself it is another")
			}
			all[strings.ToLower(d.Object)] = d
		}
		s := NewSchema(all, all)
		v, refused := Catalogue{Schema: s}.Read("soqlQuery", jsontext.Value(`{"q":"SELECT Owner.Name, Plan__r.Name, (SELECT Id FROM Contacts) FROM Account"}`))
		if refused != nil || !v.Reaches("User") || !v.Reaches("Contact") || len(v.Objects) > most {
			t.Errorf("reaches %v, %v", v.ObjectNames(), refused)
		}
		if n := len(s.AppendShown(nil, "Account", Whole)); n > maxShows+10 {
			t.Errorf("shows %d fields", n)
		}
	})
}
