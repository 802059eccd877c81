package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"sfmcp-proxy/authproxy/seal"
)

// Claim binds the database to the ring: the first call stores a sealed mark, later
// ones must open it. It keeps a proxy from starting with a wrong key file over
// existing data; and, by a note beside the key file, from starting over when its
// database is gone (SR-ST-4): an empty one knows no blocked user and no kill switch.
func (d *DB) Claim(ctx context.Context, ring *seal.KeyRing) error {
	place := seal.Place{Table: "meta", Row: "ring", Purpose: "claim"}
	err := d.Tx(ctx, func(tx *sql.Tx) error {
		mark, err := ring.Seal(place, []byte("sfmcp-proxy"))
		if err != nil {
			return err
		}
		fresh, err := Affected(ctx, tx, `INSERT INTO meta (name, value) VALUES ('ring', $1) ON CONFLICT (name) DO NOTHING`, mark)
		if err != nil {
			return fmt.Errorf("claiming database: %w", err)
		}
		if fresh > 0 && inUse(ring) {
			return vanished(ring, "the database is empty")
		}
		var have string
		if err := tx.QueryRowContext(ctx, `SELECT value FROM meta WHERE name = 'ring'`).Scan(&have); err != nil {
			return fmt.Errorf("claiming database: %w", err)
		}
		if _, err := ring.Open(place, have); err != nil {
			return errors.New("the key file does not fit this database: its sealing key is another one; put the key file back that the database was made with")
		}
		return nil
	})
	if err == nil {
		writeNote(ring)
	}
	return err
}

// Expect refuses a database whose file is not there though the keys are in use with one:
// before [Open] makes an empty one. What a PostgreSQL server has is known when it is open:
// there [DB.Claim] alone tells.
func (c Config) Expect(ring *seal.KeyRing) error {
	if err := c.Validate(); err != nil {
		return err
	}
	if absent := dialectOf(c.URL).absent(c.URL); absent != "" && inUse(ring) {
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
	if err != nil && !dialectOf(c.URL).claimed(ctx, c.URL) {
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

// writeNote does nothing where it cannot write: the key file may be on a read-only mount,
// and the database is there.
func writeNote(ring *seal.KeyRing) {
	f, err := os.OpenFile(note(ring), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return
	}
	_, _ = f.WriteString("The keys beside this file are in use with a database. Without it sfmcp-proxy does not start while this file is here.\n")
	_ = f.Close()
}
