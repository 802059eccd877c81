package mcpforward

import "context"

// recheck makes every check once more, right before the call is forwarded: reading a
// slow body, waiting for a token and writing the log have taken their time.
func (c *call) recheck(ctx context.Context) error {
	c.outcome = notForwarded("refused right before it was forwarded")
	if c.waiting.Err() != nil {
		return c.interrupted()
	}
	if !c.Access.StillAdmits(c.admitted) {
		if err := c.readmit(ctx); err != nil {
			return err
		}
	}
	if stop := c.stopped(c.reads()); stop != "" {
		return answerText(stop)
	}
	return nil
}

// readmit asks again whether the token opens the endpoint, and whether policy says the same of
// the call if its caller or its policy is another one by now.
func (c *call) readmit(ctx context.Context) error {
	who, rules := c.who, c.server.Policy
	if err := c.authorize(ctx); err != nil {
		return err
	}
	if c.who.Equal(who) && c.server.Policy == rules {
		return nil
	}
	now := c.judge()
	if now.Effect != c.decision.Effect || now.Version != c.decision.Version || now.Confirmation != c.decision.Confirmation || !sameObligations(now.Obligations, c.decision.Obligations) {
		return answerText(textChanged)
	}
	return nil
}
