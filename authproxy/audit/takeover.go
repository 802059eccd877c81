package audit

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/audit/logfile"
	"sfmcp-proxy/authproxy/seal"
)

// Earlier versions kept the log in the table audit_entries, each entry with a MAC over the one
// before it and itself, and the number and MAC of the last one sealed in the row audit_head
// of the table meta. That log is verified once, becomes the first entries of this one
// under the numbers that it had, and leaves the table.

const (
	// chainGenesis stood where the first entry has no MAC before it.
	chainGenesis = "sfmcp-proxy audit log, version 1"
	chainKey     = "audit chain"
	takenAtOnce  = 256
)

// takeover moves the log of an earlier version from the database into the files.
type takeover struct{ log *Log }

// chainEnd is the last entry of the chain as its sealed head has it.
type chainEnd struct {
	Seq int64  `json:"seq"`
	MAC string `json:"mac"`
}

// run moves the entries of an earlier version into the log. Begun and not ended, it is
// gone on with; several processes may do it at the same time. Entries that are not sound
// stay where they are, and the log says so.
func (t takeover) run(ctx context.Context) error {
	var last sql.NullInt64
	if err := t.log.config.DB.Reads.QueryRowContext(ctx, `SELECT MAX(seq) FROM audit_entries`).Scan(&last); err != nil {
		return fmt.Errorf("looking for the audit log of an earlier version: %w", err)
	}
	if !last.Valid {
		return nil
	}
	if t.log.follow.size() == 0 {
		if err := t.verifyChain(ctx); err != nil {
			if broken := (*Broken)(nil); !errors.As(err, &broken) {
				return err
			}
			return t.leaveBehind(ctx, last.Int64, err)
		}
	} else if begun, err := t.begunWithOld(ctx); err != nil || !begun {
		return err
	}
	for t.log.follow.size() < last.Int64 {
		if err := t.takeGroup(ctx); err != nil {
			return fmt.Errorf("taking over the audit log of an earlier version: %w", err)
		}
	}
	return t.tookOver(ctx, last.Int64)
}

