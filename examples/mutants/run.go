package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// outcome is what became of a mutant.
type outcome string

const (
	killed      outcome = "killed"
	hung        outcome = "hung"       // killed by the time limit
	lived       outcome = "lived"      // no test noticed
	equivalent  outcome = "equivalent" // nobody could notice
	notCompiled outcome = "not compiled"
)

type result struct {
	*mutant
	outcome outcome
	// by is the package whose tests killed it, and test the first of them that failed.
	by, test string
}

const (
	module = "sfmcp-proxy/" // before the name of a package
	// patience is how many times as long as without a mutant the tests of a package may
	// take.
	patience = 4
)

// runner runs mutants in parallel, without changing the tree.
type runner struct {
	dir       string
	grace     time.Duration // added to what tests may take: the machine may be busy just then
	skip      string        // tests that decide about no mutant
	parallel  int
	importers map[string][]string      // package → those whose tests see it at work
	takes     map[string]time.Duration // package → how long its tests take
}

// apart are packages whose tests take minutes: they do not decide about mutants.
var apart = []string{"cmd/sfmcp-proxy", "examples/bench", "examples/mutants"}

func newRunner(ctx context.Context, o options) (r *runner, err error) {
	r = &runner{grace: 20 * time.Second, skip: o.skip, parallel: o.parallel, importers: map[string][]string{}, takes: map[string]time.Duration{}}
	if r.dir, err = os.MkdirTemp("", "mutants-"); err != nil || o.own {
		return r, err
	}
	list := exec.CommandContext(ctx, "go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./...")
	list.Stderr = os.Stderr
	out, err := list.Output()
	if err != nil {
		return nil, fmt.Errorf("listing packages: %w", err)
	}
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		importer := strings.TrimPrefix(fields[0], module)
		if slices.Contains(apart, importer) || strings.HasSuffix(importer, "test") {
			continue
		}
		for _, imported := range fields[1:] {
			pkg := strings.TrimPrefix(imported, module)
			r.importers[pkg] = append(r.importers[pkg], importer)
		}
	}
	return r, nil
}

func (r *runner) close() { os.RemoveAll(r.dir) }

// measure runs the tests of the packages as they are: they have to pass, and how long they
// take is what a mutant is measured by.
func (r *runner) measure(ctx context.Context, mutants []*mutant) error {
	for _, m := range mutants {
		for _, pkg := range r.testsOf(m.pkg) {
			if r.takes[pkg] > 0 {
				continue
			}
			began := time.Now()
			if o, out := r.test(ctx, "", pkg, 10*time.Minute); o != lived {
				return fmt.Errorf("the tests of %s fail without a mutant:\n%s", pkg, out)
			}
			r.takes[pkg] = time.Since(began)
		}
	}
	for pkg, importers := range r.importers {
		slices.SortFunc(importers, func(a, b string) int { return cmp.Compare(r.takes[a], r.takes[b]) })
		r.importers[pkg] = importers
	}
	return nil
}

// testsOf are the packages whose tests a mutant meets, one after the other.
func (r *runner) testsOf(pkg string) []string { return append([]string{pkg}, r.importers[pkg]...) }

// all runs the mutants. One that does not compile is replaced by another of its package.
func (r *runner) all(ctx context.Context, chosen []*mutant, spare map[string][]*mutant, equivalents []known) []result {
	var mu sync.Mutex
	var wg sync.WaitGroup
	var results []result
	queue := make(chan *mutant)
	stand := func(pkg string) *mutant {
		mu.Lock()
		defer mu.Unlock()
		if len(spare[pkg]) == 0 {
			return nil
		}
		m := spare[pkg][0]
		spare[pkg] = spare[pkg][1:]
		return m
	}
	for worker := range r.parallel {
		wg.Go(func() {
			for m := range queue {
				for m != nil && ctx.Err() == nil {
					res := r.one(ctx, worker, m, equivalents)
					mu.Lock()
					if res.outcome != notCompiled {
						results = append(results, res)
					}
					fmt.Fprintf(os.Stderr, "%3d/%d  %-12s %s\t%s\n", len(results), len(chosen), res.outcome, m.id, res.test)
					mu.Unlock()
					if res.outcome != notCompiled {
						break
					}
					m = stand(m.pkg)
				}
			}
		})
	}
	for _, m := range chosen {
		queue <- m
	}
	close(queue)
	wg.Wait()
	slices.SortFunc(results, func(a, b result) int { return strings.Compare(a.id, b.id) })
	return results
}

// one runs a mutant until a test fails.
func (r *runner) one(ctx context.Context, worker int, m *mutant, equivalents []known) result {
	if slices.ContainsFunc(equivalents, func(k known) bool { return k.id == m.id && k.line == m.after() }) {
		return result{mutant: m, outcome: equivalent}
	}
	overlay, err := r.overlay(worker, m)
	if err != nil {
		panic(err) // a temporary directory that cannot be written: nothing can go on
	}
	for _, pkg := range r.testsOf(m.pkg) {
		if o, out := r.test(ctx, overlay, pkg, patience*r.takes[pkg]+r.grace); o != lived {
			return result{m, o, pkg, firstFailed(out)}
		}
	}
	return result{mutant: m, outcome: lived}
}

// overlay writes the changed file and the description by which the go command takes it in
// the place of the file in the tree.
func (r *runner) overlay(worker int, m *mutant) (string, error) {
	original, err := filepath.Abs(filepath.FromSlash(m.file))
	if err != nil {
		return "", err
	}
	changed := filepath.Join(r.dir, fmt.Sprintf("%d.go", worker))
	description, err := json.Marshal(map[string]map[string]string{"Replace": {original: changed}})
	if err != nil {
		return "", err
	}
	overlay := filepath.Join(r.dir, fmt.Sprintf("%d.json", worker))
	return overlay, errors.Join(os.WriteFile(changed, m.mutated(), 0o600), os.WriteFile(overlay, description, 0o600))
}

// test runs the tests of a package with the overlay, and returns what they print.
func (r *runner) test(ctx context.Context, overlay, pkg string, limit time.Duration) (outcome, string) {
	cmd := exec.CommandContext(ctx, "go", "test", "-overlay", overlay, "-vet=off", "-ldflags=-s -w", "-count=1", "-failfast", "-skip", r.skip, "-timeout", limit.String(), "./"+pkg)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	if os.Getenv("SFMCP_TEST_ROUNDS") == "" {
		cmd.Env = append(os.Environ(), "SFMCP_TEST_ROUNDS=10") // a race that a mutant lets be lost is seldom lost
	}
	out, err := cmd.CombinedOutput()
	switch {
	case err == nil:
		return lived, string(out)
	case bytes.Contains(out, []byte("[build failed]")) || bytes.Contains(out, []byte("[setup failed]")):
		return notCompiled, string(out)
	case bytes.Contains(out, []byte("panic: test timed out")):
		return hung, string(out)
	}
	return killed, string(out)
}

var failure = regexp.MustCompile(`(?m)^--- FAIL: (\S+)`)

// firstFailed is the name of the first test that failed, and empty where the tests ended in
// another way.
func firstFailed(out string) string {
	if m := failure.FindStringSubmatch(out); m != nil {
		return m[1]
	}
	return ""
}
