package approval

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/db"
)

// Verification is what Salesforce had of the record once the call was made.
type Verification string

const (
	Intended Verification = "as_intended" // what the call set
	Differs  Verification = "differs"     // something else, which triggers or flows may have set
	Unread   Verification = "unread"      // it could not be read
)

// Happened is what a person found out about a call whose answer was lost.
type Happened string

const (
	DidHappen    Happened = "yes"
	DidNotHappen Happened = "no"
)

// ErrNotUnknown: only a call whose outcome is not known, and about which nobody has said it yet, is
// resolved.
var ErrNotUnknown = errors.New("there is nothing to resolve about the call")

// Check is what was found out about a call after it was sent.
type Check struct {
	Verification Verification // empty: its rule asks for none
	VerifiedAt   time.Time
	// Images are what was read of the record; nil: nothing, or it is no longer kept.
	Images *Images

	Happened   Happened // empty: nobody has said
	ResolvedAt time.Time
	ResolvedBy actor.Actor
	// Reason is what that person said of it.
	Reason string
}

// Images are the fields of the record that a call sets, before and after. Of a record that the call
// made there is no before.
type Images struct {
	Object string `json:"object"`
	ID     string `json:"id"`
	// Modified is the record's SystemModstamp after the call; empty: Salesforce did not say it.
	Modified string  `json:"modified,omitempty"`
	Fields   []Image `json:"fields"`
	// Partial: some fields that the call sets are not among them, because rules hide them or no
	// query reads them.
	Partial bool `json:"partial,omitempty"`
	// Read: Before was read.
	Read bool `json:"read,omitempty"`
}

// Image is one field, its values spelled as Salesforce did; nil: Salesforce did not answer it.
type Image struct {
	Name   string         `json:"name"`
	Before jsontext.Value `json:"before,omitempty"`
	After  jsontext.Value `json:"after,omitempty"`
	// Set is the value that the call set.
	Set jsontext.Value `json:"set,omitempty"`
}

// SaveCheck records what Salesforce had of the record once the call was made. It can be done
// once, of a call that was done: else [ErrNotSpent]. It does not end with ctx, and waits for the database no longer than [Store.Settle].
func (s *Store) SaveCheck(ctx context.Context, id string, v Verification, images *Images) error {
	ctx, end := s.db.Doubting(ctx)
	defer end()
	err := s.db.Tx(ctx, func(tx *sql.Tx) error {
		r, err := s.one(ctx, tx, `WHERE id = $1`, id)
		if err != nil {
			return err
		}
		if r.State != Spent || r.Outcome != Done {
			return ErrNotSpent
		}
		sealed := ""
		if images != nil {
			var text bytes.Buffer
			enc := json.NewEncoder(&text)
			enc.SetEscapeHTML(false) // values stay as Salesforce spelled them
			if err := enc.Encode(images); err != nil {
				return err
			}
			if sealed, err = s.ring.Seal(r.checkPlace(imagesPurpose), text.Bytes()); err != nil {
				return err
			}
		}
		return changed(db.Affected(ctx, tx, `INSERT INTO approval_checks (request_id, verification, verified_at, sealed_images) VALUES ($1, $2, $3, $4)
			ON CONFLICT (request_id) DO NOTHING`, id, string(v), db.Millis(s.now()), sealed))
	})
	if err != nil {
		return fmt.Errorf("recording what was verified: %w", err)
	}
	return nil
}

// Resolve records that by, who may do so, found out whether a call whose answer was lost was
// carried out, with what they say of it (see [actor.ForDecision]). The call
// stays spent: it is not made again. Errors: [ErrNotFound]; [actor.ErrReason]; [ErrNotUnknown], then
// the request is returned as well.
func (s *Store) Resolve(ctx context.Context, id string, by actor.Actor, happened Happened, reason string) (*Request, error) {
	reason, err := actor.ForDecision.Clean(reason)
	if err == nil && (!by.Known() || happened != DidHappen && happened != DidNotHappen) {
		err = errors.New("nobody says, or nothing is said")
	}
	if err != nil {
		return nil, fmt.Errorf("resolving the outcome: %w", err)
	}
	var r *stored
	err = s.db.KnownTx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		is, err := s.one(ctx, tx, `WHERE id = $1`, id)
		if err == nil {
			err = s.addWhatFollowed(ctx, tx, is)
		}
		if err != nil {
			return err
		}
		if !is.Unresolved(s.now()) {
			return ErrNotUnknown
		}
		r = is
		sealed, err := s.ring.Seal(r.checkPlace(resolutionPurpose), []byte(reason))
		if err != nil {
			return err
		}
		now := db.Millis(s.now())
		// Of two who say it at a time the first counts.
		n, err := db.Affected(ctx, tx, `INSERT INTO approval_checks (request_id, happened, resolved_at, resolved_by_kind, resolved_by_id, resolved_by_as, sealed_resolution)
			VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (request_id) DO NOTHING`,
			id, string(happened), now, string(by.Kind), by.ID, by.As, sealed)
		if err == nil && n != 1 {
			err = ErrNotUnknown
		}
		r.Check = &Check{Happened: happened, ResolvedAt: db.Time(now), ResolvedBy: by, Reason: reason}
		return err
	})
	switch {
	case err == nil:
		return &r.Request, nil
	case !errors.Is(err, ErrNotUnknown):
		return nil, fmt.Errorf("resolving the outcome: %w", err)
	}
	became, readErr := s.Get(ctx, id)
	return became, fmt.Errorf("resolving the outcome: %w", errors.Join(err, readErr))
}

// UnresolvedAfter is how long after a call was sent it counts as lost, if nobody recorded how it
// ended: the program stopped meanwhile. Salesforce answers, or is given up, much sooner.
const UnresolvedAfter = time.Hour

// Unresolved reports whether nobody knows if the call was carried out, and nobody has said so yet.
func (r *Request) Unresolved(now time.Time) bool {
	lost := r.Outcome == Unknown || r.Outcome == "" && !now.Before(r.SpentAt.Add(UnresolvedAfter))
	return r.State == Spent && lost && (r.Check == nil || r.Check.Happened == "")
}

// addCheck reads what was found out about a call after it was sent.
func (s *Store) addCheck(ctx context.Context, q querier, r *stored) error {
	if r.State != Spent {
		return nil
	}
	var c Check
	var verified, resolved int64
	var sealedImages, sealedReason string
	err := q.QueryRowContext(ctx, `SELECT verification, verified_at, sealed_images, happened, resolved_at, resolved_by_kind, resolved_by_id, resolved_by_as, sealed_resolution
		FROM approval_checks WHERE request_id = $1`, r.ID).Scan(&c.Verification, &verified, &sealedImages, &c.Happened, &resolved,
		&c.ResolvedBy.Kind, &c.ResolvedBy.ID, &c.ResolvedBy.As, &sealedReason)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	c.VerifiedAt, c.ResolvedAt = db.Time(verified), db.Time(resolved)
	if sealedImages != "" {
		text, err := s.ring.Open(r.checkPlace(imagesPurpose), sealedImages)
		if err != nil {
			return fmt.Errorf("what was read for %s: %w", r.ID, err)
		}
		if err := json.Unmarshal(text, &c.Images); err != nil {
			return fmt.Errorf("what was read for %s: %w", r.ID, err)
		}
	}
	if sealedReason != "" {
		text, err := s.ring.Open(r.checkPlace(resolutionPurpose), sealedReason)
		if err != nil {
			return fmt.Errorf("what was said of %s: %w", r.ID, err)
		}
		c.Reason = string(text)
	}
	r.Check = &c
	return nil
}
