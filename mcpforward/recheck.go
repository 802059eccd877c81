package mcpforward

import "context"

// recheck makes every check once more, right before the call is forwarded: reading a
// slow body, waiting for a token and writing the log have taken their time.
func (c *call) recheck(ctx context.Context) error {
	c.outcome = notForwarded("refused right before it was forwarded")
	if c.waiting.Err() != nil {
		return c.interrupted()
	}
	who, rules := c.who, c.server.Policy
	if err := c.authorize(ctx); err != nil {
		return err
	}
	// Of the same caller, the same policy says the same of the same call.
	if !c.who.Equal(who) || c.server.Policy != rules {
		if now := c.judge(); now.Effect != c.decision.Effect || now.Version != c.decision.Version {
			return answerText(textChanged)
		}
	}
	if stop := c.stopped(c.reads()); stop != "" {
		return answerText(stop)
	}
	return nil
}
