package records

import "fmt"

func contractSchema() *objectSchema {
	return &objectSchema{Name: "Contract", Plural: "Contracts", Prefix: "800", NameField: "ContractNumber", Number: eightDigits,
		Fields: []*fieldSchema{
			{Name: "ContractNumber", Type: typeString, Length: 30, System: true},
			{Name: "AccountId", Type: typeReference, RefTo: []string{"Account"}, Rel: "Account", ChildRel: "Contracts", OnDelete: deleteWithIt, Required: true},
			{Name: "Status", Type: typePicklist, Default: "Draft", Values: []string{"Draft", "In Approval Process", "Activated"}},
			{Name: "StartDate", Type: typeDate},
			{Name: "ContractTerm", Type: typeInt},
			{Name: "Description", Type: typeTextArea},
		}}
}

func orderSchema() *objectSchema {
	return &objectSchema{Name: "Order", Plural: "Orders", Prefix: "801", NameField: "OrderNumber", Number: eightDigits,
		Fields: []*fieldSchema{
			{Name: "OrderNumber", Type: typeString, Length: 30, System: true},
			{Name: "AccountId", Type: typeReference, RefTo: []string{"Account"}, Rel: "Account", ChildRel: "Orders", OnDelete: deleteWithIt},
			{Name: "ContractId", Type: typeReference, RefTo: []string{"Contract"}, Rel: "Contract", ChildRel: "Orders", OnDelete: deleteWithIt},
			{Name: "Status", Type: typePicklist, Default: "Draft", Values: []string{"Draft", "Activated"}},
			{Name: "EffectiveDate", Type: typeDate, Required: true},
			{Name: "TotalAmount", Type: typeCurrency, System: true, Compute: totalOf("OrderItems", "TotalPrice")},
			{Name: "Description", Type: typeTextArea},
		}}
}

func orderItemSchema() *objectSchema {
	return &objectSchema{Name: "OrderItem", Plural: "Order Products", Prefix: "802", NameField: "OrderItemNumber", Number: eightDigits,
		NoOwner: true, Unsearchable: true, Fields: append(soldFields("OrderItems"),
			&fieldSchema{Name: "OrderItemNumber", Type: typeString, Length: 30, System: true},
			&fieldSchema{Name: "OrderId", Type: typeReference, RefTo: []string{"Order"}, Rel: "Order", ChildRel: "OrderItems", OnDelete: deleteWithIt, Required: true})}
}

// soldFields are those of a line of an order or an opportunity.
func soldFields(childRel string) []*fieldSchema {
	return []*fieldSchema{
		{Name: "Product2Id", Type: typeReference, RefTo: []string{"Product2"}, Rel: "Product2", ChildRel: childRel},
		{Name: "PricebookEntryId", Type: typeReference, RefTo: []string{"PricebookEntry"}, Rel: "PricebookEntry", ChildRel: childRel},
		{Name: "Quantity", Type: typeDouble, Required: true},
		{Name: "UnitPrice", Type: typeCurrency, Required: true},
		{Name: "TotalPrice", Type: typeCurrency, System: true, Compute: linePrice},
		{Name: "Description", Type: typeString},
	}
}

func productSchema() *objectSchema {
	return &objectSchema{Name: "Product2", Plural: "Products", Prefix: "01t", NameField: "Name",
		Fields: []*fieldSchema{
			{Name: "Name", Type: typeString, Required: true},
			{Name: "ProductCode", Type: typeString},
			{Name: "Family", Type: typePicklist, Values: []string{"Hardware", "Service", "Subscription"}},
			{Name: "IsActive", Type: typeBoolean, Default: false},
			{Name: "Description", Type: typeTextArea},
		}}
}

func pricebookSchema() *objectSchema {
	return &objectSchema{Name: "Pricebook2", Plural: "Price Books", Prefix: "01s", NameField: "Name", NoOwner: true,
		Fields: []*fieldSchema{
			{Name: "Name", Type: typeString, Required: true},
			{Name: "IsActive", Type: typeBoolean, Default: false},
			{Name: "IsStandard", Type: typeBoolean, System: true},
		}}
}

