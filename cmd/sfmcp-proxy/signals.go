package main

import (
	"context"
	"database/sql"
	"os"
	"strconv"
	"time"

	"sfmcp-proxy/authproxy/access"
	"sfmcp-proxy/authproxy/audit/export"
	"sfmcp-proxy/authproxy/console/team"
	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/cmd/sfmcp-proxy/signals"
	"sfmcp-proxy/mcpforward"
	"sfmcp-proxy/mcpforward/jsonrpc"
	"sfmcp-proxy/mcpforward/traces"
	"sfmcp-proxy/mcpforward/upstream"
)

// stateTime bounds each thing that is asked for when somebody reads the metrics. They are asked for side by
// side, and Prometheus gives up after ten seconds.
const stateTime = time.Second

// knowsServer reports whether the current configuration has a server of that name.
func (p *process) knowsServer(name string) bool {
	current := p.current.Load()
	return current != nil && current.access.Server(name) != nil
}

// answered hears of MCP requests of clients.
func (p *product) answered(a mcpforward.Answered) {
	p.signals.Answered(a.Server, a.Method, a.Problem, a.Took)
}

// sent hears of MCP requests to Salesforce.
func (p *product) sent(e upstream.Ended) {
	problem, status := "", 0
	switch {
	case e.Err != nil:
		problem, status = e.Err.Kind.String(), e.Err.Status
	case e.Code != 0:
		problem = "rpc_error" // whichever code a hosted server makes up
	}
	p.signals.Sent(e.Server, e.Method, problem, e.Took)
	if p.traces == nil {
		return
	}
	s := traces.Sent{Method: e.Method, Version: e.Version, Server: e.Server, URL: e.URL, Began: e.Began, Took: e.Took, Resent: e.Resent, Status: status, Problem: problem}
	if e.Code != 0 {
		s.Problem = strconv.Itoa(int(e.Code))
	}
	if params, err := jsonrpc.ParseObject(e.Params); err == nil && e.Method == "tools/call" {
		s.Tool, _ = params.String("name")
	}
	p.traces.Sent(e.Context, s)
}

// health is how hosted servers did since then, as this process saw it.
func (p *product) health(since time.Time) (all []team.Health) {
	recent, open, sessions := p.signals.Recent(since), p.forward.CircuitOpen(), p.forward.SalesforceSessions()
	for _, s := range p.access.Servers() {
		r := recent[s.Name]
		all = append(all, team.Health{Server: s.Name, CircuitOpen: open[s.Name], Sessions: int(sessions[s.Name]), Requests: r.Requests, Failed: r.Failed, Median: r.Median, Slow: r.Slow})
	}
	return all
}

// openTraces begins to send traces, if there is a collector.
func (p *product) openTraces() {
	t := p.config.Telemetry
	if t.OTLPEndpoint == "" {
		return
	}
	instance, err := os.Hostname()
	if err != nil {
		instance = hostOf(p.config.PublicURL)
	}
	p.traces = traces.New(traces.Config{Endpoint: t.OTLPEndpoint, Sample: t.Sample, HTTP: p.outbound.http, Instance: instance, Version: version, Log: p.log})
}

