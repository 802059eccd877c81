package reach

import (
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
