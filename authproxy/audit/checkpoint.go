package audit

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
)

// newOrigin names a log that is begun: no other one has its name.
func newOrigin(host string) string {
	if host == "" {
		host = "sfmcp-proxy"
	}
	id := make([]byte, 8)
	_, _ = rand.Read(id) // never fails
	return host + "/audit/" + hex.EncodeToString(id)
}

// Keys are the public keys that the log's checkpoints verify with, the one in force
// first, as "ORIGIN+ID+KEY" (C2SP signed-note).
func (l *Log) Keys() (keys []string, err error) {
	reading{l}.catchUp()
	edge, origin := l.follow.now()
	if edge.Size() == 0 {
		return nil, errors.New("the audit log has no entry yet: it gets its name, which is part of the key, with the first one")
	}
	return l.checkpoints.publicKeys(origin)
}

// Applied is up to which entry the database is known to be as the log says: that of the
// checkpoint that it has. A database that was put back has an older one; 0: it has none.
func (l *Log) Applied(ctx context.Context) (int64, error) {
	reading{l}.catchUp()
	text, err := l.checkpoints.row().read(ctx)
	if err != nil {
		return 0, fmt.Errorf("reading the database's checkpoint of the audit log: %w", err)
	}
	c, err := l.checkpoints.parse(text)
	if err != nil {
		return 0, nil // everything is applied again
	}
	return c.Size, nil
}

// Checkpoint signs what the log holds and stores that in every place, unless it has not grown since
// the last one. An error names the place that did not take it, and those behind it do not get it either; it
// is a [*Disagreement], and nothing is stored, if the log does not agree with the checkpoints that are there.
func (l *Log) Checkpoint(ctx context.Context) error {
	l.Flush()
	if l.file == nil {
		return l.halted.err()
	}
	return l.checkpoints.with(l.file, func() error { return l.checkpoints.store(ctx) })
}
