package mcpforward

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/mcpforward/jsonrpc"
	"sfmcp-proxy/mcpforward/records"
)

// entry is what every entry of this request says.
func (r *request) entry(action audit.Action, outcome audit.Outcome) audit.Entry {
	g := r.grant
	return audit.Entry{
		Actor: actor.User(g.Subject), Action: action, Outcome: outcome,
		Org: g.Org, Subject: g.Subject, Username: g.Username, Client: g.ClientID, Grant: g.ID, Server: r.name,
	}
}

// callEntry is an entry about a call that was judged.
func (c *call) callEntry(outcome audit.Outcome) audit.Entry {
	e := c.entry(c.action, outcome)
	e.Object, e.Tool = c.tool, c.tool
	e.Class, e.Decision, e.Rule = string(c.decision.Class), audit.Decision(c.decision.Effect), c.decision.Reason
	e.PolicyVersion, e.DefinitionHash = c.decision.Version, c.definition
	if c.decision.Shadow {
		e.Decision = e.Decision.InShadow()
	}
	if c.arguments != nil {
		e.ArgumentsDigest, e.Arguments = approval.Digest(c.arguments), []byte(c.arguments)
	}
	if c.sent != nil {
		e.Sent = []byte(c.sent)
	}
	if c.approval != nil {
		e.Approval = c.approval.ID
	}
	if len(c.decision.Observed) > 0 {
		e.Reason = "would have been decided by " + strings.Join(c.decision.Observed, ", ")
	}
	return e
}

// recorded makes the call between its two entries: that it is about to be forwarded, without
// which it is not (D11), and how it ended, which is c.outcome once attempt returns. Of a
// read nothing depends on the latter, so its client does not wait for the disk; see
// [audit.Log.Call].
func (c *call) recorded(ctx context.Context, attempt func() error) error {
	err := c.Audit.Call(c.http.Context(), c.callEntry(audit.Intent), func(context.Context) (audit.Result, error) {
		err := attempt()
		return c.auditResult(ctx), err
	})
	if errors.Is(err, audit.ErrNoIntent) {
		return unavailable("the call could not be recorded, so it was not made", err)
	}
	return err
}

// withheldReason is what an entry says of an answer that reaches nobody.
const withheldReason = "the answer is withheld from the client"

// auditResult is what the entry says of how the call ended. What is withheld from the client
// was given to nobody; what was changed was changed.
func (c *call) auditResult(ctx context.Context) audit.Result {
	o := &c.outcome
	r := audit.Result{Outcome: o.recorded, Status: o.status, Reason: o.reason, DefinitionHash: c.definition, Bytes: int64(len(o.answer)), Duration: c.Now().Sub(c.started)}
	if c.settled != "" && (o.recorded == audit.Failed || c.settled == notSettled) {
		r.Reason = joined(r.Reason, c.settled)
	}
	if o.answer == nil {
		return r
	}
	found := o.found
	r.Hidden, r.Cut = o.hidden, o.cut
	if o.withheld != "" {
		found = found.Changed()
	} else if c.delivery.lostAccess(ctx) != nil {
		r.Reason = joined(r.Reason, withheldReason)
		found = found.Changed()
	} else {
		r.AnswerDigest = o.digest
	}
	r.Rows, r.Records, r.RecordsTotal = said(found)
	return r
}

// joined is a reason with another one after it.
func joined(reason, other string) string { return strings.TrimPrefix(reason+"; "+other, "; ") }

// answerDigest is the digest of a result as the client gets it.
func answerDigest(answer jsontext.Value) string {
	sum := sha256.Sum256(answer)
	var text [2 * sha256.Size]byte
	hex.Encode(text[:], sum[:])
	return string(text[:])
}

// recordsIn are the records in the result of a tool that did what it was asked for.
func (c *call) recordsIn(result jsonrpc.Reading) records.Found {
	structured, _ := result.Members.Get("structuredContent")
	return records.Read(structured, result.Texts, records.Call{Class: c.decision.Class, Records: c.decision.Records, Arguments: c.arguments})
}

// recordsAgain are those in the answer of a call that is given once more.
func (c *call) recordsAgain(a *approval.Request) records.Found {
	result, err := jsonrpc.Reply(nil, a.Result).Reading()
	if isError, _ := result.Members.Get("isError"); err != nil || a.Outcome != approval.Done || string(isError) == "true" {
		return records.Found{}
	}
	return c.recordsIn(result)
}

// said puts what was found into the words of an entry: those of one object with which the
// same was done are one group.
func said(found records.Found) (rows *int64, named []audit.Records, total int64) {
	if found.Counted {
		rows = &found.Rows
	}
	for _, r := range found.Named {
		i := slices.IndexFunc(named, func(g audit.Records) bool { return g.Class == string(r.Class) && g.Object == r.Object })
		if i < 0 {
			i = len(named)
			named = append(named, audit.Records{Class: string(r.Class), Object: r.Object, IDs: make([]string, 0, len(found.Named))})
		}
		named[i].IDs = append(named[i].IDs, r.ID)
	}
	return rows, named, found.Total
}

// recordDenied records a call that is answered without being forwarded.
func (c *call) recordDenied(reason string) {
	e := c.callEntry(audit.Denied)
	e.Reason = strings.TrimSuffix(reason+"; "+e.Reason, "; ")
	c.Audit.Record(c.http.Context(), e)
}

// recordMalformed records a request that is not what the protocol has.
func (r *request) recordMalformed(how string) {
	if r.allowances.Of(r.user()).Allow() {
		e := r.entry(audit.RequestRefuse, audit.Denied)
		e.Reason = "malformed: " + how
		r.Audit.Record(r.http.Context(), e)
	}
}

// recordLimited records a request that is refused for a limit, if it is not one of many.
func (r *request) recordLimited() {
	unrecorded, ok := r.allowances.Of(r.user()).RecordRefusal()
	if !ok {
		return
	}
	e := r.entry(audit.RequestRefuse, audit.Denied)
	e.Object = r.http.Method
	if r.msg != nil {
		e.Object = r.msg.Method
	}
	if e.Object == "tools/call" {
		if c, err := readToolCall(r); err == nil {
			e = c.callEntry(audit.Denied)
		}
	}
	e.Reason = "over a limit of calls"
	if unrecorded > 0 {
		e.Reason += fmt.Sprintf("; %d more were refused before without an entry", unrecorded)
	}
	r.Audit.Record(r.http.Context(), e)
}
