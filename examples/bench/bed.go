package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// connections is how many clients there are at a time, where not one.
const connections = 32

// bed is everything that runs for one comparison.
type bed struct {
	options
	dir       string
	command   string // sfmcp-proxy
	env       []string
	upstreams map[string]string // variant to address
	upstream  *process
	product   *product
	others    []*product // other builds
	parties   []party
	peers     []*peer
	bare      *process
	relay     *process
	flooders  int // users who have flooded
}

// party is one thing to be measured: what is in front of the stub, or the stub itself.
type party struct {
	name string
	pid  int
	// tolerant: its wrong answers are counted, where ours would end the run.
	tolerant bool
	// takes says of which scenarios it takes part in; nil: all.
	takes func(scenario) bool
	// at says where a variant is: address and path.
	at func(variant string) (address, path string)
	// tokens gives n users access tokens for a variant, beginning with the user of a number.
	tokens func(ctx context.Context, first, n int, variant string) ([]string, error)
}

// start starts all parties.
func (b *bed) start(ctx context.Context) (err error) {
	if b.command, b.env, err = b.build(ctx); err != nil {
		return err
	}
	if b.upstream, err = startRole(ctx, "upstream"); err != nil {
		return err
	}
	if err := b.upstream.read(&b.upstreams); err != nil {
		return err
	}
	b.parties = append(b.parties, party{name: upstreamName, pid: b.upstream.cmd.Process.Pid,
		at: func(v string) (string, string) { return b.upstreams[v], hostedPath }, tokens: anyTokens})
	known, err := json.Marshal(b.upstreams)
	if err != nil {
		return err
	}
	if b.bare, err = startRole(ctx, "bare", upstreamsVariable+"="+string(known)); err != nil {
		return err
	}
	var bareAddress string
	if err := b.bare.read(&bareAddress); err != nil {
		return err
	}
	b.parties = append(b.parties, party{name: bareName, pid: b.bare.cmd.Process.Pid,
		at: func(v string) (string, string) { return bareAddress, "/mcp/" + v }, tokens: anyTokens})
	if err := b.startRelay(ctx, string(known)); err != nil {
		return err
	}
	if b.product, err = startProduct(ctx, b.plan("product", 20, 0)); err != nil {
		return err
	}
	b.parties = append(b.parties, b.product.party(productName))
	if err := b.startOthers(ctx); err != nil {
		return err
	}
	return b.startPeers(ctx)
}

// startOthers starts other builds of the product, each under the name of its file.
func (b *bed) startOthers(ctx context.Context) error {
	for i, command := range b.beside {
		plan := b.plan(fmt.Sprintf("beside-%d", i), 20, 0)
		plan.command, plan.env = command, nil
		p, err := startProduct(ctx, plan)
		if err != nil {
			return fmt.Errorf("%s: %w", command, err)
		}
		b.others = append(b.others, p)
		b.parties = append(b.parties, p.party(filepath.Base(command)))
	}
	return nil
}

const (
	upstreamName = "upstream alone"
	bareName     = "bare Go proxy"
	relayName    = "relay and audit log"
	productName  = "sfmcp-proxy"
)

func (b *bed) plan(name string, rules, grants int) plan {
	return plan{limits: raisedLimits, command: b.command, env: b.env, dir: filepath.Join(b.dir, name), upstreams: b.upstreams, rules: rules, grants: grants}
}

func (p *product) party(name string) party {
	return party{name: name, pid: p.cmd.Process.Pid, at: func(v string) (string, string) { return p.address, "/mcp/" + v },
		tokens: func(ctx context.Context, first, n int, variant string) (all []string, err error) {
			for i := range n {
				token, err := p.grantTo(ctx, user(first+i), variant)
				if err != nil {
					return nil, err
				}
				all = append(all, token)
			}
			return all, nil
		}}
}

// anyTokens are for those who do not look.
func anyTokens(_ context.Context, _, n int, _ string) ([]string, error) {
	return make([]string, n), nil
}

func (b *bed) close() error {
	err := b.product.close()
	for _, p := range b.others {
		err = errors.Join(err, p.close())
	}
	for _, p := range b.peers {
		err = errors.Join(err, p.stop())
	}
	return errors.Join(err, b.relay.stop(), b.bare.stop(), b.upstream.stop())
}

