package records

import (
	"strings"
	"testing"
)

func TestFunctions(t *testing.T) {
	t.Parallel()
	c := readAs(t, manager())
	for _, tt := range []struct{ q, want string }{
		{"SELECT FORMAT(AnnualRevenue) shown, toLabel(Industry), convertCurrency(AnnualRevenue) FROM Account WHERE Name LIKE 'Helios%'",
			`{"AnnualRevenue":39000000,"Industry":"Energy","shown":"USD 39,000,000.00"}`},
		{"SELECT FORMAT(CloseDate) d, FORMAT(CreatedDate) c, FORMAT(Probability) p FROM Opportunity WHERE Name = 'Northwind renewal'",
			`{"c":"3/10/2026, 3:00 PM","d":"3/31/2026","p":"80%"}`},
		{"SELECT FORMAT(NumberOfEmployees) n FROM Account WHERE NumberOfEmployees > 5000", `{"n":"5,400"}`},
		{"SELECT toLabel(Account.Industry) FROM Contact WHERE LastName = 'Raman'", `{"Account":{"Industry":"Healthcare"}}`},
		{"SELECT Name FROM Account WHERE toLabel(Industry) = 'retail'", `{"Name":"Meridian Retail Group"}`},
		{"SELECT Name FROM Opportunity WHERE CALENDAR_MONTH(CloseDate) = 3", `{"Name":"Northwind renewal"}`},
		{"SELECT COUNT(Id) FROM Case WHERE DAY_ONLY(CreatedDate) = 2026-03-10 AND HOUR_IN_DAY(convertTimezone(CreatedDate)) = 15", `{"expr0":3}`},
		// A euro is worth 1.1 dollars: 35.5 million euros are 39.05 million dollars.
		{"SELECT Name FROM Account WHERE AnnualRevenue > EUR35400000.5 AND AnnualRevenue < EUR35500000", `{"Name":"Helios Energy GmbH"}`},
		{"SELECT Name FROM Account WHERE DISTANCE(BillingAddress, GEOLOCATION(48.2, 11.6), 'km') < 20", `{"Name":"Helios Energy GmbH"}`},
		{"SELECT Name FROM Account WHERE DISTANCE(BillingAddress, GEOLOCATION(47.606, -122.332), 'mi') < 200 ORDER BY DISTANCE(BillingAddress, GEOLOCATION(47.606, -122.332), 'mi') DESC",
			`{"Name":"Cascade Health Partners"} {"Name":"Northwind Logistics"}`},
		{"SELECT BillingAddress FROM Account WHERE Name LIKE 'Helios%'", `{"BillingAddress":{"city":"Munich","country":"Germany","latitude":48.137,"longitude":11.575}}`},
		{"SELECT Name FROM Account WHERE Regions__c INCLUDES ('Americas;Europe','Asia') ORDER BY Name", `{"Name":"Meridian Retail Group"} {"Name":"Northwind Logistics"}`},
		{"SELECT Name FROM Account WHERE Regions__c EXCLUDES ('Americas') ORDER BY Name", `{"Name":"Helios Energy GmbH"} {"Name":"Northwind Cold Storage"}`},
		{"SELECT a.Name, o.Name FROM Account a, a.Owner o WHERE o.Name LIKE 'Riley%' AND a.Rating = 'Warm'", `{"Name":"Cascade Health Partners","Owner":{"Name":"Riley Reyes"}}`},
		{"SELECT TYPEOF What WHEN Account THEN Name, Owner.Name WHEN Case THEN CaseNumber END FROM Task WHERE ActivityDate > TODAY ORDER BY ActivityDate",
			`{"What":{"CaseNumber":"00001001"}} {"What":{"Name":"Northwind Logistics","Owner":{"Name":"Riley Reyes"}}}`},
		{"SELECT TYPEOF What WHEN Opportunity THEN Amount ELSE Name, Type END FROM Event", `{"What":{"Name":"Northwind Logistics","Type":"Account"}}`},
		{"SELECT TYPEOF What WHEN Opportunity THEN Amount END FROM Event", `{"What":{}}`},
		{"SELECT Name, Email, CompanyOrAccount FROM CampaignMember ORDER BY Name",
			`{"CompanyOrAccount":"Northwind Logistics","Email":"dana.whitfield@northwind.example","Name":"Dana Whitfield"} ` +
				`{"CompanyOrAccount":"Fjord Ferries","Email":"noah.lindqvist@fjordferries.example","Name":"Noah Lindqvist"}`},
		{"SELECT TotalAmount, (SELECT TotalPrice FROM OrderItems) FROM Order", `{"OrderItems":{"done":true,"records":[{"TotalPrice":28200,"attributes":{"type":"OrderItem","url":"/services/data/v64.0/sobjects/OrderItem/` +
			RecordID("802", 1) + `"}}],"totalSize":1},"TotalAmount":28200}`},
		{"SELECT Account.Name FROM Task WHERE Subject LIKE 'Call Priya%'", `{"Account":{"Name":"Cascade Health Partners"}}`},
		{"SELECT Title FROM KnowledgeArticleVersion WHERE PublishStatus = 'Online' WITH DATA CATEGORY Region__c BELOW world__c ORDER BY Title",
			`{"Title":"Single sign-on step by step"} {"Title":"Where data of European customers is kept"}`},
		{"SELECT Title FROM KnowledgeArticleVersion WHERE PublishStatus = 'Online' WITH DATA CATEGORY Region__c AT world__c", `{"Title":"Single sign-on step by step"}`},
		{"SELECT Title FROM KnowledgeArticleVersion WHERE PublishStatus = 'Online' WITH DATA CATEGORY Region__c ABOVE (germany__c) AND Region__c AT europe__c",
			`{"Title":"Where data of European customers is kept"}`},
		{"SELECT COUNT(Id) FROM Secret__c USING SCOPE mine", `{"expr0":2}`},
		{"SELECT COUNT(Id) FROM Account USING SCOPE mine", `{"expr0":0}`},
		{"SELECT COUNT(Id) FROM Account USING SCOPE team", `{"expr0":5}`}, // the rep reports to the manager
		{"SELECT COUNT(Id) FROM Account USING SCOPE delegated", `{"expr0":0}`},
	} {
		if got := c.rows(tt.q); got != tt.want {
			t.Errorf("%s\n got %s\nwant %s", tt.q, got, tt.want)
		}
	}
}

