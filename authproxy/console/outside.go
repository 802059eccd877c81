package console

import (
	"context"

	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/outside"
	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/authproxy/ui"
)

// outsideSources says where text came from that people outside wrote and the client of a call
// was given in the day before it; nil: there was none.
func (c *Console) outsideSources(ctx context.Context, a *approval.Request) ([]ui.Source, error) {
	mark, err := c.Outside.Last(ctx, outside.Reader{Org: a.Org, Subject: a.Subject, Client: a.ClientID})
	if err != nil || !mark.Within(policy.MaxTaint, a.CreatedAt) {
		return nil, err
	}
	var all []ui.Source
	for _, s := range mark.Sources {
		all = append(all, ui.Source{Tool: s.Tool, Object: s.Object, ID: s.ID})
	}
	return all, nil
}
