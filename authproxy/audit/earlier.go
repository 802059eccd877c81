package audit

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"sfmcp-proxy/authproxy/audit/logfile"
	"sfmcp-proxy/authproxy/seal"
)

// verifiedRows begins the names of the rows of the table meta that say up to where a log was verified.
const verifiedRows = "audit_verified "

// Earlier is what a verification has seen: the log up to a checkpoint, at a time.
type Earlier struct {
	Size       int64     `json:"size"` // entries; 0: there was no verification
	At         time.Time `json:"at"`
	Checkpoint []byte    `json:"checkpoint"` // signed, of Size entries
}

// VerifyNew does as [Log.Verify] with what came since the last verification here that found everything
// sound: it reads from the segment on that has the last entry of that one, and compares with its
// checkpoint. Of older segments it says nothing: an entry of theirs that was changed since is not
// found. Without an earlier verification it reads everything.
func (l *Log) VerifyNew(ctx context.Context) (Verified, error) {
	v := verifying{l}
	before, err := v.before(ctx)
	if err != nil {
		return Verified{}, err
	}
	return v.run(ctx, before)
}

// unread are the segments that have to be read: that with the last entry which was verified, and
// those behind it.
func (e Earlier) unread(segments []logfile.Segment) []logfile.Segment {
	from := 0
	for i, s := range segments {
		if s.First <= e.Size {
			from = i
		}
	}
	return segments[from:]
}

// verifiedPlace is where the row is sealed: nobody without the key file can say that something was verified.
func verifiedPlace(row string) seal.Place {
	return seal.Place{Table: "meta", Row: row, Purpose: "audit verified"}
}

// verifying verifies a log and remembers up to where it was sound.
type verifying struct{ *Log }

// keep keeps that the log was verified up to the newest checkpoint, if that fits. It is in the
// database and not in the log's directory: a database that is put back has an older one, and
// more is read.
func (l verifying) keep(ctx context.Context, seen Verified) error {
	c, signed, err := l.checkpoints.newest()
	if err != nil || c.Size > seen.Signed { // there is none, or it has grown meanwhile
		return nil
	}
	text, err := json.Marshal(Earlier{c.Size, l.config.Now().UTC(), signed})
	if err != nil {
		return fmt.Errorf("keeping what was verified: %w", err)
	}
	row := verifiedRows + seen.Origin
	sealed, err := l.config.Ring.Seal(verifiedPlace(row), text)
	if err == nil {
		_, err = l.config.DB.Writes.ExecContext(ctx, `INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value`, row, sealed)
	}
	if err != nil {
		return fmt.Errorf("keeping what was verified: %w", err)
	}
	return nil
}

// before is what was verified last; its zero value: nothing, or somebody changed the row.
func (l verifying) before(ctx context.Context) (e Earlier, err error) {
	reading{l.Log}.catchUp()
	_, origin := l.follow.now()
	row := verifiedRows + origin
	var sealed string
	err = l.config.DB.Reads.QueryRowContext(ctx, `SELECT value FROM meta WHERE name = $1`, row).Scan(&sealed)
	if errors.Is(err, sql.ErrNoRows) {
		return e, nil
	}
	if err != nil {
		return e, fmt.Errorf("reading what was verified: %w", err)
	}
	text, err := l.config.Ring.Open(verifiedPlace(row), sealed)
	if err == nil {
		err = json.Unmarshal(text, &e)
	}
	if err == nil {
		_, err = l.checkpoints.parse(e.Checkpoint)
	}
	if err != nil {
		l.config.Log.Warn("what the database says of the last verification cannot be believed: everything is read", "row", row, "error", err)
		return Earlier{}, nil
	}
	return e, nil
}
