package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/audit/publish"
	"sfmcp-proxy/config"
)

// publisher carries the checkpoints of the audit log to the places of the configuration; nil:
// there are none.
func (s *stores) publisher(n *outbound) (*publish.Publisher, error) {
	places, err := s.config.Audit.Places(config.CheckpointParts{HTTP: n.http, Now: time.Now, Prove: s.audit.Published().ProveGrowth, Cosigned: s.audit.Published().KeepCosigned})
	if err != nil || len(places) == 0 {
		return nil, err
	}
	return publish.Start(publish.Config{
		Places: places, Every: s.config.Audit.CheckpointEvery, Log: s.log, Now: s.now,
		Check:        func(found publish.Found) error { return s.audit.Published().AgreeWith([]publish.Found{found}) },
		Contradicted: func(place string, err error) { s.audit.Halt(disagreementAt(place, err)) },
	}), nil
}

// disagreementAt is what a place says that knows better than the log.
func disagreementAt(place string, err error) *audit.Disagreement {
	if d := (*audit.Disagreement)(nil); errors.As(err, &d) {
		return d
	}
	return &audit.Disagreement{Place: place, Why: err.Error()}
}

// closePublisher gives the places the last checkpoint, if they can be reached. Of a log that did
// not agree with them they get none: what they have is how the next start finds out.
func (s *stores) closePublisher(ctx context.Context, p *publish.Publisher, agreed bool) error {
	if p == nil {
		return nil
	}
	if last := s.audit.Published().Newest(); agreed && s.audit.Halted() == nil && last.Size > 0 {
		p.Publish(last)
		_ = p.Flush(ctx) // whoever is behind gets a later one
	}
	return p.Close(ctx)
}

// verifyPlaces compares the audit log with what each place of audit.checkpoints has of it.
func (s *stores) verifyPlaces(cmd *cobra.Command) error {
	n, err := openOutbound(s.config, s.log)
	if err != nil {
		return err
	}
	p, err := s.publisher(n)
	if err != nil {
		return err
	}
	if p == nil {
		return errors.New("--places: audit.checkpoints names none")
	}
	var failed error
	for _, found := range p.Latest(cmd.Context(), s.audit.Published().Newest()) {
		said, fits := "has no checkpoint of this log yet", false
		switch {
		case errors.Is(found.Err, publish.ErrNone):
		case found.Err != nil && !errors.Is(found.Err, publish.ErrContradicted):
			failed = errors.Join(failed, fmt.Errorf("%s cannot be asked: %w", found.Place, found.Err))
			continue
		default:
			if err := s.audit.Published().AgreeWith([]publish.Found{found}); err != nil {
				failed = errors.Join(failed, err)
				continue
			}
			said, fits = "its checkpoint fits", true
		}
		lacks := s.audit.Published().Lacks(found)
		if fits && lacks > 0 {
			said += fmt.Sprintf("; it lacks the last %d %s that the newest checkpoint here has, which a proxy that runs sends it", lacks, entries(lacks))
		}
		failed = errors.Join(failed, tellFitting(cmd, found.Place+": "+said, fitting{Place: found.Place, Fits: fits, Lacks: lacks, Found: said}))
	}
	return errors.Join(failed, closing(p.Close))
}

// replaceElsewhere gives the places the newest checkpoint instead of what they have, after a
// person has acknowledged that.
func (s *stores) replaceElsewhere(ctx context.Context, p *publish.Publisher) error {
	if p == nil {
		return nil
	}
	last := s.audit.Published().Newest()
	last.Instead = true
	p.Publish(last)
	return errors.Join(p.Flush(ctx), p.Close(ctx))
}

// agree says whether the audit log agrees with its checkpoints here, with the roster and, where a publisher
// knows such places, elsewhere.
func (s *stores) agree(ctx context.Context, p *publish.Publisher) error {
	if err := s.audit.Agree(ctx); err != nil {
		return err
	}
	if err := s.roster.Agree(ctx); err != nil || p == nil {
		return err
	}
	return s.audit.Published().AgreeWith(p.Latest(ctx, s.audit.Published().Newest()))
}

// prepare is what comes before anything is served: every org is the one that it was, the audit
// log and its checkpoints agree, and what the log says was taken away is taken away.
func (p *product) prepare(ctx context.Context) error {
	if err := p.bindOrgs(ctx); err != nil {
		return err
	}
	applied, err := p.audit.Applied(ctx)
	if err != nil {
		return err
	}
	if err := p.agree(ctx, p.checkpoints); err != nil {
		return err
	}
	p.agreed = true
	again, err := p.cutoff.Reapply(ctx, applied)
	if err := errors.Join(err, again.Unread, p.cutoff.RecordReapplied(ctx, again)); err != nil {
		return err
	}
	if again.Changed > 0 {
		p.log.Warn("the database lacked what the audit log says was taken away: it was taken away again", "changes", again.Changed)
	}
	if err := p.audit.Checkpoint(ctx); err != nil { // else it is applied once more if this process is killed soon
		p.log.Warn("the checkpoint of the audit log after the start could not be stored everywhere", "error", err)
	}
	return p.roster.Join(ctx)
}
