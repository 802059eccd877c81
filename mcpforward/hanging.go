package mcpforward

import (
	"context"
	"slices"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/definition"
	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/authproxy/policy/mask"
	"sfmcp-proxy/mcpforward/preview"
	"sfmcp-proxy/mcpforward/upstream"
)

// chooseChildren adds to the question what hangs on the record: the relations that the org describes
// to the requester, or the usual ones, without those that the rules do not let be read.
func (r *currentReading) chooseChildren(ctx context.Context, who policy.Principal, pins *definition.Pins, list *upstream.List) {
	object, known := r.question.Object, r.schemas.For(r.approval.Org, r.approval.Subject)
	if !known.Described(object) {
		r.describe(ctx, pins, list)
		known = r.schemas.For(r.approval.Org, r.approval.Subject)
	}
	all := preview.Children(object, known.ChildRelations(object))
	if len(all) == 0 {
		return
	}
	alone := *r
	var may []string
	for _, relation := range all {
		alone.question.Children = []string{relation}
		if alone.judge(who); alone.passes() && alone.countsShown(relation) {
			may = append(may, relation)
		} else {
			r.uncounted = append(r.uncounted, relation)
		}
	}
	r.question.Children = may
	if r.judge(who); !r.passes() {
		r.countNothing()
		r.judge(who)
	}
}

// countsShown reports whether no rule hides that there are records behind a relation.
func (r *currentReading) countsShown(relation string) bool {
	hiding := r.decision.Obligations.Hiding
	return hiding == nil || hiding.Of(mask.Field{Object: preview.ChildObject(relation), Name: "Id"}) == mask.Shown
}

// countNothing leaves out of the question what hangs on the record: one of the relations is not
// there for this user, or cannot be read with the others.
func (r *currentReading) countNothing() {
	r.uncounted = append(r.uncounted, r.question.Children...)
	r.question.Children, r.question.Deletes = nil, false
}

// describe asks Salesforce to describe the object to the requester, and remembers what it says, or
// that it did not.
func (r *currentReading) describe(ctx context.Context, pins *definition.Pins, list *upstream.List) {
	a, object := r.approval, r.question.Object
	known, _ := r.Access.Person(ctx, a.Org, a.Subject) // for the log
	e := audit.Entry{Actor: actor.Proxy, Action: audit.SchemaRead, Org: a.Org, Subject: a.Subject, Username: known.Username,
		Client: a.ClientID, Server: a.Server, Tool: schemaTool, Class: string(policy.Read), Approval: a.ID, Object: object}
	err := r.Audit.Call(ctx, e, func(ctx context.Context) (audit.Result, error) {
		told, reason := r.Handler.readSchema(ctx, r.target(ctx), pins, list, object)
		if len(told) == 0 {
			r.schemas.Missed(a.Org, a.Subject, object)
			return audit.Result{Outcome: audit.Failed, Reason: reason}, nil
		}
		r.schemas.Learn(a.Org, a.Subject, told)
		return audit.Result{Outcome: audit.OK, Status: "result"}, nil
	})
	if err != nil {
		r.Log.InfoContext(ctx, "the schema of an object was not asked for", "server", r.server.Name, "error", err)
	}
}

// hanging is how many records hang on the one that was read, and the relations behind which none
// were counted.
func (r *currentReading) hanging() (counted []approval.CurrentChildren, not []string) {
	not = slices.Clone(r.uncounted)
	for _, relation := range r.question.Children {
		if n, more, ok := r.records[0].Count(relation); ok {
			counted = append(counted, approval.CurrentChildren{Relation: relation, Count: n, More: more})
		} else {
			not = append(not, relation)
		}
	}
	return counted, not
}
