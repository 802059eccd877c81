package mcpforward

import (
	"context"

	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/outside"
	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/mcpforward/records"
)

// outsideNotes are about text that people outside wrote, in the answer of a call.
type outsideNotes struct {
	*call
	noted bool  // what came before the answer
	asked *bool // whether such text was given to the caller; nil: not asked yet
}

// reader is to whom the answer of the call is given.
func (c *outsideNotes) reader() outside.Reader {
	return outside.Reader{Org: c.grant.Org, Subject: c.grant.Subject, Client: c.grant.ClientID}
}

// given reports whether outside text was given to the caller a short time ago, for the
// policy. If that cannot be found out, it was.
func (c *outsideNotes) given() bool {
	if c.asked == nil {
		mark, err := c.Outside.Last(c.http.Context(), c.reader())
		if err != nil {
			c.Log.ErrorContext(c.http.Context(), "it is not known whether outside text was given", "error", err)
		}
		given := err != nil || mark.Within(c.server.Policy.TaintTime(), c.Now())
		c.asked = &given
	}
	return *c.asked
}

// note remembers that the answer holds text that people outside wrote, before anybody
// gets it: where that cannot be written, the answer is withheld. Nothing that the text says
// is looked at.
func (c *outsideNotes) note(ctx context.Context) {
	o := &c.outcome
	if !c.due() {
		return
	}
	if err := c.Outside.Note(ctx, c.reader(), c.sources(o.found)); err != nil {
		c.Log.ErrorContext(ctx, "that an answer holds outside text was not noted, so it is withheld", "server", c.server.Name, "error", err)
		o.withheld, o.reason = textUnnoted, "that the answer holds outside text could not be noted, so it is withheld from the client"
	} else if o.reason == "" {
		o.reason = "outside text: the answer may hold text that people outside wrote"
	}
}

// noteRepeat does so for the answer of a call that was carried out before, which the client is
// about to get once more: by then the mark of the first time may have run out.
func (c *outsideNotes) noteRepeat(ctx context.Context, a *approval.Request, found records.Found) error {
	failed := a.Outcome != approval.Done
	if len(a.Result) == 0 || !c.mayHold(found, failed) {
		return nil
	}
	return c.Outside.Note(ctx, c.reader(), c.sources(found))
}

// noteMessage does so for what a hosted server says before the answer, which may not come:
// once, before the client is given the first of it.
func (c *outsideNotes) noteMessage(ctx context.Context) error {
	if c.noted || c.tool == "" || !c.decision.OutsideText || !c.watchOutside[c.grant.Org] {
		return nil
	}
	err := c.Outside.Note(ctx, c.reader(), []outside.Source{{Tool: c.tool}})
	c.noted = err == nil
	return err
}

// due reports whether the client is about to get such text.
func (c *outsideNotes) due() bool {
	o := &c.outcome
	return (o.answer != nil || o.refused != nil) && c.mayHold(o.found, o.answer == nil || o.status == "isError")
}

// mayHold reports whether an answer may hold such text, by what was found in it and
// whether it is an error, and some policy asks for that.
func (c *outsideNotes) mayHold(found records.Found, failed bool) bool {
	switch {
	case !c.watchOutside[c.grant.Org] || c.tool == "" || !c.decision.OutsideText:
		return false
	case c.decision.ReachesUnknown() || !c.isTool(): // errors, and what stands beside records, may hold anything then
		return true
	case found.Counted && found.Rows == 0:
		return false
	}
	return !failed
}

// sources are the records that the text may come from, or the tool if none is named.
func (c *outsideNotes) sources(found records.Found) []outside.Source {
	var all []outside.Source
	for _, r := range found.Named {
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
