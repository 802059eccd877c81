package console

import (
	"context"
	"slices"
	"time"

	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/people"
	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/authproxy/ui"
)

// couldNamed is how many people a page names who could agree, for each role.
const couldNamed = 5

// factorLines say who must agree to a call that its requester does not decide about, who has, and who
// is known here that could.
func (c *Console) factorLines(ctx context.Context, a *approval.Request) (lines []ui.FactorLine, err error) {
	if a.OfRequester() {
		return nil, nil
	}
	named := c.names(ctx)
	for _, f := range a.Factors() {
		line := ui.FactorLine{Role: f.Role, Quorum: f.Quorum, Met: f.Met()}
		for _, d := range f.By {
			line.By = append(line.By, named(d.By))
		}
		if a.State == approval.Pending && !line.Met {
			if line.Could, line.Others, err = c.whoCould(ctx, a, f.Role); err != nil {
				return nil, err
			}
		}
		lines = append(lines, line)
	}
	return lines, nil
}

// whoCould names people who could agree by a role, and says whether there are others: not who asked,
// who proposed the call, or who agreed before.
func (c *Console) whoCould(ctx context.Context, a *approval.Request, role string) (names []string, others bool, err error) {
	if c.People == nil {
		return nil, false, nil
	}
	requester, err := c.People.HumanOf(ctx, a.Org, a.Subject)
	if err != nil {
		return nil, false, err
	}
	holders, err := c.People.Holders(ctx, role)
	if err != nil {
		return nil, false, err
	}
	holders = slices.DeleteFunc(holders, func(p people.Person) bool {
		human := p.Human()
		return human == requester || human == a.Author || slices.ContainsFunc(a.Decisions, func(d approval.Decision) bool { return d.Human == human })
	})
	for _, p := range holders[:min(len(holders), couldNamed)] {
		names = append(names, p.Called())
	}
	return names, len(holders) > couldNamed, nil
}

// escalationInWords says from when on whose agreement counts as well; "" if nobody else's does.
func escalationInWords(a *approval.Request, now time.Time) string {
	e := a.Confirmation.Escalate
	if a.State != approval.Pending || e == (policy.Escalation{}) {
		return ""
	}
	at := a.CreatedAt.Add(e.After)
	if a.EscalatedTo(now) != "" {
		return "It has waited for so long that people with the role " + e.Role() + " may agree as well."
	}
	return "If it still waits then, people with the role " + e.Role() + " may agree as well from " + ui.Soon(at, now) + " on."
}
