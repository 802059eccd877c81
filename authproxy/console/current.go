package console

import (
	"context"
	"encoding/json"
	"regexp"
	"strings"

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
// was read; nil: nothing.
func (c *Console) beforeAfter(ctx context.Context, a *approval.Request) (*ui.Current, approval.Current) {
	if c.Currents == nil {
		return nil, approval.Current{}
	}
	read, ok := c.Currents.Current(ctx, a)
	if !ok {
		return nil, approval.Current{}
	}
	shown := &ui.Current{Missing: read.Missing, Unread: read.Unread, Held: !a.Confirmation.AllowChanged, Creates: policy.Class(a.Class) == policy.Create, Read: c.Now().UTC().Format("15:04:05 UTC")}
	for _, f := range read.Fields {
		field := ui.CurrentField{Name: f.Name, Hidden: f.Hidden, Then: valueInWords(f.Then)}
		if !f.Hidden {
			field.Now = valueInWords(f.Now)
			field.Same = f.Now != nil && string(f.Now) == string(f.Then)
		}
		shown.Fields = append(shown.Fields, field)
	}
	for _, r := range read.Records {
		shown.Records = append(shown.Records, ui.CurrentRecord{ID: r.ID, Name: r.Name, Address: c.recordAddress(a.Org, r.ID)})
	}
	return shown, read
}

var recordID = regexp.MustCompile(`^([A-Za-z0-9]{15}|[A-Za-z0-9]{18})$`)

// recordAddress is where a record is shown in the org: on the org's own host, as the configuration
// says it, and on no other. An org that is configured by Salesforce's common login host has none.
func (c *Console) recordAddress(org, id string) string {
	o, _ := c.Access.Org(org)
	if host := o.Host(); strings.HasSuffix(host, ".my.salesforce.com") && strings.HasPrefix(o.LoginURL, "https://") && recordID.MatchString(id) {
		return "https://" + host + "/" + id
	}
	return ""
}

// addCurrent puts on the page what Salesforce has at the moment, and the name of the record into
// its sentence. It returns what a decision on this page is bound to.
func (c *Console) addCurrent(ctx context.Context, page *ui.ApprovalPage, a *approval.Request) approval.Shown {
	current, read := c.beforeAfter(ctx, a)
	if current == nil {
		return approval.ShownNothing
	}
	page.Current = current
	if len(read.Records) == 1 && !current.Creates && read.Records[0].Name != "" {
		page.Sentence += ", " + quoted(ui.Printable(read.Records[0].Name))
	}
	return read.Shown()
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
