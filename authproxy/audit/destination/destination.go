// Package destination gives records of the audit log to what a company collects logs with: a
// file, syslog, OpenTelemetry, Splunk, a webhook, a bucket.
//
// It knows neither what a record says nor which ones a receiver has: whoever calls keeps the
// position, and sends a batch again until [Destination.Send] returns nil. So each kind says
// that a batch was taken only after the receiver has said so, and gives each record a key by which
// a receiver drops what comes twice.
//
// What a receiver can do to us is bounded as in package receiver. Secrets are read from their
// files whenever they are used, so they are exchanged without a restart.
package destination

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sfmcp-proxy/authproxy/receiver"
)

// Severity is how much a record asks for somebody's attention.
type Severity int

// The severities.
const (
	Informational Severity = iota // something was done
	Notice                        // something was refused
	Warning                       // something failed
	Critical                      // somebody should look now
)

// Record is one entry of the audit log as it is sent.
type Record struct {
	// Key names the entry wherever it comes: the log and the number in it.
	Key      string
	Seq      int64
	At       time.Time
	Event    string // what happened, as noun.verb
	Severity Severity
	Text     []byte // one line, without its break
}

// Batch is what is sent at once: records of one log in their order, at least one.
type Batch struct {
	Log     string
	Head    string // the first line of a file of such records; empty: there is none
	Suffix  string // that the name of a file of them ends in: jsonl, csv
	Records []Record
}

// name names the batch by its first and last record: a batch that is sent again has it again.
func (b *Batch) name() string {
	return fmt.Sprintf("%020d-%020d", b.Records[0].Seq, b.Records[len(b.Records)-1].Seq)
}

// lines are the records, each with its line break.
func (b *Batch) lines(to []byte) []byte {
	for i := range b.Records {
		to = append(append(to, b.Records[i].Text...), '\n')
	}
	return to
}

// Destination takes batches, one at a time.
type Destination interface {
	// Send returns nil once the receiver has taken all of the batch. After an error the batch
	// is sent again, whatever of it was taken. [ErrTooMuch] asks for a smaller one. No error has
	// a secret.
	Send(ctx context.Context, b *Batch) error
}

// ErrTooMuch: the receiver takes no batch of this size, or not every record of it.
var ErrTooMuch = errors.New("refused as a whole")

// tooMuch says of a refusal that a smaller batch may be taken, where its status does.
func tooMuch(err error) error {
	if r, ok := errors.AsType[*receiver.Refused](err); ok && (r.Status == 413 || r.Status == 400 || r.Status == 422) {
		return fmt.Errorf("%w: %w", ErrTooMuch, err)
	}
	return err
}