func TestClausesRefused(t *testing.T) {
	t.Parallel()
	c := readAs(t, rep())
	for _, tt := range []struct{ q, code, says string }{
		{"SELECT Id FROM Account WHERE DISTANCE(BillingAddress, GEOLOCATION(48, 11), 'km') = 20", "INVALID_QUERY_FILTER_OPERATOR", "invalid operator"},
		{"SELECT Id FROM Account WHERE DISTANCE(BillingCity, GEOLOCATION(48, 11), 'km') < 20", "MALFORMED_QUERY", "DISTANCE takes"},
		{"SELECT Id FROM Account WHERE DISTANCE(BillingAddress, GEOLOCATION(98, 11), 'km') < 20", "MALFORMED_QUERY", "DISTANCE takes"},
		{"SELECT Id FROM Account WHERE DISTANCE(BillingAddress, GEOLOCATION(48, 11), 'yd') < 20", "MALFORMED_QUERY", "DISTANCE takes"},
		{"SELECT Id FROM Account WHERE BillingAddress = 'x'", "INVALID_FIELD", "can not be filtered"},
		{"SELECT toLabel(AnnualRevenue) FROM Account", "MALFORMED_QUERY", "does not support the function TOLABEL"},
		{"SELECT FORMAT(Industry), Industry FROM Account", "INVALID_FIELD", "duplicate field selected"},
		{"SELECT Id FROM Account WHERE AnnualRevenue > XXX5", "INVALID_FIELD", "must be of type currency"},
		{"SELECT Id FROM Account WHERE NumberOfEmployees > EUR5", "INVALID_FIELD", "must be of type int"},
		{"SELECT Id FROM Account WHERE Industry INCLUDES ('Retail')", "INVALID_QUERY_FILTER_OPERATOR", "invalid operator on picklist field"},
		{"SELECT Id FROM Account WHERE Regions__c LIKE 'E%'", "INVALID_QUERY_FILTER_OPERATOR", "invalid operator on multipicklist field"},
		{"SELECT TYPEOF What WHEN Secret__c THEN Id END FROM Task", "INVALID_TYPE", "'Secret__c' is not supported"},
		{"SELECT TYPEOF Owner WHEN User THEN Id END FROM Task", "INVALID_FIELD", "no relationship to several objects"},
		{"SELECT TYPEOF What ELSE Name END FROM Task", "MALFORMED_QUERY", "unexpected token: 'ELSE'"},
		{"SELECT Id FROM Account USING SCOPE theirs", "MALFORMED_QUERY", "unexpected token: 'theirs'"},
		{"SELECT Id FROM Account WITH SYSTEM_MODE", "MALFORMED_QUERY", "unexpected token: 'SYSTEM_MODE'"},
		{"SELECT Id FROM Account WITH DATA CATEGORY Region__c AT europe__c", "MALFORMED_QUERY", "no data categories"},
		{"SELECT Title FROM KnowledgeArticleVersion", "MALFORMED_QUERY", "Implementation restriction"},
		{"SELECT Id FROM Account FOR UPDATE", "MALFORMED_QUERY", "unexpected token: 'UPDATE'"},
		{"SELECT Id FROM Account WHERE CreatedDate = LAST_N_DAYS", "MALFORMED_QUERY", "unexpected token"},
		{"SELECT Id FROM Account WHERE CreatedDate = LAST_N_DAYS:99999999", "NUMBER_OUTSIDE_VALID_RANGE", "100000"},
		{"SELECT Id FROM Account WHERE Name IN (SELECT Name FROM Contact)", "MALFORMED_QUERY", "should be an id field"},
		{"SELECT Id FROM Account WHERE Id IN (SELECT Name FROM Contact)", "MALFORMED_QUERY", "can only query id fields"},
		{"SELECT Id FROM Account WHERE Id IN (SELECT AccountId FROM Contact) OR Name = 'x'", "MALFORMED_QUERY", "not allowed with the 'OR' operator"},
		{"SELECT Id FROM Account WHERE Id IN (SELECT AccountId FROM Contact WHERE Id IN (SELECT ContactId FROM Case))", "MALFORMED_QUERY", "Nesting"},
		{"SELECT Id FROM Account WHERE Id IN (SELECT AccountId FROM Contact LIMIT 1)", "MALFORMED_QUERY", "without GROUP BY, ORDER BY or LIMIT"},
		{"SELECT Id FROM Account WHERE Id IN (SELECT AccountId FROM Contact) AND Id IN (SELECT AccountId FROM Case) AND Id NOT IN (SELECT AccountId FROM Asset)", "MALFORMED_QUERY", "maximum 2"},
		{"SELECT Id FROM Contact WHERE Account.Parent.Parent.Parent.Parent.Parent.Name = 'x'", "MALFORMED_QUERY", "at most 5 relationships"},
		{"SELECT x.Id FROM Account x, y", "MALFORMED_QUERY", "unexpected token"},
		{"SELECT x.Id, c.Id FROM Account x, x.Contacts c", "INVALID_FIELD", "Didn't understand relationship 'Contacts'"},
		{"SELECT " + strings.Repeat("FORMAT(", 5000) + "Name" + strings.Repeat(")", 5000) + " FROM Account", "MALFORMED_QUERY", "unexpected token"},
	} {
		text, refused := c.query(tt.q)
		if refused == nil || refused.Code != tt.code || !strings.Contains(refused.Message, tt.says) {
			t.Errorf("%.120s: %v %.200s; want %s: … %s", tt.q, refused, text, tt.code, tt.says)
		}
	}
}

