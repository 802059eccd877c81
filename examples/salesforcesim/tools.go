package salesforcesim

import (
	"bytes"
	"encoding/json"
	"strings"

	"sfmcp-proxy/examples/salesforcesim/records"
)

// callOptions are the switches that change what tools/call answers.
type callOptions struct {
	Dialect                string     // names of parameters: live (also ""), docs or both
	UpdateAlwaysUnexpected bool       // every update fails without effect, as one org has seen
	OrgBaseURL             string     // of _meta
	BigAnswer              bool       // answers are padded to more than 2 MB
	Endpoints              []endpoint // of headless-360; nil: as they are
	MalformedTool          string     // name of a tool whose answer is no tool result
}

// toolCall is one call at work.
type toolCall struct {
	v    *records.View
	u    *records.User
	tool toolDef
	args map[string]json.RawMessage
	o    callOptions
}

// toolAnswer is what a tool says: text for success, or an error.
type toolAnswer struct {
	text       string
	failed     bool
	structured any // structuredContent
	widget     any // _meta salesforce/uiMetadata
}

// callTool runs a tool on an org's records as the user and returns the result object of
// the JSON-RPC answer; false means that the server has no tool of this name. Every failure
// of a known tool is a result with isError.
func callTool(store *records.Store, u *records.User, server, tool string, args json.RawMessage, o callOptions) (result json.RawMessage, known bool) {
	s, _ := serverNamed(server)
	def, known := s.tool(tool)
	if !known {
		return nil, false
	}
	store.Do(u, func(v *records.View) {
		c := &toolCall{v: v, u: u, tool: def, o: o}
		if o.MalformedTool == tool {
			result = records.Encode(object{{"content", "not a list"}, {"isError", "no"}})
			return
		}
		var answer toolAnswer
		if refused := c.readArguments(args); refused != nil {
			answer = failure(refused)
		} else {
			answer = def.Run(c)
		}
		result = answer.result(c)
	})
	return result, true
}

// readArguments accepts an object or nothing.
func (c *toolCall) readArguments(args json.RawMessage) *records.Error {
	c.args = map[string]json.RawMessage{}
	if len(bytes.TrimSpace(args)) == 0 || json.Unmarshal(args, &c.args) == nil {
		return nil
	}
	return records.Refuse("JSON_PARSER_ERROR", "arguments are no JSON object")
}

// argument reads a parameter by the names of the dialect. Absent and null are the empty text.
func (c *toolCall) argument(name string) (string, *records.Error) {
	var wanted param
	for _, p := range c.tool.Params {
		if p.Name == name {
			wanted = p
		}
	}
	for _, spelling := range wanted.names(c.o.Dialect) {
		var text *string
		raw, given := c.args[spelling]
		if !given {
			continue
		}
		if err := json.Unmarshal(raw, &text); err != nil {
			return "", records.Refuse("JSON_PARSER_ERROR", "%s is no text", spelling)
		}
		if text != nil && *text != "" {
			return *text, nil
		}
	}
	if wanted.Optional {
		return "", nil
	}
	return "", records.Refuse("MISSING_ARGUMENT", "Missing required argument: %s", wanted.names(c.o.Dialect)[0])
}

// arguments reads several required text parameters at once.
func (c *toolCall) arguments(names ...string) ([]string, *records.Error) {
	var out []string
	for _, name := range names {
		text, refused := c.argument(name)
		if refused != nil {
			return nil, refused
		}
		out = append(out, text)
	}
	return out, nil
}

// body reads the parameter that holds the fields of a record. Like some clients of
// Salesforce send it, it may also be an object inside of a string.
func (c *toolCall) body() (map[string]any, *records.Error) {
	raw := c.args["body"]
	var text string
	if json.Unmarshal(raw, &text) == nil && text != "" {
		raw = json.RawMessage(text)
	}
	var body map[string]any
	if raw == nil {
		return nil, records.Refuse("MISSING_ARGUMENT", "Missing required argument: body")
	}
	if err := json.Unmarshal(raw, &body); err != nil || body == nil {
		return nil, records.Refuse("JSON_PARSER_ERROR", "body is no JSON object")
	}
	return body, nil
}

// success answers with a JSON text.
func success(v any) toolAnswer { return toolAnswer{text: string(records.Encode(v))} }

// failure answers with the errors of the REST API: a JSON list.
func failure(e *records.Error) toolAnswer {
	return toolAnswer{text: string(records.Encode([]*records.Error{e})), failed: true}
}

// answerOf is the answer of a tool that either has a reply or was refused.
func answerOf(v any, refused *records.Error) toolAnswer {
	if refused != nil {
		return failure(refused)
	}
	return success(v)
}

// unexpected is how Salesforce words an error of its own.
func unexpected(tool string) toolAnswer {
	return toolAnswer{text: "Unexpected error while invoking tool " + tool, failed: true}
}

// bigAnswerSize is the padding of the switch BigAnswer, in bytes.
const bigAnswerSize = 2 << 20

// result is the answer as JSON-RPC carries it. The URL of the org is told on success only.
func (a toolAnswer) result(c *toolCall) json.RawMessage {
	content := []any{object{{"type", "text"}, {"text", a.text}}}
	if c.o.BigAnswer && !a.failed {
		content = append(content, object{{"type", "text"}, {"text", strings.Repeat("padding ", bigAnswerSize/8)}})
	}
	result := object{{"content", content}}
	if a.structured != nil {
		result = append(result, member{"structuredContent", a.structured})
	}
	meta := object{}
	if !a.failed {
		meta = append(meta, member{"salesforce/org_base_url", c.o.OrgBaseURL})
	}
	meta = append(meta, member{"salesforce/toolTags", c.tool.Tags})
	if a.widget != nil {
		meta = append(meta, member{"salesforce/uiMetadata", a.widget})
	}
	return records.Encode(append(result, member{"isError", a.failed}, member{"_meta", meta}))
}
