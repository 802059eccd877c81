package db

import (
	"sync"
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
	value      V
	generation uint64
	read       time.Time
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
	// The generation is read before the row: what is taken away while the row is read
	// raises it, and the row, which may be older, is never believed.
	generation, now, trusted := c.access.current()
	if !trusted {
		return read()
	}
	c.mu.Lock()
	row, found := c.rows.Get(key)
	forgotten := c.forgotten
	c.mu.Unlock()
	if age := now.Sub(row.read); found && row.generation == generation && age >= 0 && age < believed && good(row.value) {
		return row.value, nil
	}
	value, err := read()
	if err != nil {
		return value, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.forgotten == forgotten { // else the row may be the one that was to be forgotten
		c.rows.Add(key, cached[V]{value, generation, now})
	}
	return value, nil
}

// Forget makes the next Get of key read, in this process. It follows a change that takes
// no access away; others need [DB.RaiseAccessEpoch].
func (c *Cache[K, V]) Forget(key K) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.forgotten++
	c.rows.Remove(key)
}
