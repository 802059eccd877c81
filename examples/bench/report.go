package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// report is what a run found. CPU and latencies are microseconds, memory is MiB.
type report struct {
	Rounds   int       `json:"rounds"`
	Duration string    `json:"duration"`
	Rows     []row     `json:"rows"`
	Load     []latency `json:"latency_at_70_percent_of_bare"`
	Idle     float64   `json:"idle_cpu_ms_per_second,omitempty"` // of a product that nobody asks for anything
	Floods   []fared   `json:"others_beside_a_flood"`
	Memory   []memory  `json:"memory"`
	Flatness []flat    `json:"flatness"`
	Absent   []string  `json:"absent"`
}

// row is one party in one scenario: medians, and its ratios to the bare proxy.
type row struct {
	Scenario   string  `json:"scenario"`
	Party      string  `json:"party"`
	PerSecond  float64 `json:"requests_per_second"`
	CPU        float64 `json:"cpu_us"`
	P50        float64 `json:"p50_us"`
	P99        float64 `json:"p99_us"`
	Resident   float64 `json:"resident_mib"`
	Lost       int     `json:"lost"` // answers that broke off or were wrong, over all rounds
	RatioSpeed ratio   `json:"requests_per_second_to_bare,omitzero"`
	RatioCPU   ratio   `json:"cpu_to_bare,omitzero"`
	RatioP50   ratio   `json:"p50_to_bare,omitzero"`
	RatioP99   ratio   `json:"p99_to_bare,omitzero"`
}

// ratio is of two parties: of their medians, and of the rounds in which it was least and most.
type ratio struct {
	Median float64 `json:"median"`
	Least  float64 `json:"least"`
	Most   float64 `json:"most"`
}

// ratioOf is that of what each round has of two parties.
func ratioOf[T ~int64 | ~float64](ours, theirs []T) ratio {
	each := make([]float64, len(ours))
	for i := range each {
		each[i] = float64(ours[i]) / float64(theirs[i])
	}
	return ratio{float64(median(ours)) / float64(median(theirs)), slices.Min(each), slices.Max(each)}
}

func (r ratio) String() string {
	if r == (ratio{}) {
		return "-"
	}
	return fmt.Sprintf("%.2f (%.2f–%.2f)", r.Median, r.Least, r.Most)
}

type latency struct {
	Party    string  `json:"party"`
	Rate     float64 `json:"requests_per_second"`
	P50      float64 `json:"p50_us"`
	P99      float64 `json:"p99_us"`
	RatioP50 ratio   `json:"p50_to_bare,omitzero"`
	RatioP99 ratio   `json:"p99_to_bare,omitzero"`
}

// fared is how the others fared beside a flood, their ratios to how they fare without, and
// what the flood cost the proxy.
type fared struct {
	Flood    string  `json:"flood"`
	P50      float64 `json:"p50_us"`
	P99      float64 `json:"p99_us"`
	RatioP50 float64 `json:"p50_to_none"`
	RatioP99 float64 `json:"p99_to_none"`
	Served   float64 `json:"served_per_second"` // of the flood
	Refused  float64 `json:"refused_per_second"`
	CPU      float64 `json:"cpu_percent"`      // of one processor, for everybody
	Each     float64 `json:"cpu_us,omitempty"` // for one of the flood's answers
}

type memory struct {
	Party   string  `json:"party"`
	Before  float64 `json:"before_mib"`
	Grants  float64 `json:"with_1000_grants_mib"`
	Streams float64 `json:"with_1000_open_streams_mib"`
}

type flat struct {
	What  string  `json:"what"`
	Small string  `json:"small"`
	Large string  `json:"large"`
	CPU   float64 `json:"cpu_us_small"`
	CPUOf float64 `json:"cpu_us_large"`
	Ratio float64 `json:"ratio"`
}

// add adds a party's medians, and what they are to those of the bare proxy; nil: it is not compared.
func (r *report) add(scenario, party string, samples, bare []sample) {
	lost := 0
	for _, s := range samples {
		lost += s.Lost + s.Wrong
	}
	n := row{Scenario: scenario, Party: party, PerSecond: median(each(samples, speedOf)), CPU: micros(median(each(samples, cpuOf))),
		P50: micros(median(each(samples, p50Of))), P99: micros(median(each(samples, p99Of))), Resident: median(each(samples, sizeOf)), Lost: lost}
	if bare != nil {
		n.RatioSpeed = ratioOf(each(samples, speedOf), each(bare, speedOf))
		n.RatioCPU = ratioOf(each(samples, cpuOf), each(bare, cpuOf))
		n.RatioP50 = ratioOf(each(samples, p50Of), each(bare, p50Of))
		n.RatioP99 = ratioOf(each(samples, p99Of), each(bare, p99Of))
	}
	r.Rows = append(r.Rows, n)
}

// What a sample says of one thing:
func speedOf(s sample) float64     { return s.perSecond }
func sizeOf(s sample) float64      { return mebibytes(s.resident) }
func cpuOf(s sample) time.Duration { return s.cpu }
func p50Of(s sample) time.Duration { return s.P50 }
func p99Of(s sample) time.Duration { return s.P99 }

func each[T any](samples []sample, of func(sample) T) (all []T) {
	for _, s := range samples {
		all = append(all, of(s))
	}
	return all
}