// exposeState shows what the current product counts and how it stands.
func (p *process) exposeState() {
	p.exposeServers()
	p.exposeRefusals()
	p.exposeAudit()
	p.edge.Metrics.Registry.MustRegister(exportMetrics{states: func() []export.State { return p.current.Load().exports.States() }, now: time.Now})
	p.signals.Stored(signals.StoredConfig{
		Reads:        func() *sql.DB { return p.current.Load().db.Reads },
		BudgetLimits: func() map[[2]string]int64 { return p.current.Load().budgetLimits() },
	})
	p.signals.Gauges("sfmcp_not_ready", "Why /readyz answers 503: draining, database, audit_log, keys. 1 for the reason, 0 for the others.", "reason", signals.Flags(p.notReady))
	p.signals.Gauges("sfmcp_stop", "Whether the kill switch is at a position: writes, all. Both are 0 while nothing is stopped; all is 1, too, when the position cannot be read.", "position",
		signals.Flags(func() map[string]bool { return p.current.Load().stopped() }))
	p.signals.Gauge("sfmcp_key_file_changed_timestamp_seconds", "When the file of the sealing keys was changed last, as by 'key rotate'; 0 if it cannot be read.",
		func() float64 { return changedAt(p.config.KeysFile) })
	p.signals.Gauges("sfmcp_info", "Always 1: the version of this program.", "version",
		func() map[string]float64 { return map[string]float64{version: 1} })
	p.signals.Gauge("sfmcp_clock_difference_seconds", "By how much the clock of this process is ahead of PostgreSQL's, below 0 if it is behind; 0 with SQLite.", func() float64 {
		ahead, _ := p.current.Load().db.ClockDifference()
		return ahead.Seconds()
	})
	p.signals.Gauge("sfmcp_sweeps_wait", "1 while nothing is deleted for its age, because the clock has jumped or differs from the database's.", func() float64 {
		if p.current.Load().sweepsWait.Load() {
			return 1
		}
		return 0
	})
	p.signals.Gauge("sfmcp_production", "1 with production: true; 0: settings that are not for production are accepted.", func() float64 {
		if p.current.Load().config.Production {
			return 1
		}
		return 0
	})
}

// exposeServers shows how hosted servers stand.
func (p *process) exposeServers() {
	p.signals.Gauges("sfmcp_circuit_open", "Whether the circuit of a hosted server is open: 1 while its calls are held back after faults in a row, until one is answered.", "server",
		signals.Flags(func() map[string]bool { return p.current.Load().forward.CircuitOpen() }))
	p.signals.Gauges("sfmcp_definitions_waiting", "Whether definitions of a hosted server wait for a person: 1 until each is accepted or rejected.", "server",
		signals.Flags(func() map[string]bool {
			ctx, cancel := context.WithTimeout(context.Background(), stateTime)
			defer cancel()
			return p.current.Load().forward.DefinitionsWaiting(ctx)
		}))
	p.signals.Gauges("sfmcp_salesforce_sessions", "MCP sessions with a hosted server that this process keeps.", "server",
		func() map[string]float64 { return p.current.Load().forward.SalesforceSessions() })
}

// exposeRefusals shows what was refused or given up.
func (p *process) exposeRefusals() {
	p.edge.Metrics.Total("sfmcp_calls_quarantined_total", "Calls refused because their definition is not accepted.",
		func() float64 { return float64(p.current.Load().forward.QuarantinedCalls()) })
	for outcome, count := range map[string]func() int64{
		"sent":   func() int64 { sent, _ := p.current.Load().notices.Counts(); return sent },
		"failed": func() int64 { _, failed := p.current.Load().notices.Counts(); return failed },
	} {
		p.edge.Metrics.Total("sfmcp_notices_total", "Messages to people about what waits for them, by what became of them.",
			func() float64 { return float64(count()) }, "outcome", outcome)
	}
	for outcome, count := range map[string]func() int64{
		"sent":    func() int64 { sent, _ := p.current.Load().traces.Counts(); return sent },
		"dropped": func() int64 { _, dropped := p.current.Load().traces.Counts(); return dropped },
	} {
		p.edge.Metrics.Total("sfmcp_spans_total", "Spans of traces, sent to the collector or dropped because it takes too few or none.",
			func() float64 { return float64(count()) }, "outcome", outcome)
	}
	for _, limit := range []string{"user", "server"} {
		p.edge.Metrics.Total("sfmcp_calls_limited_total", "Calls refused because of the limits of their user or of their server.",
			func() float64 { return float64(p.current.Load().forward.Limited(limit)) }, "limit", limit)
	}
	for _, what := range policy.Measures() {
		p.edge.Metrics.Total("sfmcp_budget_refused_total", "Calls refused because a budget of a policy or an org is used up, by what it counts.",
			func() float64 { return float64(p.current.Load().budgets.Refused(what)) }, "what", string(what))
	}
}

