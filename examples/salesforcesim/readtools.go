package salesforcesim

import (
	"strings"
	"time"

	"sfmcp-proxy/examples/salesforcesim/records"
)

var (
	objectParam = param{Name: "sobject-name", Description: "API name of the object, such as Account or Project__c."}
	idParam     = param{Name: "id", Description: "Id of the record, 15 or 18 characters."}
	pathParam   = param{Name: "relationship-path", Description: "Relationship to follow from the record, such as Contacts or Account/Owner."}
	bodyParam   = param{Name: "body", Type: "object", Description: "Fields and their values.", Schema: map[string]any{"additionalProperties": true}}
)

// readTools are the six tools that all sObject servers share.
func readTools() []toolDef {
	return []toolDef{
		{Name: "getObjectSchema", Tags: []string{"schema", "describe"}, Hints: readHints, Run: runGetObjectSchema,
			Description: "Describes objects: fields, types and relationships. Without a name it lists the objects there are.",
			Params:      []param{{Name: "objects", Docs: "object-name", Optional: true, Description: "One object name, or several with commas."}}},
		{Name: "soqlQuery", Tags: []string{"query", "soql"}, Hints: readHints, Run: runQuery,
			Description: "Runs a SOQL query. See describe_sobject for the fields.",
			Params:      []param{{Name: "q", Docs: "query", Description: "The SOQL statement."}}},
		{Name: "find", Tags: []string{"search", "sosl"}, Hints: readHints, Run: runFind,
			Description: "Searches text in several objects by SOSL.",
			Params:      []param{{Name: "q", Docs: "search", Description: "The SOSL statement: FIND {words} IN ALL FIELDS RETURNING …"}}},
		{Name: "getUserInfo", Tags: []string{"user", "identity"}, Hints: readHints, Run: runGetUserInfo,
			Description: "Tells who is signed in: name, role, profile, manager, local time."},
		{Name: "listRecentSobjectRecords", Tags: []string{"query", "recent"}, Hints: readHints, Run: runListRecent,
			Description: "Lists the records of an object that were used last.", Params: []param{objectParam}},
		{Name: "getRelatedRecords", Tags: []string{"query", "relationship"}, Hints: readHints, Run: runGetRelated,
			Description: "Reads the records that are related to one record.", Params: []param{objectParam, idParam, pathParam}},
	}
}

func runQuery(c *toolCall) toolAnswer {
	q, refused := c.argument("q")
	if refused != nil {
		return failure(refused)
	}
	return answerOf(c.v.Query(q))
}

func runFind(c *toolCall) toolAnswer {
	q, refused := c.argument("q")
	if refused != nil {
		return failure(refused)
	}
	return answerOf(c.v.Search(q))
}

func runGetUserInfo(c *toolCall) toolAnswer {
	zone, err := time.LoadLocation(c.u.Timezone)
	if err != nil {
		zone = time.UTC
	}
	return success(object{
		{"id", c.u.ID}, {"username", c.u.Username}, {"name", c.u.Name}, {"email", c.u.Email},
		{"role", orNull(c.u.Role)}, {"profile", orNull(c.u.Profile)}, {"manager", orNull(c.u.Manager)},
		{"localTime", c.v.Now().In(zone).Format(time.RFC3339)}, {"timezone", zone.String()},
	})
}

func orNull(text string) any {
	if text == "" {
		return nil
	}
	return text
}

func runListRecent(c *toolCall) toolAnswer {
	name, refused := c.argument("sobject-name")
	if refused != nil {
		return failure(refused)
	}
	items, refused := c.v.Recent(name)
	return answerOf(object{{"recentItems", items}}, refused)
}

func runGetRelated(c *toolCall) toolAnswer {
	args, refused := c.arguments("sobject-name", "id", "relationship-path")
	if refused != nil {
		return failure(refused)
	}
	return answerOf(c.v.Related(args[0], args[1], args[2]))
}

func runGetObjectSchema(c *toolCall) toolAnswer {
	names, refused := c.argument("objects")
	if refused != nil {
		return failure(refused)
	}
	if names == "" {
		return success(c.v.Index())
	}
	described := []any{}
	for name := range strings.SplitSeq(names, ",") {
		name = strings.TrimSpace(name)
		description, refused := c.v.Describe(name)
		if refused != nil {
			return schemaFailure(name)
		}
		described = append(described, description)
	}
	return success(object{{"sobjects", described}})
}

// schemaFailure is the one error of the sObject tools that is an object instead of a list.
func schemaFailure(name string) toolAnswer {
	a := success(object{{"errorCode", "INTERNAL_ERROR"}, {"message", "Failed to retrieve object schema from Salesforce API: ;" +
		" nested exception is: common.exception.ApiQueryException: " + records.UnsupportedType(name)}})
	a.failed = true
	return a
}
