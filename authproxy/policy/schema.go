package policy

import "strings"

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
var anyParent = map[string][]string{
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
	if usual, ok := standardObjects[strings.ToLower(object)]; ok {
		return usual
	}
	return object
}

// keyPrefix returns the key prefix of a standard object, "" if it is not known.
func keyPrefix(object string) string { return prefixOf[strings.ToLower(object)] }

// parentsOf returns the objects to which a relation of object leads upwards, nil
// if it is not known.
func parentsOf(object, relation string) []string {
	relation = strings.ToLower(relation)
	if to, ok := parents[strings.ToLower(object)+"."+relation]; ok {
		return to
	}
	if to, ok := anyParent[relation]; ok {
		return to
	}
	if to, ok := namesakes[relation]; ok {
		return []string{to}
	}
	return nil
}

// childOf returns the object to which a relation of object leads downwards, ""
// if it is not known.
func childOf(object, relation string) string {
	relation = strings.ToLower(relation)
	if to, ok := children[relation]; ok {
		return to
	}
	if object == UnknownObject {
		return ""
	}
	stem, custom := strings.CutSuffix(object, "__c")
	if custom {
		stem += "__"
	}
	switch relation {
	case "histories":
		if strings.EqualFold(object, "Opportunity") { // OpportunityHistory is that of its stages
			return "OpportunityFieldHistory"
		}
		return stem + "History"
	case "shares":
		return stem + "Share"
	case "feeds":
		return stem + "Feed"
	}
	return ""
}

// relatives returns the objects to which a relation leads in either direction.
func relatives(object, relation string) []string {
	to := parentsOf(object, relation)
	if child := childOf(object, relation); child != "" {
		to = union(append([]string(nil), to...), []string{child})
	}
	if len(to) == 0 {
		return []string{UnknownObject}
	}
	return to
}

// isRelation reports whether a name is that of a known relation or object, which
// makes it ambiguous as an alias.
func isRelation(name string) bool {
	name = strings.ToLower(name)
	_, object := standardObjects[name]
	return object || parentsOf("", name) != nil || children[name] != "" || strings.Contains(name, "__") ||
		name == "parent" || name == "masterrecord" || name == "manager" || name == "product" || name == "what"
}

// foreignKey returns the field that holds the id to which a relation leads. Who
// reads the parent's Id through the relation has read it.
func foreignKey(relation string) string {
	if stem, ok := strings.CutSuffix(strings.ToLower(relation), "__r"); ok {
		return stem + "__c"
	}
	return relation + "Id"
}

// addressParts are the parts of a compound address by the suffix that replaces the
// compound's own: MailingAddress has MailingStreet.
var addressParts = []string{"street", "city", "state", "statecode", "postalcode", "country", "countrycode", "latitude", "longitude", "geocodeaccuracy"}

var nameParts = []string{"firstname", "lastname", "middlename", "salutation", "suffix"}

// compoundAndPart reports whether a denied field (a pattern) and a reached field are a compound
// field and one of its parts, in either order.
func compoundAndPart(denied, reached string) bool {
	denied = strings.ToLower(denied)
	return partOf(denied, reached) || partOf(reached, denied)
}

// partOf reports whether part, which may be a pattern, is a part of a compound.
func partOf(part, compound string) bool {
	if compound == "name" {
		for _, p := range nameParts {
			if glob(part, p) {
				return true
			}
		}
		return false
	}
	if stem, ok := strings.CutSuffix(compound, "__c"); ok {
		return glob(part, stem+"__latitude__s") || glob(part, stem+"__longitude__s") ||
			glob(part, stem+"__street__s") || glob(part, stem+"__city__s") || glob(part, stem+"__postalcode__s") ||
			glob(part, stem+"__statecode__s") || glob(part, stem+"__countrycode__s")
	}
	stem, ok := strings.CutSuffix(compound, "address")
	if !ok {
		return false
	}
	for _, p := range addressParts {
		if glob(part, stem+p) {
			return true
		}
	}
	return false
}
