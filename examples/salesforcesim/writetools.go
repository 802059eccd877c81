package salesforcesim

import "sfmcp-proxy/examples/salesforcesim/records"

// writeTools are the tools that create and change records.
func writeTools() []toolDef {
	return []toolDef{
		{Name: "createSobjectRecord", Tags: []string{"create", "record"}, Hints: createHints, Run: runCreate,
			Description: "Creates one record of an object.", Params: []param{objectParam, bodyParam}},
		{Name: "updateSobjectRecord", Tags: []string{"update", "record"}, Hints: updateHints, Run: runUpdate,
			Description: "Changes fields of one record; fields that are left out keep their values.", Params: []param{objectParam, idParam, bodyParam}},
		{Name: "updateRelatedRecord", Tags: []string{"update", "relationship"}, Hints: updateHints, Run: runUpdateRelated,
			Description: "Changes the parent record that a relationship of one record leads to.", Params: []param{objectParam, idParam, pathParam, bodyParam}},
	}
}

// deleteTools are the tools that move records to the Recycle Bin.
func deleteTools() []toolDef {
	return []toolDef{
		{Name: "deleteSobjectRecord", Tags: []string{"delete", "record"}, Hints: deleteHints, Run: runDelete,
			Description: "Deletes one record. It stays in the Recycle Bin for 15 days.", Params: []param{objectParam, idParam}},
		{Name: "deleteRelatedRecord", Tags: []string{"delete", "relationship"}, Hints: deleteHints, Run: runDeleteRelated,
			Description: "Deletes the parent record that a relationship of one record leads to.", Params: []param{objectParam, idParam, pathParam}},
	}
}

// driftTools are the tools that appear when the switch Drift says add.
func driftTools() []toolDef {
	return []toolDef{
		{Name: "undeleteSobjectRecord", Tags: []string{"undelete", "record"}, Hints: createHints, Run: runUndelete, OnlyDrifted: true,
			Description: "Brings one record back from the Recycle Bin.", Params: []param{objectParam, idParam}},
	}
}

// done is the answer of a change that has nothing to tell. The REST call behind it
// answers without a body.
var done = object{{"success", true}}

func runCreate(c *toolCall) toolAnswer {
	name, refused := c.argument("sobject-name")
	if refused != nil {
		return failure(refused)
	}
	body, refused := c.body()
	if refused != nil {
		return failure(refused)
	}
	id, refused := c.v.Create(name, body)
	return answerOf(createReply(id), refused)
}

// createReply is what REST answers to a record that was created.
func createReply(id string) object {
	return object{{"id", id}, {"success", true}, {"errors", []any{}}}
}

func runUpdate(c *toolCall) toolAnswer {
	if c.o.UpdateAlwaysUnexpected {
		return unexpected(c.tool.Name)
	}
	args, refused := c.arguments("sobject-name", "id")
	if refused != nil {
		return failure(refused)
	}
	body, refused := c.body()
	if refused != nil {
		return failure(refused)
	}
	return answerOf(done, c.v.Update(args[0], args[1], body))
}

func runUpdateRelated(c *toolCall) toolAnswer {
	if c.o.UpdateAlwaysUnexpected {
		return unexpected(c.tool.Name)
	}
	body, refused := c.body()
	if refused != nil {
		return failure(refused)
	}
	r, refused := c.relatedParent()
	if refused != nil {
		return failure(refused)
	}
	return answerOf(done, c.v.Update(r.Object, r.ID, body))
}

func runDelete(c *toolCall) toolAnswer {
	args, refused := c.arguments("sobject-name", "id")
	if refused != nil {
		return failure(refused)
	}
	return answerOf(done, c.v.Delete(args[0], args[1]))
}

func runDeleteRelated(c *toolCall) toolAnswer {
	r, refused := c.relatedParent()
	if refused != nil {
		return failure(refused)
	}
	return answerOf(done, c.v.Delete(r.Object, r.ID))
}

func runUndelete(c *toolCall) toolAnswer {
	args, refused := c.arguments("sobject-name", "id")
	if refused != nil {
		return failure(refused)
	}
	return answerOf(done, c.v.Undelete(args[0], args[1]))
}

// relatedParent is the record that a path of parents leads to.
func (c *toolCall) relatedParent() (records.Card, *records.Error) {
	args, refused := c.arguments("sobject-name", "id", "relationship-path")
	if refused != nil {
		return records.Card{}, refused
	}
	return c.v.RelatedParent(args[0], args[1], args[2])
}
