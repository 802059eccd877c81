package reach

import (
	_ "embed" // the names of relations
	"maps"
	"slices"
	"strings"
)

// This file holds what is known of Salesforce's standard schema: which objects a
// relation leads to. It only has to be right where it answers; every relation that
// it does not know leads to UnknownObject.

// standardObjects are the usual spellings of objects that relations lead to or
// that policies speak of.
var standardObjects = byLower(
	"Account", "AccountContactRelation", "AccountContactRole", "AccountPartner", "AccountTeamMember", "ActivityHistory",
	"ApexClass", "ApexTrigger", "Asset", "Attachment", "AttachedContentDocument", "AuthSession", "BusinessHours", "CallCenter",
	"Campaign", "CampaignMember", "Case", "CaseComment", "CaseTeamMember", "CombinedAttachment", "Contact", "ContactRequest",
	"ContentDocument", "ContentDocumentLink", "ContentVersion", "Contract", "ContractContactRole", "Dashboard", "DuplicateRecordItem",
	"EmailMessage", "EmailTemplate", "Entitlement", "Event", "FeedComment", "FeedItem", "Folder", "Group", "GroupMember",
	"Individual", "Lead", "LoginHistory", "LoginIp", "NamedCredential", "Note", "NoteAndAttachment", "OauthToken", "OpenActivity",
	"Opportunity", "OpportunityCompetitor", "OpportunityContactRole", "OpportunityHistory", "OpportunityLineItem",
	"OpportunityPartner", "OpportunityTeamMember", "Order", "OrderItem", "Organization", "Partner", "PermissionSet",
	"PermissionSetAssignment", "Pricebook2", "PricebookEntry", "ProcessInstance", "ProcessInstanceHistory",
	"ProcessInstanceStep", "ProcessInstanceWorkitem", "Product2", "Profile", "Quote", "QuoteLineItem", "RecordType", "Report",
	"ServiceContract", "SetupAuditTrail", "Solution", "Task", "TopicAssignment", "User", "UserLicense", "UserLogin", "UserRole",
	"WorkOrder", "WorkOrderLineItem",
)

// namesakes are objects to which a relation of the same name leads from anywhere.
var namesakes = byLower(
	"Account", "Asset", "BusinessHours", "CallCenter", "Campaign", "Case", "Contact", "ContentDocument", "Contract", "Entitlement",
	"Individual", "Lead", "Opportunity", "OpportunityLineItem", "Order", "OrderItem", "PermissionSet", "Pricebook2", "PricebookEntry",
	"Product2", "Profile", "Quote", "QuoteLineItem", "RecordType", "ServiceContract", "User", "UserLicense", "UserRole",
	"WorkOrder", "WorkOrderLineItem",
)

// anyParent are further relations that lead to the same objects from anywhere.
var anyParent = withNamesakes(map[string][]string{
	"createdby":            {"User"},
	"lastmodifiedby":       {"User"},
	"owner":                {"User", "Group"},
	"assignee":             {"User"},
	"companysigned":        {"User"},
	"customersigned":       {"Contact"},
	"reportsto":            {"Contact"},
	"personcontact":        {"Contact"},
	"convertedaccount":     {"Account"},
	"convertedcontact":     {"Contact"},
	"convertedopportunity": {"Opportunity"},
	"syncedquote":          {"Quote"},
	"who":                  {"Contact", "Lead"},
	"leadorcontact":        {"Contact", "Lead"},
})

// withNamesakes adds the relations that are called as the object they lead to.
func withNamesakes(to map[string][]string) map[string][]string {
	for relation, object := range namesakes {
		to[relation] = []string{object}
	}
	return to
}

