package authproxy

import (
	"context"
	"errors"
	"slices"

	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/approval/evidence"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/people"
)

// Evidence returns the record of one request, for who asked for it, holders of a role that it
// asks for, auditors, the security team and operators. It holds the arguments, so that it was read is in the log
// before anybody gets it, and is part of it. Otherwise the error is [approval.ErrNotFound].
func (d *Decisions) Evidence(ctx context.Context, by approval.Decider, id string) (*evidence.Record, error) {
	everything := by.Actor.IsOperator() || slices.Contains(by.Roles, people.Auditor) || slices.Contains(by.Roles, people.Security)
	r, err := d.Approvals.Get(ctx, id)
	switch {
	case errors.Is(err, approval.ErrNotFound) && everything: // the log has it for longer
		r = nil
	case err != nil:
		return nil, err
	case !everything:
		switch c, err := d.standing(ctx, by, r); {
		case err != nil:
			return nil, err
		case !c.sees():
			return nil, approval.ErrNotFound
		}
	}
	read, err := d.readOf(ctx, by, r, id)
	if err != nil {
		return nil, err
	}
	if _, err := d.Audit.Append(ctx, read); err != nil {
		return nil, err
	}
	record := evidence.New(id)
	if err := d.Audit.List(ctx, audit.Filter{Approval: id}, func(e audit.Entry) error { record.Add(e); return nil }); err != nil {
		return nil, err
	}
	record.AddRequest(r)
	return record, nil
}

// readOf is the entry that says that the evidence of a request was read.
func (d *Decisions) readOf(ctx context.Context, by approval.Decider, r *approval.Request, id string) (e audit.Entry, err error) {
	if r != nil {
		e = d.entry(ctx, by, r, "")
	} else {
		known := false
		err = d.Audit.List(ctx, audit.Filter{Approval: id, Limit: 1}, func(last audit.Entry) error {
			known = true
			e = audit.Entry{Object: id, Approval: id, Org: last.Org, Subject: last.Subject, Username: last.Username, Client: last.Client,
				Grant: last.Grant, Server: last.Server, Tool: last.Tool, Class: last.Class, ArgumentsDigest: last.ArgumentsDigest}
			return nil
		})
		if err == nil && !known {
			err = approval.ErrNotFound
		}
	}
	e.Actor, e.Action, e.Outcome = by.Actor, audit.ApprovalRead, audit.OK
	return e, err
}

// Register returns short records, without arguments, of the requests that began to wait in a time,
// from the log; what became of them counts whenever it happened.
func (d *Decisions) Register(ctx context.Context, when audit.Filter) ([]*evidence.Record, error) {
	var register evidence.Register
	held := audit.Filter{Action: string(audit.ToolCall), Outcome: audit.Held, Since: when.Since, Until: when.Until}
	if err := d.Audit.List(ctx, held, func(e audit.Entry) error { register.Begin(e); return nil }); err != nil {
		return nil, err
	}
	if err := d.Audit.List(ctx, audit.Filter{Since: when.Since}, func(e audit.Entry) error { register.Add(e); return nil }); err != nil {
		return nil, err
	}
	return register.Records(), nil
}
