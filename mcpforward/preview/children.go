package preview

import (
	"encoding/json"
	"slices"
	"strings"

	"sfmcp-proxy/authproxy/policy/reach"
)

// Bounds of the question what hangs on a record.
const (
	maxChildren = 12  // relations, of the 20 child queries that one query may have
	MaxCounted  = 100 // records of each; more are "more than 100"
)

// usualChildren are the child relations that matter to whoever deletes a record, by its object in
// lower case: of those that every org has. (Object Reference for the Salesforce Platform)
var usualChildren = map[string][]string{
	"account":     {"Contacts", "Opportunities", "Cases", "Contracts", "ChildAccounts", "Tasks", "Events"},
	"contact":     {"Cases", "OpportunityContactRoles", "CampaignMembers", "Tasks", "Events"},
	"opportunity": {"OpportunityLineItems", "OpportunityContactRoles", "Tasks", "Events"},
	"case":        {"CaseComments", "Cases", "Tasks", "Events"},
	"lead":        {"CampaignMembers", "Tasks", "Events"},
	"campaign":    {"CampaignMembers", "ChildCampaigns", "Opportunities", "Tasks", "Events"},
	"product2":    {"PricebookEntries"},
	"pricebook2":  {"PricebookEntries"},
	"order":       {"OrderItems", "Tasks", "Events"},
	"contract":    {"Orders", "Tasks", "Events"},
	"quote":       {"QuoteLineItems"},
}

// Children are the relations to records that hang on one of an object: the usual ones, and those
// of the org's own (Invoices__r). told are all relations that the org describes, in lower case; nil: it
// was not asked, and the usual ones stand for all.
func Children(object string, told []string) (relations []string) {
	for _, usual := range usualChildren[strings.ToLower(object)] {
		if told == nil || slices.Contains(told, strings.ToLower(usual)) {
			relations = append(relations, usual)
		}
	}
	for _, relation := range told {
		if strings.HasSuffix(relation, "__r") && apiName.MatchString(relation) {
			relations = append(relations, relation)
		}
	}
	return relations[:min(len(relations), maxChildren)]
}

// ChildObject is the object to which a child relation leads; "": it is not known.
func ChildObject(relation string) string { return reach.RelationTo(relation) }

// Count is how many records an answer has behind a child relation, [MaxCounted] at most, and
// whether there are more. ok is false if the answer does not say.
func (r Record) Count(relation string) (n int, more, ok bool) {
	value, there := r[strings.ToLower(relation)]
	if !there {
		return 0, false, false
	}
	var list *struct {
		Records []json.RawMessage `json:"records"`
	}
	if json.Unmarshal(value, &list) != nil {
		return 0, false, false
	}
	if list == nil { // null: there are none
		return 0, false, true
	}
	return min(len(list.Records), MaxCounted), len(list.Records) > MaxCounted, true
}
