package mcpforward

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/authproxy/policy/mask"
	"sfmcp-proxy/mcpforward/jsonrpc"
	"sfmcp-proxy/mcpforward/upstream"
)

// What hides in answers is the decision by which the call was forwarded. The answer is
// rewritten once, before anybody looks at it: the client, the audit log, budgets, and the
// record of an approval, from which a repeat of the call is answered, all have the same.

// obligations are what the rules ask for where they let a call pass: a LIMIT in its query, and
// of its answer that fields are hidden and records left out.
type obligations struct{ *call }

// hides reports whether fields are hidden in the answer.
func (c *obligations) hides() bool { return c.decision.Obligations.Hiding != nil }

// maxRows is how many records the answer may hold; 0 is no bound. That of a query is bounded
// by its LIMIT.
func (c *obligations) maxRows() int64 {
	if v := c.decision.Reach; v == nil || v.Query != nil || v.Search != nil {
		return 0
	}
	return int64(c.decision.Obligations.Rows)
}

const userInfoTool = "getUserInfo"

// shapes are what the answers of tools that are known by name must look like.
var shapes = map[string]mask.Shape{
	"soqlQuery": mask.Records, "find": mask.Records, "listRecentSobjectRecords": mask.Records, "getRelatedRecords": mask.Records,
	"getObjectSchema": mask.Schema,
}

// pass is what passes of a notification of the hosted server during the call, nil
// if nothing does: a message may quote what the tool reads, and so may whatever is beside it.
func (c *obligations) pass(m *jsonrpc.Message) *jsonrpc.Message {
	if !c.hides() {
		return m
	}
	given, err := jsonrpc.ParseObject(m.Params)
	if m.Method != "notifications/progress" || err != nil {
		return nil
	}
	var params jsonrpc.Object
	for _, name := range []string{"progressToken", "progress", "total"} { // the token is the client's own
		if v, ok := given.Get(name); ok && (v.Kind() == '0' || name == "progressToken") {
			params.Set(name, v)
		}
	}
	return jsonrpc.Request(nil, m.Method, params.Encode())
}

// onAnswer reports whether the rules ask for anything of the answer.
func (c *obligations) onAnswer() bool {
	return c.isTool() && (c.hides() || c.maxRows() > 0 || c.sent != nil || c.decision.Obligations.Index)
}

// hideIn makes of the result of a tool what the client may get of it, notes in o what was
// done, and returns the result and how it reads. What cannot be read is withheld, and a
// sentence stands in its place: passed is false then.
func (c *obligations) hideIn(result jsonrpc.Reading, failed bool, o *outcome) (value jsontext.Value, _ jsonrpc.Reading, passed bool) {
	h := c.hidingReader(failed)
	out, err := h.result(result.Members)
	var done mask.Done
	if err == nil {
		done, err = h.reader.End()
	}
	if err == nil && c.decision.Obligations.Index && !failed {
		err = c.filterIndex(&out, o) // index.go
	}
	if err == nil {
		o.hidden, o.cut = done.Masked+done.Dropped, done.Cut
		if value = out.Encode(); c.sent != nil || done.Cut > 0 {
			value = withText(out, c.notes(done))
		}
	} else {
		o.reason = "the answer is withheld from the client: " + err.Error()
		value = toolResult(c.textUnread(err, failed), failed || c.reads())
	}
	reading, _ := jsonrpc.Reply(nil, value).Reading() // it was read before, or made here
	return value, reading, err == nil
}

// hidingReader hides in one answer.
type hidingReader struct {
	reader *mask.Reader
	fields bool // are hidden; else records are counted alone
	loose  bool // the call reaches no records: a text need not be JSON
	failed bool // the tool says so: a text need not be JSON, and a sentence stands in its place
}

func (c *obligations) hidingReader(failed bool) *hidingReader {
	hiding, asked := c.decision.Obligations.Hiding, mask.Asked{}
	if hiding == nil {
		hiding = mask.New(nil, nil)
	} else {
		asked = hiding.Asked(c.decision.Reach)
	}
	ofUser := c.tool == userInfoTool // who is a record, though no argument names one
	if ofUser && c.hides() {
		asked = hiding.AskedOfUser()
	}
	if asked.Rows = c.maxRows(); !failed {
		asked.Shape = shapes[c.tool]
	}
	return &hidingReader{reader: hiding.NewReader(asked), fields: c.hides(), failed: failed, loose: len(c.decision.Objects) == 0 && !ofUser}
}

