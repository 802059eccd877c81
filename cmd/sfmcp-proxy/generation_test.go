package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"slices"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/config"
)

// heldLog calls held for each record before anything goes on.
type heldLog struct {
	slog.Handler
	held func(message string)
}

func (h heldLog) Enabled(context.Context, slog.Level) bool { return true }

func (h heldLog) Handle(_ context.Context, r slog.Record) error {
	h.held(r.Message)
	return nil
}

// A comment in the file changes nothing: what answers goes on answering, and the log has no entry.
func TestFaultFT44CommentChangesNothing(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	read := func() (*config.Config, error) { return config.Load(d.ConfigFile, nil) }
	c, err := read()
	if err != nil {
		t.Fatal(err)
	}
	p, err := openProcess(t.Context(), c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	first := p.current.Load()
	p.reread = read
	if err := os.WriteFile(d.ConfigFile, []byte("# reviewed by Ann\n"+d.configuration()), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(t.Context())
	defer end()
	var g errgroup.Group
	first.work(ctx, &g)
	p.reloadConfig(ctx, &g)
	if now := p.current.Load(); now != first {
		t.Error("a comment opened the whole product anew")
	}
	if n, err := first.audit.Count(t.Context(), audit.Filter{Action: string(audit.ConfigReload)}); err != nil || n != 0 {
		t.Errorf("%d reloads are recorded, %v", n, err)
	}
	end()
	if err := errors.Join(g.Wait(), p.current.Load().close()); err != nil {
		t.Error(err)
	}
}

// FT-44: a reload is in the audit log, also if what answered before is closed at once.
func TestFaultFT44ReloadIsRecorded(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	c, err := config.Load(d.ConfigFile, nil)
	if err != nil {
		t.Fatal(err)
	}
	var first *product
	log := slog.New(heldLog{slog.DiscardHandler, func(message string) {
		if message == "configuration reloaded" {
			eventually(t, plenty, "the previous product is closed", func() bool { return first.db.Reads.PingContext(t.Context()) != nil })
		}
	}})
	p, err := openProcess(t.Context(), c, log)
	if err != nil {
		t.Fatal(err)
	}
	first = p.current.Load()
	p.reread = func() (*config.Config, error) {
		next := *c
		next.Lifetimes.Approval += time.Minute
		return &next, nil
	}
	var g errgroup.Group
	ctx, end := context.WithCancel(t.Context())
	first.work(ctx, &g)
	p.reloadConfig(ctx, &g)
	var recorded []audit.Outcome
	note := func(e audit.Entry) error { recorded = append(recorded, e.Outcome); return nil }
	if err := p.current.Load().audit.List(t.Context(), audit.Filter{Action: string(audit.ConfigReload)}, note); err != nil {
		t.Fatal(err)
	}
	if want := []audit.Outcome{audit.OK}; !slices.Equal(recorded, want) {
		t.Errorf("recorded: %v, want %v", recorded, want)
	}
	end()
	if err := g.Wait(); err != nil {
		t.Error(err)
	}
	if err := p.close(); err != nil {
		t.Error(err)
	}
}

// FT-42: an end of the process while a product that a reload replaced is still closing closes the one that answers beside it, and not
// after it: both have the same few seconds.
func TestFaultFT42ProductsCloseSideBySide(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	p, c := d.process()
	first := p.current.Load()
	p.reread = func() (*config.Config, error) {
		next := *c
		next.Lifetimes.Approval += time.Minute
		return &next, nil
	}
	ctx, end := context.WithCancel(t.Context())
	defer end()
	var g errgroup.Group
	first.work(ctx, &g)
	release := make(chan struct{})
	first.stores.reports.Go(func() { <-release }) // so long it closes
	p.reloadConfig(ctx, &g)
	second := p.current.Load()
	end()
	closed := make(chan error, 1)
	go func() { closed <- errors.Join(g.Wait(), p.close()) }()
	eventually(t, plenty, "the second product is closed", func() bool { return second.db.Reads.PingContext(t.Context()) != nil })
	select {
	case err := <-closed:
		t.Errorf("the process ends before the first product is closed: %v", err)
	default:
	}
	close(release)
	if err := <-closed; err != nil || first.db.Reads.PingContext(t.Context()) == nil {
		t.Errorf("the first product is not closed, %v", err)
	}
}

// FT-35: how a call ended could not be recorded with its approval while the database was held. A product that takes over from the one
// that made the call records it, and so does an end in order.
func TestFaultFT35OutcomesOutliveTheirProduct(t *testing.T) {
	t.Parallel()
	for name, after := range map[string]func(*process, *config.Config) error{
		"a reload": func(p *process, c *config.Config) error {
			next, err := openProduct(t.Context(), c, p)
			if err != nil {
				return err
			}
			return errors.Join(next.approvals.SettleLeft(t.Context()), next.close())
		},
		"an end": func(p *process, _ *config.Config) error { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := startDemo(t)
			p, c := d.process()
			approvals := p.current.Load().approvals
			r := spent(t, approvals, spentBinding)
			release := hold(t, d.dir)
			p.endWaits()
			if err := approvals.Settle(t.Context(), r.ID, approval.Done, nil); err == nil || p.unsettled.Len() != 1 {
				t.Errorf("settled while the database is held: %v, %d are left", err, p.unsettled.Len())
			}
			release()
			other := spentBinding
			other.Arguments = []byte(`{"other":1}`)
			eventually(t, plenty, "the database takes writes", func() bool { _, err := approvals.Submit(t.Context(), other, "create"); return err == nil })
			if err := errors.Join(after(p, c), p.close()); err != nil {
				t.Error(err)
			}
			settled := ""
			if err := d.database().Reads.QueryRow(`SELECT outcome FROM approvals WHERE id = $1`, r.ID).Scan(&settled); err != nil || settled != string(approval.Done) {
				t.Errorf("it is settled as %q, %v", settled, err)
			}
		})
	}
}

// spentBinding is a call that people approved.
var spentBinding = approval.Binding{Org: "acme", Subject: "005A", ClientID: "chatgpt", GrantID: "g1", Server: "sales", Tool: "createSobjectRecord",
	PolicyVersion: "p", DefinitionHash: "d", Arguments: []byte(`{}`), Confirmation: policy.Confirmation{Approvers: policy.Requester}}

// spent has a call be approved, and its approval be spent.
func spent(t *testing.T, approvals *approval.Store, b approval.Binding) *approval.Request {
	t.Helper()
	r, err := approvals.Submit(t.Context(), b, "create")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := approvals.Approve(t.Context(), r.ID, approval.Decision{By: actor.User("005A"), Human: "user 005A"}); err != nil {
		t.Fatal(err)
	}
	if _, err := approvals.Spend(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	return r
}

// FT-35: an approval that could be given back only after its call had ended is good for another try, also where the process is
// killed then and started again.
func TestFaultFT35GivenBackLateOutlivesAKill(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	p, _ := d.process()
	a := p.current.Load()
	r := spent(t, a.approvals, spentBinding)
	if _, err := a.audit.Append(t.Context(), audit.Entry{Actor: actor.User("005A"), Action: audit.ToolCall, Outcome: audit.Intent, Org: "acme", Subject: "005A",
		Server: "sales", Tool: "createSobjectRecord", Class: "create", Approval: r.ID}); err != nil {
		t.Fatal(err)
	}
	release := hold(t, d.dir)
	p.endWaits()
	if err := a.approvals.Unspend(t.Context(), r.ID); err == nil || !p.unsettled.GivesBack() {
		t.Errorf("given back while the database is held: %v, %d are left", err, p.unsettled.Len())
	}
	release()
	eventually(t, plenty, "the approval is given back", func() bool {
		return a.sweepers[0](t.Context()) == nil && p.unsettled.Len() == 0
	})
	applied, err := a.audit.Applied(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.cutoff.Reapply(t.Context(), applied); err != nil { // as a start does
		t.Fatal(err)
	}
	if got, err := a.approvals.Get(t.Context(), r.ID); err != nil || got.State != approval.Approved {
		t.Errorf("it is %+v, %v", got, err)
	}
	if err := p.close(); err != nil {
		t.Error(err)
	}
}

// process opens the product of the demo in this process, without its doors.
func (d *demo) process() (*process, *config.Config) {
	d.t.Helper()
	c, err := config.Load(d.ConfigFile, nil)
	if err != nil {
		d.t.Fatal(err)
	}
	p, err := openProcess(d.t.Context(), c, slog.New(slog.DiscardHandler))
	if err != nil {
		d.t.Fatal(err)
	}
	return p, c
}

// FT-35: what is asked of a database that does not answer ends with the process, whichever product asks.
func TestFaultFT35ProductsWaitNoLongerThanTheProcess(t *testing.T) {
	t.Parallel()
	p, _ := startDemo(t).process()
	waits, end := p.current.Load().db.Doubting(t.Context())
	defer end()
	p.endWaits()
	<-waits.Done()
	if err := waits.Err(); !errors.Is(err, context.Canceled) { // and not because its own time is over
		t.Error(err)
	}
	if err := p.close(); err != nil {
		t.Error(err)
	}
}
