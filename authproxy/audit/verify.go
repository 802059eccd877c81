package audit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/seal"
)

// Broken says where the log stops being what was written.
type Broken struct {
	Seq int64  // first entry that is wrong or missing
	Why string // one clause
}

func (b *Broken) Error() string {
	return fmt.Sprintf("audit log is broken at entry %d: %s", b.Seq, b.Why)
}

// Verify reads the whole log and returns how many entries are sound. The error is a
// [*Broken] if the log was changed, anything else if it could not be read. Entries
// that are appended meanwhile do no harm.
func (l *Log) Verify(ctx context.Context) (n int64, err error) {
	l.Flush()
	// The head first: what is appended later only makes the log longer than it says.
	end, err := l.readHead(ctx, l.db.Reads)
	switch {
	case errors.Is(err, errNoHead):
		return 0, &Broken{1, "the sealed head is gone"}
	case errors.Is(err, seal.ErrSealed):
		return 0, &Broken{1, "the sealed head was changed, or is sealed with another key"}
	case err != nil:
		return 0, err
	}
	at := head{MAC: genesis}
	err = l.each(ctx, Filter{}, func(r row) error {
		if b := l.check(at, end, r); b != nil {
			return b
		}
		at = head{r.seq, r.mac}
		return nil
	})
	if err != nil {
		return at.Seq, err
	}
	if at.Seq < end.Seq {
		return at.Seq, &Broken{at.Seq + 1, fmt.Sprintf("it and what follows, up to entry %d, are gone", end.Seq)}
	}
	return at.Seq, nil
}

// check reports what is wrong with r as the successor of at.
func (l *Log) check(at, end head, r row) *Broken {
	want := at.Seq + 1
	if r.seq != want {
		return &Broken{want, "it is missing"}
	}
	if !l.fits(r.mac, at.MAC, []byte(r.text)) {
		return &Broken{want, "its content does not fit its MAC"}
	}
	// The text as it is stored: earlier versions wrote some actors in another way.
	var e struct {
		Seq                 int64
		At                  time.Time
		Actor, Action, Tool string
	}
	if err := json.Unmarshal([]byte(r.text), &e); err != nil {
		return &Broken{want, "it does not decode"}
	}
	same := e.Seq == r.seq && db.Millis(e.At) == r.at &&
		column(e.Actor) == r.actor && column(e.Action) == r.action && column(e.Tool) == r.tool
	if !same {
		return &Broken{want, "its columns do not fit its content"}
	}
	if r.seq == end.Seq && r.mac != end.MAC {
		return &Broken{want, "it does not fit the sealed head"}
	}
	return nil
}
