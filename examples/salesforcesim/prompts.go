package salesforcesim

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"sfmcp-proxy/examples/salesforcesim/records"
)

// promptDef is one prompt of a server: a template that is filled in with the records
// that the user may see.
type promptDef struct {
	Name        string
	Description string
	Arguments   []promptArgument
	Text        func(v *records.View, args map[string]string) string
}

type promptArgument struct {
	Name        string `json:"name"`
	Description string `json:"description"`
	Required    bool   `json:"required"`
}

// widgetDef is one UI resource of a custom server.
type widgetDef struct {
	URI         string
	Name        string
	Description string
	HTML        func() string
}

// accountPrompts are the prompts of sobject-all.
func accountPrompts() []promptDef {
	return []promptDef{
		{Name: "accountReviewBriefing", Description: "Prepares a review of one account.", Text: reviewBriefing,
			Arguments: []promptArgument{{"accountId", "Id of the account.", true}}},
		{Name: "revenueReconciliationAnalysis", Description: "Compares won opportunities with open ones.", Text: revenueAnalysis,
			Arguments: []promptArgument{{"period", "Period in words.", false}}},
	}
}

// listPrompts returns the prompts of a server as prompts/list shows them.
func listPrompts(server string) []json.RawMessage {
	s, _ := serverNamed(server)
	out := []json.RawMessage{}
	for _, p := range s.Prompts {
		out = append(out, records.Encode(object{{"name", p.Name}, {"description", p.Description}, {"arguments", p.Arguments}}))
	}
	return out
}

// getPrompt fills in a prompt as the user and returns the result object of prompts/get.
// False means that there is no such prompt, or that an argument is missing or no text:
// invalid parameters either way.
func getPrompt(store *records.Store, u *records.User, server, name string, args json.RawMessage) (result json.RawMessage, known bool) {
	s, _ := serverNamed(server)
	i := slices.IndexFunc(s.Prompts, func(p promptDef) bool { return p.Name == name })
	if i < 0 {
		return nil, false
	}
	given := map[string]string{}
	if len(args) > 0 && json.Unmarshal(args, &given) != nil {
		return nil, false
	}
	p := s.Prompts[i]
	for _, a := range p.Arguments {
		if a.Required && given[a.Name] == "" {
			return nil, false
		}
	}
	store.Do(u, func(v *records.View) {
		message := object{{"role", "user"}, {"content", object{{"type", "text"}, {"text", p.Text(v, given)}}}}
		result = records.Encode(object{{"description", p.Description}, {"messages", []any{message}}})
	})
	return result, true
}

func reviewBriefing(v *records.View, args map[string]string) string {
	account, refused := v.Read("Account", args["accountId"])
	if refused != nil {
		return "The account cannot be read: " + refused.Message
	}
	summary, refused := v.AccountSummary(args["accountId"])
	if refused != nil {
		return "The account cannot be read: " + refused.Message
	}
	return "Write a one-page review of this account for its owner: state, risks, next steps.\n\n" +
		string(records.Encode(account)) + "\n" + string(records.Encode(summary))
}

func revenueAnalysis(v *records.View, args map[string]string) string {
	period := cmp.Or(args["period"], "this quarter")
	won, open, visible := v.Revenue()
	if !visible {
		return "The opportunities cannot be read."
	}
	return fmt.Sprintf("Compare won and open revenue of %s and explain the difference. Won: %.2f. Open: %.2f.", period, won, open)
}

// widgetMIME marks HTML that MCP Apps clients run in a sandboxed frame.
const widgetMIME = "text/html;profile=mcp-app"

// acmeWidgets are the UI resources of the custom server.
func acmeWidgets() []widgetDef {
	return []widgetDef{{URI: summaryWidget, Name: "c__accountSummary", Description: "Card with the summary of an account.", HTML: summaryHTML}}
}

// listResources returns the UI resources of a server as resources/list shows them.
func listResources(server string) []json.RawMessage {
	s, _ := serverNamed(server)
	out := []json.RawMessage{}
	for _, w := range s.Widgets {
		out = append(out, records.Encode(object{{"uri", w.URI}, {"name", w.Name}, {"description", w.Description}, {"mimeType", widgetMIME}}))
	}
	return out
}

// readResource returns the result object of resources/read; false means that the server
// has no such resource.
func readResource(server, uri string) (json.RawMessage, bool) {
	s, _ := serverNamed(server)
	for _, w := range s.Widgets {
		if w.URI == uri {
			content := object{{"uri", w.URI}, {"mimeType", widgetMIME}, {"text", w.HTML()}}
			return records.Encode(object{{"contents", []any{content}}}), true
		}
	}
	return nil, false
}

// widgetSize is about the size of the runtime that Salesforce sends along with a widget, in bytes.
const widgetSize = 900_000

// summaryHTML is a card, and as much script as Salesforce's runtime has: who forwards
// resources must cope with it.
func summaryHTML() string {
	const line = "// simulated Lightning runtime: nothing to see in this line either\n"
	return `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Account summary</title></head>` +
		`<body><main id="card">Account summary</main><script>` + "\n" +
		strings.Repeat(line, widgetSize/len(line)) + `</script></body></html>`
}
