package main

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"sfmcp-proxy/authproxy/db/dbtest/rounds"
	"sfmcp-proxy/examples/salesforcesim/rsakey"
)

// shortScripts are those of testdata/script with few commands.
var shortScripts = []string{"check.txt", "policy.txt", "usage.txt"}

// TestScripts runs the short ones of testdata/script: the command line as its users see it.
func TestScripts(t *testing.T) {
	t.Parallel()
	runScripts(t, func(name string) bool { return slices.Contains(shortScripts, name) })
}

// TestLongScripts runs the others.
func TestLongScripts(t *testing.T) {
	t.Parallel()
	rounds.Thorough(t)
	runScripts(t, func(name string) bool { return !slices.Contains(shortScripts, name) })
}

func runScripts(t *testing.T, which func(name string) bool) {
	t.Helper()
	all, err := filepath.Glob("testdata/script/*.txt")
	files := slices.DeleteFunc(all, func(path string) bool { return !which(filepath.Base(path)) })
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	testscript.Run(t, testscript.Params{
		Files: files,
		Setup: func(e *testscript.Env) error {
			config, err := os.ReadFile("testdata/pilot.yaml")
			if err != nil {
				return err
			}
			e.Setenv(rsakey.Variable, os.Getenv(rsakey.Variable))
			return os.WriteFile(e.WorkDir+"/sfmcp-proxy.yaml", config, 0o600)
		},
	})
}
