package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"time"
)

// scenario is one kind of request.
type scenario struct {
	name        string
	variant     string
	message     string
	connections int
}

const (
	callArguments = `{"q":"SELECT Id, Name, Industry FROM Account WHERE Industry = 'Energy' ORDER BY Name LIMIT 50"}`

	callMessage = `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"soqlQuery","arguments":` + callArguments + `}}`
	listMessage = `{"jsonrpc":"2.0","id":7,"method":"tools/list"}`
	holdMessage = `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"soqlQuery","arguments":{"q":"SELECT Id FROM Account ` + holdQuery + `"},"_meta":{"progressToken":"p"}}}`
)

var scenarios = []scenario{
	{"call, 1 KiB", "json-1k", callMessage, connections},
	{"call, 16 KiB", "json-16k", callMessage, connections},
	{"call, event stream", "stream-1k", callMessage, connections},
	{"tools/list", "json-1k", listMessage, connections},
	{"call, 1 connection", "json-1k", callMessage, 1},
}

// measure runs every part of the comparison.
func (b *bed) measure(ctx context.Context) (*report, error) {
	r := &report{Rounds: b.rounds, Duration: b.duration.String(), Absent: b.absent()}
	for i, s := range scenarios {
		if b.only != "" && b.only != s.name && (b.only != loadName || i > 0) || b.only == "" && b.quick && i > 0 {
			continue
		}
		if err := b.compare(ctx, r, s); err != nil {
			return nil, err
		}
	}
	if b.cpuProfile != "" {
		return r, b.product.endProfile()
	}
	steps := []func(context.Context, *report) error{b.underLoad, b.idle, b.besideFlood, b.memory, b.flatness}
	switch b.only {
	case loadName:
		steps = steps[:1]
	case idleName:
		steps = steps[1:2]
	case floodName:
		steps = steps[2:3]
	case "":
	default:
		return r, nil
	}
	for _, step := range steps {
		if err := step(ctx, r); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// compare measures all parties in interleaved rounds.
func (b *bed) compare(ctx context.Context, r *report, s scenario) error {
	parties := b.of(s)
	samples, err := b.interleave(ctx, s, parties)
	if err != nil {
		return err
	}
	for _, p := range parties {
		bare := samples[bareName]
		if p.name == bareName || p.name == upstreamName {
			bare = nil
		}
		r.add(s.name, p.name, samples[p.name], bare)
	}
	return nil
}

// interleave measures each party once in each round. Tokens are as old as their round:
// they live 15 minutes.
func (b *bed) interleave(ctx context.Context, s scenario, parties []party) (map[string][]sample, error) {
	samples := map[string][]sample{}
	for round := range b.rounds {
		for _, p := range parties {
			all, err := requests(ctx, p, s, s.connections)
			if err != nil {
				return nil, err
			}
			address, _ := p.at(s.variant)
			one, err := b.run(ctx, p, job{Address: address, Requests: all})
			if err != nil {
				return nil, err
			}
			if one.Requests == 0 {
				return nil, fmt.Errorf("%s: no answer was a good one, such as: %s", p.name, one.Example)
			}
			samples[p.name] = append(samples[p.name], one)
			fmt.Fprintf(os.Stderr, "%-20s round %d  %-20s %8.0f req/s %7.1f µs CPU\n", s.name, round+1, p.name, one.perSecond, micros(one.cpu))
			if one.Wrong > 0 {
				fmt.Fprintf(os.Stderr, "%s: %d wrong answers, such as: %s\n", p.name, one.Wrong, one.Example)
			}
		}
	}
	return samples, nil
}

// loadName and idleName are what these are asked for by.
const (
	loadName = "at 70 % of bare"
	idleName = "idle"
)

// underLoad measures latency at 70 % of what the bare proxy reached.
func (b *bed) underLoad(ctx context.Context, r *report) error {
	s := scenarios[0]
	rate := .7 * r.find(s.name, bareName).PerSecond
	samples := map[string][]sample{}
	var parties []party
	for _, p := range b.of(s)[1:] {
		if p.name == relayName || p.name != productName && r.find(s.name, p.name).PerSecond < rate {
			continue // a queue that only grows says nothing; the relay is there for its CPU
		}
		parties = append(parties, p)
	}
	for range b.rounds {
		for _, p := range parties {
			all, err := requests(ctx, p, s, s.connections)
			if err != nil {
				return err
			}
			address, _ := p.at(s.variant)
			one, err := b.run(ctx, p, job{Address: address, Requests: all, Rate: rate})
			if err != nil {
				return err
			}
			samples[p.name] = append(samples[p.name], one)
		}
	}
	bare := samples[bareName]
	for _, p := range parties {
		ours := samples[p.name]
		l := latency{Party: p.name, Rate: rate, P50: micros(median(each(ours, p50Of))), P99: micros(median(each(ours, p99Of)))}
		if p.name != bareName {
			l.RatioP50, l.RatioP99 = ratioOf(each(ours, p50Of), each(bare, p50Of)), ratioOf(each(ours, p99Of), each(bare, p99Of))
		}
		r.Load = append(r.Load, l)
	}
	return nil
}

// idle looks at a product that was just started and is asked for nothing.
func (b *bed) idle(ctx context.Context, r *report) error {
	p, err := startProduct(ctx, b.plan("idle", 20, 0))
	if err != nil {
		return err
	}
	defer p.close()
	wait := func(d time.Duration) {
		select {
		case <-time.After(d):
		case <-ctx.Done():
		}
	}
	wait(2 * b.duration) // what a start leaves to be done
	before, err := cpu(p.cmd.Process.Pid)
	if err != nil {
		return err
	}
	begun := time.Now()
	wait(time.Duration(b.rounds) * 2 * b.duration)
	after, err := cpu(p.cmd.Process.Pid)
	if err != nil {
		return err
	}
	r.Idle = float64((after - before).Milliseconds()) / time.Since(begun).Seconds()
	return ctx.Err()
}

// memory looks at the product with 1,000 live grants in use, and at it and the bare proxy
// with 1,000 open streams.
func (b *bed) memory(ctx context.Context, r *report) error {
	const many = 1000
	for _, p := range b.parties {
		if p.name != bareName && p.name != productName {
			continue
		}
		before, err := resident(p.pid)
		if err != nil {
			return err
		}
		all, err := requests(ctx, p, scenario{variant: "json-1k", message: holdMessage}, many)
		if err != nil {
			return err
		}
		grants, err := resident(p.pid)
		if err != nil {
			return err
		}
		address, _ := p.at("json-1k")
		streams, err := openStreams(address, all, p.pid)
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		r.Memory = append(r.Memory, memory{p.name, mebibytes(before), mebibytes(grants), mebibytes(streams)})
	}
	return nil
}

// openStreams sends each request, waits for the first byte of each answer, and returns
// the memory of the process that holds them.
func openStreams(address string, all [][]byte, pid int) (int64, error) {
	var open []net.Conn
	defer func() {
		for _, c := range open {
			c.Close()
		}
	}()
	for _, request := range all {
		c, err := net.Dial("tcp", address)
		if err != nil {
			return 0, err
		}
		open = append(open, c)
		if _, err := c.Write(request); err != nil {
			return 0, err
		}
		head := make([]byte, 15)
		if _, err := io.ReadFull(c, head); err != nil || string(head) != "HTTP/1.1 200 OK" {
			return 0, fmt.Errorf("a stream did not open: %q %w", head, err)
		}
	}
	return resident(pid)
}

// flatness compares products whose tables and policies differ in size.
func (b *bed) flatness(ctx context.Context, r *report) error {
	for _, t := range []struct {
		what             string
		small, large     plan
		smallIs, largeIs string
	}{
		{"grants", b.plan("few-grants", 20, 10), b.plan("many-grants", 20, b.grants), "10", fmt.Sprint(b.grants)},
		{"rules", b.plan("one-rule", 1, 0), b.plan("many-rules", 500, 0), "1", "500"},
	} {
		pair, err := b.pair(ctx, t.small, t.large)
		if err != nil {
			return err
		}
		r.Flatness = append(r.Flatness, flat{t.what, t.smallIs, t.largeIs, micros(pair[0]), micros(pair[1]), float64(pair[1]) / float64(pair[0])})
	}
	return nil
}

// pair returns the CPU of a call with two products, measured in turn.
func (b *bed) pair(ctx context.Context, small, large plan) (out [2]time.Duration, err error) {
	var parties []party
	for i, plan := range []plan{small, large} {
		p, err := startProduct(ctx, plan)
		if err != nil {
			return out, err
		}
		defer p.close()
		parties = append(parties, p.party(fmt.Sprintf("product %d", i)))
	}
	samples, err := b.interleave(ctx, scenarios[0], parties)
	if err != nil {
		return out, err
	}
	for i, p := range parties {
		var costs []time.Duration
		for _, s := range samples[p.name] {
			costs = append(costs, s.cpu)
		}
		out[i] = median(costs)
	}
	return out, nil
}

func median[T interface{ ~int64 | ~float64 }](all []T) T {
	sorted := slices.Sorted(slices.Values(all))
	return sorted[len(sorted)/2]
}

func micros(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }

func mebibytes(n int64) float64 { return float64(n) / (1 << 20) }
