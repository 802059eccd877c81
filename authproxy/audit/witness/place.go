package witness

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"golang.org/x/mod/sumdb/tlog"

	"sfmcp-proxy/authproxy/audit/publish"
	"sfmcp-proxy/authproxy/audit/tree"
)

// PlaceConfig is a witness as a place of checkpoints. All fields must be set.
type PlaceConfig struct {
	Witness Witness
	// Prove makes the proof that the log has grown from so many records to so many.
	Prove func(older, newer int64) ([]tlog.Hash, error)
	// Cosigned is given the signature lines of the witness for a checkpoint.
	Cosigned func(c publish.Checkpoint, lines []byte) error
}

type place struct {
	PlaceConfig
	known atomic.Int64 // records of the last checkpoint that it has cosigned, as far as is known
}

// NewPlace is the witness as a place of checkpoints. It gives none back: asked for the latest,
// it is asked to cosign the newest that is here, which it does only if that follows from what
// it has seen.
func NewPlace(c PlaceConfig) publish.Place { return &place{PlaceConfig: c} }

func (p *place) String() string { return "witness " + p.Witness.Key.Name() }

// Publish has the checkpoint cosigned. [publish.ErrContradicted] is that of [*AheadError] and
// [ErrRefused].
func (p *place) Publish(ctx context.Context, c publish.Checkpoint) error {
	lines, err := p.Witness.Cosign(ctx, tree.Checkpoint{Origin: c.Origin, Size: c.Size}, c.Signed, p.known.Load(), func(older int64) ([]tlog.Hash, error) {
		return p.Prove(older, c.Size)
	})
	var ahead *AheadError
	if errors.As(err, &ahead) || errors.Is(err, ErrRefused) {
		return fmt.Errorf("%w: %w", publish.ErrContradicted, err)
	}
	if err != nil {
		return err
	}
	p.known.Store(c.Size)
	return p.Cosigned(c, lines)
}

// Latest returns c itself, once the witness has cosigned it.
func (p *place) Latest(ctx context.Context, c publish.Checkpoint) ([]byte, error) {
	if err := p.Publish(ctx, c); err != nil {
		return nil, err
	}
	return c.Signed, nil
}
