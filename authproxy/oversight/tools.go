package oversight

import (
	"cmp"
	"context"
	"sync"
	"time"

	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/definition"
	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/authproxy/shared"
)

// Hosted is one hosted server, with the first endpoint in front of it.
type Hosted struct {
	Endpoint string
	Server   definition.Server
}

// Hosted are the hosted servers, each once.
func (r *Reader) Hosted() (all []Hosted) {
	seen := map[definition.Server]bool{}
	for _, s := range r.Access.Servers() {
		of := definition.Server{Org: s.Org, URL: s.URL}
		if !seen[of] {
			seen[of] = true
			all = append(all, Hosted{s.Name, of})
		}
	}
	return all
}

// Definition is one that is recorded of a hosted server.
type Definition struct {
	definition.Pinned
	Endpoint string
	// Classes are what calls of the tool can be by the policy of the endpoint, the gravest last;
	// none for what is no tool.
	Classes []policy.Class
}

// Called is its name as policies and commands write it.
func (d *Definition) Called() string { return definition.Called(d.Kind, d.Name) }

// At is a definition as the policy of an endpoint takes it.
func (r *Reader) At(endpoint string, p definition.Pinned) Definition {
	d := Definition{Pinned: p, Endpoint: endpoint}
	if server := r.Access.Server(endpoint); p.Kind == definition.Tool && server != nil && server.Policy != nil {
		d.Classes = server.Policy.ClassesOf(p.Name)
	}
	return d
}

// DefinitionList is what is recorded of a hosted server, by any endpoint in front of it, in a state; empty texts
// select all.
func (r *Reader) DefinitionList(ctx context.Context, endpoint, state string) (list []Definition, err error) {
	for _, s := range r.Hosted() {
		if endpoint != "" && endpoint != s.Endpoint && !r.SameHosted(endpoint, s.Endpoint) {
			continue
		}
		all, err := r.Definitions.List(ctx, s.Server)
		if err != nil {
			return nil, err
		}
		for _, p := range all {
			if state == "" || state == string(p.State) {
				list = append(list, r.At(s.Endpoint, p))
			}
		}
	}
	return list, nil
}

// DefinitionsOf are those of one name at an endpoint, the accepted one first, with the names of
// the server's other tools; [ErrNotFound] if there are none.
func (r *Reader) DefinitionsOf(ctx context.Context, endpoint, called string) (of []definition.Pinned, others []string, err error) {
	s := r.Access.Server(endpoint)
	if s == nil {
		return nil, nil, ErrNotFound
	}
	all, err := r.Definitions.List(ctx, definition.Server{Org: s.Org, URL: s.URL})
	if err != nil {
		return nil, nil, err
	}
	kind, name := definition.ParseCalled(called)
	for _, d := range all {
		if d.Kind == kind && d.Name == name {
			of = append(of, d)
		} else if d.Kind == definition.Tool {
			others = append(others, d.Name)
		}
	}
	if len(of) == 0 {
		return nil, nil, ErrNotFound
	}
	return of, others, nil
}

// SameHosted reports whether two endpoints stand in front of the same hosted server.
func (r *Reader) SameHosted(a, b string) bool {
	one, other := r.Access.Server(a), r.Access.Server(b)
	return one != nil && other != nil && one.Org == other.Org && one.URL == other.URL
}

// calledBy is the action of a call, by the kind of what is called.
var calledBy = map[definition.Kind]audit.Action{definition.Prompt: audit.PromptGet, definition.ResourceTemplate: audit.ResourceRead}

// LastCall is the newest entry of a call of a tool at an endpoint; its number is 0 if there is none. That
// its definition was accepted, or a call of it decided about, is none.
func (r *Reader) LastCall(ctx context.Context, endpoint, tool string) (last audit.Entry, err error) {
	kind, _ := definition.ParseCalled(tool)
	action := cmp.Or(calledBy[kind], audit.ToolCall)
	err = r.Audit.List(ctx, audit.Filter{Action: string(action), Tool: tool, Server: endpoint, Limit: 1}, func(e audit.Entry) error { last = e; return nil })
	return last, err
}

// usedFor is how long the last calls are remembered: the index is asked once for each tool.
const usedFor = 30 * time.Second

// lastCalls remembers when tools were called last.
type lastCalls struct {
	mu sync.Mutex
	at time.Time
	of map[[2]string]*shared.Answer[time.Time] // by endpoint and tool
}

// call is what is remembered of a tool at an endpoint; of those that were asked of before, nothing is after a while.
func (l *lastCalls) call(now time.Time, of [2]string) *shared.Answer[time.Time] {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.of == nil || now.Sub(l.at).Abs() >= usedFor {
		l.at, l.of = now, map[[2]string]*shared.Answer[time.Time]{}
	}
	if l.of[of] == nil {
		l.of[of] = &shared.Answer[time.Time]{}
	}
	return l.of[of]
}

// LastUse is when a tool was called last at an endpoint, half a minute ago at most; zero: never, as far as
// the log is kept.
func (r *Reader) LastUse(ctx context.Context, endpoint, tool string) (time.Time, error) {
	return r.used.call(r.Now(), [2]string{endpoint, tool}).Get(ctx, shared.Ask[time.Time]{Now: r.Now, Lasts: usedFor, Make: func(ctx context.Context) (time.Time, error) {
		last, err := r.LastCall(ctx, endpoint, tool)
		return last.At, err
	}})
}

// LastReplay is the newest entry of a replay of a policy; its number is 0 if there is none.
func (r *Reader) LastReplay(ctx context.Context, policyName string) (last audit.Entry, err error) {
	err = r.Audit.List(ctx, audit.Filter{Action: string(audit.PolicyReplay), Object: policyName, Limit: 1}, func(e audit.Entry) error { last = e; return nil })
	return last, err
}

// WaitingDefinitions is how many definitions wait for a person.
func (r *Reader) WaitingDefinitions(ctx context.Context) (n int, err error) {
	for _, s := range r.Hosted() {
		pins, err := r.Definitions.Pins(ctx, s.Server)
		if err != nil {
			return 0, err
		}
		waiting, _ := pins.Quarantined()
		n += waiting
	}
	return n, nil
}
