package mcpforward

import (
	"context"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/definition"
	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/authproxy/policy/reach"
	"sfmcp-proxy/mcpforward/jsonrpc"
	"sfmcp-proxy/mcpforward/upstream"
)

// Where a custom relation leads only the org knows, and says to each user what he may see
// (package schema). What passes as the answer to a client is remembered. Where a call is denied
// that leads over a relation of an object that the user was not told of, the proxy asks once,
// as the user, and the call is judged again. It asks as well before a call passes that reaches
// fields of the org's own, where rules conceal fields: one of them may be a formula that shows these.
// What Salesforce does not describe to the user passes as the names alone tell it.

const (
	schemaTool = "getObjectSchema"
	// askedRounds and askedObjects bound what is asked for one call: a path leads from object to
	// object, each of which has to be known for the next.
	askedRounds, askedObjects = 3, 5
)

// learnSchema takes what the answer to the call told the user. Only Salesforce's own servers
// are believed: on others anybody's code may answer to that name.
func (c *call) learnSchema(answer jsonrpc.Reading) {
	if c.tool == schemaTool && policy.DescribesObjects(c.server.URL) {
		c.schemas.Learn(c.grant.Org, c.grant.Subject, descriptionsIn(answer, c.decision.Objects))
	}
}

// descriptionsIn reads the descriptions in an answer, of objects that were asked for.
func descriptionsIn(answer jsonrpc.Reading, asked []string) (all []*reach.Description) {
	for _, text := range answer.Texts {
		plain, err := jsontext.AppendUnquote(nil, text)
		if err != nil {
			continue
		}
		if all = append(all, reach.ReadDescriptions(plain, asked)...); len(all) > 0 {
			return all // further texts would say it once more
		}
	}
	if structured, ok := answer.Members.Get("structuredContent"); ok {
		all = reach.ReadDescriptions(structured, asked)
	}
	return all
}

// judgeDescribed asks the policy about the call, and where it denies for want of the org's
// schema, or would let formulas pass of which nobody knows what they show, asks for that and judges
// again. Whoever may not even see the tool is told nothing, and asks nothing.
func (c *call) judgeDescribed() policy.Decision {
	d, left := c.judge(), askedObjects
	for range askedRounds {
		wanted := undescribed(c, &d)
		if len(wanted) == 0 {
			return d
		}
		for _, object := range wanted {
			if left == 0 {
				break
			}
			left--
			c.askSchema(c.waiting, object)
		}
		if d = c.judge(); left == 0 {
			break
		}
	}
	if d.Effect != policy.Deny && len(undescribed(c, &d)) > 0 { // as much as may be asked for is asked for
		d.Effect, d.Obligations, d.Text = policy.Deny, policy.Obligations{}, textUndescribed
		d.Reason += ", but fields of too many objects are not described yet"
	}
	return d
}

// undescribed are the objects of which a description would decide more.
func undescribed(c *call, d *policy.Decision) []string {
	var objects []string
	switch {
	case d.Hidden || d.Reach == nil || !policy.DescribesObjects(c.server.URL):
	case d.Effect == policy.Deny:
		objects = d.Reach.Undescribed
	case c.server.Policy.ConcealsFields():
		objects = d.Reach.Unlearned()
	}
	if len(objects) > 0 && c.stopped(true) != "" {
		return nil
	}
	return objects
}

// askSchema asks Salesforce to describe an object, as the user, and remembers what it says, or
// that it did not. The call is recorded as the proxy's own.
func (c *call) askSchema(ctx context.Context, object string) {
	e := c.entry(audit.SchemaRead, audit.OK)
	e.Actor, e.Object, e.Tool, e.Class = actor.Proxy, object, schemaTool, string(policy.Read)
	err := c.Audit.Call(ctx, e, func(context.Context) (audit.Result, error) {
		told, reason := c.readSchema(ctx, object)
		if len(told) == 0 {
			c.schemas.Missed(c.grant.Org, c.grant.Subject, object)
			return audit.Result{Outcome: audit.Failed, Reason: reason}, nil
		}
		c.schemas.Learn(c.grant.Org, c.grant.Subject, told)
		return audit.Result{Outcome: audit.OK, Status: "result"}, nil
	})
	if err != nil {
		c.Log.ErrorContext(ctx, "the schema of an object was not asked for", "server", c.server.Name, "error", err)
	}
}

// readSchema returns what Salesforce says of an object, or why that is nothing. The tool is asked
// only under a definition that is accepted.
func (c *call) readSchema(ctx context.Context, object string) (told []*reach.Description, reason string) {
	pins, list, err := c.meaning.listed(ctx, definition.Tool)
	if err != nil {
		return nil, "the tools are not known"
	}
	return c.Handler.readSchema(ctx, c.target(), pins, list, object)
}

// readSchema asks that server, as its user, for the description of an object.
func (h *Handler) readSchema(ctx context.Context, target upstream.Target, pins *definition.Pins, list *upstream.List, object string) (told []*reach.Description, reason string) {
	if !isAccepted(pins, list, schemaTool) {
		return nil, "the tool is not listed, or not accepted"
	}
	a, err := h.Pool.Call(ctx, target, jsonrpc.Request(jsontext.Value("0"), "tools/call", schemaParams(list, object)), true)
	if err != nil {
		return nil, "no answer"
	}
	defer a.Close()
	m, err := a.Next(ctx)
	for ; err == nil && !m.IsResponse(); m, err = a.Next(ctx) {
		if m.IsRequest() { // the user is not asked about what he did not ask for
			_ = a.Respond(ctx, jsonrpc.Failure(m.ID, jsonrpc.MethodNotFound, "nobody can be asked"))
		}
	}
	if err != nil || m.Error != nil {
		return nil, "no answer"
	}
	answer, err := m.Reading()
	if failed, _ := answer.Members.Get("isError"); err != nil || string(failed) == "true" {
		return nil, "salesforce does not describe the object to the user"
	}
	if told = descriptionsIn(answer, []string{object}); len(told) == 0 {
		return nil, "the answer is not a description of the object"
	}
	return told, ""
}

// schemaParams are those of a call for one object. Salesforce's documents call the argument
// otherwise than its servers do.
func schemaParams(list *upstream.List, object string) jsontext.Value {
	argument := "objects"
	if listed, _ := list.Named(schemaTool); !strings.Contains(string(listed.Definition), `"objects"`) && strings.Contains(string(listed.Definition), `"object-name"`) {
		argument = "object-name"
	}
	var arguments, params jsonrpc.Object
	arguments.Set(argument, jsonrpc.Quote(object))
	params.Set("name", jsonrpc.Quote(schemaTool))
	params.Set("arguments", arguments.Encode())
	return params.Encode()
}
