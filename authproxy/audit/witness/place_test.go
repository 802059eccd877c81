package witness

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"sfmcp-proxy/authproxy/audit/publish"
	"sfmcp-proxy/authproxy/audit/tree"
)

// asPlace is the witness as a place of the log, which counts what it was given by size.
func (l *log) asPlace(w Witness, cosigned map[int64]string) publish.Place {
	return NewPlace(PlaceConfig{
		Witness: w,
		Prove:   func(older, newer int64) ([]tlog.Hash, error) { return tree.ProveConsistency(older, newer, l) },
		Cosigned: func(c publish.Checkpoint, lines []byte) error {
			cosigned[c.Size] = string(c.Signed) + string(lines)
			return nil
		},
	})
}

func (l *log) published(t *testing.T, size int64) publish.Checkpoint {
	_, signed := l.checkpoint(t, size)
	return publish.Checkpoint{Origin: origin, Size: size, Signed: signed}
}

func TestWitnessIsAPlace(t *testing.T) {
	s, w := newServer(t)
	l := newLog(t, "", 50, 50)
	cosigned := map[int64]string{}
	p := l.asPlace(w, cosigned)
	for _, size := range []int64{1, 17, 50} {
		if err := p.Publish(t.Context(), l.published(t, size)); err != nil {
			t.Fatal(err)
		}
		if got, err := tree.Cosignatures([]byte(cosigned[size]), w.Key); err != nil || len(got) != 1 {
			t.Errorf("at %d: %v, %v", size, got, err)
		}
	}
	if s.asked != 3 {
		t.Errorf("asked %d times for 3 checkpoints", s.asked)
	}
	if p.String() != "witness "+name {
		t.Error(p)
	}
	// After a restart nothing is known.
	c := l.published(t, 50)
	if signed, err := l.asPlace(w, cosigned).Latest(t.Context(), c); err != nil || !slices.Equal(signed, c.Signed) {
		t.Errorf("%q, %v", signed, err)
	}
}

// Who puts an older log back hears it before anything is appended.
func TestS1WitnessContradictsARollbackAndAFork(t *testing.T) {
	_, w := newServer(t)
	l, forked := newLog(t, "", 60, 60), newLog(t, "forked", 60, 20)
	if err := l.asPlace(w, map[int64]string{}).Publish(t.Context(), l.published(t, 40)); err != nil {
		t.Fatal(err)
	}
	for what, tt := range map[string]struct {
		log  *log
		size int64
		as   any
	}{"put back": {l, 30, new(*AheadError)}, "forked": {forked, 60, nil}} {
		told := make(chan error, 10)
		cosigned := map[int64]string{}
		p := publish.Start(publish.Config{Places: []publish.Place{tt.log.asPlace(w, cosigned)}, Log: slog.New(slog.DiscardHandler), Now: time.Now,
			Contradicted: func(_ string, err error) { told <- err }})
		c := tt.log.published(t, tt.size)
		found := p.Latest(t.Context(), c)
		p.Publish(c)
		for _, err := range []error{found[0].Err, <-told} {
			if !errors.Is(err, publish.ErrContradicted) || tt.as != nil && !errors.As(err, tt.as) || tt.as == nil && !errors.Is(err, ErrRefused) {
				t.Errorf("%s: %v", what, err)
			}
		}
		if err := p.Close(t.Context()); err != nil {
			t.Error(err)
		}
		if len(cosigned) > 0 {
			t.Errorf("%s: cosigned %v", what, fmt.Sprint(cosigned))
		}
	}
}
