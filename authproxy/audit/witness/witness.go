package witness

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"sfmcp-proxy/authproxy/audit/tree"
)

const (
	// timeout bounds one request to a witness.
	timeout = 15 * time.Second
	// maxAnswer bounds what a witness may answer, in bytes: a few signatures.
	maxAnswer = 32 << 10
	// maxProof is how many hashes a request may have (C2SP tlog-witness).
	maxProof = 63
	// maxAttempts is how often [Witness.Cosign] asks: without knowing where the witness stands,
	// and again with what it has answered, which another process may have changed meanwhile.
	maxAttempts = 3
)

// Witness is one witness. All fields must be set.
type Witness struct {
	URL    string        // submission prefix
	Key    note.Verifier // as tree.WitnessKey reads it
	Client *http.Client  // must not follow redirects
}

// ConflictError says that the witness's last checkpoint of the log is not of the size that it
// was asked to begin with.
type ConflictError struct {
	Size int64 // of the last checkpoint that it has cosigned
}

func (e *ConflictError) Error() string {
	return fmt.Sprintf("the witness has cosigned the log with %d records", e.Size)
}

// AheadError says that a witness has cosigned a longer log than the one that is here: entries
// are missing here, or it has been asked by somebody else with the same key.
type AheadError struct {
	Witness    string // name of its key
	Here, Seen int64  // records here, and in the last checkpoint that it has cosigned
}

func (e *AheadError) Error() string {
	return fmt.Sprintf("the witness %s has cosigned this log with %d records, and here it has %d: entries are missing, or somebody else signs with its key", e.Witness, e.Seen, e.Here)
}

// ErrRefused is returned where a witness says that a checkpoint does not follow from the one that
// it has cosigned.
var ErrRefused = errors.New("the witness has cosigned another log under this name: it does not follow from what it has seen")

// AddCheckpoint sends a signed checkpoint, and the proof that it follows from the one of older
// records, which is empty for 0. It returns the signature lines of the witness's key.
// A [*ConflictError] says where the witness stands.
func (w Witness) AddCheckpoint(ctx context.Context, older int64, proof []tlog.Hash, signed []byte) ([]byte, error) {
	answer, err := w.post(ctx, older, proof, signed)
	if err != nil {
		return nil, fmt.Errorf("asking the witness %s: %w", w.Key.Name(), err)
	}
	lines, err := w.cosignatures(signed, answer)
	if err != nil {
		return nil, fmt.Errorf("asking the witness %s: %w", w.Key.Name(), err)
	}
	return lines, nil
}

func (w Witness) post(ctx context.Context, older int64, proof []tlog.Hash, signed []byte) ([]byte, error) {
	if older < 0 || len(proof) > maxProof {
		return nil, fmt.Errorf("a proof of %d hashes from %d records", len(proof), older)
	}
	target, err := url.JoinPath(w.URL, "add-checkpoint")
	if err != nil {
		return nil, err
	}
	body := fmt.Appendf(nil, "old %d\n", older)
	for _, hash := range proof {
		body = fmt.Appendln(body, hash)
	}
	body = append(append(body, '\n'), signed...)
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "text/plain; charset=utf-8")
	response, err := w.Client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	if err != nil {
		return nil, fmt.Errorf("reading its answer: %w", err)
	}
	if len(answer) > maxAnswer {
		return nil, fmt.Errorf("it answered more than %d bytes", maxAnswer)
	}
	switch response.StatusCode {
	case http.StatusOK:
		return answer, nil
	case http.StatusConflict:
		return nil, conflict(response, answer)
	case http.StatusUnprocessableEntity:
		return nil, ErrRefused
	case http.StatusNotFound:
		return nil, errors.New("it does not know this log: its operator has to add the log's origin and public key")
	case http.StatusForbidden:
		return nil, errors.New("it does not know the key that signed: its operator has to add the log's public key")
	default:
		line, _, _ := bytes.Cut(answer, []byte("\n"))
		return nil, fmt.Errorf("it answered %d, %.100q", response.StatusCode, line)
	}
}

// conflict reads what the witness says it has cosigned: a number and a newline.
func conflict(response *http.Response, answer []byte) error {
	kind, _, err := mime.ParseMediaType(response.Header.Get("Content-Type"))
	if err != nil || kind != "text/x.tlog.size" {
		return errors.New("it answered 409 without saying which size it has cosigned")
	}
	text, ok := strings.CutSuffix(string(answer), "\n")
	size, err := tree.ParseSize(text)
	if err != nil || !ok {
		return fmt.Errorf("it answered 409 with a size that is none: %.100q", answer)
	}
	return &ConflictError{size}
}

// cosignatures returns the signature lines of the answer that are the witness's own, after
// they were verified. Those of other keys are left out.
func (w Witness) cosignatures(signed, answer []byte) ([]byte, error) {
	// Without the signatures that it has already, each line counts by itself.
	end := bytes.LastIndex(signed, []byte("\n\n"))
	if end < 0 {
		return nil, errors.New("what it was sent is not a signed checkpoint")
	}
	body := signed[:end+2]
	var lines []byte
	for line := range bytes.Lines(answer) {
		if !bytes.HasPrefix(line, []byte("— ")) || !bytes.HasSuffix(line, []byte("\n")) {
			return nil, errors.New("its answer is not a list of signatures")
		}
		cosigned, err := tree.Cosignatures(slices.Concat(body, line), w.Key)
		if err != nil {
			return nil, err
		}
		if len(cosigned) == 1 {
			lines = append(lines, line...)
		}
	}
	if len(lines) == 0 {
		return nil, errors.New("its answer has no signature of its key: is the key that is configured the one of this witness?")
	}
	return lines, nil
}

// Cosign has the signed checkpoint c cosigned, whatever the witness has seen of the log before.
// known is the size that it is believed to have cosigned last, 0 where nothing is known; prove
// makes the proof from another size to that of c. It returns the signature lines. An
// [*AheadError] or [ErrRefused] says that the log here is not the one that the witness knows.
func (w Witness) Cosign(ctx context.Context, c tree.Checkpoint, signed []byte, known int64, prove func(older int64) ([]tlog.Hash, error)) ([]byte, error) {
	older := min(max(known, 0), c.Size)
	for attempt := 1; ; attempt++ {
		proof, err := prove(older)
		if err != nil {
			return nil, fmt.Errorf("asking the witness %s: proving that the log has grown from %d records: %w", w.Key.Name(), older, err)
		}
		lines, err := w.AddCheckpoint(ctx, older, proof, signed)
		var conflict *ConflictError
		if !errors.As(err, &conflict) {
			return lines, err
		}
		if conflict.Size > c.Size {
			return nil, &AheadError{Witness: w.Key.Name(), Here: c.Size, Seen: conflict.Size}
		}
		if attempt == maxAttempts {
			return nil, err
		}
		older = conflict.Size
	}
}
