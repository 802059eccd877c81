package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/authproxy/policy/analysis"
	"sfmcp-proxy/authproxy/seal"
	"sfmcp-proxy/config"
)

// A reload opens the whole product a second time, on the new configuration and the same
// database, as another process would, and then sends new requests there: so nothing is
// ever half of one configuration and half of another. Requests that have begun end where
// they began.

// reloadPoll is how often the certificate's files are looked at, keysPoll how often the keys are:
// a rotation holds within a second. Reading small files costs nothing, and content, unlike times
// and names, shows every way of replacing them.
const (
	reloadPoll = 10 * time.Second
	keysPoll   = time.Second / 2
)

// fixed are the keys that the process is built on.
var fixed = []string{"public_url", "listen", "admin_listen", "shutdown_delay", "tls", "trusted_proxies", "database", "keys_file", "keys_from", "key_service", "limits", "audit"}

// reloadLoop looks at the files that may change while the proxy runs. Certificate and
// keys, which programs replace, it reads regularly; the configuration, which people write,
// only when it is told to by SIGHUP, because half a file may be a whole configuration.
func (p *process) reloadLoop(ctx context.Context, hangup <-chan os.Signal, g *errgroup.Group) {
	tick := time.NewTicker(reloadPoll)
	defer tick.Stop()
	keysTick := time.NewTicker(keysPoll)
	defer keysTick.Stop()
	refused := "" // why the key file as it is now is not in force; logged once
	for {
		select {
		case <-ctx.Done():
			return
		case <-keysTick.C:
			refused = p.reloadKeys(refused)
			continue
		case <-tick.C:
		case <-hangup:
			if p.reread != nil {
				p.reloadConfig(ctx, g)
			}
		}
		p.certificate.Reload()
		refused = p.reloadKeys(refused)
	}
}

