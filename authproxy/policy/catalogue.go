package policy

import (
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// touch says what a tool has to do with records.
type touch uint8

const (
	touchOpaque  touch = iota // records that its arguments do not name
	touchNothing              // no records at all
	touchNamed                // records of objects that its arguments name
)

// tool is what the catalogue knows of one tool.
type tool struct {
	classes []Class // classes that its calls can have, the graver last
	touch   touch
	// unbounded tells of a query whose number of records cannot be determined.
	unbounded bool
	// reach reads the arguments. nil: the above is all there is.
	reach func(arguments) (footprint, *refusal)
}

// family is the tools of hosted servers that share them.
type family struct {
	servers []string // namespace/name
	tools   map[string]tool
}

// Families of Salesforce's hosted servers, with every tool by its exact name as
// the live servers list it. A tool that is not here is Unknown. Meta-tools are
// judged by their arguments in meta.go, tools on records in objects.go.
var families = []family{
	{
		servers: []string{"platform/sobject-all", "platform/sobject-reads", "platform/sobject-mutations", "platform/sobject-deletes"},
		tools: map[string]tool{
			"getObjectSchema":          {classes: []Class{Read}, touch: touchNamed, reach: reachSchema},
			"soqlQuery":                {classes: []Class{Read, SideEffect}, touch: touchNamed, reach: reachSOQL},
			"find":                     {classes: []Class{Read, SideEffect}, touch: touchNamed, reach: reachSOSL},
			"getUserInfo":              {classes: []Class{Read}, touch: touchNothing},
			"listRecentSobjectRecords": {classes: []Class{Read}, touch: touchNamed, reach: reachRecent},
			"getRelatedRecords":        {classes: []Class{Read}, touch: touchNamed, reach: reachRelated(Read)},
			"createSobjectRecord":      {classes: []Class{Create}, touch: touchNamed, reach: reachRecord(Create)},
			"updateSobjectRecord":      {classes: []Class{Update}, touch: touchNamed, reach: reachRecord(Update)},
			"updateRelatedRecord":      {classes: []Class{Update}, touch: touchNamed, reach: reachRelated(Update)},
			"deleteSobjectRecord":      {classes: []Class{Delete}, touch: touchNamed, reach: reachRecord(Delete)},
			"deleteRelatedRecord":      {classes: []Class{Delete}, touch: touchNamed, reach: reachRelated(Delete)},
			// The two prompts that sobject-all publishes, in both spellings.
			promptPrefix + "accountReviewBriefing":                       {classes: []Class{Read}},
			promptPrefix + "revenueReconciliationAnalysis":               {classes: []Class{Read}},
			promptPrefix + "einstein_gpt__accountReviewBriefing":         {classes: []Class{Read}},
			promptPrefix + "einstein_gpt__revenueReconciliationAnalysis": {classes: []Class{Read}},
		},
	},
	{
		servers: []string{"platform/headless-360"},
		tools: map[string]tool{
			"discover":          {classes: []Class{Read}, touch: touchNothing},
			"describe":          {classes: []Class{Read}, touch: touchNothing},
			"display_widget":    {classes: []Class{Read}},
			"dispatch_readonly": {classes: []Class{Read, SideEffect, Unknown}, touch: touchNamed, reach: reachDispatch(true)},
			"dispatch":          {classes: []Class{Read, SideEffect, Create, Update, Delete, Unknown}, touch: touchNamed, reach: reachDispatch(false)},
		},
	},
	{
		servers: []string{"data/data360"},
		tools: map[string]tool{
			"search":           {classes: []Class{Read}, touch: touchNothing},
			"payload_examples": {classes: []Class{Read}, touch: touchNothing},
			"execute":          {classes: []Class{Unknown}, unbounded: true, reach: reachExecute},
		},
	},
	{
		servers: []string{"data/data-cloud-queries"},
		tools: map[string]tool{
			"get_dc_metadata":   {classes: []Class{Read}},
			"post_dc_query_sql": {classes: []Class{Read}, unbounded: true},
		},
	},
	{
		servers: []string{"platform/metadata-experts"},
		tools: map[string]tool{
			"execute_metadata_action": {classes: []Class{Read, Unknown}, unbounded: true, reach: reachMetadataAction},
		},
	},
	{
		servers: []string{"platform/salesforce-api-context"},
		tools: docs("get_data_and_tooling_api_context", "get_metadata_type_sections", "get_metadata_type_context",
			"get_metadata_type_fields", "get_metadata_type_fields_properties", "search_metadata_types"),
	},
	{
		servers: []string{"industries/engagement-interaction"},
		tools: map[string]tool{
			"fetch_engagement_interaction":  {classes: []Class{Read}},
			"create_engagement_interaction": {classes: []Class{Create}},
			"delete_engagement_interaction": {classes: []Class{Delete}},
		},
	},
	{servers: []string{"platform/agentforce-grid"}, tools: gridTools},
	{servers: []string{"platform/backup-and-recover"}, tools: backupTools},
	{servers: []string{"platform/content-readonly"}, tools: contentReads},
	{servers: []string{"platform/content-write"}, tools: contentWrites},
	{servers: []string{"analytics/tableau-next"}, tools: tableauTools},
	{servers: []string{"analytics/crma-beta"}, tools: analyticsTools},
}

// unknownTool is what every tool is that the catalogue does not know.
var unknownTool = tool{classes: []Class{Unknown}, touch: touchOpaque, unbounded: true}

// widget is a resource that holds a page to be shown, no records.
var widget = tool{classes: []Class{Read}, touch: touchNothing}

// lookup finds a tool by its exact name, among the tools of one hosted server or,
// for "", of all. The same name means the same thing on every standard server.
func lookup(hosted, name string) tool {
	if strings.HasPrefix(name, resourcePrefix+"ui://") && validName(name) {
		return widget
	}
	for _, f := range families {
		if hosted != "" && !slices.Contains(f.servers, hosted) {
			continue
		}
		if t, ok := f.tools[name]; ok {
			return t
		}
	}
	return unknownTool
}

// ClassOf returns the effect class of one call by the whole catalogue. Arguments
// that cannot be read make it Unknown.
func ClassOf(tool string, args jsontext.Value) Class {
	return (&Policy{}).ClassOf(tool, args)
}

// ClassOf is the function ClassOf with the part of the catalogue that the policy
// believes, see [Policy.For].
func (p *Policy) ClassOf(tool string, args jsontext.Value) Class {
	f, _ := p.footprint(Call{Tool: tool, Arguments: args})
	return f.class
}

// footprint reads what a call does and reaches. Where they are refused the class is Unknown.
func (p *Policy) footprint(call Call) (footprint, *refusal) {
	unread := footprint{class: Unknown, opaque: true, rows: unlimited}
	if !validName(call.Tool) {
		return unread, refuse("The tool name is not valid.")
	}
	args, refused := parseArguments(call.Arguments)
	if refused != nil {
		return unread, refused
	}
	t := lookup(p.hosted, call.Tool)
	if t.reach == nil {
		f := footprint{class: t.classes[0], opaque: t.touch == touchOpaque, opaqueFields: t.touch == touchOpaque}
		if t.unbounded {
			f.rows = unlimited
		}
		return f, nil
	}
	f, refused := t.reach(args)
	if refused != nil {
		return unread, refused
	}
	return f, nil
}
