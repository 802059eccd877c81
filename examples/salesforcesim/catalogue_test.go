package salesforcesim

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

type listedTool struct {
	Name        string `json:"name"`
	Description string `json:"description"`
	InputSchema struct {
		Type       string                    `json:"type"`
		Properties map[string]map[string]any `json:"properties"`
		Required   []string                  `json:"required"`
	} `json:"inputSchema"`
	Annotations *hints         `json:"annotations"`
	Meta        map[string]any `json:"_meta"`
}

func listed(t *testing.T, server string, o listOptions) []listedTool {
	t.Helper()
	raw, known := listTools(server, o)
	if !known {
		t.Fatalf("%s is not known", server)
	}
	var tools []listedTool
	for _, r := range raw {
		var tool listedTool
		if err := json.Unmarshal(r, &tool); err != nil {
			t.Fatal(err)
		}
		tools = append(tools, tool)
	}
	return tools
}

func names(tools []listedTool) string {
	var out []string
	for _, tool := range tools {
		out = append(out, tool.Name)
	}
	return strings.Join(out, " ")
}

func named(t *testing.T, tools []listedTool, name string) listedTool {
	t.Helper()
	i := slices.IndexFunc(tools, func(tool listedTool) bool { return tool.Name == name })
	if i < 0 {
		t.Fatalf("%s is not listed among %s", name, names(tools))
	}
	return tools[i]
}

// Which tools a server has: salesforce.md 1.3 and 2.1, as returned live.
func TestServersAndTools(t *testing.T) {
	t.Parallel()
	const reads = "getObjectSchema soqlQuery find getUserInfo listRecentSobjectRecords getRelatedRecords"
	const writes = " createSobjectRecord updateSobjectRecord updateRelatedRecord"
	const deletes = " deleteSobjectRecord deleteRelatedRecord"
	want := map[string]string{
		"platform/sobject-reads":     reads,
		"platform/sobject-mutations": reads + writes,
		"platform/sobject-deletes":   reads + deletes,
		"platform/sobject-all":       reads + writes + deletes,
		"platform/headless-360":      "discover describe dispatch_readonly dispatch",
		"platform/salesforce-api-context": "get_data_and_tooling_api_context get_metadata_type_sections get_metadata_type_context" +
			" get_metadata_type_fields get_metadata_type_fields_properties search_metadata_types",
		"custom/AcmeOps": "createAccountWithOpportunity getAccountSummary",
	}
	got := map[string]string{}
	for _, server := range serverNames() {
		got[server] = names(listed(t, server, listOptions{}))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("tools (-want +got):\n%s", diff)
	}
	if got := names(listed(t, "platform/headless-360", listOptions{UI: true})); !strings.HasSuffix(got, " display_widget") {
		t.Errorf("with widgets: %s", got)
	}
	if _, known := listTools("custom/acmeops", listOptions{}); known {
		t.Error("the case of a server name does not matter")
	}
}

func TestCapabilities(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		server, feature string
		want            bool
	}{
		{"platform/sobject-all", "tools", true}, {"platform/sobject-all", "prompts", true}, {"platform/sobject-all", "resources", false},
		{"platform/sobject-reads", "prompts", false}, {"custom/AcmeOps", "resources", true}, {"custom/AcmeOps", "prompts", false},
		{"custom/AcmeOps", "logging", false}, {"platform/none", "tools", false},
	} {
		if got := serverHas(tt.server, tt.feature); got != tt.want {
			t.Errorf("%s has %s: %v", tt.server, tt.feature, got)
		}
	}
}

func TestSchemaDialects(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ dialect, tool, properties, required string }{
		{"", "soqlQuery", "q", "q"},
		{"live", "find", "q", "q"},
		{"live", "getObjectSchema", "objects", ""},
		{"docs", "soqlQuery", "query", "query"},
		{"docs", "find", "search", "search"},
		{"docs", "getObjectSchema", "object-name", ""},
		{"both", "soqlQuery", "q query", ""},
		{"both", "getObjectSchema", "object-name objects", ""},
		{"both", "updateSobjectRecord", "body id sobject-name", "sobject-name id body"},
		{"live", "getUserInfo", "", ""},
		{"live", "deleteRelatedRecord", "id relationship-path sobject-name", "sobject-name id relationship-path"},
	} {
		tool := named(t, listed(t, "platform/sobject-all", listOptions{Dialect: tt.dialect}), tt.tool)
		var properties []string
		for name, schema := range tool.InputSchema.Properties {
			properties = append(properties, name)
			if wantType := map[bool]string{true: "object", false: "string"}[name == "body"]; schema["type"] != wantType {
				t.Errorf("%s of %s is %v", name, tt.tool, schema["type"])
			}
		}
		slices.Sort(properties)
		if got := strings.Join(properties, " "); got != tt.properties || tool.InputSchema.Type != "object" {
			t.Errorf("%s in %q has the properties %q, want %q", tt.tool, tt.dialect, got, tt.properties)
		}
		if got := strings.Join(tool.InputSchema.Required, " "); got != tt.required {
			t.Errorf("%s in %q requires %q, want %q", tt.tool, tt.dialect, got, tt.required)
		}
	}
}

func TestAnnotations(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		server, mode, tool string
		want               *hints
	}{
		{"platform/sobject-all", "", "soqlQuery", &hints{ReadOnly: true, Idempotent: true}},
		{"platform/sobject-all", "accurate", "createSobjectRecord", &hints{}},
		{"platform/sobject-all", "accurate", "deleteSobjectRecord", &hints{Destructive: true, Idempotent: true}},
		{"platform/sobject-all", "absent", "soqlQuery", nil},
		{"platform/sobject-all", "lying", "deleteSobjectRecord", &hints{ReadOnly: true, Idempotent: true}},
		{"platform/headless-360", "", "dispatch", &hints{Destructive: true}},
		{"platform/headless-360", "lying", "dispatch", &hints{ReadOnly: true, Idempotent: true}},
		{"platform/salesforce-api-context", "", "search_metadata_types", nil},
		{"platform/salesforce-api-context", "accurate", "search_metadata_types", nil},
	} {
		got := named(t, listed(t, tt.server, listOptions{Annotations: tt.mode}), tt.tool).Annotations
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s of %s, %q (-want +got):\n%s", tt.tool, tt.server, tt.mode, diff)
		}
	}
}

func TestDrift(t *testing.T) {
	t.Parallel()
	for _, server := range serverNames() {
		before := listed(t, server, listOptions{})
		s, _ := serverNamed(server)
		for drift, want := range map[string]string{
			"add":    names(before) + " undeleteSobjectRecord",
			"remove": strings.TrimSpace(strings.ReplaceAll(names(before)+" ", s.Drifts+" ", "")),
			"rename": strings.ReplaceAll(names(before), s.Drifts, s.Drifts+"V2"),
		} {
			if got := names(listed(t, server, listOptions{Drift: drift})); got != want || got == names(before) {
				t.Errorf("%s after %s: %s", server, drift, got)
			}
		}
		after := listed(t, server, listOptions{Drift: "describe"})
		if names(after) != names(before) || named(t, after, s.Drifts).Description == named(t, before, s.Drifts).Description {
			t.Errorf("%s: the description has not changed alone", server)
		}
	}
	if got := callAs(t, rep()).call("soqlQueryV2", `{"q":"SELECT COUNT() FROM Lead"}`); got.IsError {
		t.Errorf("the renamed tool: %s", got.text())
	}
}
