package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"sfmcp-proxy/authproxy/seal"
)

// The mark says that the database belongs to the keys, and since when its rows are
// authenticated: by the first version that did, or from the start. Whoever lacks the keys
// cannot make the earlier mark, which alone has all rows signed.
const (
	markName          = "ring"
	markEarlier       = "sfmcp-proxy"
	markAuthenticated = "sfmcp-proxy, with authentic rows"
)

// errLaterMark: what a newer version has marked, this one does not know how to keep.
var errLaterMark = fmt.Errorf("the database has a mark that this program does not know: %w", ErrOutdated)

var errWrongKeys = errors.New("the key file does not fit this database: its mark was changed, or the file has another key of the same name; put the key file back that the database was made with")

// putBack is what to do about a database that something else than the proxy has changed.
const putBack = "End what uses it, put the database back from a backup, and run 'audit verify' and 'audit acknowledge', as \"Backup and restore\" in the handbook says"

func markPlace() seal.Place { return seal.Place{Table: "meta", Row: markName, Purpose: "claim"} }

// openMark returns what the mark of the database says.
func openMark(ring *seal.KeyRing, sealed string) (string, error) {
	text, err := ring.Open(markPlace(), sealed)
	if missing, ok := asMissing(err); ok {
		return "", fmt.Errorf("the key file does not fit this database: %w (if it is another database's, put the one back that belongs to this one)", missing)
	}
	if err != nil {
		return "", errWrongKeys
	}
	return string(text), nil
}

// Claim binds the database to the ring: the first call stores a sealed mark, later
// ones must open it. It keeps a proxy from starting with a wrong key file over
// existing data; and, by a note beside the key file, from starting over when its
// database is gone (SR-ST-4): an empty one knows no blocked user and no kill switch.
// One that was moved to another database is a [*MovedError].
//
// From then on d makes and checks the MACs of rows with the ring (see DESIGN.md). The rows
// of a database of an earlier version get theirs here, once.
func (d *DB) Claim(ctx context.Context, ring *seal.KeyRing) error {
	d.ring = ring
	err := d.Tx(ctx, func(tx *sql.Tx) error {
		mark, err := ring.Seal(markPlace(), []byte(markAuthenticated))
		if err != nil {
			return err
		}
		fresh, err := Affected(ctx, tx, `INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING`, markName, mark)
		if err != nil {
			return fmt.Errorf("claiming database: %w", err)
		}
		if fresh > 0 {
			return d.claimEmpty(ctx, tx)
		}
		var have string
		if err := tx.QueryRowContext(ctx, `SELECT value FROM meta WHERE name = $1`+d.ForUpdate("meta"), markName).Scan(&have); err != nil {
			return fmt.Errorf("claiming database: %w", err)
		}
		text, err := openMark(ring, have)
		switch {
		case err != nil:
			return err
		case text == markAuthenticated:
			if err := checkMoved(ctx, tx, ring); err != nil {
				return err
			}
			return markWithNewest(ctx, tx, ring, have, mark)
		case text != markEarlier:
			return errLaterMark
		case noteHas(ring, noteAuthenticated):
			return fmt.Errorf("the database has the mark of an earlier version, but its rows were authenticated before: somebody put an older copy, or its mark, in place. "+
				"If you did, and all that it gives is to count, remove %s", note(ring))
		}
		return d.signAll(ctx, tx, mark)
	})
	if err != nil {
		d.ring = nil // nothing is authentic
		return err
	}
	writeNote(ring)
	return nil
}

// markWithNewest seals the mark with the key that this process seals with, before it seals anything else: others
// see by it that they lack the key.
func markWithNewest(ctx context.Context, tx *sql.Tx, ring *seal.KeyRing, have, mark string) error {
	if by := seal.SealedWith(have); by == ring.IDs()[0] || ring.Added(by) {
		return nil
	}
	_, err := tx.ExecContext(ctx, `UPDATE meta SET value = $1 WHERE name = $2 AND value = $3`, mark, markName, have)
	if err != nil {
		return fmt.Errorf("claiming database: %w", err)
	}
	return nil
}

