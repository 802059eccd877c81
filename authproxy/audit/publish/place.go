package publish

import (
	"context"
	"errors"
	"strings"
)

// Checkpoint is a signed checkpoint (C2SP tlog-checkpoint) of this replica's log.
type Checkpoint struct {
	Origin string // which log
	Size   int64  // how many records
	Signed []byte // the whole signed note
	// Instead says that a person has acknowledged whatever the place has: it may be the
	// checkpoint of a longer log, or of another one, and is replaced.
	Instead bool
}

// maxCheckpoint bounds what is read back: more than any signed checkpoint has.
const maxCheckpoint = 128 << 10

// Place keeps checkpoints.
type Place interface {
	// Publish gives the place the newest checkpoint. An error that is [ErrContradicted] says
	// that the place knows better: the log was put back, or is another one.
	Publish(ctx context.Context, c Checkpoint) error
	// Latest returns the newest checkpoint that the place has of the log of c, as it was
	// signed, or [ErrNone]. Nothing in it has been verified. A place that gives nothing back
	// is asked whether c, the newest that is here, follows from what it has.
	Latest(ctx context.Context, c Checkpoint) ([]byte, error)
	// String names the place for people, without a secret.
	String() string
}

var (
	// ErrNone is that a place was reached and has no checkpoint of the log.
	ErrNone = errors.New("no checkpoint of this log is there")
	// ErrContradicted is that a place has a checkpoint that this log cannot have followed.
	ErrContradicted = errors.New("the place has a longer log, or another one")
)

// fileName is the name of a log among files or objects: its origin, of which a slash would
// begin a folder.
func fileName(origin string) string { return strings.ReplaceAll(origin, "/", "_") }

// own is the address of a log's checkpoint at a place: in it, if it is a folder.
func own(address, origin string) string {
	if strings.HasSuffix(address, "/") {
		return address + fileName(origin)
	}
	return address
}

// originOf is the first line of a checkpoint.
func originOf(signed []byte) string {
	origin, _, _ := strings.Cut(string(signed), "\n")
	return origin
}