// reloadKeys takes new sealing keys into use, and returns what keeps it from that.
func (p *process) reloadKeys(refused string) string {
	changed, err := p.current.Load().ring.Reload()
	switch {
	case err != nil && err.Error() != refused:
		p.edge.Metrics.Reloaded("keys", false)
		p.log.Error("key file changed and cannot be used: the previous keys stay in force", "error", err)
	case changed:
		p.edge.Metrics.Reloaded("keys", true)
		p.log.Info("sealing keys reloaded")
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

// keys are the sealing keys: at the start those of the configuration, at a reload those in force. Where
// they come from is fixed, so a reload needs no key service and gives no token its PIN anew.
func (p *process) keys(ctx context.Context, c *config.Config) (*seal.KeyRing, error) {
	if now := p.current.Load(); now != nil {
		return now.ring, nil
	}
	return openKeys(ctx, c)
}

// reloadConfig takes the configuration file into force, or says in the log, the audit log
// and the metrics why not.
func (p *process) reloadConfig(ctx context.Context, g *errgroup.Group) {
	previous := p.current.Load().config
	entry := audit.Entry{Actor: actor.Proxy, Action: audit.ConfigReload, Object: "configuration", Outcome: audit.OK}
	changed, err := p.takeOver(ctx, g)
	switch {
	case err != nil:
		entry.Outcome, entry.Reason = audit.Failed, err.Error()
		p.edge.Metrics.Reloaded("configuration", false)
		p.log.Error("configuration cannot be used: the previous one stays in force", "error", err)
	case !changed:
		p.log.Info("configuration read again: neither it nor a secret that it names has changed")
		return
	default:
		p.edge.Metrics.Reloaded("configuration", true)
		p.log.Info("configuration reloaded")
	}
	// By whoever answers now: the previous one may be closed already.
	now := p.current.Load()
	for _, e := range append([]audit.Entry{entry}, policyChanges(previous, now.config)...) {
		now.audit.Record(ctx, e)
	}
}

// replayFresh is how long a replay of a policy lets it be taken into force.
const replayFresh = 24 * time.Hour

// replayed returns an error if the configuration after puts a policy in front of a server that
// would have to be replayed first: one that decides otherwise there than what is in force, by
// its rules or by what is declared of the server's tools, and that was not replayed, lately and
// with this catalogue.
func (p *product) replayed(ctx context.Context, after *config.Config) error {
	if !p.config.PoliciesNeedReplay && !after.PoliciesNeedReplay {
		return nil
	}
	inForce, coming := p.config.InFront(), after.InFront()
	var missing []string
	for _, s := range after.Servers {
		draft := coming[s.Name]
		if old := inForce[s.Name]; old != nil && old.Version() == draft.Version() {
			continue
		}
		is, err := p.hasReplay(ctx, draft)
		if err != nil {
			return err
		}
		if !is {
			missing = append(missing, s.Policy+" in front of "+s.Name)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("policies_need_replay: no replay of the last %s judged calls by the policy %s as it would hold now; run 'sfmcp-proxy policy replay --policy FILE' with this configuration and reload again",
			replayFresh, strings.Join(missing, ", "))
	}
	return nil
}

// hasReplay reports whether the log has a fresh replay of a policy as it is in front of a server.
func (p *product) hasReplay(ctx context.Context, draft *policy.Policy) (is bool, err error) {
	filter := audit.Filter{Action: string(audit.PolicyReplay), Object: draft.Name, Since: p.now().Add(-replayFresh)}
	err = p.audit.List(ctx, filter, func(e audit.Entry) error {
		var about replayedOf
		is = is || e.Outcome == audit.OK && json.Unmarshal(e.Arguments, &about) == nil &&
			slices.Contains(about.Versions, draft.Version()) && about.Catalogue == policy.CatalogueDigest()
		return nil
	})
	return is, err
}

// policyChanges are the entries about servers whose calls are decided otherwise by the
// configuration after: what changes for whom, as far as an entry has room. A server that is new
// has no policy before.
func policyChanges(before, after *config.Config) (entries []audit.Entry) {
	previous, then := before.Analysed()
	servers, now := after.Analysed()
	for _, s := range servers {
		old := analysis.Server{Name: s.Name, Policy: (&policy.Policy{}).For("")}
		if i := slices.IndexFunc(previous, func(p analysis.Server) bool { return p.Name == s.Name }); i >= 0 {
			old = previous[i]
		}
		if old.Policy.Version() == s.Policy.Version() && slices.Equal(old.Groups, s.Groups) && reflect.DeepEqual(then, now) {
			continue
		}
		lines := []string{"too many rules, objects and groups to be compared here: 'policy diff' does it"}
		if analysis.Size(old, then, s, now) <= analysis.Quick {
			lines = nil
			for _, change := range analysis.Diff(old, then, s, now) {
				lines = append(lines, change.String())
			}
		}
		if lines == nil {
			lines = []string{"no call that was analysed is decided otherwise"}
		}
		entries = append(entries, audit.Entry{
			Actor: actor.Proxy, Action: audit.PolicyChange, Object: s.Policy.Name, Server: s.Name, Outcome: audit.OK,
			PolicyVersion: s.Policy.Version(), Reason: strings.Join(lines, "; "),
		})
	}
	return entries
}

// takeOver puts a product on the configuration file in the place of the current one. Only
// one goroutine may call it.
func (p *process) takeOver(ctx context.Context, g *errgroup.Group) (changed bool, err error) {
	previous := p.current.Load()
	c, err := p.reread()
	if err != nil {
		return false, err
	}
	roots, err := c.TrustedRoots()
	if err != nil {
		return false, err
	}
	if c.Same(previous.config) && roots.Equal(previous.outbound.roots) { // the configuration has that file's name alone
		return false, nil
	}
	if keys := c.Differing(previous.config, fixed...); len(keys) > 0 {
		return false, fmt.Errorf("changing %s needs a restart", strings.Join(keys, ", "))
	}
	if err := previous.replayed(ctx, c); err != nil {
		return false, err
	}
	if err := previous.db.CheckInTouch(); err != nil { // what stands at its database's path now is for a start to judge
		return false, err
	}
	next, err := openProduct(ctx, c, p)
	if err != nil {
		return false, err
	}
	if err := next.prepare(ctx); err != nil {
		p.closeBeside(next.close)
		return false, err
	}
	next.forward.TakeOver(previous.forward)
	next.access.TakeOver(previous.access)
	next.work(ctx, g)
	for _, note := range c.Notes() {
		p.log.Warn(note)
	}
	p.current.Store(next)
	p.closeBeside(func() error { return previous.retire(ctx) })
	return true, nil
}
