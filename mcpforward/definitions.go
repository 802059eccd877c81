package mcpforward

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"sfmcp-proxy/authproxy/definition"
	"sfmcp-proxy/mcpforward/upstream"
)

// What a name means is what Salesforce says of it, and a model obeys that. So a call passes
// only under a definition that this user's session was shown a moment ago and that is
// accepted (package definition). The listing is the one that the client asked for, if that
// was whole; otherwise one is made, at most every five minutes for each session.

const (
	textQuarantined = "This %s %s. An administrator of this proxy has to accept it before it can be used. " +
		"The call was not made; repeating it does not help."
	textNoDefinitions = "it cannot be found out which definitions are accepted, so the call was not made"
)

// kindOfList says what the answer of a list method defines. Single resources are records
// and files, which come and go.
var kindOfList = map[string]definition.Kind{
	"tools/list": definition.Tool, "prompts/list": definition.Prompt, "resources/templates/list": definition.ResourceTemplate,
}

// listMethod is the reverse.
var listMethod = map[definition.Kind]string{
	definition.Tool: "tools/list", definition.Prompt: "prompts/list", definition.ResourceTemplate: "resources/templates/list",
}

// meaning is what Salesforce says that a call means.
type meaning struct {
	*call
	compared int // how many lists were compared with what is accepted, for the call
}

// hostedServer is what definitions are kept of.
func (r *request) hostedServer() definition.Server {
	return definition.Server{Org: r.server.Org, URL: r.server.URL}
}

// named returns what the call names as its list does; "" is nothing that has a definition.
func (c *meaning) named() (kind definition.Kind, name string) {
	switch c.msg.Method {
	case "tools/call":
		return definition.Tool, c.tool
	case "prompts/get", "resources/read", "completion/complete":
		return definition.ParseCalled(c.tool)
	}
	return "", ""
}

// find finds out what the call means, right before it is forwarded. If that is not known
// or not accepted, c.outcome says why.
func (c *meaning) find(ctx context.Context) (known bool, err error) {
	compared := c.compared
	reason, err := c.findDefinition(ctx)
	switch {
	case err == nil && c.compared != compared: // a list was made, which has taken its time
		err = c.recheck(ctx)
		return err == nil, err
	case err == nil:
		return true, nil
	case reason != "":
		c.outcome = notForwarded(reason)
		return false, err
	}
	if _, atSalesforce := errors.AsType[*upstream.Error](err); atSalesforce {
		c.outcome = noAnswer(failed(), err)
		return false, nil
	}
	c.outcome = notForwarded("which definitions are accepted is not known")
	return false, unavailable(textNoDefinitions, err)
}

// findNow finds out what the call means at this moment, for a person who is asked about it.
func (c *meaning) findNow(ctx context.Context) error {
	c.Pool.Relist(c.target())
	reason, err := c.findDefinition(ctx)
	if err == nil {
		return nil
	}
	if reason != "" {
		c.recordDenied(reason)
		return err
	}
	if _, atSalesforce := errors.AsType[*upstream.Error](err); !atSalesforce {
		c.recordDenied("which definitions are accepted is not known")
		return unavailable(textNoDefinitions, err)
	}
	o := noAnswer(failed(), err)
	c.recordDenied("definition: " + o.reason)
	return c.undelivered(o.failure)
}

// findDefinition finds what Salesforce says of what the call names, as c.definition. If
// that is not accepted, err is the answer and reason is for the record; otherwise the error
// is that nobody knows.
func (c *meaning) findDefinition(ctx context.Context) (reason string, err error) {
	kind, name := c.named()
	if kind == "" {
		return "", nil
	}
	pins, list, err := c.listed(ctx, kind)
	if err != nil {
		return "", err
	}
	if kind == definition.ResourceTemplate {
		return c.checkTemplates(pins, list, name)
	}
	listed, ok := list.Named(name)
	if !ok {
		return "salesforce does not list the " + string(kind), c.noSuchName()
	}
	c.definition = listed.Digest
	if !listed.Twice && pins.Accepts(kind, name, listed.Digest) {
		return c.checkOperation(ctx, pins) // dispatch.go
	}
	return c.quarantined(pins, kind, name, listed)
}

