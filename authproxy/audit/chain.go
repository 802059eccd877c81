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
	"hash"
	"strconv"
	"strings"

	"sfmcp-proxy/authproxy/seal"
)

// genesis stands where the first entry has no MAC before it.
const genesis = "sfmcp-proxy audit log, version 1"

var headPlace = seal.Place{Table: "meta", Row: "audit_head", Purpose: "audit head"}

// chainPurpose is what the keys are derived for; the first one signs.
const chainPurpose = "audit chain"

// head is the last entry's number and MAC; zero and genesis for an empty log.
type head struct {
	Seq int64  `json:"seq"`
	MAC string `json:"mac"`
}

// signer makes the MACs of one key. It is not safe for concurrent use.
type signer struct {
	id   string
	hmac hash.Hash
	sum  []byte
}

func newSigner(key seal.DerivedKey) *signer {
	return &signer{id: key.ID, hmac: hmac.New(sha256.New, key.Key)}
}

// sign returns "KEYID:MAC", the MAC being HMAC-SHA-256 over the previous MAC, preceded
// by its length, and the entry as it is stored.
func (s *signer) sign(previous string, entry []byte) string {
	s.hmac.Reset()
	s.hmac.Write(append(append(strconv.AppendInt(s.sum[:0], int64(len(previous)), 10), ':'), previous...))
	s.hmac.Write(entry)
	s.sum = s.hmac.Sum(s.sum[:0])
	return s.id + ":" + base64.RawURLEncoding.EncodeToString(s.sum)
}

// fits reports whether mac is the one that follows previous for this entry, under a
// key of the ring. There is one algorithm; a mac in any other form does not fit.
func (l *Log) fits(mac, previous string, entry []byte) bool {
	id, _, _ := strings.Cut(mac, ":")
	keys, err := l.ring.Keys(chainPurpose)
	if err != nil {
		return false
	}
	for _, key := range keys {
		if key.ID == id {
			return hmac.Equal([]byte(mac), []byte(newSigner(key).sign(previous, entry)))
		}
	}
	return false
}

// querier is a transaction or a handle.
type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

const selectHead = `SELECT value FROM meta WHERE name = 'audit_head'`

// readHead returns where the log ends by its sealed head, not by its rows: after a
// cut-off tail the numbers go on behind the gap, which stays to be seen.
func (l *Log) readHead(ctx context.Context, q querier) (head, error) {
	var sealed string
	err := q.QueryRowContext(ctx, selectHead).Scan(&sealed)
	if errors.Is(err, sql.ErrNoRows) {
		return l.emptyHead(ctx, q)
	}
	if err != nil {
		return head{}, fmt.Errorf("reading audit head: %w", err)
	}
	if own := l.sealed.Load(); own != nil && own.text == sealed {
		return own.head, nil
	}
	text, err := l.ring.Open(headPlace, sealed)
	if err != nil {
		return head{}, fmt.Errorf("reading audit head: %w", err)
	}
	var h head
	if err := json.Unmarshal(text, &h); err != nil {
		return head{}, fmt.Errorf("reading audit head: %w", err)
	}
	return h, nil
}

// sealedHead is a head as this process has sealed it.
type sealedHead struct {
	text string
	head head
}

const countEntries = `SELECT count(*) FROM audit_entries`

// emptyHead is the head of a log that was never written to. A log with entries and
// no head is not one.
func (l *Log) emptyHead(ctx context.Context, q querier) (head, error) {
	var n int64
	if err := q.QueryRowContext(ctx, countEntries).Scan(&n); err != nil {
		return head{}, fmt.Errorf("reading audit head: %w", err)
	}
	if n > 0 {
		return head{}, errNoHead
	}
	return head{MAC: genesis}, nil
}

var errNoHead = errors.New("the audit log has entries, but its head is gone")

const upsertHead = `INSERT INTO meta (name, value) VALUES ('audit_head', $1) ON CONFLICT (name) DO UPDATE SET value = excluded.value`

func (l *Log) writeHead(ctx context.Context, tx prepared, h head) error {
	text, err := json.Marshal(h)
	if err != nil {
		return err
	}
	sealed, err := l.ring.Seal(headPlace, text)
	if err != nil {
		return err
	}
	if err := tx.exec(ctx, upsertHead, sealed); err != nil {
		return err
	}
	l.sealed.Store(&sealedHead{sealed, h})
	return nil
}
