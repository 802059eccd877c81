package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sfmcp-proxy/authproxy/db/dbtest/rounds"
)

// validator is where .ci/python-clients installs the libraries of those who publish the formats.
const validator = "../../.ci/cache/python/sbom/bin/python"

// made makes the documents of this test's own program.
func made(t *testing.T) (dir, name string) {
	t.Helper()
	dir = t.TempDir()
	if err := run([]string{"-version", "1.2.3", "-commit", strings.Repeat("ab", 20), "-time", "2026-11-29T12:00:00+01:00", "-out", dir, os.Args[0]}); err != nil {
		t.Fatal(err)
	}
	return dir, filepath.Join(dir, filepath.Base(os.Args[0]))
}

func decode[T any](t *testing.T, file string) (v T) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(text, &v)
	}
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// SR-SC-3: both bills have what 'go version -m' says is in the program, no more and no less, and so has the
// provenance, which is about the program as it is.
func TestDocumentsSayWhatIsInTheProgram(t *testing.T) {
	dir, base := made(t)
	want := []string{"std"}
	out, err := exec.Command("go", "version", "-m", os.Args[0]).Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		if fields := strings.Fields(line); len(fields) >= 3 && fields[0] == "dep" {
			want = append(want, fields[1]+" "+fields[2])
		}
	}
	if len(want) < 2 {
		t.Fatalf("nothing is in this program:\n%s", out)
	}
	check := func(what string, got []string) {
		t.Helper()
		if slices.Sort(got); !slices.Equal(got, want) {
			t.Errorf("%s has\n%v, want\n%v", what, got, want)
		}
	}
	slices.Sort(want)
	bom := decode[cdx](t, base+".cdx.json")
	var got []string
	for _, c := range bom.Components {
		got = append(got, strings.TrimSuffix(c.Name+" "+c.Version, standardVersion(c.Name, c.Version)))
	}
	check("CycloneDX", got)
	got = nil
	for _, p := range decode[spdxDocument](t, base+".spdx.json").Packages[1:] {
		got = append(got, strings.TrimSuffix(p.Name+" "+p.Version, standardVersion(p.Name, p.Version)))
	}
	check("SPDX", got)
	said := decode[statement](t, filepath.Join(dir, "provenance.json"))
	sum, err := exec.Command("sha256sum", os.Args[0]).Output()
	if err != nil || len(said.Subject) != 1 || !bytes.HasPrefix(sum, []byte(said.Subject[0].Digest["sha256"]+" ")) || said.Subject[0].Digest["sha256"] != bom.Metadata.Component.Hashes[0].Content {
		t.Errorf("%v: the statement is about %v, the program is %s", err, said.Subject, sum)
	}
	if d := said.Predicate.Definition; len(d.Dependencies) != len(want)+1 || d.Dependencies[0].Digest["gitCommit"] != strings.Repeat("ab", 20) || len(d.Dependencies[2].Digest["dirHash"]) != 64 {
		t.Errorf("%d dependencies, want %d and the sources: %v", len(d.Dependencies), len(want), d.Dependencies[:min(3, len(d.Dependencies))])
	}
	if said.Predicate.Run.Metadata["startedOn"] != "2026-11-29T11:00:00Z" {
		t.Errorf("%v", said.Predicate.Run)
	}
}

// standardVersion is what stands behind the name of the standard library, which 'go version -m' does not list.
func standardVersion(name, version string) string {
	if name == standardLibrary {
		return " " + version
	}
	return "\x00"
}

// The same program gives the same documents.
func TestDocumentsAreReproducible(t *testing.T) {
	first, _ := made(t)
	second, _ := made(t)
	if out, err := exec.Command("diff", "-r", first, second).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// Others read the documents, and refuse ones that are not as the formats want.
func TestDocumentsAreValid(t *testing.T) {
	rounds.Thorough(t) // Python reads the schemas for seconds
	if _, err := os.Stat(validator); err != nil {
		if slices.Contains(strings.Split(os.Getenv("SFMCP_TEST_REQUIRE"), ","), "sbom") {
			t.Fatal("run .ci/python-clients")
		}
		t.Skip("no libraries of CycloneDX and SPDX here: run .ci/python-clients")
	}
	_, base := made(t)
	validate := func(files ...string) (string, error) {
		out, err := exec.Command(validator, append([]string{"testdata/validate.py"}, files...)...).CombinedOutput()
		return string(out), err
	}
	if said, err := validate(base+".cdx.json", base+".spdx.json"); err != nil || strings.TrimSpace(said) != "valid" {
		t.Errorf("%v: %s", err, said)
	}
	for file, change := range map[string][2]string{
		base + ".cdx.json":  {`"type": "library"`, `"type": "book"`},
		base + ".spdx.json": {`"DEPENDS_ON"`, `"LEANS_ON"`},
	} {
		text, err := os.ReadFile(file)
		if err == nil {
			err = os.WriteFile(file, []byte(strings.Replace(string(text), change[0], change[1], 1)), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		if said, err := validate(file); err == nil {
			t.Errorf("%s with %s is said to be %s", filepath.Base(file), change[1], said)
		}
	}
}

func TestPackageURLs(t *testing.T) {
	for c, want := range map[component]string{
		{"github.com/BurntSushi/toml", "v1.5.0", ""}:             "pkg:golang/github.com/burntsushi/toml@v1.5.0",
		{"github.com/docker/docker", "v28.0.0+incompatible", ""}: "pkg:golang/github.com/docker/docker@v28.0.0%2Bincompatible",
		{"std", "1.26.8", ""}:                                    "pkg:golang/std@1.26.8",
	} {
		if got := c.purl(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	if got := (component{"github.com/BurntSushi/toml", "v1.5.0", ""}).download(); got != "https://proxy.golang.org/github.com/!burnt!sushi/toml/@v/v1.5.0.zip" {
		t.Error(got)
	}
}

func TestRefusesWhatIsNoProgram(t *testing.T) {
	for name, args := range map[string][]string{
		"no version": {"-commit", "c", "-time", "2026-11-29T12:00:00Z", os.Args[0]},
		"no time":    {"-version", "1", "-commit", "c", os.Args[0]},
		"no program": {"-version", "1", "-commit", "c", "-time", "2026-11-29T12:00:00Z"},
		"a text":     {"-version", "1", "-commit", "c", "-time", "2026-11-29T12:00:00Z", "-out", t.TempDir(), "main.go"},
	} {
		if err := run(args); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
