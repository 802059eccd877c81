package db

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"sfmcp-proxy/authproxy/seal"
)

// ErrKeyMissing says that the database holds what is sealed or authenticated with a key that the key file
// here lacks, or that could not be looked for now: what it says cannot be known here, and passes once the
// file is there ([Passes]). Errors that match it are [*KeyMissingError].
var ErrKeyMissing = errors.New("the key file lacks a key")

// KeyMissingError is an [ErrKeyMissing] that names the key.
type KeyMissingError struct {
	// ID is that of the key. The error never has more of it.
	ID string
	// Unread is why the key file could not be read; nil: it was, and lacks the key.
	Unread error
}

// Error says what can be done.
func (e *KeyMissingError) Error() string {
	if e.Unread != nil {
		return fmt.Sprintf("key %q, which another process seals with, cannot be looked for in the key file: %v", e.ID, e.Unread)
	}
	return fmt.Sprintf("the key file lacks key %q, which another process seals with: copy the key file from the machine that rotated", e.ID)
}

// Is makes errors.Is(err, ErrKeyMissing) true.
func (e *KeyMissingError) Is(target error) bool { return target == ErrKeyMissing }

// Unwrap returns why the key file could not be read.
func (e *KeyMissingError) Unwrap() error { return e.Unread }

// Doubt returns an [ErrKeyMissing] for the error of something sealed whose key the ring lacks while others seal
// with a key that it lacks, or the key file cannot be read; nil for every other error. It looks at the database.
func (d *DB) Doubt(ctx context.Context, err error) error {
	missing, ok := asMissing(err)
	switch {
	case !ok:
		return nil
	case missing.Unread != nil:
		return missing
	}
	if err := d.LookAtKeys(ctx); err != nil {
		return err
	}
	return d.CheckKeys()
}

// asMissing makes an error of the ring one of this package, if it is of a key that is missing.
func asMissing(err error) (*KeyMissingError, bool) {
	unknown, ok := errors.AsType[*seal.UnknownKeyError](err)
	if !ok {
		return nil, false
	}
	return &KeyMissingError{ID: unknown.ID, Unread: unknown.Unread}, true
}

const (
	// keySettles is how long a key that rows name, and that the database is not marked with, may be one that
	// another process has just begun to seal with: it marks the database within a second.
	keySettles = 10 * time.Second
	// maxMet bounds how many names of keys are remembered: whoever can write rows can make up many.
	maxMet = 100
)

// missingKeys is what a process knows of keys that its ring lacks.
type missingKeys struct {
	mu     sync.Mutex
	inUse  *KeyMissingError     // the mark, or the list of who is blocked, is sealed with it; nil: with none that is missing
	met    map[string]time.Time // when a row that names it was met first
	notify func(*KeyMissingError)
}

// OnKeyMissing has f called for each key that a row names and the ring lacks, once in the life of d, and for a
// hundred of them. f is called inside transactions: it must not wait for the database. Without it they are logged.
func (d *DB) OnKeyMissing(f func(*KeyMissingError)) {
	d.keys.mu.Lock()
	defer d.keys.mu.Unlock()
	d.keys.notify = f
}

// doubt returns the error of a row that names a key which the ring lacks, while it may be genuine; nil: it
// is not, or its key was taken out of the file. A key that others seal with marks the database soon, so
// that one which rows alone name is believed in for a moment only: nobody silences an alarm by naming one.
func (k *missingKeys) doubt(e *KeyMissingError, now time.Time) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	first, met := k.met[e.ID]
	if !met && len(k.met) < maxMet {
		if k.met == nil {
			k.met = map[string]time.Time{}
		}
		k.met[e.ID], first, met = now, now, true
		notify := k.notify
		if notify == nil {
			notify = logMissing
		}
		notify(e)
	}
	if e.Unread != nil || k.inUse != nil || met && now.Sub(first) < keySettles && !now.Before(first) {
		return e
	}
	return nil
}

func logMissing(e *KeyMissingError) {
	slog.Warn("a row names a key that the key file lacks: nothing follows from it", "error", e)
}

// CheckKeys returns a [*KeyMissingError] if the database was sealed with a key that the ring lacks when
// [DB.LookAtKeys] looked last: then nothing can be decided here.
func (d *DB) CheckKeys() error {
	d.keys.mu.Lock()
	defer d.keys.mu.Unlock()
	if d.keys.inUse == nil {
		return nil
	}
	return d.keys.inUse
}

// LookAtKeys finds out whether the ring has the keys that the database is sealed with: its mark, which every
// process seals with its newest key, and the list of who is blocked. Another error is the database's.
func (d *DB) LookAtKeys(ctx context.Context) error {
	if d.ring == nil {
		return nil
	}
	rows, err := d.Reads.QueryContext(ctx, `SELECT name, value FROM meta WHERE name IN ($1, $2) ORDER BY name`, markName, blockedName)
	if err != nil {
		return fmt.Errorf("looking at the keys of the database: %w", err)
	}
	defer rows.Close()
	var missing *KeyMissingError
	for rows.Next() {
		var name, sealed string
		if err := rows.Scan(&name, &sealed); err != nil {
			return fmt.Errorf("looking at the keys of the database: %w", err)
		}
		place := markPlace()
		if name == blockedName {
			place = blockedPlace()
		}
		_, err := d.ring.Open(place, sealed)
		if e, ok := asMissing(err); ok {
			missing = e
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("looking at the keys of the database: %w", err)
	}
	d.keys.mu.Lock()
	defer d.keys.mu.Unlock()
	d.keys.inUse = missing
	return nil
}
