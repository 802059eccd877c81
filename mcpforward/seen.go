package mcpforward

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/definition"
	"sfmcp-proxy/authproxy/ui"
	"sfmcp-proxy/mcpforward/upstream"
)

const (
	// seenLists is how many lists are remembered as compared with what is accepted.
	seenLists = 1024
	// toldNames is how many names one audit entry has.
	toldNames = 100
	// toldChanges and toldText bound the difference in an audit entry: how many places, and
	// how much of each side, in bytes.
	toldChanges, toldText = 6, 120
)

// see compares a list, which is a page of whole or all of it, with what is accepted: the first
// of its kind becomes the baseline, and what is new in a later one is recorded, with an audit
// entry for each definition. It returns what is accepted then.
func (c *meaning) see(ctx context.Context, kind definition.Kind, list, whole *upstream.List, pins *definition.Pins) (*definition.Pins, error) {
	if compared, ok := c.seen.Get(list); ok && compared == pins {
		return pins, nil
	}
	c.compared++
	if pins.Begun(kind).IsZero() {
		if err := c.beginList(ctx, kind, list); err != nil {
			return nil, err
		}
		var err error
		if pins, err = c.Definitions.Pins(ctx, c.hostedServer()); err != nil {
			return nil, err
		}
	}
	if unknown := unaccepted(kind, list, whole, pins); len(unknown) > 0 {
		if err := c.quarantine(ctx, unknown); err != nil {
			return nil, err
		}
		var err error
		if pins, err = c.Definitions.Pins(ctx, c.hostedServer()); err != nil {
			return nil, err
		}
	}
	c.seen.Add(list, pins)
	return pins, nil
}

// definitions are those of a list, by name.
func definitions(kind definition.Kind, list *upstream.List) (all []definition.Definition) {
	for name, l := range list.All() {
		all = append(all, definition.Definition{Kind: kind, Name: name, Text: l.Definition, Digest: l.Digest, Twice: l.Twice})
	}
	slices.SortFunc(all, func(a, b definition.Definition) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

// unaccepted are the definitions of a list that are neither accepted nor recorded. Of what is
// listed twice over several pages, whole has both.
func unaccepted(kind definition.Kind, list, whole *upstream.List, pins *definition.Pins) []definition.Definition {
	return slices.DeleteFunc(definitions(kind, list), func(d definition.Definition) bool {
		if other, _ := whole.Named(d.Name); other.Twice && !d.Twice {
			return true
		}
		return !d.Twice && pins.Accepts(kind, d.Name, d.Digest) || pins.IsRecorded(kind, d.Name, d.Digest)
	})
}

// beginList makes a list the first one, unless another request or process was faster. What is
// accepted so is accounted for before.
func (c *meaning) beginList(ctx context.Context, kind definition.Kind, list *upstream.List) error {
	e := c.definitionEntry(audit.DefinitionBegin, string(kind))
	all := definitions(kind, list)
	return c.Audit.Give(ctx, e, func(ctx context.Context) (audit.Result, error) {
		n, first, err := c.Definitions.Begin(ctx, c.hostedServer(), kind, all)
		switch {
		case err != nil:
			return audit.Result{}, err
		case !first:
			return audit.Result{Outcome: audit.Repeated, Reason: "another request was faster"}, nil
		}
		var names []string
		for _, d := range all[:min(len(all), toldNames)] {
			names = append(names, ui.Printable(d.Name))
		}
		return audit.Result{Reason: fmt.Sprintf("%d: %s", n, strings.Join(names, " "))}, nil
	})
}

// quarantine has definitions wait for a person, with an entry for each of which that was not known. A client that goes
// meanwhile keeps neither from the other.
func (c *meaning) quarantine(ctx context.Context, found []definition.Definition) error {
	ctx, end := audit.Lasting(ctx)
	defer end()
	fresh, err := c.Definitions.Quarantine(ctx, c.hostedServer(), found)
	c.recordQuarantine(ctx, fresh)
	return err
}

// recordQuarantine tells of definitions that wait for a person from now on.
func (c *meaning) recordQuarantine(ctx context.Context, fresh []definition.Pinned) {
	for _, d := range fresh {
		called := definition.Called(d.Kind, d.Name)
		c.Log.WarnContext(ctx, "a definition at salesforce is not accepted: it is hidden and refused until a person accepts it (tools diff)",
			"server", c.server.Name, "name", ui.Printable(called), "why", string(d.Why), "digest", d.Digest)
		e := c.definitionEntry(audit.DefinitionQuarantine, called)
		e.Tool, e.DefinitionHash, e.Outcome = called, d.Digest, audit.Denied
		e.Reason = string(d.Why) + c.difference(ctx, d)
		c.Audit.Record(ctx, e)
	}
}

// difference is what an entry has of how a definition differs from the accepted one.
func (c *meaning) difference(ctx context.Context, d definition.Pinned) string {
	if d.Why != definition.NewText {
		return ""
	}
	known, err := c.Definitions.Of(ctx, c.hostedServer(), d.Kind, d.Name)
	if err != nil || len(known) == 0 || known[0].State != definition.Accepted {
		return ""
	}
	var b strings.Builder
	changes := definition.Difference(known[0].Text, d.Text)
	for _, change := range changes[:min(len(changes), toldChanges)] {
		before, after := definition.Around(change.Before, change.After, toldText)
		fmt.Fprintf(&b, "; %s: %s → %s", ui.Printable(change.Path), ui.Printable(before), ui.Printable(after))
	}
	if more := len(changes) - toldChanges; more > 0 {
		fmt.Fprintf(&b, "; %d more differences", more)
	}
	return b.String()
}

// definitionEntry is about a list of the server; that it was seen in this user's session
// says who was shown it.
func (c *meaning) definitionEntry(action audit.Action, object string) audit.Entry {
	e := c.entry(action, audit.OK)
	e.Actor, e.Object = actor.Proxy, object
	return e
}

// QuarantinedCalls returns how many calls were refused since the start because their
// definition is not accepted.
func (h *Handler) QuarantinedCalls() int64 { return h.quarantinedCalls.Load() }

// DefinitionsWaiting returns for each server, by its name, whether definitions of it wait for
// a person, as far as can be known before ctx ends.
func (h *Handler) DefinitionsWaiting(ctx context.Context) map[string]bool {
	all := map[string]bool{}
	for _, s := range h.Access.Servers() {
		pins, err := h.Definitions.Pins(ctx, definition.Server{Org: s.Org, URL: s.URL})
		if err != nil {
			continue // which the calls say
		}
		waiting, _ := pins.Quarantined()
		all[s.Name] = waiting > 0
	}
	return all
}