func pricebookEntrySchema() *objectSchema {
	return &objectSchema{Name: "PricebookEntry", Plural: "Price Book Entries", Prefix: "01u", NameField: "Name", NoOwner: true, Unsearchable: true,
		Fields: []*fieldSchema{
			{Name: "Name", Type: typeString, System: true, Compute: copied("Product2.Name")},
			{Name: "ProductCode", Type: typeString, System: true, Compute: copied("Product2.ProductCode")},
			{Name: "Product2Id", Type: typeReference, RefTo: []string{"Product2"}, Rel: "Product2", ChildRel: "PricebookEntries", OnDelete: deleteWithIt, Required: true},
			{Name: "Pricebook2Id", Type: typeReference, RefTo: []string{"Pricebook2"}, Rel: "Pricebook2", ChildRel: "PricebookEntries", OnDelete: deleteWithIt, Required: true},
			{Name: "UnitPrice", Type: typeCurrency, Required: true},
			{Name: "IsActive", Type: typeBoolean, Default: false},
		}}
}

func lineItemSchema() *objectSchema {
	return &objectSchema{Name: "OpportunityLineItem", Plural: "Opportunity Products", Prefix: "00k", NameField: "Name", NoOwner: true, Unsearchable: true,
		Fields: append(soldFields("OpportunityLineItems"),
			&fieldSchema{Name: "Name", Type: typeString, System: true, Compute: copied("Product2.Name")},
			&fieldSchema{Name: "ProductCode", Type: typeString, System: true, Compute: copied("Product2.ProductCode")},
			&fieldSchema{Name: "OpportunityId", Type: typeReference, RefTo: []string{"Opportunity"}, Rel: "Opportunity", ChildRel: "OpportunityLineItems", OnDelete: deleteWithIt, Required: true})}
}

func contactRoleSchema() *objectSchema {
	return &objectSchema{Name: "OpportunityContactRole", Plural: "Opportunity Contact Roles", Prefix: "00K", NameField: "Id", NoOwner: true, Unsearchable: true,
		Fields: []*fieldSchema{
			{Name: "OpportunityId", Type: typeReference, RefTo: []string{"Opportunity"}, Rel: "Opportunity", ChildRel: "OpportunityContactRoles", OnDelete: deleteWithIt, Required: true},
			{Name: "ContactId", Type: typeReference, RefTo: []string{"Contact"}, Rel: "Contact", ChildRel: "OpportunityContactRoles", OnDelete: deleteWithIt, Required: true},
			{Name: "Role", Type: typePicklist, Values: []string{"Decision Maker", "Evaluator", "Technical Buyer"}},
			{Name: "IsPrimary", Type: typeBoolean, Default: false},
		}}
}

func assetSchema() *objectSchema {
	return &objectSchema{Name: "Asset", Plural: "Assets", Prefix: "02i", NameField: "Name",
		Fields: []*fieldSchema{
			{Name: "Name", Type: typeString, Required: true},
			{Name: "AccountId", Type: typeReference, RefTo: []string{"Account"}, Rel: "Account", ChildRel: "Assets", OnDelete: deleteWithIt},
			{Name: "ContactId", Type: typeReference, RefTo: []string{"Contact"}, Rel: "Contact", ChildRel: "Assets"},
			{Name: "Product2Id", Type: typeReference, RefTo: []string{"Product2"}, Rel: "Product2", ChildRel: "Assets"},
			{Name: "SerialNumber", Type: typeString, Length: 80},
			{Name: "Status", Type: typePicklist, Values: []string{"Shipped", "Installed", "Registered"}},
			{Name: "InstallDate", Type: typeDate},
		}}
}

func caseNumber(n int) string  { return eightDigits(1000 + n) }
func eightDigits(n int) string { return fmt.Sprintf("%08d", n) }