// The clock stands at Tuesday 2026-03-10.
func TestDateWords(t *testing.T) {
	t.Parallel()
	for word, want := range map[string]string{
		"LAST_WEEK": "2026-03-01 2026-03-08", "THIS_WEEK": "2026-03-08 2026-03-15", "NEXT_WEEK": "2026-03-15 2026-03-22",
		"LAST_90_DAYS": "2025-12-10 2026-03-11", "NEXT_90_DAYS": "2026-03-11 2026-06-09",
		"LAST_N_WEEKS:2": "2026-02-22 2026-03-08", "NEXT_N_MONTHS:2": "2026-04-01 2026-06-01", "LAST_N_QUARTERS:1": "2025-10-01 2026-01-01",
		"LAST_N_YEARS:2": "2024-01-01 2026-01-01", "N_DAYS_AGO:3": "2026-03-07 2026-03-08", "N_MONTHS_AGO:1": "2026-02-01 2026-03-01",
		"THIS_FISCAL_QUARTER": "2026-01-01 2026-04-01", "NEXT_FISCAL_YEAR": "2027-01-01 2028-01-01", "N_FISCAL_YEARS_AGO:1": "2025-01-01 2026-01-01",
	} {
		toks, refused := lexQuery(word, 0)
		if refused != nil {
			t.Fatal(refused)
		}
		c := &compareNode{}
		if refused := (&queryParser{text: word, toks: toks}).value(c); refused != nil {
			t.Errorf("%s: %v", word, refused)
			continue
		}
		span, ok := rangeOf(c.values[0], c.count, testNow)
		if got := span.from.Format(dateLayout) + " " + span.to.Format(dateLayout); got != want || !ok {
			t.Errorf("%s is %s, want %s", word, got, want)
		}
	}
}

