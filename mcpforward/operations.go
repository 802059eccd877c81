package mcpforward

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/definition"
	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/authproxy/ui"
	"sfmcp-proxy/mcpforward/jsonrpc"
)

// The tools of headless-360 are ways to operations: discover finds some, describe tells how
// one is called, dispatch carries any out. What the first two say is pinned as lists are,
// operation by operation. DESIGN.md has the reasons.

const (
	headless     = "platform/headless-360"
	discoverTool = "discover"
	describeTool = "describe"
	// describedPrefix is before the id of an operation in what describe says of it.
	describedPrefix = "describe/"
	// maxOperations bounds what one answer can have, maxNesting how deep they may lie.
	maxOperations, maxNesting = 500, 32
	// askedQuestions is how many questions are remembered, the most recently asked, of at most
	// maxQuestion bytes.
	askedQuestions, maxQuestion = 512, 4096
)

const (
	textOperation      = "This operation %s. An administrator of this proxy has to accept it before it can be used. "
	textNoOperations   = "The answer is withheld: what operations it tells of could not be read or compared with those that are accepted."
	textCarriesUnread  = "This call carries requests that cannot be read one by one, and an operation that Salesforce has added or changed waits for an administrator of this proxy. Make each request a call of its own. "
	textNotCarriedOut  = "The call was not made; repeating it does not help."
	textNotTold        = "What Salesforce says of it is withheld."
	operationsUnread   = "operations in the answer could not be read or compared, so it is withheld"
	operationsWithheld = "operations in quarantine are left out of the answer"
)

// operationCheck looks at what the answer of a call says of operations.
type operationCheck struct{ *call }

// isHeadless reports whether the call is one of those tools of headless-360.
func (c *operationCheck) isHeadless(tools ...string) bool {
	return c.isTool() && slices.Contains(tools, c.tool) && policy.HostedName(c.server.URL) == headless
}

// see takes note of the operations in an answer, and takes those out of it that
// are not accepted.
func (c *operationCheck) see(ctx context.Context) {
	o := &c.outcome
	if o.recorded != audit.OK || o.answer == nil || !c.isHeadless(discoverTool, describeTool) {
		return
	}
	a, err := c.read(o.result)
	var pins *definition.Pins
	if err == nil {
		pins, err = c.compare(ctx, a.found)
	}
	switch {
	case err != nil:
		c.Log.ErrorContext(ctx, "operations in an answer are not known to be accepted", "server", c.server.Name, "error", err)
		c.replaceAnswer(toolResult(textNoOperations, true), operationsUnread)
	case a.described != "" && !pins.Accepts(definition.Operation, a.described, a.found[0].Digest):
		c.replaceAnswer(toolResult(fmt.Sprintf(textOperation, "is new in Salesforce, or was changed")+textNotTold, true), operationsWithheld)
	case a.described == "":
		a.accepted = func(d definition.Definition) bool { return pins.Accepts(d.Kind, d.Name, d.Digest) }
		switch result, ok := a.filtered(o.result); {
		case !ok:
			c.replaceAnswer(toolResult(textNoOperations, true), operationsUnread)
		case a.dropped > 0:
			c.replaceAnswer(result, operationsWithheld)
		}
	}
}

// replaceAnswer gives the client another result than Salesforce's.
func (c *operationCheck) replaceAnswer(result jsontext.Value, reason string) {
	o := &c.outcome
	o.result, o.answer, o.reason = result, c.passed(result), reason
	o.digest = answerDigest(o.answer)
}

// operations are those in one answer.
type operations struct {
	found     []definition.Definition
	described string                           // name of the only one, that describe tells of
	accepted  func(definition.Definition) bool // nil: all pass
	dropped   int
}

var errOperations = errors.New("the answer tells of operations in a form that is not known")