// handshake opens an MCP session.
func handshake(ctx context.Context, p party, token, variant string) (session string, err error) {
	address, path := p.at(variant)
	post := func(id, body string) (*http.Response, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+address+path, strings.NewReader(body))
		if err != nil {
			return nil, err
		}
		req.Host = publicHost
		for name, value := range headers(token, id) {
			req.Header.Set(name, value)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return nil, err
		}
		defer resp.Body.Close()
		if text, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode/100 != 2 {
			return nil, fmt.Errorf("%s: opening a session: %d %.300s %w", p.name, resp.StatusCode, text, err)
		}
		return resp, nil
	}
	resp, err := post("", `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"bench","version":"1"}}}`)
	if err != nil {
		return "", err
	}
	id := resp.Header.Get("Mcp-Session-Id")
	_, err = post(id, `{"jsonrpc":"2.0","method":"notifications/initialized"}`)
	return id, err
}

// encode makes the request that is repeated on a session.
func encode(p party, token, session, variant, message string) []byte {
	_, path := p.at(variant)
	request := fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: %s\r\n", path, publicHost)
	for name, value := range headers(token, session) {
		request = fmt.Appendf(request, "%s: %s\r\n", name, value)
	}
	return fmt.Appendf(request, "Content-Length: %s\r\n\r\n%s", strconv.Itoa(len(message)), message)
}

func headers(token, session string) map[string]string {
	h := map[string]string{"Content-Type": "application/json", "Accept": "application/json, text/event-stream", "User-Agent": "bench/1"}
	if token != "" {
		h["Authorization"] = "Bearer " + token
	} else {
		h["Authorization"] = "Bearer none" // the same number of headers for all
	}
	if session != "" {
		h["Mcp-Session-Id"], h["Mcp-Protocol-Version"] = session, "2025-06-18"
	}
	return h
}

// named returns the party of a name.
func (b *bed) named(name string) party {
	return b.parties[slices.IndexFunc(b.parties, func(p party) bool { return p.name == name })]
}

// of returns the parties of a scenario.
func (b *bed) of(s scenario) (all []party) {
	for _, p := range b.parties {
		if p.takes == nil || p.takes(s) {
			all = append(all, p)
		}
	}
	return all
}

// requests opens n sessions.
func requests(ctx context.Context, p party, s scenario, n int) (all [][]byte, err error) {
	tokens, err := p.tokens(ctx, 0, n, s.variant)
	if err != nil {
		return nil, err
	}
	for _, token := range tokens {
		id, err := handshake(ctx, p, token, s.variant)
		if err != nil {
			return nil, err
		}
		all = append(all, encode(p, token, id, s.variant, s.message))
	}
	return all, nil
}

// sample is one measurement of one party.
type sample struct {
	load
	perSecond float64
	used      time.Duration // CPU of the party's process
	cpu       time.Duration // of it for one request
	resident  int64
}

// busy is how much of a processor the party's process used.
func (s sample) busy() float64 { return s.used.Seconds() / max(s.Elapsed.Seconds(), 1e-9) }

// run lets a load generator do a job and watches the party's process meanwhile.
func (b *bed) run(ctx context.Context, p party, j job) (s sample, err error) {
	generator, err := startRole(ctx, "load")
	if err != nil {
		return sample{}, err
	}
	defer func() { err = errors.Join(err, generator.stop()) }()
	j.Duration, j.Warmup, j.Tolerant = b.duration, b.duration/4, p.tolerant
	if err := json.NewEncoder(generator.in).Encode(j); err != nil {
		return sample{}, err
	}
	var warm began
	if err := generator.read(&warm); err != nil {
		return sample{}, fmt.Errorf("%s: %w", p.name, err)
	}
	before, err := cpu(p.pid)
	if err != nil {
		return sample{}, err
	}
	if err := generator.read(&s.load); err != nil {
		return sample{}, fmt.Errorf("%s: %w", p.name, err)
	}
	after, err := cpu(p.pid)
	if err != nil {
		return sample{}, err
	}
	s.perSecond = float64(s.Requests) / s.Elapsed.Seconds()
	s.used = after - before
	s.cpu = s.used / time.Duration(max(1, s.Requests))
	s.resident, err = resident(p.pid)
	return s, err
}
