package audit

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/audit/publish"
	"sfmcp-proxy/authproxy/audit/tree"
)

// What is proven is checked with the line of the entry and the public key alone, and no other
// line fits.
func TestProofOfOneEntry(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	l := s.ten()
	appendAll(t, l, entry("a.a")) // behind the last checkpoint
	key, err := note.NewVerifier(publicKey(t, l))
	if err != nil {
		t.Fatal(err)
	}
	for _, seq := range []int64{1, 5, 10, 11} {
		text, err := l.Published().Prove(t.Context(), seq)
		if err != nil {
			t.Fatal(err)
		}
		_, line, err := l.Entry(t.Context(), seq)
		if err != nil {
			t.Fatal(err)
		}
		var proof tree.Proof
		if err := proof.UnmarshalText(text); err != nil {
			t.Fatal(err)
		}
		if c, err := proof.Verify(line, key); err != nil || c.Size != 11 {
			t.Errorf("entry %d: %+v, %v", seq, c, err)
		}
		if _, err := proof.Verify(append(bytes.Clone(line), ' '), key); err == nil {
			t.Errorf("entry %d: another line is proven", seq)
		}
	}
	for _, seq := range []int64{0, -1, 12} {
		if _, err := l.Published().Prove(t.Context(), seq); !errors.Is(err, ErrNoEntry) {
			t.Errorf("entry %d: %v", seq, err)
		}
	}
	// Tiles that are gone or damaged are made again from the log.
	for name, change := range map[string]func() error{
		"gone":    func() error { return os.RemoveAll(l.tiles.dir) },
		"damaged": func() error { return os.WriteFile(filepath.Join(l.tiles.dir, "checkpoint"), []byte("x"), 0o600) },
	} {
		if err := change(); err != nil {
			t.Fatal(err)
		}
		appendAll(t, l, entry("a.a"))
		if _, err := l.Published().Prove(t.Context(), 3); err != nil {
			t.Errorf("tiles are %s: %v", name, err)
		}
	}
}