// TestViews: a query that says that a person looks at its records changes them; the
// corpus calls that a side effect.
func TestViews(t *testing.T) {
	t.Parallel()
	c := readAs(t, rep())
	if got := c.rows("SELECT LastViewedDate FROM Lead WHERE LastName = 'Lindqvist'"); got != `{"LastViewedDate":null}` {
		t.Errorf("before: %s", got)
	}
	c.soql("SELECT Id FROM Lead WHERE LastName = 'Lindqvist' FOR VIEW")
	c.soql("SELECT Id FROM Lead WHERE LastName = 'Castellanos' FOR REFERENCE UPDATE TRACKING")
	const now = "2026-03-10T15:00:00.000+0000"
	if got, want := c.rows("SELECT LastName, LastViewedDate, LastReferencedDate FROM Lead ORDER BY LastName"),
		`{"LastName":"Castellanos","LastReferencedDate":"`+now+`","LastViewedDate":null} {"LastName":"Lindqvist","LastReferencedDate":"`+now+`","LastViewedDate":"`+now+`"}`; got != want {
		t.Errorf("after:\n got %s\nwant %s", got, want)
	}
	c.do(func(v *View) (Object, *Error) {
		return v.Search("FIND {European} RETURNING KnowledgeArticleVersion(Id) LIMIT 5 UPDATE VIEWSTAT")
	})
	if got := c.rows("SELECT ArticleTotalViewCount FROM KnowledgeArticleVersion WHERE PublishStatus = 'Online' ORDER BY Title"); got != `{"ArticleTotalViewCount":null} {"ArticleTotalViewCount":1}` {
		t.Errorf("views of articles: %s", got)
	}
}

// TestAllRows: the Recycle Bin is asked only by ALL ROWS.
func TestAllRows(t *testing.T) {
	t.Parallel()
	c := readAs(t, rep())
	c.do(func(v *View) (Object, *Error) { return nil, v.Delete("Lead", RecordID("00Q", 1)) })
	if got := c.rows("SELECT COUNT(Id) n FROM Lead"); got != `{"n":1}` {
		t.Errorf("without: %s", got)
	}
	if got := c.rows("SELECT IsDeleted, COUNT(Id) n FROM Lead GROUP BY IsDeleted ORDER BY IsDeleted ALL ROWS"); got != `{"IsDeleted":false,"n":1} {"IsDeleted":true,"n":1}` {
		t.Errorf("with ALL ROWS: %s", got)
	}
}

// TestCopies: a case shows its contact's address whatever is hidden at the contact, as the
// platform does; hiding the copy hides it.
func TestCopies(t *testing.T) {
	t.Parallel()
	u := rep()
	u.HiddenObjects, u.HiddenFields = append(u.HiddenObjects, "Lead"), []string{"Contact.Email"}
	c := readAs(t, u)
	c.create("Case", map[string]any{"Subject": "Copy", "ContactId": RecordID("003", 1)})
	if got := c.rows("SELECT ContactEmail FROM Case WHERE Subject = 'Copy'"); got != `{"ContactEmail":"dana.whitfield@northwind.example"}` {
		t.Errorf("case: %s", got)
	}
	if got := c.rows("SELECT Email FROM CampaignMember WHERE LastName = 'Lindqvist'"); got != `{"Email":"noah.lindqvist@fjordferries.example"}` {
		t.Errorf("campaign member: %s", got)
	}
	if code := c.code("SELECT Contact.Email FROM Case"); code != "INVALID_FIELD" {
		t.Errorf("the contact itself: %q", code)
	}
}
