package approval

import (
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"sfmcp-proxy/authproxy/actor"
)

// sent is a call that was approved and sent, and came to that; "" is that nobody recorded it.
func sent(t *testing.T, s *Store, name string, outcome Outcome) *Request {
	t.Helper()
	r := submit(t, s, binding(name))
	decide(t, s, r.ID, true)
	if _, err := s.Spend(t.Context(), binding(name)); err != nil {
		t.Fatal(err)
	}
	if outcome != "" {
		if err := s.Settle(t.Context(), r.ID, outcome, nil); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

var images = &Images{Object: "Account", ID: "001000000000001AAA", Modified: "2026-03-01T12:00:00.000+0000", Read: true,
	Fields: []Image{{Name: "Name", Before: jsontext.Value(`"<b>&"`), Set: jsontext.Value(`1.0`), After: jsontext.Value(`12345678901234567890`)}}}

// What a call came to is kept as Salesforce spelled it, sealed, once, and no longer than the
// arguments.
func TestCheckIsKept(t *testing.T) {
	t.Parallel()
	s, c := newStore(t)
	s.keep = time.Hour
	r := sent(t, s, "Acme", Done)
	if err := s.SaveCheck(t.Context(), r.ID, Differs, images); err != nil {
		t.Fatal(err)
	}
	if err := s.SaveCheck(t.Context(), r.ID, Intended, nil); !errors.Is(err, ErrNotSpent) {
		t.Errorf("once more: %v", err)
	}
	met := submit(t, s, binding("Acme")) // a repeat
	for name, got := range map[string]*Request{"Get": get(t, s, r.ID), "Submit": met} {
		if got.Check == nil || got.Check.Verification != Differs || !got.Check.VerifiedAt.Equal(c.now()) {
			t.Fatalf("%s: %+v", name, got.Check)
		}
		if diff := cmp.Diff(images, got.Check.Images); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	var sealed string
	if err := s.db.Reads.QueryRow(`SELECT sealed_images FROM approval_checks`).Scan(&sealed); err != nil || strings.Contains(sealed, "12345678901234567890") {
		t.Errorf("stored %q, %v", sealed, err)
	}
	for name, outcome := range map[string]Outcome{"Failed": Failed, "Lost": Unknown, "Under way": ""} {
		other := sent(t, s, name, outcome)
		if err := s.SaveCheck(t.Context(), other.ID, Intended, images); !errors.Is(err, ErrNotSpent) {
			t.Errorf("%s: %v", name, err)
		}
	}
	c.add(time.Hour + time.Second)
	if _, err := s.Expire(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := get(t, s, r.ID); got.Check == nil || got.Check.Images != nil || got.Check.Verification != Differs {
		t.Errorf("after the arguments: %+v", got.Check)
	}
	if err := s.EraseUser(t.Context(), "acme", "005A"); err != nil {
		t.Fatal(err)
	}
	var left int
	if err := s.db.Reads.QueryRow(`SELECT COUNT(*) FROM approval_checks`).Scan(&left); err != nil || left != 0 {
		t.Errorf("%d rows of a user who was erased, %v", left, err)
	}
}

func get(t *testing.T, s *Store, id string) *Request {
	t.Helper()
	r, err := s.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// A lost answer is resolved once, by the first of any who say it at a time, and the call stays spent.
func TestResolveOnce(t *testing.T) {
	t.Parallel()
	s, c := newStore(t)
	lost := sent(t, s, "Lost", Unknown)
	var won atomic.Int32
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			r, err := s.Resolve(t.Context(), lost.ID, actor.User("005A"), DidHappen, "it is there")
			switch {
			case err == nil:
				won.Add(1)
			case !errors.Is(err, ErrNotUnknown) || r == nil || r.Check == nil || r.Check.Happened != DidHappen:
				t.Errorf("%+v, %v", r, err)
			}
		})
	}
	all.Wait()
	if won.Load() != 1 {
		t.Errorf("%d times", won.Load())
	}
	r := get(t, s, lost.ID)
	if r.State != Spent || r.Outcome != Unknown || r.Check.Reason != "it is there" || r.Check.ResolvedBy != actor.User("005A") || r.Unresolved(c.now()) {
		t.Errorf("%+v, %+v", r, r.Check)
	}
	if again := submit(t, s, binding("Lost")); again.ID != lost.ID {
		t.Errorf("a repeat is %+v", again)
	}

	waiting, done, under := submit(t, s, binding("Waits")), sent(t, s, "Done", Done), sent(t, s, "Under way", "")
	for name, id := range map[string]string{"waits": waiting.ID, "done": done.ID, "under way": under.ID} {
		if _, err := s.Resolve(t.Context(), id, actor.User("005A"), DidNotHappen, "x"); !errors.Is(err, ErrNotUnknown) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := s.Resolve(t.Context(), "apr_none", actor.User("005A"), DidHappen, "x"); !errors.Is(err, ErrNotFound) {
		t.Errorf("of none: %v", err)
	}
	if _, err := s.Resolve(t.Context(), lost.ID, actor.User("005A"), DidHappen, " "); !errors.Is(err, actor.ErrReason) {
		t.Errorf("without a reason: %v", err)
	}
	if _, err := s.Resolve(t.Context(), lost.ID, actor.User("005A"), "maybe", "x"); err == nil {
		t.Error("maybe")
	}
	c.add(UnresolvedAfter) // whoever sent it stopped, and never said how it ended
	if r, err := s.Resolve(t.Context(), under.ID, actor.User("005A"), DidNotHappen, "x"); err != nil || r.Check.Happened != DidNotHappen {
		t.Errorf("%+v, %v", r, err)
	}
}

// An undo is a call of its own: of one that was done and is known, for the same user at the same
// server, once at a time.
func TestUndoIsARequest(t *testing.T) {
	t.Parallel()
	s, c := newStore(t)
	back := binding("back")
	undo := func(id string, b Binding) (*Request, error) { return s.Undo(t.Context(), id, b, "update", "ann") }
	done := sent(t, s, "Acme", Done)
	if _, err := undo(done.ID, back); !errors.Is(err, ErrUndo) {
		t.Errorf("of which nothing is known: %v", err)
	}
	if err := s.SaveCheck(t.Context(), done.ID, Intended, images); err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string]Binding{
		"another user": func(b Binding) Binding { b.Subject = "005B"; return b }(back), "another org": func(b Binding) Binding { b.Org = "beta"; return b }(back),
		"another server": func(b Binding) Binding { b.Server = "other"; return b }(back), "no call": {},
	} {
		if _, err := undo(done.ID, b); err == nil {
			t.Errorf("%s: undone", name)
		}
	}
	r, err := undo(done.ID, back)
	if err != nil || r.State != Pending || r.Author != "ann" || r.UndoOf != done.ID {
		t.Fatalf("%+v, %v", r, err)
	}
	if _, err := undo(done.ID, binding("other")); !errors.Is(err, ErrUndo) {
		t.Errorf("a second one while it waits: %v", err)
	}
	if got := get(t, s, done.ID); got.Undo == nil || got.Undo.ID != r.ID || got.Undo.Arguments == nil {
		t.Errorf("it is not known of the call: %+v", got.Undo)
	}
	if met := submit(t, s, back); met.ID != r.ID { // the client's own call spends it
		t.Errorf("the call meets %s", met.ID)
	}
	decide(t, s, r.ID, false)
	if _, err := undo(done.ID, back); !errors.Is(err, ErrUndo) || !strings.Contains(err.Error(), "denied") {
		t.Errorf("after a denial: %v", err)
	}
	c.add(time.Millisecond)
	again, err := undo(done.ID, binding("back once more"))
	if err != nil {
		t.Fatal(err)
	}
	decide(t, s, again.ID, true)
	if _, err := s.Spend(t.Context(), binding("back once more")); err != nil {
		t.Fatal(err)
	}
	if _, err := undo(done.ID, binding("a third")); !errors.Is(err, ErrUndo) || !strings.Contains(err.Error(), "undone already") {
		t.Errorf("after it was undone: %v", err)
	}
}
