package salesforcesim

import (
	"slices"
	"strings"

	"sfmcp-proxy/examples/salesforcesim/records"
)

// contextTools are the tools of salesforce-api-context: look-ups in a reference, for
// clients that write code. They carry no annotations at all.
func contextTools() []toolDef {
	kind := param{Name: "metadataType", Description: "Name of a metadata type, such as CustomObject."}
	return []toolDef{
		{Name: "get_data_and_tooling_api_context", Tags: []string{"context", "api"}, Run: runAPIContext,
			Description: "Explains objects of the Data API and the Tooling API.",
			Params:      []param{{Name: "objectName", Description: "API name of an object."}}},
		{Name: "get_metadata_type_sections", Tags: []string{"context", "metadata"}, Run: runTypeSections,
			Description: "Lists the parts of a metadata type.", Params: []param{kind}},
		{Name: "get_metadata_type_context", Tags: []string{"context", "metadata"}, Run: runTypeContext,
			Description: "Explains a metadata type.", Params: []param{kind}},
		{Name: "get_metadata_type_fields", Tags: []string{"context", "metadata"}, Run: runTypeFields,
			Description: "Lists the fields of a metadata type.", Params: []param{kind}},
		{Name: "get_metadata_type_fields_properties", Tags: []string{"context", "metadata"}, Run: runTypeFieldProperties,
			Description: "Explains the fields of a metadata type.", Params: []param{kind}},
		{Name: "search_metadata_types", Tags: []string{"context", "search"}, Run: runSearchTypes,
			Description: "Finds metadata types by words.", Params: []param{{Name: "query", Description: "Words to look for."}}},
	}
}

// metadataType is one entry of the reference.
type metadataType struct {
	Name     string
	Summary  string
	Sections []string
	Fields   []metadataField
}

type metadataField struct {
	Name    string `json:"name"`
	Type    string `json:"type"`
	Summary string `json:"description"`
}

var metadataTypes = []metadataType{
	{"CustomObject", "An object with its fields, relationships and sharing.", []string{"fields", "validationRules", "listViews"}, []metadataField{
		{"label", "string", "What people call one record."}, {"pluralLabel", "string", "What people call several records."},
		{"sharingModel", "picklist", "Who sees records they do not own."}}},
	{"CustomField", "A field of an object.", []string{"fields"}, []metadataField{
		{"fullName", "string", "API name."}, {"type", "picklist", "Type of its values."}, {"required", "boolean", "Whether it must be filled in."}}},
	{"PermissionSet", "Permissions that users get beside those of their profile.", []string{"objectPermissions", "fieldPermissions"}, []metadataField{
		{"label", "string", "Name of the set."}, {"license", "string", "Licence that it needs."}}},
	{"Flow", "A process that the platform runs.", []string{"start", "screens", "decisions", "recordUpdates"}, []metadataField{
		{"processType", "picklist", "Kind of flow."}, {"runInMode", "picklist", "Whether it runs as the user or as the system."}}},
	{"McpServerDefinition", "A custom MCP server with its tools.", []string{"tools", "prompts", "resources"}, []metadataField{
		{"masterLabel", "string", "Name of the server."}, {"tools", "list", "What the server offers."}}},
}

// typeNamed runs a look-up with the metadata type that the caller names.
func typeNamed(c *toolCall, answer func(metadataType) object) toolAnswer {
	name, refused := c.argument("metadataType")
	if refused != nil {
		return failure(refused)
	}
	i := slices.IndexFunc(metadataTypes, func(t metadataType) bool { return strings.EqualFold(t.Name, name) })
	if i < 0 {
		return failure(records.Refuse("NOT_FOUND", "no metadata type has the name %s", name))
	}
	return success(answer(metadataTypes[i]))
}

func runTypeSections(c *toolCall) toolAnswer {
	return typeNamed(c, func(t metadataType) object {
		return object{{"metadataType", t.Name}, {"sections", t.Sections}}
	})
}

func runTypeContext(c *toolCall) toolAnswer {
	return typeNamed(c, func(t metadataType) object {
		return object{{"metadataType", t.Name}, {"description", t.Summary}, {"sections", t.Sections}}
	})
}

func runTypeFields(c *toolCall) toolAnswer {
	return typeNamed(c, func(t metadataType) object {
		var names []string
		for _, f := range t.Fields {
			names = append(names, f.Name)
		}
		return object{{"metadataType", t.Name}, {"fields", names}}
	})
}

func runTypeFieldProperties(c *toolCall) toolAnswer {
	return typeNamed(c, func(t metadataType) object {
		return object{{"metadataType", t.Name}, {"fields", t.Fields}}
	})
}

func runSearchTypes(c *toolCall) toolAnswer {
	query, refused := c.argument("query")
	if refused != nil {
		return failure(refused)
	}
	found := []any{}
	for _, t := range metadataTypes {
		text := strings.ToLower(t.Name + " " + t.Summary)
		if slices.ContainsFunc(strings.Fields(strings.ToLower(query)), func(w string) bool { return strings.Contains(text, w) }) {
			found = append(found, object{{"metadataType", t.Name}, {"description", t.Summary}})
		}
	}
	return success(object{{"results", found}})
}

func runAPIContext(c *toolCall) toolAnswer {
	name, refused := c.argument("objectName")
	if refused != nil {
		return failure(refused)
	}
	s, refused := c.v.Overview(name)
	if refused != nil {
		return failure(refused)
	}
	return success(object{
		{"objectName", s.Name}, {"api", "data"}, {"url", records.DataURL("sobjects/" + s.Name)},
		{"fields", s.Fields}, {"guidance", orNull(s.Guidance)},
	})
}
