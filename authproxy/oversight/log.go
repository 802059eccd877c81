package oversight

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sfmcp-proxy/authproxy/audit"
)

// LogState is what this process knows of its audit log without reading it.
type LogState struct {
	Origin  string // name of the log
	Entries int64
	Signed  int64 // last entry that a checkpoint signs; what follows is not signed yet
	Halted  error // why nothing is appended: log and checkpoints do not agree; nil: they do
}

// LogState is what this process knows of its audit log.
func (r *Reader) LogState() LogState {
	origin, entries := r.Audit.Heard()
	return LogState{origin, entries, r.Audit.Published().Newest().Size, r.Audit.Halted()}
}

// verifyTime is how long a verification may take that somebody waits for.
const verifyTime = 30 * time.Second

// ErrVerifying says that the log is being verified for somebody else.
var ErrVerifying = errors.New("the log is being verified for somebody else")

// LogVerdict is what a verification found.
type LogVerdict struct {
	audit.Verified
	// Wrong is the first thing that is not as it was written; nil: everything is.
	Wrong error
	// Unread: there is more than can be read while somebody waits.
	Unread bool
}

// VerifyLog reads the whole log and compares it with its checkpoints, as 'audit verify' does.
// [ErrVerifying]: one at a time does.
func (r *Reader) VerifyLog(ctx context.Context) (v LogVerdict, err error) {
	if !r.verifying.TryLock() {
		return v, ErrVerifying
	}
	defer r.verifying.Unlock()
	ctx, cancel := context.WithTimeout(ctx, verifyTime)
	defer cancel()
	v.Verified, err = r.Audit.Verify(ctx)
	_, broken := errors.AsType[*audit.Broken](err)
	_, differs := errors.AsType[*audit.Disagreement](err)
	switch {
	case broken || differs:
		v.Wrong, err = err, nil
	case err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded): // this time is over, and not that of a place that was asked
		v.Unread, err = true, nil
	}
	return v, err
}

// String is what was found, in a sentence.
func (v LogVerdict) String() string {
	switch {
	case v.Wrong != nil:
		return "It is not whole: " + v.Wrong.Error() + "."
	case v.Unread:
		return fmt.Sprintf("It has more entries than can be read in %s. 'audit verify' at the command line reads all of it.", verifyTime)
	}
	lost := ""
	if v.Lost.People > 0 { // of those who are erased there another log may tell
		lost = " But " + v.Lost.String() + "."
	}
	return fmt.Sprintf("It is whole: entries %d to %d are as they were written, and %d signed checkpoints fit. Up to entry %d it is signed.%s", v.First, v.Last, v.Checkpoints, v.Signed, lost)
}