// result hides in the members of a result. Those that nobody here knows are left out, and with
// them the widgets of MCP Apps, whose trees hold values of records without saying of which
// fields.
func (h *hidingReader) result(members jsonrpc.Object) (out jsonrpc.Object, err error) {
	for name, value := range members.All() {
		switch name {
		case "content":
			value, err = h.content(value)
		case "structuredContent":
			value, err = h.structured(value)
		case "_meta":
			value = h.meta(value)
		case "isError", "resultType":
		default:
			if h.fields {
				continue
			}
		}
		if err != nil {
			return out, err
		}
		out.Set(name, value)
	}
	return out, nil
}

// structured hides in a structuredContent, which may be null.
func (h *hidingReader) structured(value jsontext.Value) (jsontext.Value, error) {
	if value.Kind() == 'n' {
		return value, nil
	}
	return h.reader.Value(value)
}

// meta keeps of the metadata what Salesforce says of the tool and of the org.
func (h *hidingReader) meta(value jsontext.Value) jsontext.Value {
	given, err := jsonrpc.ParseObject(value)
	if err != nil || !h.fields {
		return value
	}
	var kept jsonrpc.Object
	for _, name := range []string{"salesforce/org_base_url", "salesforce/toolTags"} {
		if v, ok := given.Get(name); ok {
			kept.Set(name, v)
		}
	}
	return kept.Encode()
}

// content hides in content blocks.
func (h *hidingReader) content(value jsontext.Value) (jsontext.Value, error) {
	blocks, err := jsonrpc.ParseArray(value)
	if err != nil {
		return nil, mask.ErrShape
	}
	for i, raw := range blocks {
		block, err := jsonrpc.ParseObject(raw)
		if err != nil {
			return nil, mask.ErrShape
		}
		if blocks[i], err = h.block(block); err != nil {
			return nil, err
		}
	}
	return jsonrpc.Array(blocks), nil
}

// block hides in one content block. Of images and links nobody can tell what is in them.
func (h *hidingReader) block(block jsonrpc.Object) (jsontext.Value, error) {
	kind, _ := block.String("type")
	text, ok := block.Get("text")
	if kind != "text" || !ok || text.Kind() != '"' {
		if h.fields && !h.loose {
			return nil, mask.ErrShape
		}
		return block.Encode(), nil
	}
	text, err := h.text(text)
	if err != nil {
		return nil, err
	}
	block.Set("text", text)
	if h.fields {
		block.Delete("_meta")
	}
	return block.Encode(), nil
}

func (h *hidingReader) text(text jsontext.Value) (jsontext.Value, error) {
	if string(text) == `""` {
		return text, nil
	}
	out, err := h.reader.Text(text)
	switch {
	case !errors.Is(err, mask.ErrNotJSON):
		return out, err
	case h.loose, h.failed && !h.fields:
		return text, nil
	case h.failed:
		return jsonrpc.Quote(h.errorText(string(text))), nil
	}
	return nil, err
}

// errorText stands in the place of what is said of a failure, which may quote a record.
func (h *hidingReader) errorText(text string) string {
	if h.loose || !h.fields {
		return text
	}
	return textErrorHidden + upstream.Named([]byte(text), textErrorNamed)
}

// errorText does so with the message of an error in the place of a result.
func (c *obligations) errorText(text string) string { return c.hidingReader(true).errorText(text) }

// notes are what the client is told about its answer beside it.
func (c *obligations) notes(done mask.Done) string {
	var notes []string
	if c.sent != nil {
		notes = append(notes, fmt.Sprintf(textRewritten, c.decision.Obligations.Limit))
	}
	if done.Cut > 0 {
		notes = append(notes, fmt.Sprintf(textCut, c.maxRows(), done.Cut))
	}
	return strings.Join(notes, " ")
}

// textUnread says that an answer is withheld.
func (c *obligations) textUnread(err error, failed bool) string {
	text := textUnreadAnswer
	if errors.Is(err, mask.ErrRows) {
		text = fmt.Sprintf(textTooManyRows, c.maxRows())
	}
	switch {
	case c.reads():
		return text
	case failed:
		return text + " Salesforce says that it did not do what was asked."
	}
	return text + " What was asked was done; it is not to be repeated."
}

// sameObligations reports whether both ask for the same.
func sameObligations(a, b policy.Obligations) bool {
	return a.Index == b.Index && a.Rows == b.Rows && a.Limit == b.Limit && slices.Equal(a.Mask, b.Mask) && slices.Equal(a.Drop, b.Drop)
}