// addFlood adds the medians of how the others fared, and the medians of the ratios, each to
// the same round without a flood.
func (r *report) addFlood(f flood, with, without []beside) {
	var p50, p99 []time.Duration
	var ratio50, ratio99, served, refused, cpu, each []float64
	for i, m := range with {
		none := without[i]
		p50, p99 = append(p50, m.others.P50), append(p99, m.others.P99)
		ratio50 = append(ratio50, float64(m.others.P50)/float64(none.others.P50))
		ratio99 = append(ratio99, float64(m.others.P99)/float64(none.others.P99))
		cpu = append(cpu, 100*m.others.busy())
		if m.his.Elapsed == 0 { // nobody counted
			served, refused, each = append(served, 0), append(refused, 0), append(each, 0)
			continue
		}
		seconds := m.his.Elapsed.Seconds()
		served, refused = append(served, float64(m.his.Requests)/seconds), append(refused, float64(m.his.Wrong)/seconds)
		each = append(each, 1e6*(m.others.busy()-none.others.busy())*seconds/float64(m.his.Requests+m.his.Wrong))
	}
	row := fared{Flood: f.name, P50: micros(median(p50)), P99: micros(median(p99)), RatioP50: median(ratio50), RatioP99: median(ratio99),
		Served: median(served), Refused: median(refused), CPU: median(cpu)}
	if !f.elsewhere {
		row.Each = median(each)
	}
	r.Floods = append(r.Floods, row)
}

// find returns a row, or an empty one.
func (r *report) find(scenario, party string) row {
	for _, n := range r.Rows {
		if n.Scenario == scenario && n.Party == party {
			return n
		}
	}
	return row{}
}

// print writes the report for people.
func (r *report) print(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	line := func(cells ...any) { fmt.Fprintln(t, strings.TrimSuffix(fmt.Sprintln(cells...), "\n")) }
	cell := func(format string, v float64) string {
		if v == 0 {
			return "-"
		}
		return fmt.Sprintf(format, v)
	}
	if len(r.Rows) > 0 {
		line("scenario\tparty\treq/s\tCPU µs\tp50 µs\tp99 µs\tMiB\tlost\treq/s to bare\tCPU to bare\tp50\tp99\t")
	}
	for _, n := range r.Rows {
		line(n.Scenario + "\t" + n.Party + fmt.Sprintf("\t%.0f\t%.1f\t%.0f\t%.0f\t%.0f\t%d\t", n.PerSecond, n.CPU, n.P50, n.P99, n.Resident, n.Lost) +
			fmt.Sprintf("%v\t%v\t%v\t%v\t", n.RatioSpeed, n.RatioCPU, n.RatioP50, n.RatioP99))
	}
	for _, l := range r.Load {
		line(loadName + "\t" + l.Party + fmt.Sprintf("\t%.0f\t\t%.0f\t%.0f\t\t\t\t\t%v\t%v\t", l.Rate, l.P50, l.P99, l.RatioP50, l.RatioP99))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if len(r.Floods) > 0 {
		fmt.Fprintf(w, "\n%d users with %d calls a second together, beside one who floods\n", quietUsers, quietRate)
		line("flood\tothers' p50 µs\tp99 µs\tp50 to none\tp99 to none\tserved/s\trefused/s\tproxy's CPU %\tµs for one\t")
		for _, f := range r.Floods {
			line(f.Flood + fmt.Sprintf("\t%.0f\t%.0f\t%.2f\t%.2f\t%.0f\t%.0f\t%.1f\t", f.P50, f.P99, f.RatioP50, f.RatioP99, f.Served, f.Refused, f.CPU) + cell("%.0f", f.Each) + "\t")
		}
		if err := t.Flush(); err != nil {
			return err
		}
		fmt.Fprintln(w)
	}
	r.printRest(w)
	const name = "call, 1 KiB"
	if least, ours := r.find(name, relayName), r.find(name, productName); least.CPU > 0 && ours.CPU > 0 {
		fmt.Fprintf(w, "of sfmcp-proxy's CPU for a call %.0f %% are what a relay with the same audit log costs, and %.0f %% its deciding\n", 100*least.CPU/ours.CPU, 100-100*least.CPU/ours.CPU)
	}
	for _, p := range knownPeers {
		if ours, theirs := r.find(name, productName), r.find(name, p.name); theirs.PerSecond > 0 {
			fmt.Fprintf(w, "beside %s: sfmcp-proxy does %.1f times its requests per second, with %.2f of its CPU for one\n", p.name, ours.PerSecond/theirs.PerSecond, ours.CPU/theirs.CPU)
		}
	}
	if len(r.Absent) > 0 {
		fmt.Fprintf(w, "absent: %s\n", strings.Join(r.Absent, ", "))
	}
	_, err := fmt.Fprintf(w, "medians of %d rounds of %s\n", r.Rounds, r.Duration)
	return err
}

// printRest writes what is about the product's process and not about its answers.
func (r *report) printRest(w io.Writer) {
	if r.Idle > 0 {
		fmt.Fprintf(w, "idle  sfmcp-proxy: %.1f ms of CPU a second\n", r.Idle)
	}
	for _, m := range r.Memory {
		fmt.Fprintf(w, "memory  %s: %.0f MiB, with 1,000 grants in use %.0f MiB, with 1,000 open streams %.0f MiB\n", m.Party, m.Before, m.Grants, m.Streams)
	}
	for _, f := range r.Flatness {
		fmt.Fprintf(w, "flatness  %s: %.1f µs at %s, %.1f µs at %s, ratio %.2f\n", f.What, f.CPU, f.Small, f.CPUOf, f.Large, f.Ratio)
	}
}
