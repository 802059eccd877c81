package authproxy

import (
	"context"
	"errors"
	"slices"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/definition"
)

// Definitions takes the decisions of people about definitions of hosted servers. As with
// [Decisions], what gives is recorded first and what takes away takes effect first.
type Definitions struct {
	Store *definition.Store
	Audit *audit.Log
}

// Accept lets that definition pass, in the name of by, and no other under its name. server
// is the endpoint that people know the hosted server by. Errors are those of
// [definition.Store.Accept].
func (d *Definitions) Accept(ctx context.Context, by actor.Actor, server string, p definition.Pinned) error {
	return d.accept(ctx, by, server, p, nil)
}

// accept does so, if seen is what is recorded under its name; nil: whatever it is.
func (d *Definitions) accept(ctx context.Context, by actor.Actor, server string, p definition.Pinned, seen []definition.Pinned) error {
	return Give(ctx, d.Audit, d.entry(audit.DefinitionAccept, by, server, p), func(ctx context.Context) (audit.Result, error) {
		err := d.Store.AcceptSeen(ctx, p, seen, by)
		return audit.Result{Outcome: decided(err)}, err
	})
}

// Reject keeps that definition from passing, also if it was accepted. Errors are those of
// [definition.Store.Reject].
func (d *Definitions) Reject(ctx context.Context, by actor.Actor, server string, p definition.Pinned) error {
	return d.reject(ctx, by, server, p, nil)
}

// reject does so, if seen is what is recorded under its name; nil: whatever it is.
func (d *Definitions) reject(ctx context.Context, by actor.Actor, server string, p definition.Pinned, seen []definition.Pinned) error {
	return take(ctx, func(ctx context.Context) error {
		err := d.Store.RejectSeen(ctx, p, seen, by)
		if errors.Is(err, definition.ErrAlready) {
			return err
		}
		e := d.entry(audit.DefinitionReject, by, server, p)
		if e.Outcome = audit.OK; audit.Unanswered(err) {
			e.Outcome, e.Reason = audit.Unknown, err.Error()
		} else if err != nil {
			e.Outcome, e.Reason = audit.Failed, err.Error()
		}
		return errors.Join(err, d.Audit.Done(ctx, e))
	})
}

// Decide accepts the definition with that digest among those of one name, or rejects it. Without
// one the error is [definition.ErrNotFound]; what was decided so before is no error. Others are
// those of [Definitions.Accept].
func (d *Definitions) Decide(ctx context.Context, by actor.Actor, server string, of []definition.Pinned, digest string, accept bool) error {
	return d.decide(ctx, by, server, of, digest, accept, nil)
}

// DecideSeen is [Definitions.Decide] if the definitions of that name are still as in of; else the error is
// [definition.ErrMoved].
func (d *Definitions) DecideSeen(ctx context.Context, by actor.Actor, server string, of []definition.Pinned, digest string, accept bool) error {
	return d.decide(ctx, by, server, of, digest, accept, of)
}

func (d *Definitions) decide(ctx context.Context, by actor.Actor, server string, of []definition.Pinned, digest string, accept bool, seen []definition.Pinned) error {
	at := slices.IndexFunc(of, func(p definition.Pinned) bool { return p.Digest == digest })
	if at < 0 {
		return definition.ErrNotFound
	}
	decide := d.reject
	if accept {
		decide = d.accept
	}
	if err := decide(ctx, by, server, of[at], seen); !errors.Is(err, definition.ErrAlready) {
		return err
	}
	return nil
}

// decided is the outcome of a decision: "" is done.
func decided(err error) audit.Outcome {
	if errors.Is(err, definition.ErrAlready) {
		return audit.Repeated
	}
	return ""
}

func (d *Definitions) entry(action audit.Action, by actor.Actor, server string, p definition.Pinned) audit.Entry {
	called := definition.Called(p.Kind, p.Name)
	return audit.Entry{Actor: by, Action: action, Object: called, Org: p.Org, Server: server, Tool: called, DefinitionHash: p.Digest}
}
