package apitoken

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/seal"
)

// Bounds of answers that are kept.
const (
	// AnswerKept is how long a request that comes again gets the same answer.
	AnswerKept = 24 * time.Hour
	// MaxAnswers is how many are kept of one token.
	MaxAnswers = 1000
)

// Errors of a request that carries a key.
var (
	// ErrOtherRequest: another request had that key.
	ErrOtherRequest = errors.New("another request had that key")
	// ErrUnderWay: a request with that key has begun and has no answer: it is under way, or the
	// process that did it ended.
	ErrUnderWay = errors.New("a request with that key has begun and has no answer")
	// ErrTooManyKeys: the token has used [MaxAnswers] keys within [AnswerKept].
	ErrTooManyKeys = errors.New("too many keys")
)

// Answer is what a request was answered.
type Answer struct {
	Status int    `json:"status"`
	Body   []byte `json:"body"`
}

// Attempt is a request that changes something, under a key that its sender chose.
type Attempt struct {
	Token  string // the token's id
	Key    string
	Digest string // of all that the request says
}

func (a Attempt) hash() string {
	sum := sha256.Sum256([]byte(a.Key))
	return hex.EncodeToString(sum[:])
}

func (a Attempt) place() seal.Place {
	return seal.Place{Table: "api_replays", Row: a.Token + "/" + a.hash(), Purpose: "answer " + a.Digest}
}

// Replays keeps what requests were answered. It is safe for concurrent use, also by several
// processes on one database: of several that begin the same, one does it.
type Replays struct {
	DB   *db.DB
	Ring *seal.KeyRing
	Now  func() time.Time
}

// Begin is called before anything is done. It returns the answer of an earlier request of the
// same; nil: go on, and call [Replays.Finish]. Errors: [ErrOtherRequest], [ErrUnderWay],
// [ErrTooManyKeys].
func (s *Replays) Begin(ctx context.Context, a Attempt) (*Answer, error) {
	now := s.Now()
	var digest, sealed string
	begun := false
	err := s.DB.Tx(ctx, func(tx *sql.Tx) error {
		if err := s.DB.Lock(ctx, tx, "api_replays "+a.Token); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM api_replays WHERE token_id = $1 AND created_at <= $2`, a.Token, db.Millis(now.Add(-AnswerKept))); err != nil {
			return err
		}
		err := tx.QueryRowContext(ctx, `SELECT request_digest, sealed_answer FROM api_replays WHERE token_id = $1 AND key_hash = $2`, a.Token, a.hash()).Scan(&digest, &sealed)
		if begun = errors.Is(err, sql.ErrNoRows); !begun {
			return err
		}
		var kept int
		if err := tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM api_replays WHERE token_id = $1`, a.Token).Scan(&kept); err != nil {
			return err
		}
		if kept >= MaxAnswers {
			return ErrTooManyKeys
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO api_replays (token_id, key_hash, request_digest, sealed_answer, created_at) VALUES ($1, $2, $3, '', $4)`,
			a.Token, a.hash(), a.Digest, db.Millis(now))
		return err
	})
	switch {
	case err != nil:
		return nil, fmt.Errorf("looking for an answer: %w", err)
	case begun:
		return nil, nil
	case digest != a.Digest:
		return nil, ErrOtherRequest
	case sealed == "":
		return nil, ErrUnderWay
	}
	text, err := s.Ring.Open(a.place(), sealed)
	answer := &Answer{}
	if err == nil {
		err = json.Unmarshal(text, answer)
	}
	if err != nil {
		return nil, fmt.Errorf("reading an answer: %w", err)
	}
	return answer, nil
}

// Finish keeps what a request was answered.
func (s *Replays) Finish(ctx context.Context, a Attempt, answer Answer) error {
	text, err := json.Marshal(answer)
	if err != nil {
		return err
	}
	sealed, err := s.Ring.Seal(a.place(), text)
	if err == nil {
		_, err = s.DB.Writes.ExecContext(ctx, `UPDATE api_replays SET sealed_answer = $1 WHERE token_id = $2 AND key_hash = $3 AND sealed_answer = ''`, sealed, a.Token, a.hash())
	}
	if err != nil {
		return fmt.Errorf("keeping an answer: %w", err)
	}
	return nil
}
