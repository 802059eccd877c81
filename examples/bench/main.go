package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// roleVariable in the environment makes this program one of the other parties.
const roleVariable = "SFMCP_BENCH_ROLE"

// options are the flags.
type options struct {
	rounds     int
	duration   time.Duration
	quick      bool
	asJSON     bool
	only       string
	cpuProfile string
	binary     string
	beside     []string // further programs, each measured as sfmcp-proxy is
	grants     int      // of the larger table
}

func main() {
	roles := map[string]func() error{"upstream": runUpstream, "bare": runBare, "relay": runRelay, "load": runLoad, "": bench}
	run, known := roles[os.Getenv(roleVariable)]
	if !known {
		run = func() error { return fmt.Errorf("%s: no such role", roleVariable) }
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func parseOptions() options {
	var o options
	flag.IntVar(&o.rounds, "rounds", 5, "how often each figure is measured")
	flag.DurationVar(&o.duration, "duration", 3*time.Second, "length of one measurement")
	flag.BoolVar(&o.quick, "quick", false, "few and short rounds, the main scenario and smaller tables")
	flag.BoolVar(&o.asJSON, "json", false, "print the report as JSON")
	flag.StringVar(&o.only, "only", "", "run the one scenario of this name (see the report's first column), or: "+floodName+", "+idleName)
	flag.StringVar(&o.cpuProfile, "cpuprofile", "", "write a CPU profile of sfmcp-proxy to this file (runs the test binary in its place)")
	flag.StringVar(&o.binary, "binary", "", "measure this sfmcp-proxy instead of building one (to compare two)")
	beside := flag.String("beside", "", "measure these builds of sfmcp-proxy along, in the same rounds (paths, separated by commas)")
	flag.Parse()
	if *beside != "" {
		o.beside = strings.Split(*beside, ",")
	}
	o.grants = 100_000
	if o.quick {
		o.rounds, o.duration, o.grants = min(o.rounds, 3), min(o.duration, time.Second), 10_000
	}
	return o
}

// bench runs the whole comparison and prints its report.
func bench() (err error) {
	o := parseOptions()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	dir, err := os.MkdirTemp("", "sfmcp-bench-")
	if err != nil {
		return err
	}
	b := &bed{options: o, dir: dir}
	defer func() { err = errors.Join(err, b.close(), os.RemoveAll(dir)) }()
	if err := b.start(ctx); err != nil {
		return err
	}
	report, err := b.measure(ctx)
	if err != nil {
		return err
	}
	if o.asJSON {
		out := json.NewEncoder(os.Stdout)
		out.SetIndent("", "  ")
		return out.Encode(report)
	}
	return report.print(os.Stdout)
}
