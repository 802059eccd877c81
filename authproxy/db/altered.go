package db

import (
	"log/slog"
	"sync"
)

// Altered is a row, or a fact about the database, that somebody changed without the keys.
type Altered struct {
	Table, Row string
	// Why it is not authentic; it names the key that is missing, if one is.
	Why string
}

// maxAltered bounds how many are reported in the life of a process: whoever can write rows
// can write many.
const maxAltered = 100

// alterations reports each altered row once.
type alterations struct {
	mu   sync.Mutex
	seen map[Altered]bool
	tell func(Altered)
}

// OnAltered has f called for each row that turns out to be altered, once in the life of d,
// and for a hundred of them. f is called inside transactions: it must not wait for the
// database. Without it they are logged.
func (d *DB) OnAltered(f func(Altered)) {
	d.altered.mu.Lock()
	defer d.altered.mu.Unlock()
	d.altered.tell = f
}

func (a *alterations) report(what Altered) {
	a.mu.Lock()
	key := Altered{Table: what.Table, Row: what.Row}
	tell := a.tell
	if a.seen[key] || len(a.seen) == maxAltered {
		a.mu.Unlock()
		return
	}
	if a.seen == nil {
		a.seen = map[Altered]bool{}
	}
	a.seen[key] = true
	a.mu.Unlock()
	if tell == nil {
		tell = logAltered
	}
	tell(what)
}

func logAltered(what Altered) {
	slog.Error("a row of the database was changed without the keys, and counts as absent", "table", what.Table, "row", what.Row, "why", what.Why)
}
