package salesforcesim

// newOrgSchema returns the objects of the simulated org with their system fields and
// child relationships. It is made anew for each org, since nothing in it may be shared
// between orgs that run side by side.
func newOrgSchema() orgSchema {
	org := orgSchema{
		accountSchema(), contactSchema(), opportunitySchema(), caseSchema(), leadSchema(), taskSchema(),
		userSchema(), profileSchema(), userRoleSchema(), secretSchema(),
	}
	for _, s := range org {
		s.Fields = append([]*fieldSchema{{Name: "Id", Type: typeID, System: true, Length: 18}}, s.Fields...)
		s.Fields = append(s.Fields, systemFields(s)...)
	}
	for _, s := range org {
		for _, f := range s.Fields {
			for _, target := range f.RefTo {
				if t := org.object(target); f.ChildRel != "" {
					t.Children = append(t.Children, childSchema{Rel: f.ChildRel, Object: s, Field: f})
				}
			}
		}
	}
	return org
}

// systemFields are those that every object has; records made by people also have an owner.
func systemFields(s *objectSchema) []*fieldSchema {
	user := []string{"User"}
	fields := []*fieldSchema{
		{Name: "IsDeleted", Type: typeBoolean, System: true},
		{Name: "CreatedDate", Type: typeDateTime, System: true},
		{Name: "CreatedById", Type: typeReference, RefTo: user, Rel: "CreatedBy", System: true},
		{Name: "LastModifiedDate", Type: typeDateTime, System: true},
		{Name: "LastModifiedById", Type: typeReference, RefTo: user, Rel: "LastModifiedBy", System: true},
		{Name: "SystemModstamp", Type: typeDateTime, System: true},
	}
	if s.SetupOnly {
		return fields
	}
	return append([]*fieldSchema{{Name: "OwnerId", Type: typeReference, RefTo: user, Rel: "Owner"}}, fields...)
}

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
			{Name: "Description", Type: typeTextArea},
			{Name: "IsClosed", Type: typeBoolean, System: true},
			{Name: "IsWon", Type: typeBoolean, System: true},
		}}
}

func caseSchema() *objectSchema {
	return &objectSchema{Name: "Case", Plural: "Cases", Prefix: "500", NameField: "CaseNumber",
		Fields: []*fieldSchema{
			{Name: "CaseNumber", Type: typeString, Length: 30, System: true},
			{Name: "AccountId", Type: typeReference, RefTo: []string{"Account"}, Rel: "Account", ChildRel: "Cases", OnDelete: forbidDelete},
			{Name: "ContactId", Type: typeReference, RefTo: []string{"Contact"}, Rel: "Contact", ChildRel: "Cases"},
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
			{Name: "Description", Type: typeTextArea},
			{Name: "IsConverted", Type: typeBoolean, System: true},
		}}
}

func taskSchema() *objectSchema {
	return &objectSchema{Name: "Task", Plural: "Tasks", Prefix: "00T", NameField: "Subject",
		Fields: []*fieldSchema{
			{Name: "Subject", Type: typeString},
			{Name: "Status", Type: typePicklist, Default: "Not Started", Values: []string{"Not Started", "In Progress", "Completed"}},
			{Name: "Priority", Type: typePicklist, Default: "Normal", Values: []string{"High", "Normal", "Low"}},
			{Name: "ActivityDate", Type: typeDate},
			{Name: "WhatId", Type: typeReference, RefTo: []string{"Account", "Opportunity", "Case"}, Rel: "What", ChildRel: "Tasks", OnDelete: deleteWithIt},
			{Name: "WhoId", Type: typeReference, RefTo: []string{"Contact", "Lead"}, Rel: "Who", ChildRel: "Tasks"},
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
