package mcpforward

import (
	"context"
	"encoding/json"
	"slices"
	"sync"

	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/authproxy/policy/reach"
	"sfmcp-proxy/mcpforward/preview"
)

// Names reads, as the requester of a call that waits, what the records are called whose ids its
// arguments name, and the current values that c has: of 20 ids at most, by one query for each of three
// objects at most. Those that cannot be read have no name. Like [Handler.Current] it is recorded.
func (h *Handler) Names(ctx context.Context, a *approval.Request, c approval.Current) []approval.CurrentRecord {
	server := h.Access.Server(a.Server)
	if server == nil || !policy.DescribesObjects(server.URL) {
		return nil // nobody knows what ids are there
	}
	now := map[string]json.RawMessage{}
	for _, f := range c.Fields {
		now[f.Name] = json.RawMessage(f.Now)
	}
	named := c.Known()
	isKnown := func(id string) bool {
		return slices.ContainsFunc(named, func(r approval.CurrentRecord) bool { return reach.SameID(r.ID, id) })
	}
	unnamed := slices.DeleteFunc(preview.References(a.Arguments, now), func(r preview.Reference) bool { return isKnown(r.ID) })
	ctx, cancel := context.WithTimeout(ctx, currentTime)
	defer cancel()
	target, _ := reach.TargetOf(a.Tool, a.Arguments)
	known := h.leads(ctx, a, target.Object, unnamed)
	named = append(named, h.readAllNames(ctx, a, preview.NamesOf(unnamed, target.Object, known))...)
	for _, r := range unnamed {
		if !isKnown(r.ID) {
			named = append(named, approval.CurrentRecord{ID: r.ID, Object: r.Object(target.Object, known)})
		}
	}
	return named
}

// NamesTogether is [Handler.Names] for several calls of one connection to one server, by as many queries as for one: of
// 20 ids at most of all of them. Of the org's own objects those have names whose fields the org described before.
func (h *Handler) NamesTogether(ctx context.Context, calls []*approval.Request) []approval.CurrentRecord {
	if len(calls) == 0 {
		return nil
	}
	first := calls[0]
	server := h.Access.Server(first.Server)
	if server == nil || !policy.DescribesObjects(server.URL) {
		return nil
	}
	known := h.schemas.For(first.Org, first.Subject)
	var questions []preview.Question
	for _, a := range calls {
		target, _ := reach.TargetOf(a.Tool, a.Arguments)
		questions = preview.Joined(questions, preview.NamesOf(preview.References(a.Arguments, nil), target.Object, known))
	}
	ctx, cancel := context.WithTimeout(ctx, currentTime)
	defer cancel()
	return h.readAllNames(ctx, first, questions)
}

// readAllNames reads what the records of several questions are called, at the same time.
func (h *Handler) readAllNames(ctx context.Context, a *approval.Request, questions []preview.Question) []approval.CurrentRecord {
	var wait sync.WaitGroup
	found := make([][]approval.CurrentRecord, len(questions))
	for i, q := range questions {
		wait.Go(func() { found[i] = h.readNames(ctx, a, q) })
	}
	wait.Wait()
	return slices.Concat(found...)
}

// leads is what is known of where fields of an object lead. Where one of the references can only be
// understood by that, and the org has not said it to the requester, it is asked.
func (h *Handler) leads(ctx context.Context, a *approval.Request, object string, references []preview.Reference) *reach.Schema {
	known := h.schemas.For(a.Org, a.Subject)
	if !reach.ValidObject(object) || known.Described(object) || !slices.ContainsFunc(references, preview.Reference.IsCustom) {
		return known
	}
	reading := currentReading{Handler: h, approval: a, question: preview.Question{Object: object}}
	if why := reading.mayAsk(ctx); why != "" {
		return known
	}
	if pins, list, err := reading.listed(ctx); err == nil {
		reading.describe(ctx, pins, list)
	}
	return h.schemas.For(a.Org, a.Subject)
}

// readNames reads what the records of a question are called; those that the requester does not see
// are not among them.
func (h *Handler) readNames(ctx context.Context, a *approval.Request, q preview.Question) (named []approval.CurrentRecord) {
	reading := currentReading{Handler: h, approval: a, question: q}
	if err := reading.run(ctx, audit.ApprovalPreview, func() string { return "names of records" }); err != nil {
		return nil
	}
	for _, record := range reading.records {
		if name := record.Text(reading.question.Name); name != "" {
			named = append(named, approval.CurrentRecord{ID: record.Text("Id"), Object: q.Object, Name: name})
		}
	}
	return named
}
