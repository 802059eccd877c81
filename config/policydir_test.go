package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// inDir writes a configuration with policies_dir and files there, and loads it.
func inDir(t *testing.T, files map[string]string) (*Config, error) {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "policies"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, "policies", name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(dir, "c.yaml")
	text := strings.Replace(good, "policy: read-only", "policy: pilot", 1) + "policies_dir: policies\n" +
		"calendars:\n  - {name: freeze, time_zone: UTC, dated: [\"2026-12-20 to 2027-01-06\"]}\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return Load(file, nil)
}

func TestPoliciesOfTheirOwnFiles(t *testing.T) {
	c, err := inDir(t, map[string]string{
		"pilot.yaml":   "rules:\n  - {effect: deny, when: 'during(\"freeze\")'}\n  - {effect: allow, classes: [read]}\n",
		"other.yml":    "mode: shadow\nrules:\n  - {effect: deny}\n",
		".hidden.yaml": "nonsense", "README.md": "nonsense",
	})
	if err != nil {
		t.Fatal(err)
	}
	judged := c.Judged()
	if p := judged["pilot"]; p == nil || p.Mode != "enforce" || len(p.Rules) != 2 || len(p.Calendars) != 1 {
		t.Errorf("%+v", p)
	}
	if p := judged["other"]; p == nil || p.Mode != "shadow" {
		t.Errorf("%+v", p)
	}
}

// Every fault at once, each with its file, line, rule and what is expected.
func TestPolicyFilesAreRefused(t *testing.T) {
	_, err := inDir(t, map[string]string{
		"pilot.yaml":     "rules:\n  - effect: allow\n    clases: [read]\n",
		"read-only.yaml": "rules: [{effect: deny}]\n", // the name of one in the file
		"named.yaml":     "name: named\nrules: [{effect: deny}]\n",
		"wrong.yaml":     "mode: enforce\nrules:\n  - {effect: allow, classes: [read]}\n  - effect: deny\n    when: during(\"holidays\")\n",
		"empty.yaml":     "",
	})
	if err == nil {
		t.Fatal("accepted")
	}
	for _, says := range []string{
		"pilot.yaml:3: rules[0].clases: found an unknown key", "read-only.yaml: name: found \"read-only\", expected a name of its own",
		"named.yaml:1: name: found the key, expected no name", "wrong.yaml:5: rules[1].when: found", "during(…) needs the name of a calendar",
		"empty.yaml: (file): found an empty file", "servers[0].policy: found \"pilot\"",
	} {
		if !strings.Contains(err.Error(), says) {
			t.Errorf("no %q in\n%v", says, err)
		}
	}
}

func TestPoliciesDirIsAFolderOfPolicies(t *testing.T) {
	for _, files := range []map[string]string{nil, {"README.md": "x"}} {
		if _, err := inDir(t, files); err == nil || !strings.Contains(err.Error(), "policies_dir: found 0 files") {
			t.Errorf("%v", err)
		}
	}
	if _, err := load(t, good+"policies_dir: nowhere\n"); err == nil || !strings.Contains(err.Error(), "policies_dir: found no such file") {
		t.Errorf("%v", err)
	}
}

func TestReadPolicy(t *testing.T) {
	file := filepath.Join(t.TempDir(), "draft.yaml")
	if err := os.WriteFile(file, []byte("rules:\n  - {effect: allow, classes: [read], max_rows: 10}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := ReadPolicy(file)
	if err != nil || p.Name != "draft" || len(p.Rules) != 1 || p.Rules[0].MaxRows != 10 {
		t.Errorf("%+v, %v", p, err)
	}
	if _, err := ReadPolicy(file + ".no"); err == nil || !strings.Contains(err.Error(), "a readable file that holds a policy") {
		t.Error(err)
	}
}

func TestCalendarsAreValidated(t *testing.T) {
	_, err := load(t, good+`calendars:
  - {name: a, time_zone: Europe/Berlinn, weekly: ["Mon 08:00-18:00"]}
  - {name: b, time_zone: UTC, weekly: ["Mo 08:00-18:00"], dated: ["2026-12-20"]}
  - {name: b, time_zone: UTC, weekly: ["Mon 08:00-18:00"]}
  - {name: c, time_zone: UTC}
`)
	for _, says := range []string{`calendars[0].time_zone: found "Europe/Berlinn"`, `calendars[1].weekly[0]: found "Mo 08:00-18:00"`,
		`calendars[1].dated[0]: found "2026-12-20"`, `calendars[2].name: found "b"`, "calendars[3]: found neither weekly nor dated times"} {
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("no %q in\n%v", says, err)
		}
	}
}
