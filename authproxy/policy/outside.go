package policy

import (
	"slices"
	"strings"
	"time"

	"sfmcp-proxy/authproxy/policy/reach"
)

// OutsideText is the value of a rule's key after: the rule matches while text that people
// outside the company wrote was given to the same user's client a short time ago. Whoever
// writes such text may put orders for a model into it.
const OutsideText = "outside_text"

// DefaultTaint is how long rules with after match once such text was given. MaxTaint is the
// longest that a policy can ask for.
const (
	DefaultTaint = 30 * time.Minute
	MaxTaint     = 24 * time.Hour
)

// TaintTime is how long rules with after match.
func (p *Policy) TaintTime() time.Duration {
	if p.Taint == 0 {
		return DefaultTaint
	}
	return p.Taint
}

// AsksOutside reports whether a rule asks for outside text.
func (p *Policy) AsksOutside() bool {
	return slices.ContainsFunc(p.Rules, func(r Rule) bool { return r.After != "" })
}

// outsideFields are fields of an object that people outside the company write, without an
// account or as customers.
type outsideFields struct {
	object string   // API name; a * at the front stands for any beginning
	fields []string // API names or globs; "*": each of them
	why    string   // how the text gets there
}

// outsideCatalogue says where text from outside stands in Salesforce's standard objects.
// Fields of custom objects are not known here, nor what an org's own forms and integrations
// write: a rule that asks for outside text is not the only protection of a write.
var outsideCatalogue = []outsideFields{
	{"Case", []string{"Subject", "Description", "Comments", "Type", "Reason", "Priority", "Origin", "Supplied*", "*__c"}, "web-to-case and email-to-case fill them from a form or a message, what stands in picklists too; customers write cases in portals"},
	{"CaseComment", []string{"CommentBody"}, "customers comment on their cases in portals and by e-mail"},
	{"EmailMessage", []string{"Subject", "TextBody", "HtmlBody", "Headers", "From*", "ToAddress", "CcAddress", "BccAddress", "ValidatedFromAddress", "MessageIdentifier", "ThreadIdentifier", "*__c"}, "anybody who knows an address of the company writes them"},
	{"EmailMessageRelation", []string{"RelationAddress"}, "is taken from the e-mail"},
	{"Lead", []string{"Name", "FirstName", "MiddleName", "LastName", "Salutation", "Suffix", "Company", "Title", "Description", "Email", "*Phone", "Fax", "Website",
		"Street", "City", "State", "PostalCode", "Country", "Address", "LeadSource", "Industry", "Rating", "*__c"}, "web-to-lead fills them from a form that anybody can send"},
	{"CampaignMember", []string{"Name", "FirstName", "LastName", "Salutation", "CompanyOrAccount", "Title", "Description", "Email", "*Phone", "Fax",
		"Street", "City", "State", "PostalCode", "Country"}, "shows the fields of a lead"},
	{"ContactRequest", []string{"*"}, "customers ask for a call in a form"},
	{"LiveChatTranscript", []string{"Body", "SupervisorTranscriptBody", "Browser", "UserAgent", "Platform", "Location", "ReferrerUri", "VisitorNetwork", "*__c"}, "visitors of a web site write in a chat, and their browsers say what they like of themselves"},
	{"LiveChatTranscriptEvent", []string{"Detail"}, "comes from the visitor of a chat"},
	{"LiveChatVisitor", []string{"*"}, "comes from the visitor of a chat"},
	{"Conversation", []string{"*"}, "is made of messages of customers"},
	{"ConversationEntry", []string{"*"}, "is a message of a customer, or a line of a call"},
	{"MessagingSession", []string{"*"}, "is a conversation with a customer, who chose what it is called"},
	{"MessagingEndUser", []string{"*"}, "customers choose what they are called in a messenger"},
	{"SocialPost", []string{"*"}, "anybody writes posts"},
	{"SocialPersona", []string{"*"}, "anybody says who they are in a network"},
	{"VoiceCall", []string{"*"}, "holds what callers said"},
	{"Attachment", []string{"Name", "Description", "Body"}, "files of e-mails and portals"},
	{"Document", []string{"Name", "Description", "Body"}, "files that others gave"},
	{"ContentVersion", []string{"Title", "Description", "PathOnClient", "VersionData", "TextPreview", "ReasonForChange", "*__c"}, "files of e-mails, chats and portals"},
	{"ContentDocument", []string{"Title", "Description"}, "shows the title of a file"},
	{"ContentNote", []string{"Title", "Content", "TextPreview"}, "customers write notes in portals"},
	{"Note", []string{"Title", "Body"}, "customers write notes in portals"},
	{"FeedItem", []string{"Title", "Body", "LinkUrl"}, "customers post in communities"},
	{"FeedComment", []string{"CommentBody"}, "customers comment in communities"},
	{"FeedAttachment", []string{"Title", "Value"}, "links and files of posts"},
	{"FeedRevision", []string{"Value"}, "shows an earlier text of a post"},
	{"*Feed", []string{"Title", "Body", "LinkUrl"}, "shows the posts about a record"},
	{"Idea", []string{"Title", "Body"}, "customers write in communities"},
	{"IdeaComment", []string{"CommentBody"}, "customers write in communities"},
	{"Question", []string{"Title", "Body"}, "customers ask in communities"},
	{"Topic", []string{"Name", "Description"}, "customers name topics in communities"},
	{"Reply", []string{"Body"}, "customers answer in communities"},
	{"SurveyResponse", []string{"*"}, "whoever was invited to a survey answers it"},
	{"SurveyQuestionResponse", []string{"*"}, "whoever was invited to a survey answers it"},
	{"Task", []string{"Subject", "Description", "*__c"}, "e-mails that are logged become tasks with their text"},
	{"Event", []string{"Subject", "Description", "Location", "*__c"}, "invitations from outside come by the synchronised calendar"},
	{"EventRelation", []string{"Response"}, "whoever was invited answers"},
}