// The log agrees with places elsewhere that have what it had or nothing, and with no other.
func TestAgreeWithPlacesElsewhere(t *testing.T) {
	t.Parallel()
	s := newFiles(t)
	l := s.ten()
	kept := l.Published().Newest()
	appendAll(t, l, entry("a.a"))
	for name, c := range map[string]struct {
		found publish.Found
		agree bool
	}{
		"older":        {publish.Found{Signed: kept.Signed}, true},
		"nothing":      {publish.Found{Err: publish.ErrNone}, true},
		"unreachable":  {publish.Found{Err: errors.New("connection refused")}, true},
		"knows better": {publish.Found{Err: publish.ErrContradicted}, false},
		"junk":         {publish.Found{Signed: []byte("junk")}, false},
		"of another":   {publish.Found{Signed: newStore(t).ten().Published().Newest().Signed}, false},
	} {
		err := l.Published().AgreeWith([]publish.Found{{Place: "first", Err: publish.ErrNone}, c.found})
		var d *Disagreement
		if c.agree && err != nil || !c.agree && !errors.As(err, &d) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// All that is here was put back to before the checkpoint that is there.
	restored := newFiles(t)
	if err := os.Rename(s.keys(), restored.keys()); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(restored.log(), os.DirFS(s.log())); err != nil {
		t.Fatal(err)
	}
	later := l.Published().Newest
	if err := l.Checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	old := restored.open()
	if err := old.Published().AgreeWith([]publish.Found{{Place: "elsewhere", Signed: later().Signed}}); err != nil {
		t.Errorf("the whole log: %v", err) // the copy has the entry, and no checkpoint of it
	}
	appendAll(t, l, entry("a.b"))
	if err := l.Checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	var d *Disagreement
	if err := old.Published().AgreeWith([]publish.Found{{Place: "elsewhere", Signed: later().Signed}}); !errors.As(err, &d) {
		t.Errorf("a log that was put back: %v", err)
	}
}

// What the tiles had of a log that was ended proves nothing of the next one, and is in nobody's way.
func TestProofAfterALogWasEnded(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	l := s.ten()
	if _, err := l.Published().Prove(t.Context(), 10); err != nil {
		t.Fatal(err)
	}
	lost := &Disagreement{Place: "elsewhere", Why: "it was cut", lost: true}
	if err := l.Acknowledge(t.Context(), lost, actor.Operator("alice", "")); err != nil {
		t.Fatal(err)
	}
	appendAll(t, l, entry("a.a"), entry("a.b"), entry("a.c"))
	if _, err := l.Published().Prove(t.Context(), 2); err != nil {
		t.Errorf("an entry of the new log, which is shorter than the tiles of the one before: %v", err)
	}
}

// Why a log takes no more entries can be asked, and only that one takes none.
func TestHaltedSaysWhy(t *testing.T) {
	t.Parallel()
	l := newStore(t).ten()
	if err := l.Halted(); err != nil {
		t.Errorf("before: %v", err)
	}
	why := &Disagreement{Place: "elsewhere", Why: "it was cut"}
	l.Halt(why)
	var d *Disagreement
	if err := l.Halted(); !errors.As(err, &d) || d != why {
		t.Errorf("it is halted because of %v", err)
	}
	if _, err := l.Append(t.Context(), entry("a.b")); !errors.As(err, &d) {
		t.Errorf("an entry after that: %v", err)
	}
}

// FT-53: a checkpoint that was on its way to the database when the network was lost, and arrives late, does
// not take the place of a newer one: that would look as if the database had been put back.
func TestFaultFT53LateCheckpointReplacesNothing(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	l := s.open()
	row := func() *checkpointRow {
		return &checkpointRow{db: l.config.DB, name: checkpointRows + "x"}
	}
	late, first := row(), row()
	for _, r := range []*checkpointRow{late, first} {
		if there, err := r.read(t.Context()); err != nil || there != nil {
			t.Fatalf("%q, %v", there, err)
		}
	}
	if err := first.write(t.Context(), []byte("1")); err != nil {
		t.Fatal(err)
	}
	if err := late.write(t.Context(), []byte("0")); !errors.Is(err, errReplaced) {
		t.Errorf("a late first checkpoint: %v", err)
	}
	late, next := row(), row()
	for _, r := range []*checkpointRow{late, next} {
		if there, err := r.read(t.Context()); err != nil || string(there) != "1" {
			t.Fatalf("%q, %v", there, err)
		}
	}
	if err := next.write(t.Context(), []byte("3")); err != nil {
		t.Fatal(err)
	}
	if err := late.write(t.Context(), []byte("2")); !errors.Is(err, errReplaced) {
		t.Errorf("a late checkpoint: %v", err)
	}
	if there, err := row().read(t.Context()); err != nil || string(there) != "3" {
		t.Errorf("there is %q, %v", there, err)
	}
	if err := row().write(t.Context(), []byte("4")); err != nil { // after a person has looked
		t.Error(err)
	}
}

// taken is a place elsewhere that keeps the sizes of what it is given.
type taken struct{ sizes chan int64 }

func (taken) String() string { return "elsewhere" }

func (p taken) Publish(ctx context.Context, c publish.Checkpoint) error {
	select {
	case p.sizes <- c.Size:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (taken) Latest(context.Context, publish.Checkpoint) ([]byte, error) { return nil, publish.ErrNone }

// S1: what a command, or a process that was killed, has stored here and given to nobody reaches the places while nothing is
// appended, and once; until it has, they count as behind.
func TestStoredCheckpointReachesThePlaces(t *testing.T) {
	t.Parallel()
	l := newStore(t).ten()
	if err := l.Checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	place := taken{make(chan int64)}
	p := publish.Start(publish.Config{Places: []publish.Place{place}, Every: time.Hour, Log: slog.New(slog.DiscardHandler), Now: time.Now})
	t.Cleanup(func() { p.Close(t.Context()) }) // what is on its way then is not waited for
	upkeep := pass{log: l, clock: ClockOf(t.Context(), l, l.config.Now())}
	upkeep.run(t.Context(), Upkeep{Every: time.Hour, Publisher: p})
	if p.States()[0].Behind.IsZero() {
		t.Fatal("the place has nothing, and does not count as behind")
	}
	if size := <-place.sizes; size != 10 {
		t.Errorf("the place got %d entries", size)
	}
	if err := p.Flush(t.Context()); err != nil || !p.States()[0].Behind.IsZero() {
		t.Errorf("afterwards: %+v, %v", p.States(), err)
	}
	upkeep.run(t.Context(), Upkeep{Every: time.Hour, Publisher: p})
	if !p.States()[0].Behind.IsZero() {
		t.Error("the same checkpoint is given once more")
	}
	if lacks := l.Published().Lacks(publish.Found{Err: publish.ErrNone}); lacks != 10 {
		t.Errorf("a place without any lacks %d", lacks)
	}
	there := publish.Found{Signed: l.Published().Newest().Signed}
	appendAll(t, l, entry("a.a"))
	if err := l.Checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	if lacks := l.Published().Lacks(there); lacks != 1 {
		t.Errorf("a place with that of before lacks %d", lacks)
	}
}