// parents are relations that lead elsewhere on each object, "object.relation".
var parents = map[string][]string{
	"account.parent":                         {"Account"},
	"account.masterrecord":                   {"Account"},
	"asset.parent":                           {"Asset"},
	"asset.rootasset":                        {"Asset"},
	"campaign.parent":                        {"Campaign"},
	"case.parent":                            {"Case"},
	"case.masterrecord":                      {"Case"},
	"case.product":                           {"Product2"},
	"casecomment.parent":                     {"Case"},
	"contact.masterrecord":                   {"Contact"},
	"contentdocument.latestpublishedversion": {"ContentVersion"},
	"emailmessage.parent":                    {"Case"},
	"lead.masterrecord":                      {"Lead"},
	"user.manager":                           {"User"},

	// What elsewhere leads to one object leads to several here.
	"analyticsassetaction.asset":                   nil,
	"analyticsworkspaceasset.asset":                nil,
	"floworchestrationworkitem.assignee":           nil,
	"persondisability.individual":                  nil,
	"personlanguage.individual":                    nil,
	"personlanguagechangeevent.individual":         nil,
	"sustainabilitystakeholder.contact":            nil,
	"sustainabilitystakeholderchangeevent.contact": nil,
	"transactionusageentitlement.orderitem":        nil,
	"visitor.assignee":                             nil,
	"webcart.account":                              nil,
	"webcartchangeevent.account":                   nil,
}

// otherChildren are child relations that lead elsewhere from one parent, "parent.relation".
var otherChildren = map[string]string{
	"asset.assets":                    "CustomerProperty",
	"collaborationgroup.groupmembers": "CollaborationGroupMember",
	"contact.contacts":                "ContactProfile",
	"orderitem.orderitems":            "TransactionJournal",
	"scope3emssnsrc.childassets":      "Scope3EmssnSrc",
	"stnryassetenvrsrc.childassets":   "StnryAssetEnvrSrc",
}

// children are child relations that lead to the same object from any parent.
var children = map[string]string{
	"accountcontactrelations": "AccountContactRelation", "accountcontactroles": "AccountContactRole",
	"accountpartnersfrom": "AccountPartner", "accountteammembers": "AccountTeamMember", "activityhistories": "ActivityHistory",
	"assets": "Asset", "attachedcontentdocuments": "AttachedContentDocument", "attachments": "Attachment",
	"campaignmembers": "CampaignMember", "casecomments": "CaseComment", "cases": "Case", "childaccounts": "Account",
	"childassets": "Asset", "childcampaigns": "Campaign", "combinedattachments": "CombinedAttachment",
	"contactrequests": "ContactRequest", "contacts": "Contact", "contentdocumentlinks": "ContentDocumentLink",
	"contentversions": "ContentVersion", "contractcontactroles": "ContractContactRole", "contracts": "Contract",
	"duplicaterecorditems": "DuplicateRecordItem", "emailmessages": "EmailMessage", "emails": "EmailMessage",
	"entitlements": "Entitlement", "events": "Event", "feedcomments": "FeedComment", "groupmembers": "GroupMember", "leads": "Lead",
	"notes": "Note", "notesandattachments": "NoteAndAttachment", "openactivities": "OpenActivity",
	"opportunities": "Opportunity", "opportunitycompetitors": "OpportunityCompetitor",
	"opportunitycontactroles": "OpportunityContactRole", "opportunityhistories": "OpportunityHistory",
	"opportunitylineitems": "OpportunityLineItem", "opportunitypartnersfrom": "OpportunityPartner",
	"opportunityteammembers": "OpportunityTeamMember", "orderitems": "OrderItem", "orders": "Order",
	"permissionsetassignments": "PermissionSetAssignment", "personactivityhistories": "ActivityHistory",
	"pricebookentries": "PricebookEntry", "processinstances": "ProcessInstance", "processsteps": "ProcessInstanceHistory",
	"quotelineitems": "QuoteLineItem", "quotes": "Quote", "servicecontracts": "ServiceContract", "tasks": "Task",
	"teammembers": "CaseTeamMember", "topicassignments": "TopicAssignment", "users": "User", "workorderlineitems": "WorkOrderLineItem",
	"workorders": "WorkOrder",
}

// keyPrefixes are the first three characters of record ids of standard objects.
var keyPrefixes = map[string]string{
	"001": "Account", "002": "Note", "003": "Contact", "005": "User", "006": "Opportunity", "00D": "Organization", "00E": "UserRole",
	"00G": "Group", "00O": "Report", "00P": "Attachment", "00Q": "Lead", "00T": "Task", "00U": "Event", "00a": "CaseComment",
	"00e": "Profile", "00k": "OpportunityLineItem", "00v": "CampaignMember", "012": "RecordType", "01Z": "Dashboard",
	"01p": "ApexClass", "01q": "ApexTrigger", "01s": "Pricebook2", "01t": "Product2", "01u": "PricebookEntry", "02i": "Asset",
	"02s": "EmailMessage", "068": "ContentVersion", "069": "ContentDocument", "0D5": "FeedItem", "0PS": "PermissionSet",
	"0Pa": "PermissionSetAssignment", "0Q0": "Quote", "500": "Case", "701": "Campaign", "800": "Contract", "801": "Order", "802": "OrderItem",
}

