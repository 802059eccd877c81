package main

import (
	"strings"
	"testing"
	"time"
)

// A ratio is of the medians, and its range is of rounds, each with its own bare proxy.
func TestRatioOf(t *testing.T) {
	t.Parallel()
	got := ratioOf([]float64{2, 30, 4}, []float64{1, 10, 4})
	if want := (ratio{1, 1, 3}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestReportHasRatiosOfWhatIsCompared(t *testing.T) {
	t.Parallel()
	of := func(cpu time.Duration) []sample {
		return []sample{{load: load{P50: cpu, P99: 2 * cpu}, perSecond: 100, cpu: cpu}}
	}
	r := &report{Rounds: 1, Duration: "1s", Idle: 3.5}
	r.add("a", bareName, of(time.Millisecond), nil)
	r.add("a", productName, of(3*time.Millisecond), of(2*time.Millisecond))
	var out strings.Builder
	if err := r.print(&out); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(out.String(), "1.50 (1.50–1.50)"); n != 3 || !strings.Contains(out.String(), "idle  sfmcp-proxy: 3.5 ms") {
		t.Errorf("%d ratios in\n%s", n, &out)
	}
}