// begunWithOld says whether the log begins as the one in the table does: it was being taken
// over when a process died.
func (t takeover) begunWithOld(ctx context.Context) (same bool, err error) {
	err = t.eachOld(ctx, 1, func(_ int64, text, _ string) error {
		segments, err := t.log.stored.segments()
		if err != nil {
			return err
		}
		if err := logfile.ScanSegments(segments, 1, func(r logfile.Record) error {
			same = string(r.Text) == text
			return errEnough
		}); !errors.Is(err, errEnough) {
			return err
		}
		return errEnough
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return same, err
}

// takeGroup appends the entries that follow the last one of the log.
func (t takeover) takeGroup(ctx context.Context) error {
	next := t.log.follow.size() + 1
	var texts []string
	err := t.eachOld(ctx, next, func(seq int64, text, _ string) error {
		if texts = append(texts, text); len(texts) == takenAtOnce {
			return errEnough
		}
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		return err
	}
	if len(texts) == 0 {
		return fmt.Errorf("entry %d is missing in the database", next)
	}
	return t.log.file.Append(func(g *logfile.Group) {
		if g.Next() != next { // another process has just taken them
			return
		}
		for _, text := range texts {
			g.Add([]byte(text))
		}
	})
}

// tookOver records what was taken over and empties the table. A checkpoint comes first: from
// then on the database says that it is the log's.
func (t takeover) tookOver(ctx context.Context, last int64) error {
	if t.log.follow.size() == last {
		e := Entry{Actor: actor.Proxy, Action: LogTakeOver, Outcome: OK, Source: "audit log",
			Reason: fmt.Sprintf("entries 1 to %d were kept in the database by an earlier version; their chain was sound", last)}
		if _, err := t.log.Append(ctx, e); err != nil {
			return err
		}
		if err := t.log.Checkpoint(ctx); err != nil {
			if disagrees := (*Disagreement)(nil); errors.As(err, &disagrees) {
				return nil // whoever serves is told; the table stays
			}
			return err
		}
	}
	if _, err := t.log.config.DB.Writes.ExecContext(ctx, `DELETE FROM audit_entries WHERE seq <= $1`, last); err != nil {
		return fmt.Errorf("emptying the table of the earlier audit log: %w", err)
	}
	return nil
}

// leaveBehind begins the log with the record that the earlier one is not sound.
func (t takeover) leaveBehind(ctx context.Context, last int64, why error) error {
	t.log.config.Log.Error("the audit log of an earlier version is not sound: its entries stay in the table audit_entries", "error", why)
	_, err := t.log.Append(ctx, Entry{Actor: actor.Proxy, Action: LogTakeOver, Outcome: Failed, Source: "audit log",
		Reason: fmt.Sprintf("the log that an earlier version kept in the database, up to entry %d, is not sound and stays in the table audit_entries: %v", last, why)})
	return err
}

// verifyChain checks the entries in the table as the earlier version did.
func (t takeover) verifyChain(ctx context.Context) error {
	end, err := t.chainEnd(ctx)
	if err != nil {
		return err
	}
	keys, err := t.log.config.Ring.Keys(chainKey)
	if err != nil {
		return err
	}
	at := chainEnd{MAC: chainGenesis}
	if err := t.eachOld(ctx, 1, func(seq int64, text, mac string) error {
		if seq != at.Seq+1 {
			return &Broken{at.Seq + 1, "it is missing"}
		}
		if !fitsChain(keys, mac, at.MAC, text) || !isNumbered([]byte(text), seq) {
			return &Broken{seq, "its content does not fit its MAC"}
		}
		at = chainEnd{seq, mac}
		return nil
	}); err != nil {
		return err
	}
	if at != end {
		return &Broken{at.Seq + 1, fmt.Sprintf("the sealed head is of entry %d", end.Seq)}
	}
	return nil
}

func (t takeover) chainEnd(ctx context.Context) (end chainEnd, err error) {
	var sealed string
	err = t.log.config.DB.Reads.QueryRowContext(ctx, `SELECT value FROM meta WHERE name = 'audit_head'`).Scan(&sealed)
	if errors.Is(err, sql.ErrNoRows) {
		return end, &Broken{1, "the sealed head is gone"}
	}
	if err != nil {
		return end, fmt.Errorf("reading the head of the earlier audit log: %w", err)
	}
	text, err := t.log.config.Ring.Open(seal.Place{Table: "meta", Row: "audit_head", Purpose: "audit head"}, sealed)
	if err == nil {
		err = json.Unmarshal(text, &end)
	}
	if err != nil {
		return end, &Broken{1, "the sealed head was changed, or is sealed with another key"}
	}
	return end, nil
}

// fitsChain reports whether mac, "KEYID:MAC", is the one that follows previous for this text:
// HMAC-SHA-256 over the previous MAC, preceded by its length, and the text.
func fitsChain(keys []seal.DerivedKey, mac, previous, text string) bool {
	id, _, _ := strings.Cut(mac, ":")
	for _, key := range keys {
		if key.ID == id {
			h := hmac.New(sha256.New, key.Key)
			h.Write([]byte(strconv.Itoa(len(previous)) + ":" + previous + text))
			return hmac.Equal([]byte(mac), []byte(id+":"+base64.RawURLEncoding.EncodeToString(h.Sum(nil))))
		}
	}
	return false
}

// eachOld calls f with every row of the table from number from on, in order, until f fails.
func (t takeover) eachOld(ctx context.Context, from int64, f func(seq int64, text, mac string) error) error {
	rows, err := t.log.config.DB.Reads.QueryContext(ctx, `SELECT seq, entry, mac FROM audit_entries WHERE seq >= $1 ORDER BY seq`, from)
	if err != nil {
		return fmt.Errorf("reading the audit log of an earlier version: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var seq int64
		var text, mac string
		if err := rows.Scan(&seq, &text, &mac); err != nil {
			return fmt.Errorf("reading the audit log of an earlier version: %w", err)
		}
		if err := f(seq, text, mac); err != nil {
			return err
		}
	}
	return rows.Err()
}
