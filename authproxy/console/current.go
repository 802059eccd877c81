package console

import (
	"context"
	"encoding/json"

	"github.com/go-json-experiment/json/jsontext"

	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/authproxy/ui"
)

// Currents reads what Salesforce has at the moment of what a call that waits would change. ok
// is false where there is nothing to read.
type Currents interface {
	Current(ctx context.Context, a *approval.Request) (_ approval.Current, ok bool)
}

// beforeAfter is what a page shows of that beside a call that its viewer may decide about, and what
// the record is called; nil: nothing.
func (c *Console) beforeAfter(ctx context.Context, a *approval.Request) (*ui.Current, string) {
	if c.Currents == nil {
		return nil, ""
	}
	read, ok := c.Currents.Current(ctx, a)
	if !ok {
		return nil, ""
	}
	shown := &ui.Current{Missing: read.Missing, Creates: policy.Class(a.Class) == policy.Create, Read: c.Now().UTC().Format("15:04:05 UTC")}
	for _, f := range read.Fields {
		field := ui.CurrentField{Name: f.Name, Hidden: f.Hidden, Then: valueInWords(f.Then)}
		if !f.Hidden {
			field.Now = valueInWords(f.Now)
			field.Same = f.Now != nil && string(f.Now) == string(f.Then)
		}
		shown.Fields = append(shown.Fields, field)
	}
	for _, r := range read.Records {
		shown.Records = append(shown.Records, ui.CurrentRecord{ID: r.ID, Name: r.Name})
	}
	name := ""
	if len(read.Records) == 1 && !shown.Creates {
		name = read.Records[0].Name
	}
	return shown, name
}

// valueInWords is a JSON value for people: a text without its quotes, a number as it is spelled.
func valueInWords(value jsontext.Value) string {
	var text string
	switch {
	case value == nil:
		return "not known"
	case string(value) == "null", string(value) == `""`:
		return "empty"
	case json.Unmarshal(value, &text) == nil:
		return ui.Visible(text)
	}
	return ui.Visible(string(value))
}
