package salesforcesim

import (
	"slices"
	"strings"
)

// serverPath is what a gateway URL names.
type serverPath struct {
	myDomain string   // of /d/ URLs, with --sandbox where it has one; "" in the general form
	kinds    []string // kinds of org that the form is for
	server   string   // namespace/name, case kept
}

// parseServerPath reads what follows /platform/mcp/v1/. It reports false for every
// shape that is none of Salesforce's, a missing or a further segment among them.
func parseServerPath(path string) (serverPath, bool) {
	parts := strings.Split(path, "/")
	if slices.Contains(parts, "") || strings.Contains(path, "%") {
		return serverPath{}, false
	}
	at := serverPath{kinds: []string{"production", "developer"}}
	if parts[0] == "d" && len(parts) > 1 {
		at.myDomain, at.kinds = parts[1], []string{"production"}
		parts = parts[2:]
	}
	switch {
	case len(parts) == 3 && parts[0] == "sandbox":
		at.kinds = []string{"sandbox", "scratch"}
		if at.myDomain != "" {
			at.kinds = []string{"sandbox"}
		}
		parts = parts[1:]
	case len(parts) == 3 && at.myDomain != "" && parts[0] == "scratch":
		at.kinds, parts = []string{"scratch"}, parts[1:]
	case len(parts) == 3 && at.myDomain != "" && parts[0] == "develop":
		at.kinds, parts = []string{"developer"}, parts[1:]
	case slices.Equal(parts, []string{"data", "sandbox", "data360"}):
		// The one documented exception: the namespace comes before sandbox.
		at.kinds, parts = []string{"sandbox", "scratch"}, []string{"data", "data360"}
	}
	if len(parts) != 2 {
		return serverPath{}, false
	}
	at.server = parts[0] + "/" + parts[1]
	return at, true
}

// fits says whether a token of the org may be used at this form of URL.
func (p serverPath) fits(o *org) bool {
	return slices.Contains(p.kinds, o.Kind) && (p.myDomain == "" || p.myDomain == o.MyDomain)
}
