package approval

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/db/dbtest"
)

// ends are the ways in which a call ends for which an approval was spent, with the state of the request, and how it is
// recorded.
var ends = map[State]func(t *testing.T, s *Store, id string) error{
	Spent: func(t *testing.T, s *Store, id string) error {
		return s.Settle(t.Context(), id, Done, []byte("answer"))
	},
	Approved: func(t *testing.T, s *Store, id string) error { return s.Unspend(t.Context(), id) },
}

// FT-35: the database is away for a moment, or its answer is lost, when the end of a call is to be recorded. It is
// recorded once, and whoever has spent the approval again meanwhile keeps it.
func TestFaultFT35LostEnd(t *testing.T) {
	t.Parallel()
	if !dbtest.OnPostgres() {
		t.Skip("a file has no connection")
	}
	here, there, network := losing(t)
	for name, lose := range map[string]func(){
		"reaches":        func() { network.LoseCommit(true) },
		"does not":       func() { network.LoseCommit(false) },
		"away":           func() { network.Down(); time.AfterFunc(300*time.Millisecond, network.Heal) },
		"is not reached": func() { network.LoseAnswer("SELECT id, state", false, nil) },
	} {
		for want, end := range ends {
			b := binding(name + string(want))
			r := submit(t, here, b)
			decide(t, here, r.ID, true)
			for { // connections that have ended are found out one by one
				if _, err := there.Spend(t.Context(), b); err == nil {
					break
				} else if !db.Passes(err) {
					t.Fatal(err)
				}
			}
			lose()
			if err := end(t, there, r.ID); err != nil {
				t.Errorf("%s, %s: %v", name, want, err)
			}
			got, err := here.Get(t.Context(), r.ID)
			if err != nil || got.State != want || want == Spent && (got.Outcome != Done || string(got.Result) != "answer") {
				t.Errorf("%s, %s: %+v, %v", name, want, got, err)
			}
			if err := end(t, there, r.ID); !errors.Is(err, ErrNotSpent) {
				t.Errorf("%s, %s: recorded again: %v", name, want, err)
			}
		}
	}
}

