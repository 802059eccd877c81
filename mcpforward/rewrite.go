package mcpforward

import (
	"fmt"

	"sfmcp-proxy/authproxy/policy/soql"
	"sfmcp-proxy/mcpforward/jsonrpc"
)

// rewrite gives the query the LIMIT that the rules ask for. What is sent then is judged once
// more: it must be let pass by the same rule, with nothing left to rewrite. A query that
// stands elsewhere than in a parameter of its own is not rewritten.
func (c *obligations) rewrite() error {
	limit := c.decision.Obligations.Limit
	if limit == 0 {
		return nil
	}
	arguments, err := jsonrpc.ParseObject(c.arguments)
	if err != nil {
		return invalidParams("arguments is not an object")
	}
	with := soql.WithLimit
	if c.tool == "find" {
		with = soql.SearchWithLimit
	}
	rewritten := 0
	for _, name := range []string{"q", "query", "search"} {
		text, ok := arguments.String(name)
		if !ok {
			continue
		}
		if text, err = with(text, limit); err != nil {
			return c.notRewritten()
		}
		arguments.Set(name, jsonrpc.Quote(text))
		rewritten++
	}
	sent := arguments.Encode()
	again := c.judgeAs(sent)
	if rewritten == 0 || again.Effect != c.decision.Effect || again.Rule != c.decision.Rule || again.Obligations.Limit != 0 {
		return c.notRewritten()
	}
	params, err := jsonrpc.ParseObject(c.params)
	if err != nil {
		return c.notRewritten()
	}
	params.Set("arguments", sent)
	c.sent, c.params = sent, params.Encode()
	return nil
}

// notRewritten refuses a query that cannot be given its LIMIT here.
func (c *obligations) notRewritten() error {
	c.recordDenied("the query cannot be given the LIMIT that the rules ask for")
	return answerText(fmt.Sprintf(textAddLimit, c.decision.Obligations.Limit))
}
