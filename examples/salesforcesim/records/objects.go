package records

// newOrgSchema returns the objects of the simulated org with their system fields and
// child relationships. It is made anew for each org, since nothing in it may be shared
// between orgs that run side by side.
func newOrgSchema() orgSchema {
	org := orgSchema{
		accountSchema(), contactSchema(), opportunitySchema(), caseSchema(), leadSchema(), taskSchema(),
		userSchema(), profileSchema(), userRoleSchema(), secretSchema(),
		eventSchema(), campaignSchema(), campaignMemberSchema(), contractSchema(), orderSchema(), orderItemSchema(),
		productSchema(), pricebookSchema(), pricebookEntrySchema(), lineItemSchema(), contactRoleSchema(),
		assetSchema(), caseCommentSchema(), articleSchema(),
	}
	org = append(org, planSchemas(org)...)
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

// systemFields are those that every object has; records made by people also have an
// owner, and are noted when a query says that a person looks at them.
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
	if !s.owned() {
		return fields
	}
	fields = append(fields,
		&fieldSchema{Name: "LastViewedDate", Type: typeDateTime, System: true},
		&fieldSchema{Name: "LastReferencedDate", Type: typeDateTime, System: true})
	return append([]*fieldSchema{{Name: "OwnerId", Type: typeReference, RefTo: user, Rel: "Owner"}}, fields...)
}

// planObjects are the objects that get a region and a plan of the customer: what an
// administrator adds to standard objects.
var planObjects = []string{"Account", "Contact", "Opportunity", "Case", "Lead", "Task", "Event", "Campaign", "Contract", "Order", "Product2"}

// planSchemas are the custom objects around subscription plans, one of each kind that a
// name can end in, with two fields of the same names: enough for whoever judges queries
// by the names in them. They put their fields into the standard objects as well.
func planSchemas(org orgSchema) []*objectSchema {
	custom := func(name, plural, prefix string) *objectSchema {
		return &objectSchema{Name: name, Plural: plural, Prefix: prefix, NameField: "Name", Fields: []*fieldSchema{
			{Name: "Name", Type: typeString, Length: 80, Required: true},
			{Name: "Amount__c", Type: typeCurrency},
		}}
	}
	cases := org.object("Case") // a formula of its own, which shows a field of another object
	cases.Fields = append(cases.Fields, &fieldSchema{Name: "Reply_To__c", Type: typeString, System: true, Compute: copied("Contact.Email"), Formula: `BLANKVALUE(Contact.Email, "")`})
	made := func(s *objectSchema) *objectSchema { // made by the platform or another system
		s.SetupOnly = true
		return s
	}
	plan := custom("Plan__c", "Plans", "a01")
	for _, name := range planObjects {
		s := org.object(name)
		s.Fields = append(s.Fields,
			&fieldSchema{Name: "Regions__c", Type: typeMulti, Values: []string{"Americas", "Asia", "Europe"}},
			&fieldSchema{Name: "Plan__c", Type: typeReference, RefTo: []string{"Plan__c"}, Rel: "Plan__r"})
		plan.Fields = append(plan.Fields, &fieldSchema{Name: name + "__c", Type: typeReference, RefTo: []string{name}, Rel: name + "__r", ChildRel: "Plans__r"})
	}
	return []*objectSchema{
		plan, made(custom("Plan__Share", "Plan Shares", "a02")), custom("ns__Plan__c", "Plans (ns)", "a03"),
		made(custom("ns__Plan__History", "Plan History (ns)", "017")), made(custom("Plan__x", "External Plans", "x00")), made(custom("Plan__mdt", "Plan Types", "m00")),
	}
}
