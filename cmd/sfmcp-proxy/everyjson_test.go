package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// withoutJSON are the commands that neither list nor act, or whose output is in a form of its own, and which.
var withoutJSON = map[string]string{
	"sfmcp-proxy":                 "help",
	"sfmcp-proxy serve":           "runs, and logs JSON",
	"sfmcp-proxy salesforce-sim":  "runs",
	"sfmcp-proxy check":           "the configuration, which is YAML",
	"sfmcp-proxy healthcheck":     "an exit status",
	"sfmcp-proxy version":         "one line",
	"sfmcp-proxy completion":      "a script of a shell",
	"sfmcp-proxy report":          "--format json",
	"sfmcp-proxy console openapi": "a document, which is JSON",
	"sfmcp-proxy audit prove":     "a proof, whose form others define",
	"sfmcp-proxy audit key":       "one key a line, whose form others define",
}

// U12: every list and every act takes --json.
func TestU12EveryActAndListTakesJSON(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		for _, child := range cmd.Commands() {
			walk(child)
		}
		if group := cmd.HasSubCommands() && cmd.Flags().Lookup("config") == nil; group && cmd.HasParent() {
			return
		}
		seen[cmd.CommandPath()] = true
		if has, exempt := cmd.Flags().Lookup("json") != nil, withoutJSON[cmd.CommandPath()] != ""; has == exempt {
			t.Errorf("%s takes --json: %t", cmd.CommandPath(), has)
		}
	}
	walk(newRoot())
	for path := range withoutJSON {
		if !seen[path] {
			t.Errorf("there is no command %s", path)
		}
	}
}

// What an act says to programs is objects and nothing else, one a line.
func TestU12ActsAnswerPrograms(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	d.connect("sobject-all", rep)
	key := filepath.Join(t.TempDir(), "log.key")
	if err := os.WriteFile(key, []byte(d.must("audit", "key")), 0o600); err != nil {
		t.Fatal(err)
	}
	pack, copied := filepath.Join(t.TempDir(), "pack"), filepath.Join(t.TempDir(), "copy")
	for _, tt := range []struct{ args, member, want string }{
		{"audit verify", "sound", "true"}, {"audit copy " + copied, "did", `"audit copy"`}, {"audit verify --log " + copied + " --key " + key, "sound", "true"},
		{"audit tiles " + filepath.Join(t.TempDir(), "tiles"), "did", `"audit tiles"`}, {"audit reindex", "did", `"audit reindex"`}, {"audit acknowledge", "nothing", "true"},
		{"evidence --user " + rep + " --output " + pack, "did", `"evidence"`}, {"evidence verify " + pack + " --key " + key, "sound", "true"},
		{"policy check", "notes", ""}, {"key rotate", "did", `"key rotate"`}, {"audit prune", "", ""},
	} {
		out := d.printed(append(strings.Fields(tt.args), "--json")...)
		for line := range strings.Lines(out) {
			var object map[string]json.RawMessage
			if err := json.Unmarshal([]byte(line), &object); err != nil || tt.want != "" && string(object[tt.member]) != tt.want || tt.member != "" && object[tt.member] == nil {
				t.Errorf("%s: %v in %s", tt.args, err, line)
			}
		}
		if tt.member != "" && out == "" {
			t.Errorf("%s says nothing", tt.args)
		}
	}
}
