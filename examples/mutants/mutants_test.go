package main

import (
	"go/parser"
	"go/token"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"sfmcp-proxy/authproxy/db/dbtest/rounds"
)

const sample1 = `package p

const maxTries = 5

var errDenied, errOther error

func check(user string, tries int, admin bool) (bool, error) {
	if user == "" || tries > maxTries && !admin {
		log.Info("no user", "tries", tries > 3)
		return false, errDenied
	}
	if _, err := db.Exec("DELETE FROM x WHERE id = $1 AND alive", user); err != nil {
		return false, err
	}
	if err := allowed(user); err != nil {
		return false, err
	}
	forget(user)
	return true, nil
}

func (p) String() string { if len(p) == 0 { return "" }; return "p" }
`

// Each operator finds what it is for, and nothing in texts, logs and errors of the machine.
func TestMutantsOfAFunction(t *testing.T) {
	found, err := findIn("p", "p/p.go", []byte(sample1))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, m := range found {
		got[strings.TrimPrefix(m.id, "p/p.go:")] = m.after()
	}
	want := map[string]string{
		"file:constant:1":    `const maxTries = (2 * 5)`,
		"check:let:1":        `if false && (user == "" || tries > maxTries && !admin) {`,
		"check:negate:1":     `if !(user == "" || tries > maxTries && !admin) {`,
		"check:operand:1":    `if false && (user == "") || tries > maxTries && !admin {`,
		"check:operand:2":    `if user == "" || false && (tries > maxTries && !admin) {`,
		"check:operand:3":    `if user == "" || (true || (tries > maxTries)) && !admin {`,
		"check:operand:4":    `if user == "" || tries > maxTries && (true || (!admin)) {`,
		"check:connective:1": `if user == "" && tries > maxTries && !admin {`,
		"check:connective:2": `if user == "" || tries > maxTries || !admin {`,
		"check:equality:1":   `if user != "" || tries > maxTries && !admin {`,
		"check:bound:1":      `if user == "" || tries >= maxTries && !admin {`,
		"check:error:1":      `return false, func() error { _ = errDenied; return nil }()`,
		"check:condition:1":  `if _, err := db.Exec("DELETE FROM x WHERE (TRUE OR id = $1) AND alive", user); err != nil {`,
		"check:condition:2":  `if _, err := db.Exec("DELETE FROM x WHERE id = $1 AND (TRUE OR alive)", user); err != nil {`,
		"check:let:2":        `if err := allowed(user); false && (err != nil) {`,
		"check:negate:2":     `if err := allowed(user); !(err != nil) {`,
		"check:drop:1":       `if false { forget(user) }`,
		"check:verdict:1":    `return false, nil`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("mutants (-want +got):\n%s", diff)
	}
}

func TestConditionsOfSQL(t *testing.T) {
	for sql, want := range map[string][]string{
		"`UPDATE a SET b = 1 WHERE c = $1 AND d = 'x AND y' AND (e = 1 OR f IN ('z'))`": {"c = $1", "d = 'x AND y'", "f IN ('z')", "(e = 1 OR f IN ('z'))"},
		"`SELECT a FROM b WHERE c BETWEEN 1 AND 2 AND d ORDER BY e`":                    {"c BETWEEN 1 AND 2", "d"},
		"`INSERT INTO a SELECT b FROM c WHERE d ON CONFLICT (e) DO UPDATE SET f = 1`":   {"d"},
		"` AND revoked_at = 0`": {"revoked_at = 0"},
		"`DELETE FROM a WHERE b NOT IN (SELECT c FROM d WHERE e = $1) AND f > 2\n\t\tRETURNING g`": {"e = $1", "b NOT IN (SELECT c FROM d WHERE e = $1)", "f > 2"},
	} {
		var got []string
		for _, c := range conditions(sql) {
			got = append(got, sql[c[0]:c[1]])
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", sql, diff)
		}
	}
}

