package reach

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCatalogueHasEveryToolOfTheHostedServers(t *testing.T) {
	t.Parallel()
	want := map[string]int{
		"platform/sobject-all": 11, "platform/headless-360": 5, "data/data360": 3, "data/data-cloud-queries": 2,
		"platform/metadata-experts": 1, "platform/salesforce-api-context": 6, "industries/engagement-interaction": 3,
		"platform/agentforce-grid": 51, "platform/backup-and-recover": 22, "platform/content-readonly": 22,
		"platform/content-write": 15, "analytics/tableau-next": 19, "analytics/crma-beta": 10,
	}
	got := make(map[string]int)
	for _, f := range families {
		for name, known := range f.tools {
			if OtherKind(name) == "" {
				got[f.servers[0]]++
			}
			if !ValidName(name) {
				t.Errorf("%s is not a name", name)
			}
			if len(known.Classes) == 0 || known.read == nil && len(known.Classes) != 1 {
				t.Errorf("%s: classes %v", name, known.Classes)
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestCatalogueAgreesOnNamesThatSeveralServersUse(t *testing.T) {
	t.Parallel()
	seen := make(map[string]Class)
	for _, f := range families {
		for name, known := range f.tools {
			if c, ok := seen[name]; ok && c != known.Classes[0] {
				t.Errorf("%s is %s and %s", name, c, known.Classes[0])
			}
			seen[name] = known.Classes[0]
		}
	}
}

// Names that a log, a page or a rule would show as another one than they are, are none.
func TestValidName(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"a": true, "a-b.c_d": true, "prompt:a": true, "resource:ui://a/b~": true, "resource:x!": true,
		"": false, "a b": false, "d\u00e9": false, "prompt:": false, "prompt:a b": false, "resource:": false, "resource:a b": false,
		"resource:a\x7f": false, "resource:a\u0080": false, "resource:d\u00e9": false, "resource:a\n": false, "resource:\u202e": false,
	} {
		if got := ValidName(name); got != want {
			t.Errorf("%q: %t", name, got)
		}
	}
}

// However many objects a call reaches, each is listed once: where there are few, and where
// there are so many that they are found another way.
func TestObjectsAreListedOnce(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, few - 1, few, few + 1, 2 * few} {
		f := &reading{}
		for range 3 {
			for i := range n {
				f.reach(fmt.Sprintf("Object%d__c", i))
				f.reach(strings.ToUpper(fmt.Sprintf("Object%d__c", i)))
			}
		}
		if len(f.Objects) != n {
			t.Errorf("%d of %d objects", len(f.Objects), n)
		}
	}
}
