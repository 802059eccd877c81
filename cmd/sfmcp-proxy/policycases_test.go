package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// inOne is the beginning of a test of a call on the server of [twoOrgs].
var inOne = []string{"policy", "test", "--server", "sales", "--user", "rep@acme.example", "--tool"}

func TestU13ExpectedDecision(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args   []string
		status int
		says   string
	}{
		{append(inOne[:len(inOne):len(inOne)], "getUserInfo", "--expect", "allow"), exitDone, ""},
		{append(inOne[:len(inOne):len(inOne)], "createSobjectRecord", "--expect", "deny"), exitDone, ""},
		{append(inOne[:len(inOne):len(inOne)], "createSobjectRecord"), exitDone, ""},
		{append(inOne[:len(inOne):len(inOne)], "createSobjectRecord", "--expect", "allow"), exitFailed, "expected allow for createSobjectRecord by rep@acme.example on server sales, but policy read-only decides deny: "},
		{append(inOne[:len(inOne):len(inOne)], "getUserInfo", "--expect", "deny"), exitFailed, "decides allow: rule 1 (allow classes read)"},
		{append(inOne[:len(inOne):len(inOne)], "getUserInfo", "--expect", "confirm"), exitFailed, "expected confirm"},
		{append(inOne[:len(inOne):len(inOne)], "getUserInfo", "--expect", "alow"), exitUsage, `did you mean "allow"?`},
		{append(inOne[:len(inOne):len(inOne)], "getUserInfo", "--expect", ""), exitUsage, "--expect is empty"},
		{append(inOne[:len(inOne):len(inOne)], "getUserInfo", "--arguments", "[]"), exitUsage, "--arguments: expected a JSON object"},
		{[]string{"policy", "test", "--server", "sales", "--tool", "find"}, exitUsage, "--user is required"},
		{[]string{"policy", "test", "--server", "sale", "--user", "rep@acme.example", "--tool", "find"}, exitUsage, `no server "sale"`},
		{[]string{"policy", "test", "--server", "sales", "--user", "rep", "--tool", "find"}, exitFailed, "neither a Salesforce user id"},
		{[]string{"policy", "test", "--server", "sales", "--user", "005xx000001sv6aAAS", "--tool", "find"}, exitFailed, "names nobody"},
	} {
		status, out, errOut := runOn(t, twoOrgs, c.args...)
		if status != c.status || !strings.Contains(errOut, c.says) {
			t.Errorf("%v: status %d\n%s%s", c.args, status, out, errOut)
		}
		if status == exitDone && !strings.Contains(errOut, `note: no user "rep@acme.example" has signed in`) {
			t.Errorf("%v does not say that nobody of that name was seen: %s", c.args, errOut)
		}
	}
}

