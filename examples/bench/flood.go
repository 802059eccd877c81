package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
)

// floodName is the scenario's name.
const floodName = "others beside a flood"

const (
	// The others ask as seldom as the product's default of 120 calls a minute allows, on a
	// schedule.
	quietUsers = 50
	quietRate  = 100 // calls a second of all of them
	// floodConnections are those of the user who asks as fast as he is answered.
	floodConnections = 64
	// steadyRate is how often the user asks who asks by the clock, on as many connections as
	// he needs if each refusal takes its time.
	steadyRate        = 1000
	steadyConnections = 300
	// slowCalls are those of the user whose calls do not end.
	slowCalls = 200
)

// flood is what one user does.
type flood struct {
	name      string
	rate      float64 // calls a second; 0: as fast as he is answered
	slow      bool    // his calls are slow ones
	elsewhere bool    // he floods the bare proxy, and the others use the product
}

var (
	noFlood = flood{name: "nobody"}

	// refusedFloods are to a product with the default limits, by which nearly all is refused.
	refusedFloods = []flood{
		{name: "as fast as he can, refused"},
		{name: "1,000 calls a second, refused", rate: steadyRate},
		{name: "200 slow calls, 16 at a time", slow: true},
	}
	// fewFloods are to one that may be asked as often as one likes, but by default no more
	// than 16 times at once.
	fewFloods = []flood{{name: "as fast as he can, 16 at a time"}}
	// servedFloods are to one that serves him whatever he asks. The last says what the
	// machine is to blame for: it is the same flood, but to a program that the others do not
	// use.
	servedFloods = []flood{
		{name: "as fast as he can, 64 at a time"},
		{name: "as fast as he can, elsewhere", elsewhere: true},
	}
)

// besideFlood measures what the others notice of a user who asks for as much as he can.
func (b *bed) besideFlood(ctx context.Context, r *report) error {
	if b.quick {
		return b.floodLimited(ctx, r, "", refusedFloods[:1])
	}
	if err := b.floodLimited(ctx, r, "", refusedFloods); err != nil {
		return err
	}
	if err := b.floodLimited(ctx, r, "limits: {calls_per_minute: 1000000}", fewFloods); err != nil {
		return err
	}
	return b.floodOf(ctx, r, b.product, servedFloods)
}

// floodLimited floods a product with limits of its own.
func (b *bed) floodLimited(ctx context.Context, r *report, limits string, floods []flood) (err error) {
	plan := b.plan("flooded"+strconv.Itoa(len(r.Floods)), 20, 0)
	plan.limits = limits
	p, err := startProduct(ctx, plan)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	return b.floodOf(ctx, r, p, floods)
}

// floodOf measures the others without a flood and with each, in interleaved rounds.
func (b *bed) floodOf(ctx context.Context, r *report, p *product, floods []flood) error {
	floods = append([]flood{noFlood}, floods...)
	rounds := b.rounds
	if b.quick {
		rounds = 1
	}
	measured := map[string][]beside{}
	for round := range rounds {
		for _, f := range floods {
			one, err := b.fare(ctx, p, f)
			if err != nil {
				return fmt.Errorf("%s: %s: %w", floodName, f.name, err)
			}
			measured[f.name] = append(measured[f.name], one)
			fmt.Fprintf(os.Stderr, "%-20s round %d  %-28s p50 %6.0f µs, p99 %6.0f µs\n", floodName, round+1, f.name, micros(one.others.P50), micros(one.others.P99))
		}
	}
	for _, f := range floods {
		r.addFlood(f, measured[f.name], measured[noFlood.name])
	}
	return nil
}

// beside is how the others fared, and he.
type beside struct {
	others sample
	his    load
}

// fare measures the others with a flood or without.
func (b *bed) fare(ctx context.Context, p *product, f flood) (out beside, err error) {
	s := scenarios[0]
	quiet, err := requests(ctx, p.party(productName), s, quietUsers)
	if err != nil {
		return out, err
	}
	stop, err := b.begin(ctx, p, f)
	if err != nil {
		return out, err
	}
	defer func() { // also if they fail
		var ended error
		out.his, ended = stop()
		err = errors.Join(err, ended)
	}()
	out.others, err = b.run(ctx, p.party(productName), job{Address: p.address, Requests: quiet, Rate: quietRate})
	return out, err
}

// begin starts a flood and returns what ends it.
func (b *bed) begin(ctx context.Context, p *product, f flood) (stop func() (load, error), err error) {
	if f == noFlood {
		return func() (load, error) { return load{}, nil }, nil
	}
	if f.slow {
		all, err := b.flooder(ctx, p.party(productName), holdMessage, slowCalls)
		if err != nil {
			return nil, err
		}
		return hang(p.address, all)
	}
	it := p.party(productName)
	if f.elsewhere {
		it = b.named(bareName)
	}
	connections := floodConnections
	if f.rate > 0 {
		connections = steadyConnections
	}
	all, err := b.flooder(ctx, it, callMessage, connections)
	if err != nil {
		return nil, err
	}
	address, _ := it.at(scenarios[0].variant)
	return b.pour(ctx, job{Address: address, Requests: all, Rate: f.rate, Tolerant: true,
		Warmup: 200 * time.Millisecond, Duration: b.duration*5/4 + 500*time.Millisecond})
}

// flooder returns the requests of one user for so many connections: in one session, each
// with an id of its own. It is another user each time, who has not used up anything.
func (b *bed) flooder(ctx context.Context, p party, message string, connections int) (all [][]byte, err error) {
	s := scenarios[0]
	b.flooders++
	tokens, err := p.tokens(ctx, quietUsers+b.flooders, 1, s.variant)
	if err != nil {
		return nil, err
	}
	id, err := handshake(ctx, p, tokens[0], s.variant)
	if err != nil {
		return nil, err
	}
	for i := range connections {
		own := strings.Replace(message, `"id":7`, fmt.Sprintf(`"id":%d`, 1000+i), 1)
		all = append(all, encode(p, tokens[0], id, s.variant, own))
	}
	return all, nil
}

// pour starts a load generator of its own, which takes only the CPU that nobody else asks
// for: a flood comes from another machine. It returns when the flood has begun.
func (b *bed) pour(ctx context.Context, j job) (stop func() (load, error), err error) {
	cmd, err := roleCommand(ctx, "load")
	if err != nil {
		return nil, err
	}
	generator, err := startProcess(yielding(cmd))
	if err != nil {
		return nil, err
	}
	var warm began
	if err := errors.Join(json.NewEncoder(generator.in).Encode(j), generator.read(&warm)); err != nil {
		return nil, errors.Join(err, generator.stop())
	}
	return func() (result load, err error) {
		err = generator.read(&result)
		return result, errors.Join(err, generator.stop())
	}, nil
}

// hang sends requests and does not read their answers.
func hang(address string, all [][]byte) (stop func() (load, error), err error) {
	var open []net.Conn
	stop = func() (load, error) {
		for _, c := range open {
			c.Close()
		}
		return load{}, nil
	}
	for _, request := range all {
		c, err := net.Dial("tcp", address)
		if err != nil {
			stop()
			return nil, err
		}
		open = append(open, c)
		if _, err := c.Write(request); err != nil {
			stop()
			return nil, err
		}
	}
	return stop, nil
}
