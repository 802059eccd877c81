package salesforcesim

import (
	"encoding/json"

	"sfmcp-proxy/examples/salesforcesim/records"
)

const summaryWidget = "ui://widget/lightningType/c__accountSummary"

// acmeTools are the tools of the custom server: an Apex action that writes and one that
// reads and shows a widget. Their annotations are what the administrator ticked.
func acmeTools() []toolDef {
	return []toolDef{
		{Name: "createAccountWithOpportunity", Title: "Create account with opportunity", Tags: []string{"apex", "invocable"},
			Hints: createHints, Run: runCreateAccountWithOpportunity,
			Description: "Creates an account and its first opportunity together, or neither.",
			Params: []param{inputsParam(object{
				{"accountName", inputText("Name of the account.")},
				{"industry", inputText("Industry of the account.")},
				{"opportunityName", inputText("Name of the opportunity.")},
				{"closeDate", inputText("Expected close date, YYYY-MM-DD.")},
				{"stageName", inputText("Stage; Prospecting if left out.")},
				{"amount", object{{"type", "number"}, {"description", "Amount of the opportunity."}}},
			}, "accountName", "opportunityName", "closeDate")}},
		{Name: "getAccountSummary", Title: "Account summary", Tags: []string{"apex", "invocable"},
			Hints: readHints, Run: runGetAccountSummary, UIResource: summaryWidget,
			Description: "Sums up an account: pipeline and open cases.",
			Params:      []param{inputsParam(object{{"accountId", inputText("Id of the account.")}}, "accountId")}},
	}
}

func inputText(description string) object {
	return object{{"type", "string"}, {"description", description}}
}

// inputsParam is the wrapper that every invocable action has: a list with one object for each run.
func inputsParam(properties object, required ...string) param {
	return param{Name: "inputs", Type: "array", Description: "One object for each run of the action.", Schema: map[string]any{
		"items": object{{"type", "object"}, {"properties", properties}, {"required", required}},
	}}
}

// runAction runs an invocable action once for each input. A run that fails says so in
// its own result, while the call as a whole succeeds.
func runAction(c *toolCall, run func(input map[string]any) (any, *records.Error)) toolAnswer {
	var inputs []map[string]any
	if json.Unmarshal(c.args["inputs"], &inputs) != nil || len(inputs) == 0 {
		return failure(records.Refuse("JSON_PARSER_ERROR", "The HTTP entity body is required, but this request has no entity body."))
	}
	var results []object
	for _, input := range inputs {
		result := object{{"actionName", c.tool.Name}}
		if output, refused := run(input); refused != nil {
			result = append(result, member{"isSuccess", false}, member{"errors", []*records.Error{refused}}, member{"outputValues", nil})
		} else {
			result = append(result, member{"isSuccess", true}, member{"errors", nil}, member{"outputValues", output})
		}
		results = append(results, result)
	}
	a := success(results)
	a.structured = object{{"results", results}}
	return a
}

func runCreateAccountWithOpportunity(c *toolCall) toolAnswer {
	return runAction(c, func(input map[string]any) (any, *records.Error) {
		account, refused := c.v.Create("Account", filled(map[string]any{"Name": input["accountName"], "Industry": input["industry"]}))
		if refused != nil {
			return nil, refused
		}
		stage := input["stageName"]
		if stage == nil {
			stage = "Prospecting"
		}
		opportunity, refused := c.v.Create("Opportunity", filled(map[string]any{
			"Name": input["opportunityName"], "AccountId": account, "StageName": stage,
			"CloseDate": input["closeDate"], "Amount": input["amount"],
		}))
		if refused != nil {
			c.v.RollBack(account)
			return nil, refused
		}
		return object{{"accountId", account}, {"opportunityId", opportunity}}, nil
	})
}

// filled leaves out the fields that have no value.
func filled(values map[string]any) map[string]any {
	for name, v := range values {
		if v == nil {
			delete(values, name)
		}
	}
	return values
}

func runGetAccountSummary(c *toolCall) toolAnswer {
	var shown *records.Card
	a := runAction(c, func(input map[string]any) (any, *records.Error) {
		id, _ := input["accountId"].(string)
		summary, refused := c.v.AccountSummary(id)
		if refused != nil {
			return nil, refused
		}
		card, refused := c.v.Card(id)
		shown = &card
		return summary, refused
	})
	if shown != nil {
		a.widget = widgetOf(summaryWidget, *shown)
	}
	return a
}
