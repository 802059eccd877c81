package records

func accountSchema() *objectSchema {
	return &objectSchema{Name: "Account", Plural: "Accounts", Prefix: "001", NameField: "Name",
		Guidance: "One account for each legal entity. Look for an existing account by name and website before creating one.",
		Fields: []*fieldSchema{
			{Name: "Name", Type: typeString, Required: true},
			{Name: "Type", Type: typePicklist, Values: []string{"Prospect", "Customer", "Partner"}},
			{Name: "Industry", Type: typePicklist, Values: []string{"Energy", "Healthcare", "Logistics", "Manufacturing", "Retail", "Technology"}},
			{Name: "Rating", Type: typePicklist, Values: []string{"Hot", "Warm", "Cold"}},
			{Name: "Phone", Type: typePhone, Length: 40},
			{Name: "Website", Type: typeURL},
			{Name: "AnnualRevenue", Type: typeCurrency},
			{Name: "NumberOfEmployees", Type: typeInt},
			{Name: "BillingCity", Type: typeString, Length: 40},
			{Name: "BillingCountry", Type: typeString, Length: 80},
			{Name: "BillingLatitude", Type: typeDouble},
			{Name: "BillingLongitude", Type: typeDouble},
			{Name: "BillingAddress", Type: typeAddress, System: true, Compute: billingAddress},
			{Name: "Description", Type: typeTextArea},
			{Name: "ParentId", Type: typeReference, RefTo: []string{"Account"}, Rel: "Parent", ChildRel: "ChildAccounts"},
		}}
}

func contactSchema() *objectSchema {
	return &objectSchema{Name: "Contact", Plural: "Contacts", Prefix: "003", NameField: "Name",
		Fields: []*fieldSchema{
			{Name: "FirstName", Type: typeString, Length: 40},
			{Name: "LastName", Type: typeString, Length: 80, Required: true},
			{Name: "Name", Type: typeString, System: true},
			{Name: "AccountId", Type: typeReference, RefTo: []string{"Account"}, Rel: "Account", ChildRel: "Contacts", OnDelete: deleteWithIt},
			{Name: "Title", Type: typeString, Length: 128},
			{Name: "Department", Type: typeString, Length: 80},
			{Name: "Email", Type: typeEmail, Length: 80},
			{Name: "Phone", Type: typePhone, Length: 40},
			{Name: "MobilePhone", Type: typePhone, Length: 40},
			{Name: "Fax", Type: typePhone, Length: 40},
			{Name: "LeadSource", Type: typePicklist, Values: []string{"Web", "Partner", "Trade Show", "Phone"}},
			{Name: "Description", Type: typeTextArea},
		}}
}

func opportunitySchema() *objectSchema {
	return &objectSchema{Name: "Opportunity", Plural: "Opportunities", Prefix: "006", NameField: "Name",
		Guidance: "An opportunity can only be set to Closed Won with an amount.",
		Fields: []*fieldSchema{
			{Name: "Name", Type: typeString, Length: 120, Required: true},
			{Name: "AccountId", Type: typeReference, RefTo: []string{"Account"}, Rel: "Account", ChildRel: "Opportunities", OnDelete: deleteWithIt},
			{Name: "StageName", Type: typePicklist, Required: true, Values: []string{"Prospecting", "Qualification", "Proposal/Price Quote", "Negotiation/Review", "Closed Won", "Closed Lost"}},
			{Name: "CloseDate", Type: typeDate, Required: true},
			{Name: "Amount", Type: typeCurrency},
			{Name: "Probability", Type: typePercent},
			{Name: "Type", Type: typePicklist, Values: []string{"New Business", "Renewal", "Expansion"}},
			{Name: "LeadSource", Type: typePicklist, Values: []string{"Web", "Partner", "Trade Show", "Phone"}},
			{Name: "NextStep", Type: typeString},
			{Name: "CampaignId", Type: typeReference, RefTo: []string{"Campaign"}, Rel: "Campaign", ChildRel: "Opportunities"},
			{Name: "Description", Type: typeTextArea},
			{Name: "IsClosed", Type: typeBoolean, System: true},
			{Name: "IsWon", Type: typeBoolean, System: true},
		}}
}

func caseSchema() *objectSchema {
	return &objectSchema{Name: "Case", Plural: "Cases", Prefix: "500", NameField: "CaseNumber", Number: caseNumber,
		Fields: []*fieldSchema{
			{Name: "CaseNumber", Type: typeString, Length: 30, System: true},
			{Name: "AccountId", Type: typeReference, RefTo: []string{"Account"}, Rel: "Account", ChildRel: "Cases", OnDelete: forbidDelete},
			{Name: "ContactId", Type: typeReference, RefTo: []string{"Contact"}, Rel: "Contact", ChildRel: "Cases"},
			{Name: "ContactEmail", Type: typeEmail, System: true, Compute: copied("Contact.Email")},
			{Name: "ContactPhone", Type: typePhone, System: true, Compute: copied("Contact.Phone")},
			{Name: "ContactMobile", Type: typePhone, System: true, Compute: copied("Contact.MobilePhone")},
			{Name: "ContactFax", Type: typePhone, System: true, Compute: copied("Contact.Fax")},
			{Name: "Subject", Type: typeString},
			{Name: "Status", Type: typePicklist, Default: "New", Values: []string{"New", "Working", "Escalated", "Closed"}},
			{Name: "Priority", Type: typePicklist, Default: "Medium", Values: []string{"High", "Medium", "Low"}},
			{Name: "Origin", Type: typePicklist, Values: []string{"Email", "Phone", "Web"}},
			{Name: "Description", Type: typeTextArea},
			{Name: "IsClosed", Type: typeBoolean, System: true},
			{Name: "ClosedDate", Type: typeDateTime, System: true},
		}}
}

