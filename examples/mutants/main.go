package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

// wanted is the share of mutants, in percent, that the tests have to kill.
const wanted = 97

// deciding are the packages whose defences are broken.
var deciding = []string{
	"authproxy", "authproxy/access", "authproxy/approval", "authproxy/audit", "authproxy/budget", "authproxy/client",
	"authproxy/definition", "authproxy/grant", "authproxy/link", "authproxy/outside", "authproxy/policy",
	"authproxy/policy/analysis", "authproxy/policy/condition", "authproxy/policy/mask", "authproxy/policy/reach",
	"authproxy/policy/soql", "authproxy/seal", "mcpforward", "mcpforward/jsonrpc", "mcpforward/limit",
}

// costs are the tests that measure time or memory: on a busy machine they fail without a
// mutant, which would then count as killed.
const costs = `Cost|Allocations|Milliseconds|Timing`

// options are the flags.
type options struct {
	n        int
	seed     uint64
	packages []string
	run      []string
	list     bool
	own      bool
	skip     string
	parallel int
}

func main() {
	o := parseOptions()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := mutate(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}

func parseOptions() options {
	var o options
	var packages, run string
	flag.IntVar(&o.n, "n", 200, "how many mutants")
	flag.Uint64Var(&o.seed, "seed", 1, "which ones are drawn")
	flag.StringVar(&packages, "packages", strings.Join(deciding, ","), "the packages to break, with commas")
	flag.StringVar(&run, "run", "", "run these mutants alone: their ids with commas, or @FILE with one a line")
	flag.BoolVar(&o.list, "list", false, "list the mutants that would run")
	flag.BoolVar(&o.own, "own", false, "ask only the tests of a mutant's own package")
	flag.StringVar(&o.skip, "skip", costs, "tests that decide about no mutant")
	flag.IntVar(&o.parallel, "parallel", min(2, runtime.NumCPU()), "how many run at a time")
	flag.Parse()
	o.packages = strings.Split(packages, ",")
	switch file, isFile := strings.CutPrefix(run, "@"); {
	case isFile:
		text, err := os.ReadFile(file)
		if err != nil {
			fmt.Fprintln(os.Stderr, "mutants:", err)
			os.Exit(1)
		}
		o.run = strings.Fields(string(text))
	case run != "":
		o.run = strings.Split(run, ",")
	}
	return o
}

// mutate draws mutants, runs them and prints what became of them.
func mutate(ctx context.Context, o options) error {
	started := time.Now()
	all, err := find(o.packages)
	if err != nil {
		return err
	}
	known, err := readEquivalents(equivalentText)
	if err != nil {
		return err
	}
	chosen, spare, err := choose(all, o)
	if err != nil {
		return err
	}
	if o.list {
		for _, m := range chosen {
			fmt.Printf("%s\t%d\t%s\n", m.id, m.line, m.after())
		}
		return nil
	}
	r, err := newRunner(ctx, o)
	if err != nil {
		return err
	}
	defer r.close()
	if err := r.measure(ctx, chosen); err != nil {
		return err
	}
	results := r.all(ctx, chosen, spare, known)
	if err := ctx.Err(); err != nil {
		return err
	}
	score := report(os.Stdout, results)
	fmt.Printf("%d candidates, seed %d, %s\n", len(all), o.seed, time.Since(started).Round(time.Second))
	if score < wanted {
		return fmt.Errorf("%.1f %% were killed: %d %% are wanted", score, wanted)
	}
	return nil
}

// choose returns the mutants to run and, for each package, those that stand in for ones
// that do not compile.
func choose(all []*mutant, o options) (chosen []*mutant, spare map[string][]*mutant, err error) {
	if len(o.run) == 0 {
		chosen, spare = sample(all, o.n, o.seed)
		return chosen, spare, nil
	}
	for _, id := range o.run {
		i := slices.IndexFunc(all, func(m *mutant) bool { return m.id == id })
		if i < 0 {
			return nil, nil, fmt.Errorf("%s: no such mutant in %s (see -list)", id, strings.Join(o.packages, ", "))
		}
		chosen = append(chosen, all[i])
	}
	return chosen, nil, nil
}
