package oracle

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"sfmcp-proxy/authproxy/audit/publish"
	"sfmcp-proxy/authproxy/audit/tree"
	"sfmcp-proxy/authproxy/audit/witness"
)

// kept is what the product keeps of a witness: the last checkpoint with its cosignature.
type kept struct {
	mu     sync.Mutex
	signed []byte
	size   int64
}

func (k *kept) keep(c publish.Checkpoint, lines []byte) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.signed, k.size = append(bytes.Clone(c.Signed), lines...), c.Size
	return nil
}

// carried starts the product's publisher with the witness as its one place, for a process that
// remembers nothing.
func carried(t *testing.T, l *auditLog, w witness.Witness, newest *tree.Checkpoint, k *kept) (p *publish.Publisher, contradicted chan error) {
	t.Helper()
	contradicted = make(chan error, 10)
	place := witness.NewPlace(witness.PlaceConfig{Witness: w, Cosigned: k.keep, Prove: func(older, newer int64) ([]tlog.Hash, error) {
		return tree.ProveConsistency(older, newer, tree.TileHashes(l.tiles, *newest))
	}})
	p = publish.Start(publish.Config{Places: []publish.Place{place}, Every: time.Millisecond, Log: slog.New(slog.DiscardHandler), Now: time.Now,
		Contradicted: func(_ string, err error) { contradicted <- err }})
	t.Cleanup(func() {
		if err := p.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return p, contradicted
}

// S1: the product's own way to a witness, with a real one: checkpoints arrive as the log grows and after a restart, what
// comes back is kept, and a log that was put back is told by the place.
func TestS1LitewitnessAsAPlace(t *testing.T) {
	l := newLog(t)
	w, _ := startWitness(t, l)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var newest, first tree.Checkpoint
	var firstSigned []byte
	var k kept
	for _, sizes := range [][]int64{{5, 700}, {700, 2000}} { // two processes
		p, contradicted := carried(t, l, w, &newest, &k)
		for _, size := range sizes {
			newest = l.grow(t, size)
			p.Publish(publish.Checkpoint{Origin: origin, Size: size, Signed: l.signed})
			if err := p.Flush(ctx); err != nil {
				t.Fatalf("%d records: %v", size, err)
			}
			if size == 5 {
				first, firstSigned = newest, l.signed
			}
			cosigned, err := tree.Cosignatures(k.signed, w.Key)
			if err != nil || k.size != size || len(cosigned) != 1 {
				t.Errorf("%d records: kept is one of %d, with %v, %v", size, k.size, cosigned, err)
			}
		}
		found := p.Latest(ctx, publish.Checkpoint{Origin: origin, Size: newest.Size, Signed: l.signed})
		if len(found) != 1 || found[0].Err != nil || !bytes.Equal(found[0].Signed, l.signed) {
			t.Errorf("asked for the latest: %+v", found)
		}
		if len(contradicted) > 0 {
			t.Errorf("a log that grows is contradicted: %v", <-contradicted)
		}
	}

	// The log and everything else on the machine as it was: at start, and when something is sent.
	newest = first
	p, contradicted := carried(t, l, w, &newest, &kept{})
	back := publish.Checkpoint{Origin: origin, Size: first.Size, Signed: firstSigned}
	if found := p.Latest(ctx, back); len(found) != 1 || !errors.Is(found[0].Err, publish.ErrContradicted) {
		t.Errorf("at start: %+v", found)
	}
	p.Publish(back)
	select {
	case err := <-contradicted:
		if !errors.Is(err, publish.ErrContradicted) {
			t.Error(err)
		}
	case <-ctx.Done():
		t.Error("nobody hears that the log was put back")
	}
}
