package db

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// believed is how long a row is remembered at most: whoever can write the database, and
// holds the access epoch back, does not keep alive for longer what was taken away.
const believed = 10 * time.Second

// Cache remembers what rows said that decide about access, at most size of them, for as
// long as the access epoch says that nothing has taken access away (see [DB.WatchAccess]),
// and for ten seconds.
// A change in this process holds for the next Get, one of another process within a second;
// if the epoch could not be read for a moment, nothing is believed and every Get reads.
// What ends by time is for the caller to see.
type Cache[K comparable, V any] struct {
	access *accessEpoch

	mu        sync.Mutex
	rows      *simplelru.LRU[K, cached[V]]
	forgotten uint64 // calls of Forget
}

type cached[V any] struct {
	value V
	Look
}

// Look is when a row was read that decides about access. The zero Look never holds.
type Look struct {
	// Generation is that of the access epoch before the row was read.
	Generation uint64
	At         time.Time
}

// Holds reports whether a row that was read at l can be believed still, as a [Cache] would.
func (d *DB) Holds(l Look) bool { return d.access.holds(l) }

func (e *accessEpoch) holds(l Look) bool {
	if l.At.IsZero() {
		return false
	}
	generation, now, trusted := e.current()
	return trusted && l.isGood(generation, now)
}

func (l Look) isGood(generation uint64, now time.Time) bool {
	age := now.Sub(l.At)
	return l.Generation == generation && age >= 0 && age < believed
}

// NewCache returns an empty cache of what is read from d. size must be positive.
func NewCache[K comparable, V any](d *DB, size int) *Cache[K, V] {
	rows, err := simplelru.NewLRU[K, cached[V]](size, nil)
	if err != nil {
		panic(err) // size is a constant of the caller's
	}
	return &Cache[K, V]{access: d.access, rows: rows}
}

// Get returns what is remembered under key if it is good still, else what read reads
// now. Errors are not remembered, and neither is absence, which is one.
func (c *Cache[K, V]) Get(key K, good func(V) bool, read func() (V, error)) (V, error) {
	value, _, err := c.Look(key, good, read)
	return value, err
}

// Look is Get, and says when the row was read.
func (c *Cache[K, V]) Look(key K, good func(V) bool, read func() (V, error)) (V, Look, error) {
	// The generation is read before the row: what is taken away while the row is read
	// raises it, and the row, which may be older, is never believed.
	generation, now, trusted := c.access.current()
	if !trusted {
		value, err := read()
		return value, Look{}, err
	}
	c.mu.Lock()
	row, found := c.rows.Get(key)
	forgotten := c.forgotten
	c.mu.Unlock()
	if found && row.isGood(generation, now) && good(row.value) {
		return row.value, row.Look, nil
	}
	value, err := read()
	if err != nil {
		return value, Look{}, err
	}
	look := Look{generation, now}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.forgotten == forgotten { // else the row may be the one that was to be forgotten
		c.rows.Add(key, cached[V]{value, look})
	}
	return value, look, nil
}

// Row remembers one row as a [Cache] remembers many. It is safe for concurrent use.
type Row[V any] struct {
	access *accessEpoch
	known  atomic.Pointer[cached[V]]
}

// NewRow returns a Row of which nothing is known.
func NewRow[V any](d *DB) *Row[V] { return &Row[V]{access: d.access} }

// Get returns what is remembered if it is good still, else what read reads now. Errors are
// not remembered.
func (r *Row[V]) Get(read func() (V, error)) (V, error) {
	generation, now, trusted := r.access.current() // before the row, as in [Cache.Get]
	if known := r.known.Load(); trusted && known != nil && known.isGood(generation, now) {
		return known.value, nil
	}
	value, err := read()
	if trusted && err == nil {
		r.known.Store(&cached[V]{value, Look{generation, now}})
	}
	return value, err
}

// Forget makes the next Get of key read, in this process. It follows a change that takes
// no access away; others need [DB.RaiseAccessEpoch].
func (c *Cache[K, V]) Forget(key K) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.forgotten++
	c.rows.Remove(key)
}
