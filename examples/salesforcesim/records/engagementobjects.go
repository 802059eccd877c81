package records

func eventSchema() *objectSchema {
	return &objectSchema{Name: "Event", Plural: "Events", Prefix: "00U", NameField: "Subject",
		Fields: []*fieldSchema{
			{Name: "Subject", Type: typeString},
			{Name: "Location", Type: typeString},
			{Name: "StartDateTime", Type: typeDateTime},
			{Name: "EndDateTime", Type: typeDateTime},
			{Name: "ActivityDate", Type: typeDate},
			{Name: "WhatId", Type: typeReference, RefTo: activityTargets, Rel: "What", ChildRel: "Events", OnDelete: deleteWithIt},
			{Name: "WhoId", Type: typeReference, RefTo: []string{"Contact", "Lead"}, Rel: "Who", ChildRel: "Events"},
			{Name: "AccountId", Type: typeReference, RefTo: []string{"Account"}, Rel: "Account", System: true, Compute: activityAccount},
			{Name: "Description", Type: typeTextArea},
		}}
}

func campaignSchema() *objectSchema {
	return &objectSchema{Name: "Campaign", Plural: "Campaigns", Prefix: "701", NameField: "Name",
		Fields: []*fieldSchema{
			{Name: "Name", Type: typeString, Length: 80, Required: true},
			{Name: "ParentId", Type: typeReference, RefTo: []string{"Campaign"}, Rel: "Parent", ChildRel: "ChildCampaigns"},
			{Name: "Type", Type: typePicklist, Values: []string{"Conference", "Email", "Webinar"}},
			{Name: "Status", Type: typePicklist, Default: "Planned", Values: []string{"Planned", "In Progress", "Completed"}},
			{Name: "StartDate", Type: typeDate},
			{Name: "EndDate", Type: typeDate},
			{Name: "BudgetedCost", Type: typeCurrency},
			{Name: "ActualCost", Type: typeCurrency},
			{Name: "IsActive", Type: typeBoolean, Default: false},
			{Name: "Description", Type: typeTextArea},
		}}
}

// campaignMemberSchema copies what is known of a person from the lead or the contact:
// who hides those fields there must hide them here as well.
func campaignMemberSchema() *objectSchema {
	person := func(name string, t fieldType, from ...string) *fieldSchema {
		return &fieldSchema{Name: name, Type: t, System: true, Compute: copied(from...)}
	}
	return &objectSchema{Name: "CampaignMember", Plural: "Campaign Members", Prefix: "00v", NameField: "Name", NoOwner: true, Unsearchable: true,
		Fields: []*fieldSchema{
			{Name: "CampaignId", Type: typeReference, RefTo: []string{"Campaign"}, Rel: "Campaign", ChildRel: "CampaignMembers", OnDelete: deleteWithIt, Required: true},
			{Name: "LeadId", Type: typeReference, RefTo: []string{"Lead"}, Rel: "Lead", ChildRel: "CampaignMembers", OnDelete: deleteWithIt},
			{Name: "ContactId", Type: typeReference, RefTo: []string{"Contact"}, Rel: "Contact", ChildRel: "CampaignMembers", OnDelete: deleteWithIt},
			{Name: "Status", Type: typePicklist, Default: "Sent", Values: []string{"Sent", "Responded"}},
			{Name: "HasResponded", Type: typeBoolean, System: true},
			person("Name", typeString, "Lead.Name", "Contact.Name"),
			person("FirstName", typeString, "Lead.FirstName", "Contact.FirstName"),
			person("LastName", typeString, "Lead.LastName", "Contact.LastName"),
			person("Title", typeString, "Lead.Title", "Contact.Title"),
			person("CompanyOrAccount", typeString, "Lead.Company", "Contact.Account.Name"),
			person("Email", typeEmail, "Lead.Email", "Contact.Email"),
			person("Phone", typePhone, "Lead.Phone", "Contact.Phone"),
			person("MobilePhone", typePhone, "Contact.MobilePhone"),
		}}
}

func caseCommentSchema() *objectSchema {
	return &objectSchema{Name: "CaseComment", Plural: "Case Comments", Prefix: "00a", NameField: "Id", NoOwner: true, Unsearchable: true,
		Fields: []*fieldSchema{
			{Name: "ParentId", Type: typeReference, RefTo: []string{"Case"}, Rel: "Parent", ChildRel: "CaseComments", OnDelete: deleteWithIt, Required: true},
			{Name: "CommentBody", Type: typeTextArea},
			{Name: "IsPublished", Type: typeBoolean, Default: false},
		}}
}

func articleSchema() *objectSchema {
	return &objectSchema{Name: "KnowledgeArticleVersion", Plural: "Knowledge Article Versions", Prefix: "ka0", NameField: "Title", Article: true,
		Fields: []*fieldSchema{
			{Name: "Title", Type: typeString, Required: true},
			{Name: "ArticleNumber", Type: typeString, Length: 30, System: true},
			{Name: "UrlName", Type: typeString},
			{Name: "Summary", Type: typeTextArea},
			{Name: "PublishStatus", Type: typePicklist, Default: "Draft", Values: []string{"Draft", "Online", "Archived"}},
			{Name: "Language", Type: typePicklist, Default: "en_US", Values: []string{"en_US", "de"}},
			{Name: "ArticleTotalViewCount", Type: typeInt, System: true},
		}}
}