// inTree moves to the root of the module, where the program runs.
func inTree(t *testing.T) []*mutant {
	t.Helper()
	t.Chdir(filepath.Join("..", ".."))
	all, err := find(deciding)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// Mutants of the product are Go, have ids of their own, and are many.
func TestMutantsOfTheTree(t *testing.T) {
	all := inTree(t)
	ids := map[string]bool{}
	for i, m := range all {
		if ids[m.id] {
			t.Errorf("%s twice", m.id)
		}
		ids[m.id] = true
		if i%25 != 0 {
			continue
		}
		if _, err := parser.ParseFile(token.NewFileSet(), m.file, m.mutated(), parser.SkipObjectResolution); err != nil {
			t.Errorf("%s is not Go: %v", m.id, err)
		}
		if m.before() == m.after() {
			t.Errorf("%s changes nothing", m.id)
		}
	}
	if len(all) < 3000 {
		t.Errorf("%d mutants: the tree was not read", len(all))
	}
}

// The same seed draws the same mutants, from every package and with every operator.
func TestSample(t *testing.T) {
	all := inTree(t)
	chosen, spare := sample(all, 200, 7)
	again, _ := sample(all, 200, 7)
	other, _ := sample(all, 200, 8)
	if !slices.Equal(chosen, again) || slices.Equal(chosen, other) {
		t.Error("the seed does not decide what is drawn")
	}
	packages, operators := map[string]int{}, map[string]int{}
	for _, m := range chosen {
		packages[m.pkg]++
		operators[m.operator]++
		if slices.Contains(spare[m.pkg], m) {
			t.Errorf("%s is drawn and kept", m.id)
		}
	}
	if len(chosen) != 200 || len(packages) != len(deciding) || len(operators) != 11 {
		t.Errorf("%d mutants of %v with %v", len(chosen), packages, operators)
	}
	for pkg, n := range packages {
		if n < 6 {
			t.Errorf("%d of %s", n, pkg)
		}
	}
}

// Whatever is excused is there, as it was when it was excused.
func TestEquivalentsAreInTheTree(t *testing.T) {
	all := inTree(t)
	list, err := readEquivalents(equivalentText)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range list {
		i := slices.IndexFunc(all, func(m *mutant) bool { return m.id == k.id })
		if i < 0 || all[i].after() != k.line {
			t.Errorf("%s is excused, and is not there or another line", k.id)
		}
		if len(k.reason) < 30 {
			t.Errorf("%s: %q is no reason", k.id, k.reason)
		}
	}
	if _, err := readEquivalents("a\nb\n"); err == nil {
		t.Error("an entry without a reason is read")
	}
}

// A module of its own, with one mutant that its tests kill, one that they do not see, one
// that hangs and one that does not compile.
func TestRunner(t *testing.T) {
	rounds.Thorough(t)
	dir := t.TempDir()
	t.Chdir(dir)
	for name, text := range map[string]string{
		"go.mod":      "module sfmcp-proxy\n\ngo 1.26\n",
		"p/p.go":      "package p\n\nfunc Allowed(n int) bool {\n\tif n < 0 {\n\t\treturn false\n\t}\n\tfor n == 7 {\n\t}\n\treturn n < 10\n}\n",
		"p/p_test.go": "package p\n\nimport \"testing\"\n\nfunc TestAllowed(t *testing.T) {\n\tif Allowed(-1) || !Allowed(1) {\n\t\tt.Fatal()\n\t}\n}\n",
		"q/q.go":      "package q\n\nimport \"sfmcp-proxy/p\"\n\nfunc Allowed(n int) bool { return p.Allowed(n) }\n",
		"q/q_test.go": "package q\n\nimport \"testing\"\n\nfunc TestAllowed(t *testing.T) {\n\tif Allowed(10) {\n\t\tt.Fatal()\n\t}\n}\n",
	} {
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	all, err := find([]string{"p"})
	if err != nil {
		t.Fatal(err)
	}
	r, err := newRunner(t.Context(), options{parallel: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer r.close()
	if err := r.measure(t.Context(), all); err != nil {
		t.Fatal(err)
	}
	pick := func(id string) *mutant {
		i := slices.IndexFunc(all, func(m *mutant) bool { return m.id == id })
		if i < 0 {
			t.Fatalf("no mutant %s", id)
		}
		return all[i]
	}
	broken := *pick("p/p.go:Allowed:let:1")
	broken.text, broken.id = "nothing", "broken"
	spare := map[string][]*mutant{"p": {pick("p/p.go:Allowed:let:1")}}
	excused := pick("p/p.go:Allowed:bound:1")
	known := []known{{excused.id, excused.after(), "0 is no number of anything"}}
	r.takes["p"], r.takes["q"], r.grace = time.Second/4, time.Second/4, 0
	results := r.all(t.Context(), []*mutant{&broken, pick("p/p.go:Allowed:bound:2"), pick("p/p.go:Allowed:equality:1"), excused}, spare, known)
	got := map[string]string{}
	for _, res := range results {
		got[res.id] = strings.TrimSpace(string(res.outcome) + " " + res.by + " " + res.test)
	}
	want := map[string]string{
		"p/p.go:Allowed:let:1":      "killed p TestAllowed", // in the place of the one that does not compile
		"p/p.go:Allowed:bound:2":    "killed q TestAllowed",
		"p/p.go:Allowed:equality:1": "hung p",
		"p/p.go:Allowed:bound:1":    "equivalent",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if score := report(io.Discard, results); score != 100 {
		t.Errorf("score %.1f", score)
	}
	if score := report(io.Discard, append(results, result{mutant: excused, outcome: lived})); score != 75 {
		t.Errorf("score %.1f with one that lived", score)
	}
}