func leadSchema() *objectSchema {
	return &objectSchema{Name: "Lead", Plural: "Leads", Prefix: "00Q", NameField: "Name", DuplicateBy: "Email",
		Fields: []*fieldSchema{
			{Name: "FirstName", Type: typeString, Length: 40},
			{Name: "LastName", Type: typeString, Length: 80, Required: true},
			{Name: "Name", Type: typeString, System: true},
			{Name: "Company", Type: typeString, Required: true},
			{Name: "Title", Type: typeString, Length: 128},
			{Name: "Email", Type: typeEmail, Length: 80},
			{Name: "Phone", Type: typePhone, Length: 40},
			{Name: "Status", Type: typePicklist, Default: "Open - Not Contacted", Values: []string{"Open - Not Contacted", "Working - Contacted", "Closed - Not Converted"}},
			{Name: "LeadSource", Type: typePicklist, Values: []string{"Web", "Partner", "Trade Show", "Phone"}},
			{Name: "Industry", Type: typePicklist, Values: []string{"Energy", "Healthcare", "Logistics", "Manufacturing", "Retail", "Technology"}},
			{Name: "AnnualRevenue", Type: typeCurrency},
			{Name: "Description", Type: typeTextArea},
			{Name: "IsConverted", Type: typeBoolean, System: true},
			{Name: "ConvertedAccountId", Type: typeReference, RefTo: []string{"Account"}, Rel: "ConvertedAccount", System: true},
			{Name: "ConvertedContactId", Type: typeReference, RefTo: []string{"Contact"}, Rel: "ConvertedContact", System: true},
			{Name: "ConvertedOpportunityId", Type: typeReference, RefTo: []string{"Opportunity"}, Rel: "ConvertedOpportunity", System: true},
		}}
}

// activityTargets are the objects that a task or an event can be about.
var activityTargets = []string{"Account", "Opportunity", "Case", "Campaign", "Contract", "Order", "Product2", "Asset"}

func taskSchema() *objectSchema {
	return &objectSchema{Name: "Task", Plural: "Tasks", Prefix: "00T", NameField: "Subject",
		Fields: []*fieldSchema{
			{Name: "Subject", Type: typeString},
			{Name: "Status", Type: typePicklist, Default: "Not Started", Values: []string{"Not Started", "In Progress", "Completed"}},
			{Name: "Priority", Type: typePicklist, Default: "Normal", Values: []string{"High", "Normal", "Low"}},
			{Name: "ActivityDate", Type: typeDate},
			{Name: "WhatId", Type: typeReference, RefTo: activityTargets, Rel: "What", ChildRel: "Tasks", OnDelete: deleteWithIt},
			{Name: "WhoId", Type: typeReference, RefTo: []string{"Contact", "Lead"}, Rel: "Who", ChildRel: "Tasks"},
			{Name: "AccountId", Type: typeReference, RefTo: []string{"Account"}, Rel: "Account", System: true, Compute: activityAccount},
			{Name: "Description", Type: typeTextArea},
			{Name: "IsClosed", Type: typeBoolean, System: true},
		}}
}

func userSchema() *objectSchema {
	return &objectSchema{Name: "User", Plural: "Users", Prefix: "005", NameField: "Name", SetupOnly: true,
		Fields: []*fieldSchema{
			{Name: "Username", Type: typeString, Length: 80},
			{Name: "Name", Type: typeString},
			{Name: "Email", Type: typeEmail, Length: 128},
			{Name: "IsActive", Type: typeBoolean},
			{Name: "ProfileId", Type: typeReference, RefTo: []string{"Profile"}, Rel: "Profile", ChildRel: "Users"},
			{Name: "UserRoleId", Type: typeReference, RefTo: []string{"UserRole"}, Rel: "UserRole", ChildRel: "Users"},
			{Name: "ManagerId", Type: typeReference, RefTo: []string{"User"}, Rel: "Manager", ChildRel: "ManagedUsers"},
			{Name: "TimeZoneSidKey", Type: typePicklist, Length: 40},
		}}
}

func profileSchema() *objectSchema {
	return &objectSchema{Name: "Profile", Plural: "Profiles", Prefix: "00e", NameField: "Name", SetupOnly: true,
		Fields: []*fieldSchema{{Name: "Name", Type: typeString}}}
}

func userRoleSchema() *objectSchema {
	return &objectSchema{Name: "UserRole", Plural: "Roles", Prefix: "00E", NameField: "Name", SetupOnly: true,
		Fields: []*fieldSchema{{Name: "Name", Type: typeString}}}
}

// secretSchema is the object that ordinary users do not see: the seeded sales rep has it hidden.
func secretSchema() *objectSchema {
	return &objectSchema{Name: "Secret__c", Plural: "Secrets", Prefix: "a00", NameField: "Name",
		Fields: []*fieldSchema{
			{Name: "Name", Type: typeString, Length: 80, Required: true},
			{Name: "Account__c", Type: typeReference, RefTo: []string{"Account"}, Rel: "Account__r", ChildRel: "Secrets__r"},
			{Name: "Classification__c", Type: typePicklist, Values: []string{"Confidential", "Restricted"}},
			{Name: "Value__c", Type: typeString},
		}}
}
