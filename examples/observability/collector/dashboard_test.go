package collector

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

// The dashboard is one for Grafana's own types: no member that they do not have, and every rule kept
// that they state.
func TestDashboardIsGrafanas(t *testing.T) {
	plugins.RegisterDefaultPlugins()
	text, err := os.ReadFile(filepath.Join("..", "dashboard.json"))
	if err != nil {
		t.Fatal(err)
	}
	var d dashboard.Dashboard //lint:ignore SA1019 the form that every Grafana imports; the newer one is for Grafana 12 and later
	for what, err := range map[string]error{"read": d.UnmarshalJSONStrict(text), "validate": d.Validate()} {
		if found, ok := errors.AsType[cog.BuildErrors](err); err != nil && (!ok || len(found) > 0) { // it returns an empty list for none
			t.Errorf("%s: %v", what, err)
		}
	}
	if len(d.Panels) == 0 {
		t.Error("the dashboard has no panels")
	}
}