// read finds the operations in the answer to the call.
func (c *operationCheck) read(result jsontext.Value) (*operations, error) {
	a := &operations{}
	if c.tool == describeTool {
		arguments, _ := jsonrpc.ParseObject(c.arguments)
		id, ok := arguments.String("id")
		if !ok {
			return nil, errOperations
		}
		text, err := jsonrpc.Canonical(jsonrpc.Array(saidTexts(result)))
		a.described = describedPrefix + id
		a.found = []definition.Definition{{Kind: definition.Operation, Name: a.described, Text: text, Digest: definition.Digest(text)}}
		return a, err
	}
	for _, v := range saidTexts(result) {
		if kind := v.Kind(); kind != '{' && kind != '[' {
			return nil, errOperations
		}
		if _, ok := a.value(v, 0); !ok {
			return nil, errOperations
		}
	}
	return a, nil
}

// saidTexts are the texts of a result and its structured content, as JSON where they are.
func saidTexts(result jsontext.Value) (all []jsontext.Value) {
	o, _ := jsonrpc.ParseObject(result)
	raw, _ := o.Get("content")
	blocks, _ := jsonrpc.ParseArray(raw)
	for _, block := range blocks {
		b, _ := jsonrpc.ParseObject(block)
		if text, ok := b.String("text"); ok {
			all = append(all, asJSON(text))
		}
	}
	if structured, ok := o.Get("structuredContent"); ok {
		all = append(all, structured)
	}
	return all
}

// asJSON is a text as the JSON that it is, or as a string.
func asJSON(text string) jsontext.Value {
	v := jsontext.Value(strings.TrimSpace(text))
	if canonical, err := jsonrpc.Canonical(v); err == nil {
		return canonical
	}
	return jsonrpc.Quote(text)
}

// filtered is the result of discover without the operations that are not accepted. ok: none
// of them stands where it cannot be left out.
func (a *operations) filtered(result jsontext.Value) (_ jsontext.Value, ok bool) {
	o, _ := jsonrpc.ParseObject(result)
	raw, _ := o.Get("content")
	blocks, _ := jsonrpc.ParseArray(raw)
	for i, block := range blocks {
		b, _ := jsonrpc.ParseObject(block)
		text, ok := b.String("text")
		if !ok {
			continue
		}
		before := a.dropped
		v, ok := a.value(asJSON(text), 0)
		if !ok {
			return nil, false
		}
		if a.dropped > before {
			b.Set("text", jsonrpc.Quote(string(v)))
			blocks[i] = b.Encode()
		}
	}
	o.Set("content", jsonrpc.Array(blocks))
	if structured, ok := o.Get("structuredContent"); ok {
		v, ok := a.value(structured, 0)
		if !ok {
			return nil, false
		}
		o.Set("structuredContent", v)
	}
	return o.Encode(), true
}

// value walks through a value: each object with an id is an operation. It finds them all, or,
// once accepted is set, leaves those out of arrays that are not. ok: it could be read.
func (a *operations) value(v jsontext.Value, depth int) (_ jsontext.Value, ok bool) {
	switch {
	case depth > maxNesting:
		return nil, false
	case v.Kind() == '[':
		return a.array(v, depth)
	case v.Kind() != '{':
		return v, true
	}
	o, err := jsonrpc.ParseObject(v)
	if err != nil {
		return nil, false
	}
	if id, isOperation := o.String("id"); isOperation {
		// One that is not in a list cannot be left out of it.
		return v, a.find(id, o)
	}
	for name, member := range o.All() {
		inner, ok := a.value(member, depth+1)
		if !ok {
			return nil, false
		}
		if !bytes.Equal(inner, member) {
			o.Set(name, inner)
		}
	}
	return o.Encode(), true
}

func (a *operations) array(v jsontext.Value, depth int) (jsontext.Value, bool) {
	items, err := jsonrpc.ParseArray(v)
	if err != nil {
		return nil, false
	}
	var kept []jsontext.Value
	for _, item := range items {
		if o, err := jsonrpc.ParseObject(item); err == nil {
			if id, isOperation := o.String("id"); isOperation {
				if a.find(id, o) {
					kept = append(kept, item)
				} else if a.accepted == nil {
					return nil, false
				}
				continue
			}
		}
		inner, ok := a.value(item, depth+1)
		if !ok {
			return nil, false
		}
		kept = append(kept, inner)
	}
	return jsonrpc.Array(kept), true
}

