package link_test

import (
	"context"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"

	"sfmcp-proxy/authproxy/db/dbtest"
	"sfmcp-proxy/authproxy/link"
)

// What the database says of a change that it refuses is what is returned.
func TestFullDiskIsNoRace(t *testing.T) {
	t.Parallel()
	f := newLogin(t)
	p, _ := signedIn(t, f)
	dbtest.Refuse(t, p.db, "links")
	for doing, err := range map[string]error{
		"revoking Salesforce login: changing link: ": p.Revoke(t.Context(), "acme", alice, "test"),
		"storing Salesforce login: changing link: ":  p.Replace(t.Context(), "acme", f.signIn(alice)),
	} {
		if err == nil || !strings.HasPrefix(err.Error(), doing) || !strings.Contains(err.Error(), "full") {
			t.Errorf("%s… expected, got %v", doing, err)
		}
	}
}

// full counts what is logged, and ends a context when there is anything.
type full struct {
	lines atomic.Int64
	stop  context.CancelFunc
}

func (f *full) Write(line []byte) (int, error) {
	f.lines.Add(1)
	f.stop()
	return len(line), nil
}

// On a full disk no revocation can be claimed. However many wait, they are looked at once, whoever asked for it
// is told, nobody at Salesforce is asked, and none is lost.
func TestFullDiskDoesNotLoopOverRevocations(t *testing.T) {
	t.Parallel()
	const waiting = 100 // a full batch
	f := newLogin(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	log := &full{stop: cancel}
	p := newFiles(t).start(t, f, func(c *link.Config) { c.Log = slog.New(slog.NewTextHandler(log, nil)) })
	for range waiting {
		if err := p.Discard(t.Context(), "acme", f.signIn(alice)); err != nil {
			t.Fatal(err)
		}
	}
	accept := dbtest.Refuse(t, p.db, "upstream_revocations")
	if _, err := p.RevokePending(ctx); err == nil || !strings.Contains(err.Error(), "full") {
		t.Error(err)
	}
	if n := log.lines.Load(); n != 0 || len(f.revoked) != 0 {
		t.Errorf("%d lines were logged, %d revoked", n, len(f.revoked))
	}
	accept()
	if left, err := p.RevokePending(t.Context()); left != 0 || err != nil || len(f.revoked) != waiting {
		t.Errorf("%d are left (%v), %d revoked", left, err, len(f.revoked))
	}
}
