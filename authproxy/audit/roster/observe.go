package roster

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/audit"
)

// sightingsAtOnce is how many logs one entry tells of: what it says must fit into an entry.
const sightingsAtOnce = 64

// Sighting is what a log says of one in the roster, itself included.
type Sighting struct {
	Origin  string `json:"log"`
	Entries int64  `json:"entries"`          // by its checkpoint in the database
	Root    string `json:"root,omitempty"`   // of the tree of that many, in hexadecimal
	Closed  bool   `json:"closed,omitempty"` // in the roster
}

// root is the hash, if it is one.
func (s Sighting) root() (root [32]byte, ok bool) {
	n, err := hex.Decode(root[:], []byte(s.Root))
	return root, err == nil && n == len(root) && len(s.Root) == 2*len(root)
}

// observation is what the arguments of an entry say: a part of a look at the roster.
type observation struct {
	Part  int        `json:"part"` // from 1
	Parts int        `json:"parts"`
	Logs  []Sighting `json:"logs"`
}

// look is what a log last saw of the roster.
type look struct {
	seq  int64 // of the entry; 0: it has not looked yet
	at   int64 // when, in milliseconds
	logs map[string]Sighting
}

// last reads it from the own log.
func (r *Roster) last(ctx context.Context) (l look, err error) {
	l.logs = map[string]Sighting{}
	for want := 1; ; {
		parts := 0
		clear(l.logs)
		if err := r.log.List(ctx, audit.Filter{Action: string(audit.LogObserve), Limit: want}, func(e audit.Entry) error {
			var o observation
			if err := json.Unmarshal(e.Arguments, &o); err != nil {
				return fmt.Errorf("audit entry %d: %w", e.Seq, err)
			}
			for _, s := range o.Logs {
				l.logs[s.Origin] = s
			}
			l.seq, l.at, parts = e.Seq, e.At.UnixMilli(), o.Parts
			return nil
		}); err != nil {
			return l, fmt.Errorf("reading what the audit log says of others: %w", err)
		}
		if parts <= want {
			return l, nil
		}
		want = parts
	}
}

// sight is what there is to see now: all of the roster that is authentic. A checkpoint that is none
// was acknowledged if it was seen so before: then the log counts as one without entries until its own
// process has put that right.
func (r *Roster) sight(ctx context.Context, all []row, acknowledged func(origin string) bool) (seen []Sighting, err error) {
	for _, l := range all {
		if !l.authentic {
			continue
		}
		c, err := r.log.CheckpointOf(ctx, l.Origin, l.Verifiers)
		if d := (*audit.Disagreement)(nil); errors.As(err, &d) && acknowledged(l.Origin) {
			c, err = nil, nil
		}
		if err != nil {
			return nil, err
		}
		s := Sighting{Origin: l.Origin, Closed: l.Closed != nil}
		if c != nil {
			s.Entries, s.Root = c.Size, hex.EncodeToString(c.Root[:])
		}
		seen = append(seen, s)
	}
	return seen, nil
}

// record writes them into the own log.
func (r *Roster) record(ctx context.Context, seen []Sighting) error {
	parts := slices.Collect(slices.Chunk(seen, sightingsAtOnce))
	for i, part := range parts {
		text, err := json.Marshal(observation{i + 1, len(parts), part})
		if err != nil {
			return fmt.Errorf("recording the roster of audit logs: %w", err)
		}
		if _, err := r.log.Append(ctx, audit.Entry{Actor: actor.Proxy, Action: audit.LogObserve, Outcome: audit.OK, Source: "audit log", Arguments: text}); err != nil {
			return fmt.Errorf("recording the roster of audit logs: %w", err)
		}
	}
	return nil
}

// unsigned says whether a log was seen that had no checkpoint of its own.
func (l look) unsigned(origin string) bool {
	s, known := l.logs[origin]
	return known && s.Root == ""
}

// due says whether what is seen is to be recorded: at once if a log came, was closed, or has its first
// checkpoint, or one has grown by many entries; of others every few minutes.
func (l look) due(seen []Sighting, now int64) bool {
	grown := false
	for _, s := range seen {
		before, known := l.logs[s.Origin]
		if !known || s.Closed != before.Closed || before.Root == "" && s.Root != "" || s.Entries-before.Entries >= observeAfter {
			return true
		}
		grown = grown || s.Entries > before.Entries
	}
	return grown && now-l.at >= observeEvery.Milliseconds()
}