// ranks are members that depend on what was searched for.
var ranks = []string{"score", "rank", "relevance", "distance", "similarity"}

// find notes an operation, or reports whether it passes.
func (a *operations) find(id string, o jsonrpc.Object) bool {
	var said jsonrpc.Object
	for name, member := range o.All() {
		if !slices.Contains(ranks, name) {
			said.Set(name, member)
		}
	}
	text, err := jsonrpc.Canonical(said.Encode())
	if err != nil {
		return false
	}
	d := definition.Definition{Kind: definition.Operation, Name: id, Text: text, Digest: definition.Digest(text)}
	if a.accepted != nil {
		if a.accepted(d) {
			return true
		}
		a.dropped++
		return false
	}
	if len(a.found) == maxOperations {
		return false
	}
	a.found = append(a.found, d)
	return true
}

// compare takes note of operations and returns what of them is accepted.
func (c *operationCheck) compare(ctx context.Context, found []definition.Definition) (*definition.Pins, error) {
	server := c.hostedServer()
	pins, err := c.Definitions.Pins(ctx, server)
	if err != nil {
		return nil, err
	}
	unknown := slices.DeleteFunc(slices.Clone(found), func(d definition.Definition) bool {
		return pins.Accepts(d.Kind, d.Name, d.Digest) || pins.IsRecorded(d.Kind, d.Name, d.Digest)
	})
	fresh := c.freshTo(found)
	if len(unknown) == 0 {
		return pins, nil
	}
	var learned, other []definition.Definition
	if began := pins.Begun(definition.Operation); !began.IsZero() && c.Now().Sub(began) >= definition.LearningTime {
		other = unknown
	} else {
		learned = slices.DeleteFunc(slices.Clone(unknown), func(d definition.Definition) bool { return !fresh(d) })
		other = slices.DeleteFunc(slices.Clone(unknown), fresh)
	}
	if err := c.learn(ctx, learned); err != nil {
		return nil, err
	}
	if err := c.meaning.quarantine(ctx, append(other, learned...)); err != nil {
		return nil, err
	}
	return c.Definitions.Pins(ctx, server)
}

// freshTo reports of an operation whether the same question was not answered without it
// before: what a search finds beside is growth.
func (c *operationCheck) freshTo(found []definition.Definition) func(definition.Definition) bool {
	key := c.hostedServer().Org + " " + c.hostedServer().URL + " " + c.tool + " " + string(c.arguments)
	if len(key) > maxQuestion {
		key = definition.Digest(jsontext.Value(key))
	}
	before, asked := c.asked.Get(key)
	names := map[string]bool{}
	for _, d := range found {
		names[d.Name] = true
	}
	if !asked {
		c.asked.Add(key, names)
	}
	return func(d definition.Definition) bool { return !asked || before[d.Name] }
}

// learn accepts operations that nobody knows yet, while that is allowed.
func (c *operationCheck) learn(ctx context.Context, unknown []definition.Definition) error {
	if len(unknown) == 0 {
		return nil
	}
	server := c.hostedServer()
	return c.Audit.Give(ctx, c.meaning.definitionEntry(audit.DefinitionBegin, string(definition.Operation)), func(ctx context.Context) (audit.Result, error) {
		if _, _, err := c.Definitions.Begin(ctx, server, definition.Operation, nil); err != nil {
			return audit.Result{}, err
		}
		learned, err := c.Definitions.Learn(ctx, server, unknown)
		if err != nil {
			return audit.Result{}, err
		}
		var names []string
		for _, d := range learned[:min(len(learned), toldNames)] {
			names = append(names, ui.Printable(d.Name))
		}
		return audit.Result{Reason: fmt.Sprintf("%d: %s", len(learned), strings.Join(names, " "))}, nil
	})
}
