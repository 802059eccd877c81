package reach

import (
	"iter"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Touch says what a tool has to do with records.
type Touch uint8

// What tools have to do with records.
const (
	TouchOpaque  Touch = iota // records that its arguments do not name
	TouchNothing              // no records at all
	TouchNamed                // records of objects that its arguments name
)

// Tool is what the catalogue knows of one tool.
type Tool struct {
	Classes []Class // classes that its calls can have, the graver last
	Touch   Touch
	// Unbounded tells of a query whose number of records cannot be determined.
	Unbounded bool
	// read reads the arguments. nil: the above is all there is.
	read func(*reading, arguments) *Refusal
}

// family is the tools of hosted servers that share them.
type family struct {
	servers []string // namespace/name
	tools   map[string]Tool
}

// Families of Salesforce's hosted servers, with every tool by its exact name as
// the live servers list it. A tool that is not here is Unknown. Meta-tools are
// judged by their arguments in meta.go, tools on records in objects.go.
var families = []family{
	{
		servers: []string{"platform/sobject-all", "platform/sobject-reads", "platform/sobject-mutations", "platform/sobject-deletes"},
		tools: map[string]Tool{
			"getObjectSchema":          {Classes: []Class{Read}, Touch: TouchNamed, read: readSchema},
			"soqlQuery":                {Classes: []Class{Read, SideEffect}, Touch: TouchNamed, read: readSOQLTool},
			"find":                     {Classes: []Class{Read, SideEffect}, Touch: TouchNamed, read: readSOSLTool},
			"getUserInfo":              {Classes: []Class{Read}, Touch: TouchNothing},
			"listRecentSobjectRecords": {Classes: []Class{Read}, Touch: TouchNamed, read: readRecent},
			"getRelatedRecords":        {Classes: []Class{Read}, Touch: TouchNamed, read: readRelated(Read)},
			"createSobjectRecord":      {Classes: []Class{Create, Admin}, Touch: TouchNamed, read: readRecord(Create)},
			"updateSobjectRecord":      {Classes: []Class{Update, Admin}, Touch: TouchNamed, read: readRecord(Update)},
			"updateRelatedRecord":      {Classes: []Class{Update, Admin}, Touch: TouchNamed, read: readRelated(Update)},
			"deleteSobjectRecord":      {Classes: []Class{Delete, Admin}, Touch: TouchNamed, read: readRecord(Delete)},
			"deleteRelatedRecord":      {Classes: []Class{Delete, Admin}, Touch: TouchNamed, read: readRelated(Delete)},
			// The two prompts that sobject-all publishes, in both spellings.
			PromptPrefix + "accountReviewBriefing":                       {Classes: []Class{Read}},
			PromptPrefix + "revenueReconciliationAnalysis":               {Classes: []Class{Read}},
			PromptPrefix + "einstein_gpt__accountReviewBriefing":         {Classes: []Class{Read}},
			PromptPrefix + "einstein_gpt__revenueReconciliationAnalysis": {Classes: []Class{Read}},
		},
	},
	{
		servers: []string{"platform/headless-360"},
		tools: map[string]Tool{
			"discover":          {Classes: []Class{Read}, Touch: TouchNothing},
			"describe":          {Classes: []Class{Read}, Touch: TouchNothing},
			"display_widget":    {Classes: []Class{Read}},
			"dispatch_readonly": {Classes: []Class{Read, SideEffect, Unknown, Admin}, Touch: TouchNamed, read: readDispatch(true)},
			"dispatch":          {Classes: []Class{Read, SideEffect, Create, Update, Delete, Unknown, Admin}, Touch: TouchNamed, read: readDispatch(false)},
		},
	},
	{
		servers: []string{"data/data360"},
		tools: map[string]Tool{
			"search":           {Classes: []Class{Read}, Touch: TouchNothing},
			"payload_examples": {Classes: []Class{Read}, Touch: TouchNothing},
			"execute":          {Classes: data360Classes, Touch: TouchNamed, read: readExecute},
		},
	},
	{
		servers: []string{"data/data-cloud-queries"},
		tools: map[string]Tool{
			"get_dc_metadata":   {Classes: []Class{Read}},
			"post_dc_query_sql": {Classes: []Class{Read}, Unbounded: true},
		},
	},
	{
		servers: []string{"platform/metadata-experts"},
		tools: map[string]Tool{
			"execute_metadata_action": {Classes: []Class{Read, Admin}, Unbounded: true, read: readMetadataAction},
		},
	},
	{
		servers: []string{"platform/salesforce-api-context"},
		tools: docs("get_data_and_tooling_api_context", "get_metadata_type_sections", "get_metadata_type_context",
			"get_metadata_type_fields", "get_metadata_type_fields_properties", "search_metadata_types"),
	},
	{
		servers: []string{"industries/engagement-interaction"},
		tools: map[string]Tool{
			"fetch_engagement_interaction":  {Classes: []Class{Read}},
			"create_engagement_interaction": {Classes: []Class{Create}},
			"delete_engagement_interaction": {Classes: []Class{Delete}},
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
var unknownTool = Tool{Classes: []Class{Unknown}, Touch: TouchOpaque, Unbounded: true}

// widget is a resource that holds a page to be shown, no records.
var widget = Tool{Classes: []Class{Read}, Touch: TouchNothing}

// Catalogue is what is known of the tools of one hosted server in front of one org.
type Catalogue struct {
	// Hosted is the hosted server as namespace/name. Only its tools are known then: on
	// a custom server every tool is [Unknown], even one that borrows the name of a
	// standard tool, because an administrator there may put any Apex or Flow
	// behind any name. "": the tools of all servers are known.
	Hosted string
	// Schema is that of the org for the caller; nil: only standard objects are known.
	Schema *Schema
	// Declared is what the operator says of tools that are not known otherwise.
	Declared []Declaration
}

// Tool finds a tool by its exact name. One that is not known is of the class [Unknown]. The
// same name means the same thing on every standard server.
func (c Catalogue) Tool(name string) Tool {
	if strings.HasPrefix(name, ResourcePrefix+"ui://") && ValidName(name) {
		return widget
	}
	for _, f := range families {
		if c.Hosted != "" && !slices.Contains(f.servers, c.Hosted) {
			continue
		}
		if t, ok := f.tools[name]; ok {
			return t
		}
	}
	for _, d := range c.Declared {
		if d.Tool == name {
			return d.tool()
		}
	}
	return unknownTool
}

// Tools returns all tools and prompts that are known, by name.
func (c Catalogue) Tools() iter.Seq2[string, Tool] {
	return func(yield func(string, Tool) bool) {
		for _, f := range families {
			if c.Hosted != "" && !slices.Contains(f.servers, c.Hosted) {
				continue
			}
			for name, t := range f.tools {
				if !yield(name, t) {
					return
				}
			}
		}
		for _, d := range c.Declared {
			if !yield(d.Tool, d.tool()) {
				return
			}
		}
	}
}

// Knows reports whether the tools of the hosted server are known.
func (c Catalogue) Knows() bool {
	return slices.ContainsFunc(families, func(f family) bool { return slices.Contains(f.servers, c.Hosted) })
}

// Servers are the hosted servers whose tools are known, as namespace/name, sorted.
func Servers() (all []string) {
	for _, f := range families {
		all = append(all, f.servers...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// DescribesObjects reports whether a hosted server, as namespace/name, has the sObject tools.
func DescribesObjects(hosted string) bool { return slices.Contains(families[0].servers, hosted) }

// Read reads what a call of a tool does and reaches. Where its arguments are refused, which
// the refusal says in a sentence, it reaches anything and its class is [Unknown].
func (c Catalogue) Read(tool string, raw jsontext.Value) (*Value, *Refusal) {
	f := newReading(c.Schema)
	refused := c.read(f, tool, raw)
	if refused == nil && f.full {
		refused = tooManyFields
	}
	if refused != nil {
		return &Value{Class: Unknown, Opaque: true, OpaqueFields: true, Rows: Unlimited, schema: c.Schema}, refused
	}
	f.finish()
	return &f.Value, nil
}

func (c Catalogue) read(f *reading, tool string, raw jsontext.Value) *Refusal {
	if !ValidName(tool) {
		return refuse("The tool name is not valid.")
	}
	a, refused := parseArguments(raw)
	if refused != nil {
		return refused
	}
	if a.alike() {
		return refuse("Two arguments have names that differ in case alone; give one of them.")
	}
	f.arguments = a
	t := c.Tool(tool)
	if t.read != nil {
		return t.read(f, a)
	}
	f.Class, f.Opaque, f.OpaqueFields = t.Classes[0], t.Touch == TouchOpaque, t.Touch == TouchOpaque
	if t.Unbounded {
		f.Rows = Unlimited
	}
	return nil
}
