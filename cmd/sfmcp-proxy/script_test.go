package main

import (
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"sfmcp-proxy/examples/salesforcesim/rsakey"
)

// TestScripts runs testdata/script/*.txt: the command line as its users see it.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
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