func TestU13CasesInAFile(t *testing.T) {
	t.Parallel()
	file := func(text string) string {
		file := filepath.Join(t.TempDir(), "cases.yaml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	const call = "- {server: sales, user: rep@acme.example, tool: "
	for name, c := range map[string]struct {
		text      string
		status    int
		out, says string
	}{
		"right": {call + "soqlQuery, arguments: {q: SELECT Id FROM Account}, expect: allow}\n" + call + "soqlQuery, arguments: '{\"q\": \"SELECT Id FROM Account\"}', client: x, expect: allow}\n", exitDone, "2 cases as expected\n", ""},
		"one failed": {call + "find, expect: confirm}\n" + call + "createSobjectRecord, expect: deny}\n" + call + "getUserInfo, expect: deny}\n", exitFailed,
			"case 1 (line 1): expected confirm for find by rep@acme.example on server sales, but policy read-only decides deny", "2 of 3 cases failed"},
		"mistyped user":   {"- {server: sales, user: rep, tool: find, expect: deny}\n", exitFailed, "case 1 (line 1): \"rep\" names nobody", "1 of 1 case failed"},
		"unknown server":  {"- {server: sail, user: rep@acme.example, tool: find, expect: deny}\n", exitFailed, `no server "sail"`, "1 of 1 case failed"},
		"nothing in it":   {"", exitUsage, "", "at least one case"},
		"an empty list":   {"[]", exitUsage, "", "at least one case"},
		"no list":         {"server: sales", exitUsage, "", "a YAML list"},
		"no expectation":  {call + "find}\n", exitUsage, "", "line 1: expect: found"},
		"unknown key":     {call + "find, expcet: deny, expect: allow}\n", exitUsage, "", `did you mean "expect"?`},
		"the same twice":  {call + "find, expect: deny, expect: allow}\n", exitUsage, "", "line 1"},
		"list of strings": {"- find\n", exitUsage, "", "line 1: expected server"},
		"odd arguments":   {call + "find, arguments: [a], expect: allow}\n", exitUsage, "", "a JSON object"},
	} {
		status, out, errOut := runOn(t, twoOrgs, "policy", "test", "--file", file(c.text))
		if status != c.status || !strings.HasPrefix(out, c.out) && !strings.Contains(out, c.out) || !strings.Contains(errOut, c.says) {
			t.Errorf("%s: status %d\n%s%s", name, status, out, errOut)
		}
	}
	for _, args := range [][]string{{"--file", "/nonexistent"}, {"--file", file(call + "find, expect: deny}\n"), "--expect", "deny"}, {"--file", file(call + "find, expect: deny}\n"), "--user", "x"}} {
		if status, _, errOut := runOn(t, twoOrgs, append([]string{"policy", "test"}, args...)...); status != exitUsage {
			t.Errorf("%v: status %d\n%s", args, status, errOut)
		}
	}
}

// A name that is known nowhere is no riddle, and one of the catalogue or of the configuration is no mistake.
func TestU13MistypedToolAndClient(t *testing.T) {
	t.Parallel()
	const client = "clients: [{id: chatgpt, name: ChatGPT, redirect_uris: [\"https://chatgpt.com/connector/oauth/x\"]}]\n"
	for _, c := range []struct{ tool, client, says string }{
		{"soqlquery", "chatgpt", `note: no tool "soqlquery" is known of server sales, did you mean "soqlQuery"?`},
		{"soqlQuery", "chatgtp", `note: there is no client "chatgtp", did you mean "chatgpt"?`},
		{"soqlQuery", "chatgpt", ""},
		{"somethingElse", "other", ""},
	} {
		status, out, errOut := runOn(t, twoOrgs+client, append(inOne[:len(inOne):len(inOne)], c.tool, "--client", c.client, "--arguments", `{"q": "SELECT Id FROM Account LIMIT 1"}`)...)
		if status != exitDone || !strings.Contains(errOut, c.says) || strings.Contains(errOut, "did you mean") != (c.says != "") {
			t.Errorf("%s through %s: status %d\n%s%s", c.tool, c.client, status, out, errOut)
		}
	}
	file := filepath.Join(t.TempDir(), "cases.yaml")
	const one = "- {server: sales, user: rep@acme.example, tool: soqlquery, expect: deny}\n"
	if err := os.WriteFile(file, []byte(one+one), 0o600); err != nil {
		t.Fatal(err)
	}
	if status, out, errOut := runOn(t, twoOrgs, "policy", "test", "--file", file); status != exitDone || strings.Count(errOut, `did you mean "soqlQuery"?`) != 1 {
		t.Errorf("in a file: status %d\n%s%s", status, out, errOut)
	}
}

// U13: where nothing runs a test leaves nothing behind.
func TestU13WithoutADatabase(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "sfmcp-proxy.yaml")
	if err := os.WriteFile(file, []byte(twoOrgs), 0o600); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if status := run(t.Context(), append(inOne[:len(inOne):len(inOne)], "getUserInfo", "--config", file), &out, &out); status != exitDone {
		t.Fatalf("status %d\n%s", status, &out)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}
