package db

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"
)

// watched opens a database whose watcher has looked, under a clock that stands still.
func watched(t *testing.T) (d *DB, clock *atomic.Int64) {
	t.Helper()
	clock = &atomic.Int64{}
	d, err := Open(t.Context(), Config{URL: "sqlite:" + filepath.Join(t.TempDir(), "p.db"),
		Now: func() time.Time { return time.UnixMilli(clock.Load()) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); d.WatchAccess(ctx, time.Hour, func() {}) }()
	for d.access.looked.Load() == nil {
		time.Sleep(time.Millisecond)
	}
	cancel() // from here on it is stuck
	<-ended
	return d, clock
}

// counting returns a Get of one key and how often it has read.
func counting(c *Cache[string, int]) (get func() int, reads *int) {
	reads = new(int)
	return func() int {
		v, _ := c.Get("key", func(int) bool { return true }, func() (int, error) { *reads++; return *reads, nil })
		return v
	}, reads
}

func TestCacheRemembersUntilAccessIsTakenAway(t *testing.T) {
	d, _ := watched(t)
	get, reads := counting(NewCache[string, int](d, 10))
	for range 2 {
		if got := get(); got != 1 || *reads != 1 {
			t.Fatalf("got %d, read %d times", got, *reads)
		}
	}
	raise := func(result error) error {
		return d.Tx(t.Context(), func(tx *sql.Tx) error { return errors.Join(d.RaiseAccessEpoch(t.Context(), tx), result) })
	}
	if err := raise(nil); err != nil {
		t.Fatal(err)
	}
	if get() != 2 {
		t.Error("believed what was read before access was taken away")
	}
	if err := raise(errors.New("undone")); err == nil || get() != 3 {
		t.Error("believed what was read before a transaction whose end is not known")
	}
	if err := d.Tx(t.Context(), func(*sql.Tx) error { return nil }); err != nil || get() != 3 {
		t.Error("a transaction that takes nothing away made it read")
	}
}

// A watcher that is stuck, or was never started, is not relied on.
func TestCacheIsNotBelievedWithoutWatcher(t *testing.T) {
	d, clock := watched(t)
	get, reads := counting(NewCache[string, int](d, 10))
	get()
	clock.Add(accessTrust.Milliseconds() - 1)
	if get(); *reads != 1 {
		t.Error("not believed in time")
	}
	clock.Add(1)
	if get(); get() != 3 {
		t.Error("believed although nobody has looked")
	}
	unwatched := open(t, filepath.Join(t.TempDir(), "p.db"))
	get, reads = counting(NewCache[string, int](unwatched, 10))
	get()
	if get(); *reads != 2 {
		t.Error("believed in a process without a watcher")
	}
}

// What is taken away while a row is being read is not remembered.
func TestCacheDoesNotRememberARowOlderThanTheChange(t *testing.T) {
	d, _ := watched(t)
	for name, change := range map[string]func(*Cache[string, int]){
		"access": func(*Cache[string, int]) {
			if err := d.Tx(t.Context(), func(tx *sql.Tx) error { return d.RaiseAccessEpoch(t.Context(), tx) }); err != nil {
				t.Fatal(err)
			}
		},
		"forget": func(c *Cache[string, int]) { c.Forget("key") },
	} {
		c := NewCache[string, int](d, 10)
		good := func(int) bool { return true }
		if v, err := c.Get("key", good, func() (int, error) { change(c); return 1, nil }); v != 1 || err != nil {
			t.Fatal(v, err)
		}
		if v, _ := c.Get("key", good, func() (int, error) { return 2, nil }); v != 2 {
			t.Errorf("%s: the old row was remembered", name)
		}
	}
}

func TestCacheForgetsErrorsWhatIsOverAndTheOldest(t *testing.T) {
	d, _ := watched(t)
	c := NewCache[string, int](d, 2)
	good := func(v int) bool { return v > 0 }
	get := func(key string, v int, err error) int {
		v, _ = c.Get(key, good, func() (int, error) { return v, err })
		return v
	}
	if get("a", 1, errors.New("no")); get("a", 2, nil) != 2 {
		t.Error("an error was remembered")
	}
	if get("over", -1, nil); get("over", 3, nil) != 3 {
		t.Error("what is over was believed")
	}
	for _, key := range []string{"b", "c"} {
		get(key, 4, nil)
	}
	if get("a", 5, nil) != 5 || c.rows.Len() > 2 {
		t.Errorf("%d rows are kept", c.rows.Len())
	}
}

// One row is remembered as many are, and a Look holds for as long as what was read at it.
func TestRowAndLookHoldAsLongAsACache(t *testing.T) {
	d, clock := watched(t)
	row, reads := NewRow[int](d), 0
	get := func() (int, error) { return row.Get(func() (int, error) { reads++; return reads, nil }) }
	cache := NewCache[string, int](d, 1)
	good := func(int) bool { return true }
	look := func() Look {
		_, l, err := cache.Look("key", good, func() (int, error) { return 1, nil })
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	seeNow := func() { now := time.UnixMilli(clock.Load()); d.access.looked.Store(&now) }
	for what, change := range map[string]func(){
		"access was taken away": func() {
			if err := d.Tx(t.Context(), func(tx *sql.Tx) error { return d.RaiseAccessEpoch(t.Context(), tx) }); err != nil {
				t.Fatal(err)
			}
		},
		"ten seconds passed":        func() { clock.Add(believed.Milliseconds()); seeNow() },
		"the clock was turned back": func() { clock.Add(-1); seeNow() },
		"the watcher is stuck":      func() { clock.Add(accessTrust.Milliseconds()) },
	} {
		seeNow()
		before, err := get()
		l := look()
		if again, _ := get(); err != nil || again != before || !d.Holds(l) || look() != l {
			t.Fatalf("%s: not remembered before", what)
		}
		if change(); d.Holds(l) {
			t.Errorf("%s: a look holds", what)
		}
		if after, _ := get(); after == before {
			t.Errorf("%s: a row is believed", what)
		}
	}
	seeNow()
	failing := NewRow[int](d)
	if _, err := failing.Get(func() (int, error) { return 7, errors.New("no") }); err == nil {
		t.Error("no error")
	}
	if v, err := failing.Get(func() (int, error) { return 8, nil }); v != 8 || err != nil {
		t.Errorf("an error was remembered: %d %v", v, err)
	}
	if d.Holds(Look{}) {
		t.Error("no look at all holds")
	}
	unwatched := open(t, filepath.Join(t.TempDir(), "p.db"))
	if _, l, _ := NewCache[string, int](unwatched, 1).Look("key", good, func() (int, error) { return 1, nil }); unwatched.Holds(l) {
		t.Error("a look holds in a process without a watcher")
	}
}

// S7: whoever can write the database holds the access epoch back; what a process remembers
// is read again all the same.
func TestS7HeldBackEpoch(t *testing.T) {
	d, clock := watched(t)
	get, reads := counting(NewCache[string, int](d, 10))
	get()
	for _, after := range []struct{ elapsed, reads int }{{9_000, 1}, {9_999, 1}, {10_000, 2}, {19_999, 2}, {20_000, 3}, {-1, 4}} {
		clock.Store(int64(after.elapsed))
		now := time.UnixMilli(clock.Load())
		d.access.looked.Store(&now) // the watcher sees the epoch that is held back
		if get(); *reads != after.reads {
			t.Errorf("after %d ms: read %d times, want %d", after.elapsed, *reads, after.reads)
		}
	}
}

// FT-53: five seconds after the last look a process that watches decides nothing, whatever
// single reads still say; one that does not watch remembers nothing and may always.
func TestFaultFT53OutOfTouch(t *testing.T) {
	d, clock := watched(t)
	for _, step := range []struct {
		at   time.Duration
		want bool
	}{{0, true}, {accessLost - time.Millisecond, true}, {accessLost, false}, {time.Hour, false}} {
		clock.Store(step.at.Milliseconds())
		if err := d.CheckInTouch(); (err == nil) != step.want {
			t.Errorf("%s after the last look: %v", step.at, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	d.access.looked.Store(nil)
	ended := make(chan struct{})
	go func() { defer close(ended); d.WatchAccess(ctx, time.Hour, func() {}) }()
	for d.access.looked.Load() == nil {
		time.Sleep(time.Millisecond)
	}
	if err := d.CheckInTouch(); err != nil {
		t.Errorf("after another look: %v", err)
	}
	cancel()
	<-ended
	idle, err := Open(t.Context(), Config{URL: "sqlite:" + filepath.Join(t.TempDir(), "p.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer idle.Close()
	if err := idle.CheckInTouch(); err != nil {
		t.Errorf("a command: %v", err)
	}
}
