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

	"sfmcp-proxy/authproxy/audit"
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
