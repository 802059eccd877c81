package reach

import (
	"slices"
	"strings"
	"testing"
)

// Each operation of Data 360 stands in the table once, with a class that calls of execute can
// have, and what its name says it does is what its class says.
func TestData360Operations(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for line := range strings.Lines(data360Text) {
		words := strings.Fields(line)
		if len(words) == 0 || words[0] == "#" {
			continue
		}
		if !slices.Contains(data360Classes, Class(words[0])) || words[1] != "records" && words[1] != "nothing" || words[1] == "nothing" && words[0] != "read" {
			t.Errorf("a line begins %s %s", words[0], words[1])
		}
		for _, name := range words[2:] {
			if seen[name] || !strings.HasPrefix(name, "d360_") {
				t.Errorf("%s is there twice, or is no operation", name)
			}
			seen[name] = true
			for verb, class := range map[string]Class{"_create": Create, "_update": Update, "_delete": Delete, "_list": Read, "_get": Read} {
				if strings.HasSuffix(name, verb) && Class(words[0]) != class && (Class(words[0]) != Admin || class == Read) {
					t.Errorf("%s is %s", name, words[0])
				}
			}
		}
	}
	if len(seen) < 180 || len(data360) != len(seen) {
		t.Errorf("%d operations", len(seen))
	}
}

// FW-21: execute is what the operation that it names is; what is not known exactly so is
// unknown, and may reach anything.
func TestFW21ExecuteOfData360(t *testing.T) {
	t.Parallel()
	for arguments, want := range map[string]string{
		`{"toolName":"d360_segment_list"}`:                                  "read",
		`{"toolName":"d360_segment_list","paramsJson":""}`:                  "read",
		`{"toolName":"d360_dmo_get","paramsJson":"{\"dmoName\":\"x\"}"}`:    "read",
		`{"toolName":"d360_query_sql","paramsJson":"{\"sql\":\"SELECT\"}"}`: "read of ?",
		`{"toolName":"d360_profile_query"}`:                                 "read of ?",
		`{"toolName":"d360_segment_create"}`:                                "create of ?",
		`{"toolName":"d360_segment_publish"}`:                               "update of ?",
		`{"toolName":"d360_dataspace_member_add"}`:                          "admin of ?",
		`{"toolName":"d360_connection_test"}`:                               "admin of ?",
		`{"toolName":"d360_segment_delete","x":1}`:                          "delete of ?",
		`{"toolName":"d360_segment_list","x":1}`:                            "unknown of ?",
		`{"toolName":"D360_segment_list"}`:                                  "unknown of ?",
		`{"toolName":"d360_segment_list "}`:                                 "unknown of ?",
		`{"toolName":"d360_new_thing_list"}`:                                "unknown of ?",
		`{"toolName":"execute"}`:                                            "unknown of ?",
		`{"toolName":"d360_segment_list","paramsJson":"[]"}`:                "",
		`{"toolName":"d360_segment_list","paramsJson":"{\"a\":1,\"a\":2}"}`: "",
		`{"toolName":"d360_segment_list","paramsJson":"{} {}"}`:             "",
		`{"toolName":"d360_segment_list","paramsJson":{}}`:                  "",
		`{"toolname":"d360_segment_list"}`:                                  "",
		`{}`:                                                                "",
	} {
		v, refused := Catalogue{Hosted: "data/data360"}.Read("execute", []byte(arguments))
		got := ""
		if refused == nil {
			got = string(v.Class)
			if v.Opaque {
				got += " of ?"
			}
			if v.Opaque != v.OpaqueFields || v.Opaque && v.Class == Read && v.Rows != Unlimited {
				t.Errorf("%s reaches objects, but not all of them: %+v", arguments, v)
			}
		}
		if got != want {
			t.Errorf("%s is %q, want %q", arguments, got, want)
		}
	}
}
