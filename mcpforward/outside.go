package mcpforward

import (
	"context"

	"sfmcp-proxy/authproxy/outside"
	"sfmcp-proxy/authproxy/policy"
)

// reader is to whom the answer of the call is given.
func (c *call) reader() outside.Reader {
	return outside.Reader{Org: c.grant.Org, Subject: c.grant.Subject, Client: c.grant.ClientID}
}

// outsideText reports whether outside text was given to the caller a short time ago, for the
// policy. If that cannot be found out, it was.
func (c *call) outsideText() bool {
	if c.outsideAsked == nil {
		mark, err := c.Outside.Last(c.http.Context(), c.reader())
		if err != nil {
			c.Log.ErrorContext(c.http.Context(), "it is not known whether outside text was given", "error", err)
		}
		given := err != nil || mark.Within(c.server.Policy.TaintTime(), c.Now())
		c.outsideAsked = &given
	}
	return *c.outsideAsked
}

// noteOutside remembers that the answer holds text that people outside wrote, before anybody
// gets it: where that cannot be written, the answer is withheld. Nothing that the text says
// is looked at.
func (c *call) noteOutside(ctx context.Context) {
	if !c.watchOutside[c.grant.Org] || !c.givesOutside() {
		return
	}
	o := &c.outcome
	if err := c.Outside.Note(ctx, c.reader(), c.outsideSources()); err != nil {
		c.Log.ErrorContext(ctx, "that an answer holds outside text was not noted, so it is withheld", "server", c.server.Name, "error", err)
		o.withheld, o.reason = textUnnoted, "that the answer holds outside text could not be noted, so it is withheld from the client"
	} else if o.reason == "" {
		o.reason = "outside text: the answer may hold text that people outside wrote"
	}
}

// noteMessage does so for what a hosted server says before the answer, which may not come:
// once, before the client is given the first of it.
func (c *call) noteMessage(ctx context.Context) error {
	if c.messagesNoted || c.tool == "" || !c.decision.OutsideText || !c.watchOutside[c.grant.Org] {
		return nil
	}
	err := c.Outside.Note(ctx, c.reader(), []outside.Source{{Tool: c.tool}})
	c.messagesNoted = err == nil
	return err
}

// givesOutside reports whether the client is about to get such text.
func (c *call) givesOutside() bool {
	o := &c.outcome
	switch {
	case c.tool == "" || !c.decision.OutsideText:
		return false
	case o.found.Counted && o.found.Rows == 0:
		return false
	case c.decision.ReachesUnknown() || !c.isTool(): // errors may hold anything then
		return o.answer != nil || o.refused != nil
	}
	return o.answer != nil && o.status != "isError"
}

// outsideSources are the records that the text may come from, or the tool if none is named.
func (c *call) outsideSources() []outside.Source {
	var all []outside.Source
	for _, r := range c.outcome.found.Named {
		if (r.Object == "" || policy.WrittenOutside(r.Object)) && len(all) < outside.Sources {
			all = append(all, outside.Source{Tool: c.tool, Object: r.Object, ID: r.ID})
		}
	}
	if all == nil {
		all = []outside.Source{{Tool: c.tool}}
	}
	return all
}

// watchOutside says of each org whether the policy of one of its servers asks for outside
// text: a client can read it through one server and write through another.
func watchOutside(c Config) map[string]bool {
	watch := map[string]bool{}
	for _, s := range c.Access.Servers() {
		watch[s.Org] = watch[s.Org] || s.Policy != nil && s.Policy.AsksOutside()
	}
	return watch
}
