package audit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// classRead is policy.Read as an entry has it.
const classRead = "read"

// ErrNoIntent: what was to be done could not be recorded, so it was not begun.
var ErrNoIntent = errors.New("it could not be recorded, so it was not done")

// Result is how something ended whose intent was recorded. Where a field is empty, the
// entry of the outcome has what that of the intent had, or nothing.
type Result struct {
	// Outcome, if empty, is OK, or Failed after an error.
	Outcome  Outcome
	Status   string
	Reason   string // empty after an error: the error's text
	Object   string
	Approval string
	Username string // of a person who was known by id alone
	// DefinitionHash is of the definition under which a call was made.
	DefinitionHash string
	Bytes          int64
	Duration       time.Duration
	// Arguments are what only the end knows; those of the intent are not repeated.
	Arguments json.RawMessage

	// What the answer gave away or made; see the fields of [Entry].
	AnswerDigest string
	Rows         *int64
	Records      []Records
	RecordsTotal int64
	Hidden, Cut  int64
}

// Call does something between its two entries: e with the outcome Intent, which is durable
// before do runs, and e with how it ended, which says by its member intent what it belongs
// to. If the intent cannot be recorded, Call returns [ErrNoIntent] and do has not run;
// otherwise it returns the error of do.
//
// The entry of the outcome is durable when Call returns, but for a read (Class "read"),
// see [Log.AppendLater]. It is written even if ctx has ended by then, and does not repeat
// the arguments. If it cannot be stored, Config.Log says so: what has happened stays as it
// is, and the intent is on record. If do panics, a read has failed, and of anything else
// nobody knows whether it took effect.
func (l *Log) Call(ctx context.Context, e Entry, do func(context.Context) (Result, error)) error {
	_, err := l.CallWithin(ctx, e, func(ctx context.Context, _ int64) (Result, error) { return do(ctx) })
	return err
}

// CallWithin is Call for what makes entries of its own between the two: do gets the number of the intent, which they have as
// theirs. It returns the number of the outcome; 0: that could not be stored, or is of a read.
func (l *Log) CallWithin(ctx context.Context, e Entry, do func(_ context.Context, intent int64) (Result, error)) (outcome int64, err error) {
	e.Outcome = Intent
	e = accepted(ctx, e)
	intent, err := writing{l}.append(ctx, e, nil)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrNoIntent, err)
	}
	e.IntentSeq, e.Arguments, e.Sent = intent.entry.Seq, nil, nil
	r := Result{Outcome: Unknown, Reason: "interrupted"}
	if e.Class == classRead {
		r.Outcome = Failed
	}
	defer func() { outcome = intent.end(context.WithoutCancel(ctx), l, e.ended(r)) }()
	var result Result
	if result, err = do(ctx, e.IntentSeq); err != nil {
		result = result.failed(err)
	}
	r = result
	return 0, err
}

// failed is r after err.
func (r Result) failed(err error) Result {
	if r.Outcome == "" {
		r.Outcome = Failed
	}
	if r.Reason == "" {
		r.Reason = err.Error()
	}
	return r
}

// ended is the entry of how e, which was accepted, ended. It may be stored as it is.
func (e Entry) ended(r Result) Entry {
	e.Outcome, e.Status, e.Reason = OK, r.Status, r.Reason
	if r.Outcome != "" {
		e.Outcome = r.Outcome
	}
	if r.Object != "" {
		e.Object = r.Object
	}
	if r.Approval != "" {
		e.Approval = r.Approval
	}
	if r.Username != "" {
		e.Username = r.Username
	}
	if r.DefinitionHash != "" {
		e.DefinitionHash = r.DefinitionHash
	}
	e.Arguments = r.Arguments
	e.Bytes, e.DurationMS = r.Bytes, r.Duration.Milliseconds()
	e.AnswerDigest, e.Rows, e.Records, e.RecordsTotal = r.AnswerDigest, r.Rows, r.Records, r.RecordsTotal
	e.Hidden, e.Cut = r.Hidden, r.Cut
	e.normaliseOutcome()
	return e
}

// end stores how that ended whose intent w is, and returns the entry's number; 0: it is not stored, or is of a read, which does
// not wait.
func (w *waiting) end(ctx context.Context, l *Log, e Entry) int64 {
	action, outcome, intent := e.Action, e.Outcome, e.IntentSeq // not all of e stays in memory
	lost := func(err error) { writing{l}.lost(ctx, action, outcome, intent, err) }
	if e.Class == classRead {
		writing{l}.later(ctx, e, w, lost)
		return 0
	}
	one, err := (writing{l}).append(ctx, e, w)
	if err != nil {
		lost(err)
		return 0
	}
	return one.entry.Seq
}

// Record stores e, about something that has happened already or was refused, and returns
// when it is durable. It does not end with ctx. If e cannot be stored, Config.Log says so:
// that changes nothing about what happened.
func (l *Log) Record(ctx context.Context, e Entry) {
	ctx = context.WithoutCancel(ctx)
	if _, err := l.Append(ctx, e); err != nil {
		writing{l}.lost(ctx, e.Action, e.Outcome, e.IntentSeq, err)
	}
}
