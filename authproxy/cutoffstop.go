package authproxy

import (
	"context"
	"errors"
	"fmt"

	"sfmcp-proxy/authproxy/access"
	"sfmcp-proxy/authproxy/audit"
)

// Stop sets the kill switch: off, writes, all. It loosens nothing that somebody else sets at the same time: then the error is
// [access.ErrStopMoved], and nothing is done.
func (c *Cutoff) Stop(ctx context.Context, mode access.Stop, act Act) error {
	return c.stop(ctx, mode, act, func(access.StopSetting) bool { return true }, c.Access.SetStopOver)
}

// StopSeen is Stop for somebody who saw the kill switch a while ago; mark is [access.StopSetting.Mark] of what
// they saw. Stopping more is done however it stands by now.
func (c *Cutoff) StopSeen(ctx context.Context, mark string, mode access.Stop, act Act) error {
	fits := func(have access.StopSetting) bool { return have.Mark() == mark || !have.Position.StopsMoreThan(mode) }
	return c.stop(ctx, mode, act, fits, c.Access.SetStopOver)
}

// StopFrom is Stop if the kill switch still is as it was seen, otherwise [access.ErrStopMoved] and
// nothing is done, also where it would stop more.
func (c *Cutoff) StopFrom(ctx context.Context, seen access.StopSetting, mode access.Stop, act Act) error {
	return c.stop(ctx, mode, act, func(have access.StopSetting) bool { return have == seen }, c.Access.SetStopFrom)
}

// stop sets the kill switch by set, if how it stands fits; set looks again.
func (c *Cutoff) stop(ctx context.Context, mode access.Stop, act Act, fits func(access.StopSetting) bool,
	set func(ctx context.Context, seen access.StopSetting, mode access.Stop, by string) error) error {
	if err := mode.Validate(); err != nil {
		return fmt.Errorf("setting stop: %w", err)
	}
	entry := audit.Entry{Actor: act.By, Action: audit.StopSet, Object: string(mode), Reason: act.Why}
	have, gives := access.StopSetting{Position: access.StopAll}, false // when it cannot be read, it stops everything
	err := take(ctx, func(ctx context.Context) error {
		if s, err := c.Access.StopSeen(ctx); err == nil {
			have = s
		}
		if !fits(have) {
			return access.ErrStopMoved
		}
		if gives = have.Position.StopsMoreThan(mode); gives {
			return nil
		}
		err := set(ctx, have, mode, act.By.String())
		if errors.Is(err, access.ErrStopMoved) {
			return err
		}
		return c.record(ctx, entry, err)
	})
	if gives {
		return c.give(ctx, entry, func(ctx context.Context) error { return set(ctx, have, mode, act.By.String()) })
	}
	return err
}