// outsideByObject is the catalogue by object, in lower case, without a leading *.
var outsideByObject = func() map[string][]string {
	all := make(map[string][]string, len(outsideCatalogue))
	for _, row := range outsideCatalogue {
		fields := make([]string, len(row.fields))
		for i, f := range row.fields {
			fields[i] = strings.ToLower(f)
		}
		all[strings.ToLower(strings.TrimPrefix(row.object, "*"))] = fields
	}
	return all
}()

// outsideFieldsOf returns the fields of an object, in lower case, that hold outside text.
func outsideFieldsOf(object string) []string {
	if _, own, ok := strings.Cut(object, "__"); ok && strings.Contains(own, "__") {
		object = reach.Unqualified(object)
	}
	if fields := outsideByObject[object]; fields != nil {
		return fields
	}
	if strings.HasSuffix(object, "feed") {
		return outsideByObject["feed"]
	}
	return nil
}

// WrittenOutside reports whether records of an object hold text that outsiders write.
func WrittenOutside(object string) bool { return outsideFieldsOf(strings.ToLower(object)) != nil }

// holdsOutside reports whether the answer of a call may hold outside text. What cannot be
// determined may; what a call writes is not answered, and a tool that only makes, changes or
// deletes records answers none.
func holdsOutside(t reach.Tool, v *reach.Value) bool {
	if t.Touch == reach.TouchNamed && !slices.ContainsFunc(t.Classes, func(c Class) bool { return c != Create && c != Update && c != Delete && c != Admin }) {
		return false
	}
	if v.Index {
		return false // names of objects
	}
	if v.Opaque || v.OpaqueFields {
		return true
	}
	var shown []reach.Ref
	for i := range v.Fields {
		if f := &v.Fields[i]; f.At.Clause != reach.Body {
			shown = v.Schema().AppendShown(shown[:0], f.Object, f.Name)
			if slices.ContainsFunc(shown, isOutside) {
				return true
			}
		}
	}
	return false
}

// isOutside reports whether a field holds outside text, or may.
func isOutside(f reach.Ref) bool {
	if f.Object == "" {
		return true
	}
	fields := outsideFieldsOf(strings.ToLower(f.Object))
	if fields == nil || f.Name == reach.Whole {
		return fields != nil
	}
	name := strings.ToLower(f.Name)
	listed := func(name string) bool {
		return slices.ContainsFunc(fields, func(pattern string) bool { return reach.Glob(pattern, name) })
	}
	stem, ends := reach.Compound(name)
	return listed(name) || slices.ContainsFunc(ends, func(end string) bool { return listed(stem + end) })
}