// exposeAudit shows how the audit log stands.
func (p *process) exposeAudit() {
	p.signals.Gauge("sfmcp_audit_entries", "Entries of the audit log.", func() float64 { return float64(p.current.Load().audit.State().Entries) })
	p.signals.Gauge("sfmcp_audit_entries_without_checkpoint", "Entries behind the checkpoint that this process stored last.", func() float64 {
		s := p.current.Load().audit.State()
		return float64(s.Entries - s.Checkpoint)
	})
	p.signals.Gauge("sfmcp_audit_queue", "Entries that wait to be written.", func() float64 { return float64(p.current.Load().audit.State().Queued) })
	p.signals.Gauge("sfmcp_audit_halted", "1 while the audit log appends nothing because it and its checkpoints do not agree: no call is made.", func() float64 {
		if p.current.Load().audit.State().Halted {
			return 1
		}
		return 0
	})
	p.signals.Gauge("sfmcp_audit_logs_silent", "Audit logs of other replicas that are not closed, and have not been heard of for three minutes.", func() float64 {
		return float64(p.current.Load().roster.Silent())
	})
	p.signals.Gauge("sfmcp_audit_segments_unindexed", "Full files of the audit log that have no index yet: a search reads them whole.", p.unindexed)
	p.signals.Gauges("sfmcp_checkpoint_place_behind_seconds", "For how long a place of audit.checkpoints has lacked the newest checkpoint; 0: it has it. Places are numbered as they are configured, from 1.", "place",
		func() map[string]float64 { return p.current.Load().placesBehind() })
}

// placesBehind is for how many seconds each place of checkpoints has lacked the newest.
func (p *product) placesBehind() map[string]float64 {
	behind := map[string]float64{}
	if p.checkpoints == nil {
		return behind
	}
	for i, s := range p.checkpoints.States() {
		behind[strconv.Itoa(i+1)] = 0
		if !s.Behind.IsZero() {
			behind[strconv.Itoa(i+1)] = p.now().Sub(s.Behind).Seconds()
		}
	}
	return behind
}

// notReady says of each reason to get no traffic whether it is the one.
func (p *process) notReady() map[string]bool {
	ctx, cancel := context.WithTimeout(context.Background(), stateTime)
	defer cancel()
	reason, _ := p.unready(ctx)
	return map[string]bool{unreadyDraining: reason == unreadyDraining, unreadyDatabase: reason == unreadyDatabase, unreadyAudit: reason == unreadyAudit, unreadyKeys: reason == unreadyKeys}
}

// unindexed is how many segments of the audit log have no index yet; -1: that cannot be found out in time.
// One question at most is under way: a log in the database waits for it.
func (p *process) unindexed() float64 {
	found := p.asked.DoChan("unindexed", func() (any, error) { return p.current.Load().audit.Unindexed() })
	select {
	case r := <-found:
		if r.Err == nil {
			return float64(r.Val.(int))
		}
	case <-time.After(stateTime):
	}
	return -1
}

// stopped says at which positions the kill switch is.
func (p *product) stopped() map[string]bool {
	ctx, cancel := context.WithTimeout(context.Background(), stateTime)
	defer cancel()
	mode, err := p.access.StopMode(ctx)
	return map[string]bool{string(access.StopWrites): mode == access.StopWrites && err == nil, string(access.StopAll): mode == access.StopAll || err != nil}
}

// budgetLimits are the limits of all budgets, by scope and what is counted.
func (p *product) budgetLimits() map[[2]string]int64 {
	limits := map[[2]string]int64{}
	for _, c := range p.counters() {
		limits[[2]string{c.Scope, c.Name}] = c.Limit
	}
	return limits
}

// changedAt is when a file was changed, in seconds since 1970; 0: that cannot be said.
func changedAt(path string) float64 {
	state, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return float64(state.ModTime().Unix())
}
