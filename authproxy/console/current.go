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
	// Names are what the records are called whose ids the call and c name; without a name they
	// could not be read.
	Names(ctx context.Context, a *approval.Request, c approval.Current) []approval.CurrentRecord
	// NamesTogether are those of several calls of one connection, without the ids whose names are not known.
	NamesTogether(ctx context.Context, calls []*approval.Request) []approval.CurrentRecord
}

// currentPage is what a page shows of that beside a call that its viewer may decide about.
type currentPage struct {
	*Console
	*approval.Request
	read  approval.Current
	named []approval.CurrentRecord
}

// shown is what was read, for people; known: something was, or it is said why not.
func (c *currentPage) shown() *ui.Current {
	read := &c.read
	shown := &ui.Current{Missing: read.Missing, Unread: read.Unread, Held: !c.Confirmation.AllowChanged, Creates: policy.Class(c.Class) == policy.Create,
		Uncounted: read.Uncounted, Read: c.Now().UTC().Format("15:04:05 UTC")}
	for _, f := range read.Fields {
		field := ui.CurrentField{Name: f.Name, Hidden: f.Hidden, Then: valueInWords(f.Then), ThenRecord: c.recordOf(f.Then)}
		if !f.Hidden {
			field.Now, field.NowRecord = valueInWords(f.Now), c.recordOf(f.Now)
			field.Same = f.Now != nil && string(f.Now) == string(f.Then)
		}
		shown.Fields = append(shown.Fields, field)
	}
	for _, r := range read.Records {
		shown.Records = append(shown.Records, c.record(r))
	}
	for _, children := range read.Hanging {
		shown.Hanging = append(shown.Hanging, ui.CurrentChildren(children))
	}
	return shown
}

// record is a record for people.
func (c *currentPage) record(r approval.CurrentRecord) ui.CurrentRecord {
	return ui.CurrentRecord{ID: r.ID, Object: r.Object, Name: r.Name, Address: c.recordAddress(c.Org, r.ID)}
}

// recordOf is the record whose id a value is; nil: it is none.
func (c *currentPage) recordOf(value jsontext.Value) *ui.CurrentRecord {
	var id string
	if json.Unmarshal(value, &id) != nil {
		return nil
	}
	return c.recordNamed(id)
}

func (c *currentPage) recordNamed(id string) *ui.CurrentRecord {
	for _, r := range c.named {
		if len(id) >= 15 && len(r.ID) >= 15 && id[:15] == r.ID[:15] && recordID.MatchString(id) { // one may be the short form
			record := c.record(r)
			return &record
		}
	}
	return nil
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
	if c.Currents == nil {
		return approval.ShownNothing
	}
	current := currentPage{Console: c, Request: a}
	read, ok := c.Currents.Current(ctx, a)
	current.read = read
	current.named = c.Currents.Names(ctx, a, read)
	for i := range page.Arguments {
		page.Arguments[i].Record = current.recordNamed(page.Arguments[i].Value)
	}
	if !ok {
		return approval.ShownNothing
	}
	page.Current = current.shown()
	if len(read.Records) == 1 && !page.Current.Creates && read.Records[0].Name != "" {
		page.Sentence = sentenceAbout(a, read.Records[0].Name) + inKind(page.OrgKind)
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