// prefixOf is keyPrefixes by object in lower case.
var prefixOf = func() map[string]string {
	m := make(map[string]string, len(keyPrefixes))
	for prefix, object := range keyPrefixes {
		m[strings.ToLower(object)] = prefix
	}
	return m
}()

func byLower(names ...string) map[string]string {
	m := make(map[string]string, len(names))
	for _, name := range names {
		m[strings.ToLower(name)] = name
	}
	return m
}

// spelling returns the usual spelling of an object's name, or the name itself.
func spelling(object string) string {
	var b [64]byte
	if usual, ok := standardObjects[string(Lower(b[:0], object))]; ok {
		return usual
	}
	return object
}

// keyPrefix returns the key prefix of a standard object, "" if it is not known.
func keyPrefix(object string) string {
	var b [64]byte
	return prefixOf[string(Lower(b[:0], object))]
}

// ObjectOf is the standard object of whose records an id of that form is, by its first three
// characters; "": of none that is known, as ids of custom objects are.
func ObjectOf(id string) string {
	if !ValidID(id) {
		return ""
	}
	return keyPrefixes[id[:3]]
}

// StandardObjects are the names of the standard objects that are known here.
func StandardObjects() []string { return slices.Collect(maps.Values(standardObjects)) }

// RelationTo returns the object to which a child relation of that name leads, "" if it is not
// known: Opportunity for Opportunities.
func RelationTo(relation string) string { return children[strings.ToLower(relation)] }

// standardParents returns the objects to which a relation of object leads upwards on every org,
// nil if it is not known.
func standardParents(object, relation string) []string {
	var b [128]byte
	key := Lower(append(Lower(b[:0], object), '.'), relation)
	if to, ok := parents[string(key)]; ok {
		return to
	}
	key = Lower(b[:0], relation)
	return anyParent[string(key)]
}

// standardChildren returns the objects to which a relation of object leads downwards on every
// org, nil if it is not known.
func standardChildren(object, relation string) []string {
	relation = strings.ToLower(relation)
	if to, ok := otherChildren[strings.ToLower(object)+"."+relation]; ok {
		return []string{to}
	}
	if to, ok := children[relation]; ok {
		return []string{to}
	}
	if object == UnknownObject {
		return nil
	}
	stem, custom := strings.CutSuffix(object, "__c")
	if custom {
		stem += "__"
	}
	switch relation {
	case "histories":
		if strings.EqualFold(object, "Opportunity") { // OpportunityHistory is that of its stages
			return []string{"OpportunityFieldHistory"}
		}
		return []string{stem + "History"}
	case "shares":
		return []string{stem + "Share"}
	case "feeds":
		return []string{stem + "Feed"}
	}
	return nil
}

// relationNames are the names of all relations to parents that any of Salesforce's own objects
// has, in lower case: of 4818 objects, by github.com/apex-dev-tools/sobject-types.
//
//go:embed relations.txt
var relationNames string

var platformRelations = func() map[string]bool {
	names := make(map[string]bool)
	for _, name := range strings.Fields(relationNames) {
		names[name] = true
	}
	return names
}()

// isRelation reports whether a name is that of any relation or object of the platform, or may
// be one of the org's, which makes it ambiguous as an alias.
func isRelation(name string) bool {
	name = strings.ToLower(name)
	_, object := standardObjects[name]
	return object || platformRelations[name] || standardParents("", name) != nil || children[name] != "" || strings.Contains(name, "__")
}

// foreignKey returns the field that holds the id to which a relation leads. Who
// reads the parent's Id through the relation has read it.
func foreignKey(relation string) string {
	if stem, ok := strings.CutSuffix(strings.ToLower(relation), "__r"); ok {
		return stem + "__c"
	}
	return relation + "Id"
}