// claimEmpty begins a database: what the migrations have put there counts. One with
// anything else in it has had a mark.
func (d *DB) claimEmpty(ctx context.Context, tx *sql.Tx) error {
	if inUse(d.ring) {
		return vanished(d.ring, "the database is empty")
	}
	for _, g := range Guards() {
		var found bool
		if err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM `+g.Table+`)`).Scan(&found); err != nil {
			return fmt.Errorf("claiming database: %w", err)
		}
		if found && g.Table != Stops.Table {
			return fmt.Errorf("the database has rows in %s, and in meta no row '"+markName+"', which says to which keys it belongs: something else than the proxy removed that. "+
				putBack+"; without a backup, set this database aside and name an empty one: everybody connects again, and block again who was blocked", g.Table)
		}
	}
	if err := d.sign(ctx, tx, Stops); err != nil {
		return fmt.Errorf("claiming database: %w", err)
	}
	return d.WriteBlocked(ctx, tx, Blocked{})
}

// signAll makes what rows of an earlier version give authentic, and replaces the mark.
func (d *DB) signAll(ctx context.Context, tx *sql.Tx, mark string) error {
	for _, g := range Guards() {
		if err := d.sign(ctx, tx, g); err != nil {
			return fmt.Errorf("authenticating the rows of %s: %w", g.Table, err)
		}
	}
	blocked, err := BlockedRows(ctx, tx)
	if err != nil {
		return err
	}
	if err := d.WriteBlocked(ctx, tx, blocked); err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `UPDATE meta SET value = $1 WHERE name = $2`, mark, markName)
	return err
}

// Expect refuses a database whose file is not there though the keys are in use with one:
// before [Open] makes an empty one. What a PostgreSQL server has is known when it is open:
// there [DB.Claim] alone tells.
func (c Config) Expect(ring *seal.KeyRing) error {
	if err := c.Validate(); err != nil {
		return err
	}
	if absent := c.dialect().absent(c.URL); absent != "" && inUse(ring) {
		return vanished(ring, absent+" is gone")
	}
	return nil
}

// KeysLost says what is lost, and what can be done, if the key file at path is gone while the
// database that was made with it is there, or was; nil if nothing speaks for that. A new key
// would open nothing of it.
func (c Config) KeysLost(ctx context.Context, path string) error {
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) || c.Validate() != nil {
		return nil
	}
	_, err := os.Stat(noteOf(path))
	if err != nil && !c.dialect().claimed(ctx, c.URL) {
		return nil
	}
	return fmt.Errorf("the sealing keys are lost: key file %s does not exist, and %s was made with it. "+
		"Put that file back, from its copy; another key opens nothing of what is sealed: everybody's Salesforce login, the arguments of calls that wait, the proof of the audit log. "+
		"Only if there is no copy: all that is given up, with every connection, block and stop. Set the database and %s aside, "+
		"revoke the app's tokens in Salesforce (Setup, Connected Apps OAuth Usage), block again who was blocked, and begin as on the first day", path, c.Redacted(), noteOf(path))
}

func vanished(ring *seal.KeyRing, what string) error {
	return fmt.Errorf("%s, but the keys in %s are in use with one: put that one back; "+
		"to begin anew, without its blocked users and its audit log, remove %s", what, ring.Path(), note(ring))
}

func inUse(ring *seal.KeyRing) bool {
	_, err := os.Stat(note(ring))
	return err == nil
}

// note is the file that says that the keys are in use with a database.
func note(ring *seal.KeyRing) string { return noteOf(ring.Path()) }

func noteOf(keyFile string) string { return keyFile + ".in-use" }

// noteAuthenticated is the line of the note that says that no row without a MAC counts.
const noteAuthenticated = "Its rows are authenticated."

func noteHas(ring *seal.KeyRing, line string) bool {
	text, err := os.ReadFile(note(ring))
	return err == nil && strings.Contains(string(text), line)
}

// writeNote does nothing where it cannot write: the key file may be on a read-only mount,
// and the database is there.
func writeNote(ring *seal.KeyRing) {
	if noteHas(ring, noteAuthenticated) {
		return
	}
	_ = os.WriteFile(note(ring), []byte("The keys beside this file are in use with a database. Without it sfmcp-proxy does not start while this file is here.\n"+
		noteAuthenticated+" One with the mark of an earlier version is not opened.\n"), 0o600)
}