// checkTemplates refuses what a template that is not accepted could stand for: what begins
// as it does before its first variable.
func (c *meaning) checkTemplates(pins *definition.Pins, list *upstream.List, uri string) (reason string, err error) {
	for template, listed := range list.All() {
		fixed, _, _ := strings.Cut(template, "{")
		if strings.HasPrefix(uri, fixed) && (listed.Twice || !pins.Accepts(definition.ResourceTemplate, template, listed.Digest)) {
			return c.quarantined(pins, definition.ResourceTemplate, template, listed)
		}
	}
	return "", nil
}

// quarantined refuses a call under a definition that is not accepted.
func (c *meaning) quarantined(pins *definition.Pins, kind definition.Kind, name string, listed upstream.Listed) (reason string, err error) {
	state := "is new in Salesforce"
	reason = "new"
	switch {
	case listed.Twice:
		reason, state = "listed twice", "stands in Salesforce's list twice, with two meanings"
	case pins.Rejected(kind, name, listed.Digest):
		reason, state = "rejected", "was rejected by an administrator of this proxy"
	case pins.Knows(kind, name):
		reason, state = "changed", "was changed in Salesforce"
	}
	c.Handler.quarantinedCalls.Add(1)
	noun := strings.ReplaceAll(string(kind), "_", " ")
	return "definition in quarantine: " + reason, answerText(fmt.Sprintf(textQuarantined, noun, state))
}

// listed returns what Salesforce lists to this user, and what of it is accepted.
func (c *meaning) listed(ctx context.Context, kind definition.Kind) (*definition.Pins, *upstream.List, error) {
	pins, err := c.Definitions.Pins(ctx, c.hostedServer())
	if err != nil {
		return nil, nil, err
	}
	list, err := c.Pool.List(ctx, c.target(), listMethod[kind], pins.Changes(kind))
	if err != nil {
		return nil, nil, err
	}
	pins, err = c.see(ctx, kind, list, list, pins)
	return pins, list, err
}

// listAnswer is the answer to a client's list of definitions while it is read.
type listAnswer struct {
	fromStart bool                 // no cursor was asked for
	keep      func(*upstream.List) // takes the answer for the user's listing, if it is whole

	kind        definition.Kind
	pins        *definition.Pins
	page, whole *upstream.List // the answer, and the listing that it is a part of
}

// expectList is called before the list is asked for: what changes after that is newer.
func (c *meaning) expectList(ctx context.Context) {
	kind := kindOfList[c.msg.Method]
	if c.list == nil || kind == "" {
		return
	}
	c.list.kind = kind
	if pins, err := c.Definitions.Pins(ctx, c.hostedServer()); err == nil { // else asked for again, see seePage
		c.list.pins, c.list.keep = pins, c.Pool.Listing(c.target(), c.msg.Method, pins.Changes(kind))
	}
}

// seePage takes note of the definitions in a page of a list.
func (c *meaning) seePage(ctx context.Context, p *pages, result []byte) (err error) {
	l := c.list
	page, whole, err := p.definitionsIn(c.msg.Method, result)
	if err != nil {
		return err
	}
	l.page = page
	if !whole || !l.fromStart || l.keep == nil {
		if l.pins, l.whole, err = c.listed(ctx, l.kind); err != nil {
			return err
		}
	} else {
		l.keep(page)
		l.whole = page
	}
	l.pins, err = c.see(ctx, l.kind, page, l.whole, l.pins)
	return err
}

// shows reports whether the client gets an item of the list.
func (l *listAnswer) shows(name string) bool {
	if l == nil || l.kind == "" {
		return true
	}
	listed, ok := l.page.Named(name)
	if other, _ := l.whole.Named(name); other.Twice || listed.Twice {
		return false
	}
	return ok && l.pins.Accepts(l.kind, name, listed.Digest)
}

// version names what shows follows from, beside the page: what is accepted, and what is
// listed twice over all pages.
func (l *listAnswer) version() (accepted, twice string) {
	if l == nil || l.kind == "" {
		return "", ""
	}
	return l.pins.Version(), l.whole.Twice()
}
