package main

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// schemathesisChecks are those that the API is held to.
var schemathesisChecks = []string{
	"not_a_server_error", "status_code_conformance", "content_type_conformance", "response_headers_conformance", "response_schema_conformance",
	"negative_data_rejection", "missing_required_header", "unsupported_method", "allow_header_conformance", "ignored_auth",
}

// AD-20: schemathesis tries every route by the OpenAPI document, with good and bad input, with the
// token and without: no answer is our fault, each is as described, and none is given without a
// token.
func TestAD20APITriedBySchemathesis(t *testing.T) {
	t.Parallel()
	if !slices.Contains(strings.Split(os.Getenv("SFMCP_TEST_REQUIRE"), ","), "schemathesis") {
		t.Skip("tries for half a minute, with SFMCP_TEST_REQUIRE=schemathesis alone")
	}
	program, err := filepath.Abs("../../.ci/cache/python/schemathesis/bin/schemathesis")
	if err != nil {
		t.Fatal(err)
	}
	_, err = exec.LookPath(program)
	need(t, "schemathesis", err == nil, "run .ci/python-clients")
	d := startCompany(t)
	d.lookAround()
	for i, run := range []struct {
		role string
		only []string
	}{
		// It revokes what it finds in lists, so the token that it shows is not among what it tries.
		{"security", []string{"--exclude-operation-id", "revokeToken"}}, {"security", []string{"--include-operation-id", "revokeToken"}}, {"auditor", nil},
	} {
		token := d.apiToken(run.role, fmt.Sprint("tried-", i))
		cmd := exec.CommandContext(t.Context(), program, append([]string{"run", d.PublicURL + "/console/api/openapi.json", "--header", "Authorization: Bearer " + token.secret,
			"--checks", strings.Join(schemathesisChecks, ","), "--phases", "examples,coverage,fuzzing", "--max-examples", "20", "--seed", "1",
			"--continue-on-failure", "--no-color"}, run.only...)...)
		cmd.Dir = t.TempDir()
		// What is too large is refused as that, which it does not expect by itself.
		const settings = "[checks]\nnegative_data_rejection.expected-statuses = [400, 401, 403, 404, 405, 409, 413, 415, 422, 428, 429]\n"
		if err := os.WriteFile(filepath.Join(cmd.Dir, "schemathesis.toml"), []byte(settings), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("as %s, %v: %v\n%s", run.role, run.only, err, out)
		}
		if a := token.ask(http.MethodGet, "/console/api/v1/overview", nil); a.Status != http.StatusOK && !slices.Contains(run.only, "--include-operation-id") {
			t.Errorf("the token of the role %s opens nothing any more, so little was tried: %d %s", run.role, a.Status, a.Body)
		}
	}
	d.must("audit", "verify")
}
