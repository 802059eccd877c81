package oversight

import (
	"context"
	"fmt"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/approval/insights"
	"sfmcp-proxy/authproxy/audit"
)

// InsightsLooked is how many of the newest calls that waited, and of the newest decisions, a page counts.
const InsightsLooked = 5000

// Insights says how calls were decided that began to wait in the time of when, from the audit log: of
// all, or of its Limit newest, and of as many decisions. cut says that there are more of either: then calls are
// missing, or count as not decided.
func (r *Reader) Insights(ctx context.Context, when audit.Filter) (groups []insights.Group, cut bool, err error) {
	var c insights.Collector
	held := audit.Filter{Action: string(audit.ToolCall), Outcome: audit.Held, Since: when.Since, Until: when.Until}
	moreHeld, err := r.newest(ctx, held, when.Limit, func(e audit.Entry) {
		if e.Approval != "" {
			c.Held(e.Approval, e.Server+": "+e.Rule, e.At)
		}
	})
	if err != nil {
		return nil, false, err
	}
	decisions := audit.Filter{Action: string(audit.ApprovalDecide), Outcome: audit.OK, Since: when.Since}
	moreDecided, err := r.newest(ctx, decisions, when.Limit, func(e audit.Entry) {
		if v := r.Verdict(e); v != 0 {
			c.Decided(e.Approval, DecidedBy(e.Actor), v, e.At)
		}
	})
	if err != nil {
		return nil, false, err
	}
	return c.Groups(r.Now(), r.Lifetime), moreHeld || moreDecided, nil
}

// DecidedBy names who decided: the person whom an operator named, beside the operator; all others as
// records do.
func DecidedBy(a actor.Actor) string {
	if a.IsOperator() && a.As != "" {
		return fmt.Sprintf("%s (operator %s)", a.As, a.ID)
	}
	return a.String()
}
