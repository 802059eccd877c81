package approval

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json/jsontext"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/db"
)

// Counter proposes the same call with other arguments in the place of a pending request: that
// one ends as countered, and a new one waits, whose author, a human, does not count for it. The
// client spends it by making the call with these arguments. The caller has checked that by may
// do so. It returns the new request. Errors: [ErrNotFound]; [ErrProposal]; [ErrGone], then the
// former request is returned, to tell what became of it.
func (s *Store) Counter(ctx context.Context, id string, by actor.Actor, author string, arguments jsontext.Value) (*Request, error) {
	if !by.Known() || author == "" {
		return nil, errors.New("proposing another call: nobody does")
	}
	r, err := s.pending(ctx, id)
	if err != nil {
		return requestOf(r), fmt.Errorf("proposing another call: %w", err)
	}
	other := r.Binding
	if other.Arguments, err = proposal(r.Arguments, arguments); err != nil {
		return nil, fmt.Errorf("proposing another call: %w", err)
	}
	var counter *Request
	err = s.db.KnownTx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		counter = nil
		if err := s.db.Lock(ctx, tx, "approvals of "+r.Org+" "+r.Subject); err != nil {
			return err
		}
		n, err := db.Affected(ctx, tx, `
			UPDATE approvals SET state = 'countered', decided_at = $1, decided_by_kind = $2, decided_by_id = $3, decided_by_as = $4, state_mac = ''
			WHERE id = $5 AND state = 'pending' AND state_mac = $6 AND expires_at > $1`,
			db.Millis(s.now()), string(by.Kind), by.ID, by.As, id, r.stateMAC)
		if err != nil {
			return err
		}
		if n == 0 {
			return ErrGone
		}
		switch there, err := s.meets(ctx, tx, other); {
		case err != nil:
			return err
		case there != nil:
			return Refuse(ErrProposal, "%s", there.standsFor())
		}
		counter, err = s.insert(ctx, tx, Request{Binding: other, Class: r.Class, Author: author, CounterOf: r.ID})
		return err
	})
	if errors.Is(err, ErrGone) {
		counter, _ = s.Get(ctx, id)
	}
	if err != nil {
		return counter, fmt.Errorf("proposing another call: %w", err)
	}
	return counter, nil
}

// standsFor says why the call of r cannot be asked for by another request.
func (r *Request) standsFor() string {
	switch {
	case r.State == Denied:
		return "a person denied that call as " + r.ID
	case r.State == Countered:
		return "a person proposed another call in the place of that one, which is " + r.ID
	case r.Author != "":
		return "somebody has proposed that call already, as " + r.ID
	}
	return "the client has made that call itself, as " + r.ID
}

// proposal returns the canonical form of arguments that differ from those of a call in values
// alone: they have the same members, as many items, and values of the same kinds, so that
// what the tool's schema says of the one holds for the other but for single values.
func proposal(of, arguments jsontext.Value) (jsontext.Value, error) {
	if len(arguments) > 4*len(of)+64<<10 {
		return nil, Refuse(ErrProposal, "it is much longer than the call")
	}
	canonical, err := jsontext.AppendFormat(nil, arguments, jsontext.ReorderRawObjects(true))
	if err != nil {
		return nil, Refuse(ErrProposal, "the arguments are not JSON: %w", err)
	}
	if bytes.Equal(canonical, of) {
		return nil, Refuse(ErrProposal, "nothing is changed")
	}
	a, b := jsontext.NewDecoder(bytes.NewReader(of)), jsontext.NewDecoder(bytes.NewReader(canonical))
	for {
		was, errA := a.ReadToken()
		is, errB := b.ReadToken()
		if errors.Is(errA, io.EOF) && errors.Is(errB, io.EOF) {
			return canonical, nil
		}
		if errA != nil || errB != nil || kindOf(was) != kindOf(is) || isName(a) && was.String() != is.String() {
			return nil, Refuse(ErrProposal, "at %q it has another member or another kind of value; only values may be others", a.StackPointer())
		}
	}
}

// kindOf is the kind of a token, the same for true and false.
func kindOf(t jsontext.Token) jsontext.Kind {
	if t.Kind() == 't' {
		return 'f'
	}
	return t.Kind()
}

// isName reports whether the token that was read last is the name of a member.
func isName(d *jsontext.Decoder) bool {
	kind, length := d.StackIndex(d.StackDepth())
	return kind == '{' && length%2 == 1
}