// FT-35: an approval is given back, whose answer is lost, and somebody else spends it at that moment: it is not given back
// once more.
func TestFaultFT35GivenBackOnce(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t)
	b := binding("Acme")
	r := submit(t, s, b)
	decide(t, s, r.ID, true)
	spend := func() {
		t.Helper()
		if _, err := s.Spend(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	for _, outcome := range []Outcome{"", Done} {
		spend()
		first := &spentCall{id: r.ID}
		if err := first.try(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		spend()
		first.outcome = outcome
		if err := first.try(t.Context(), s); err != nil {
			t.Errorf("%q again: %v", outcome, err)
		}
		if got, err := s.Get(t.Context(), r.ID); err != nil || got.State != Spent || got.Outcome != "" {
			t.Errorf("%q: the other one's is %s %q, %v", outcome, got.State, got.Outcome, err)
		}
		if err := s.Unspend(t.Context(), r.ID); err != nil {
			t.Fatal(err)
		}
	}
}

// FT-35: the end of a call that could not be recorded while the database was away is recorded once it is back, as long
// as the process lives, and not after somebody else has spent the approval.
func TestFaultFT35EndIsRecordedLater(t *testing.T) {
	t.Parallel()
	if !dbtest.OnPostgres() {
		t.Skip("a file has no connection")
	}
	here, there, network := losingFor(t, time.Millisecond)
	spent := map[State]string{}
	for want := range ends {
		b := binding(string(want))
		spent[want] = submit(t, here, b).ID
		decide(t, here, spent[want], true)
		if _, err := there.Spend(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	network.Down()
	for want, end := range ends {
		if err := end(t, there, spent[want]); !db.Passes(err) {
			t.Errorf("%s while the database is away: %v", want, err)
		}
	}
	if err := there.SettleLeft(t.Context()); err != nil || there.unsettled.Len() != len(ends) {
		t.Errorf("still away: %v, %d are left", err, there.unsettled.Len())
	}
	network.Heal()
	for there.unsettled.Len() > 0 {
		if err := there.SettleLeft(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for want, id := range spent {
		if got, err := here.Get(t.Context(), id); err != nil || got.State != want || want == Spent && got.Outcome != Done {
			t.Errorf("%s: %+v, %v", want, got, err)
		}
	}
}

// FT-35: an outcome is kept however many could not be recorded before it. Once there are many, no other approval is spent until they
// are recorded; it stays good.
func TestFaultFT35NoOutcomeIsDropped(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t)
	b := binding("Acme")
	decide(t, s, submit(t, s, b).ID, true)
	for range maxUnsettled {
		s.unsettled.keep(&spentCall{id: "apr_none"})
	}
	if _, err := s.Spend(t.Context(), b); !errors.Is(err, errUnsettled) {
		t.Errorf("spent while the outcomes of others wait: %v", err)
	}
	s.unsettled.keep(&spentCall{id: "apr_none"}) // of a call that was under way
	if n := s.unsettled.Len(); n != maxUnsettled+1 {
		t.Errorf("%d are kept", n)
	}
	taken := s.unsettled.take() // they are tried
	if _, err := s.Spend(t.Context(), b); !errors.Is(err, errUnsettled) {
		t.Errorf("spent while the outcomes of others are tried: %v", err)
	}
	s.unsettled.keep(taken...)
	s.unsettled.tried(len(taken))
	_ = s.SettleLeft(t.Context())
	if n := s.unsettled.Len(); n != 0 {
		t.Errorf("%d are left", n)
	}
	if _, err := s.Spend(t.Context(), b); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// FT-35: where the database does not take one outcome, the rest are kept untried, and are tried before it the next time: else each
// would wait as long, one after the other, and the other sweeps behind them.
func TestFaultFT35RestWaitsUntried(t *testing.T) {
	t.Parallel()
	if !dbtest.OnPostgres() {
		t.Skip("a file has no connection")
	}
	here, there, network := losing(t)
	var ids []string
	for _, name := range []string{"first", "second", "third"} {
		b := binding(name)
		ids = append(ids, submit(t, here, b).ID)
		decide(t, here, ids[len(ids)-1], true)
		if _, err := here.Spend(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		there.unsettled.keep(&spentCall{id: ids[len(ids)-1], outcome: Done})
	}
	network.LoseAnswer("SELECT id, state", false, nil)
	if err := there.SettleLeft(t.Context()); err != nil || !network.Lost() {
		t.Fatalf("%v, the answer was lost: %t", err, network.Lost())
	}
	var left []string
	for _, c := range there.unsettled.calls {
		left = append(left, c.id)
	}
	if want := []string{ids[1], ids[2], ids[0]}; !slices.Equal(left, want) {
		t.Errorf("left are %v, want %v", left, want)
	}
	for there.unsettled.Len() > 0 { // connections that have ended are found out one by one
		if err := there.SettleLeft(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range ids {
		if got, err := here.Get(t.Context(), id); err != nil || got.Outcome != Done {
			t.Errorf("%s: %+v, %v", id, got, err)
		}
	}
}

// FT-35: outcomes that will not be recorded at all keep none of the others from being recorded, and are each told; nor does one that
// is kept because its row is under a key that is missing.
func TestFaultFT35EachOutcomeIsTried(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t)
	b := binding("Acme")
	r := submit(t, s, b)
	decide(t, s, r.ID, true)
	if _, err := s.Spend(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	waiting := submit(t, s, binding("waiting"))
	keyless := submit(t, s, binding("keyless"))
	if _, err := s.db.Writes.Exec(`UPDATE approvals SET mac = 'k_missing:AAAA' WHERE id = $1`, keyless.ID); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{keyless.ID, "apr_none", waiting.ID, r.ID} {
		s.unsettled.keep(&spentCall{id: id, outcome: Done})
	}
	if err := s.SettleLeft(t.Context()); !errors.Is(err, ErrNotFound) || !errors.Is(err, ErrNotSpent) {
		t.Errorf("told: %v", err)
	}
	if got, err := s.Get(t.Context(), r.ID); err != nil || got.Outcome != Done || s.unsettled.Len() != 1 {
		t.Errorf("%+v, %v, %d are left", got, err, s.unsettled.Len())
	}
}

// FT-35: nobody waits for the database any longer once the process ends; what is not recorded then another store of the process
// records, as the one that took over at a reload.
func TestFaultFT35WaitsEndWithTheProcess(t *testing.T) {
	t.Parallel()
	if !dbtest.OnPostgres() {
		t.Skip("a file has no connection")
	}
	waits, endWaits := context.WithCancel(context.Background())
	defer endWaits()
	here, there, network := losingUntil(t, time.Hour, waits)
	here.unsettled = there.unsettled
	b, doubtful := binding("Acme"), binding("doubtful")
	r := submit(t, here, b)
	decide(t, here, r.ID, true)
	decide(t, here, submit(t, here, doubtful).ID, true)
	if _, err := there.Spend(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	network.LoseAnswer(spends, false, network.Down)
	ended := make(chan error, 2)
	go func() { _, err := there.Spend(t.Context(), doubtful); ended <- err }()
	for !network.Lost() {
		runtime.Gosched()
	}
	go func() { ended <- there.Settle(t.Context(), r.ID, Done, nil) }()
	endWaits()
	for range 2 {
		if err := <-ended; err == nil {
			t.Error("no error while the database is away")
		}
	}
	if err := here.SettleLeft(t.Context()); err != nil {
		t.Error(err)
	}
	if got, err := here.Get(t.Context(), r.ID); err != nil || got.Outcome != Done {
		t.Errorf("by the other store: %+v, %v", got, err)
	}
}
