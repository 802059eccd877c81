package records

import (
	"strings"
	"testing"
)

// rows runs a query and writes its records without attributes, one JSON object each.
func (c reader) rows(q string) string {
	c.t.Helper()
	var out []string
	for _, r := range c.soql(q) {
		record := r.(map[string]any)
		strip(record)
		out = append(out, string(Encode(record)))
	}
	return strings.Join(out, " ")
}

// strip removes the attributes of a record and of what is inside of it.
func strip(record map[string]any) {
	delete(record, "attributes")
	for _, v := range record {
		if inner, ok := v.(map[string]any); ok {
			strip(inner)
		}
	}
}

func TestGroups(t *testing.T) {
	t.Parallel()
	c := readAs(t, manager())
	for _, tt := range []struct{ q, want string }{
		{"SELECT COUNT(Id), COUNT(Amount) priced, MIN(Amount), MAX(Amount), SUM(Amount) total, AVG(Amount) FROM Opportunity",
			`{"expr0":6,"expr1":64000,"expr2":540000,"expr3":239500.1,"priced":5,"total":1197500.5}`},
		{"SELECT IsWon, COUNT(Id) n FROM Opportunity GROUP BY IsWon ORDER BY IsWon", `{"IsWon":false,"n":5} {"IsWon":true,"n":1}`},
		{"SELECT Industry, COUNT(Id) FROM Account GROUP BY Industry HAVING COUNT(Id) > 1", `{"Industry":"Logistics","expr0":2}`},
		{"SELECT Industry i, SUM(AnnualRevenue) s FROM Account GROUP BY Industry ORDER BY SUM(AnnualRevenue) DESC LIMIT 2",
			`{"i":"Retail","s":460000000} {"i":"Healthcare","s":212500000}`},
		{"SELECT Industry, MAX(AnnualRevenue) m FROM Account GROUP BY Industry ORDER BY m NULLS LAST LIMIT 1 OFFSET 1", `{"Industry":"Logistics","m":84000000}`},
		{"SELECT Account.Industry, COUNT_DISTINCT(Department) n FROM Contact GROUP BY Account.Industry ORDER BY Account.Industry",
			`{"Industry":"Energy","n":1} {"Industry":"Healthcare","n":2} {"Industry":"Logistics","n":2} {"Industry":"Retail","n":1}`},
		{"SELECT Type, Rating, COUNT(Id) n, GROUPING(Type) gt, GROUPING(Rating) gr FROM Account WHERE Type = 'Prospect' GROUP BY ROLLUP(Type, Rating)",
			`{"Rating":"Hot","Type":"Prospect","gr":0,"gt":0,"n":1} {"Rating":null,"Type":"Prospect","gr":0,"gt":0,"n":1} ` +
				`{"Rating":null,"Type":"Prospect","gr":1,"gt":0,"n":2} {"Rating":null,"Type":null,"gr":1,"gt":1,"n":2}`},
		{"SELECT Type, Rating, COUNT(Id) n FROM Account WHERE Rating = 'Hot' GROUP BY CUBE(Type, Rating) ORDER BY COUNT(Id), Type, Rating",
			`{"Rating":null,"Type":"Customer","n":1} {"Rating":"Hot","Type":"Customer","n":1} {"Rating":null,"Type":"Prospect","n":1} ` +
				`{"Rating":"Hot","Type":"Prospect","n":1} {"Rating":null,"Type":null,"n":2} {"Rating":"Hot","Type":null,"n":2}`},
		{"SELECT CALENDAR_MONTH(CloseDate) m, COUNT(Id) n FROM Opportunity GROUP BY CALENDAR_MONTH(CloseDate) ORDER BY CALENDAR_MONTH(CloseDate)",
			`{"m":2,"n":2} {"m":3,"n":1} {"m":4,"n":1} {"m":5,"n":1} {"m":6,"n":1}`},
		{"SELECT FISCAL_QUARTER(CloseDate), CALENDAR_YEAR(CloseDate), SUM(Amount) FROM Opportunity GROUP BY FISCAL_QUARTER(CloseDate), CALENDAR_YEAR(CloseDate) HAVING SUM(Amount) > 500000",
			`{"expr0":1,"expr1":2026,"expr2":813500.5}`},
		{"SELECT HOUR_IN_DAY(CreatedDate), DAY_IN_WEEK(CreatedDate) d, DAY_ONLY(CreatedDate) o, WEEK_IN_YEAR(CreatedDate) w FROM Lead " +
			"GROUP BY HOUR_IN_DAY(CreatedDate), DAY_IN_WEEK(CreatedDate), DAY_ONLY(CreatedDate), WEEK_IN_YEAR(CreatedDate)", `{"d":3,"expr0":15,"o":"2026-03-10","w":10}`},
		{"SELECT FORMAT(MAX(Amount)) most, convertCurrency(MIN(Amount)) least FROM Opportunity", `{"least":64000,"most":"USD 540,000.00"}`},
		{"SELECT MAX(Name), MIN(CloseDate) FROM Opportunity", `{"expr0":"Northwind route planning","expr1":"2026-02-03"}`},
		{"SELECT SUM(Amount), AVG(Amount), MAX(Name), COUNT(Id) FROM Opportunity WHERE Name = 'none'", `{"expr0":null,"expr1":null,"expr2":null,"expr3":0}`},
		{"SELECT Industry FROM Account WHERE Name = 'none' GROUP BY Industry", ``},
	} {
		if got := c.rows(tt.q); got != tt.want {
			t.Errorf("%s\n got %s\nwant %s", tt.q, got, tt.want)
		}
	}
}

func TestGroupsRefused(t *testing.T) {
	t.Parallel()
	c := readAs(t, rep())
	for _, tt := range []struct{ q, says string }{
		{"SELECT Name, COUNT(Id) FROM Account", "Field must be grouped or aggregated: Name"},
		{"SELECT Industry, Name FROM Account GROUP BY Industry", "Field must be grouped or aggregated: Name"},
		{"SELECT Industry FROM Account GROUP BY Industry ORDER BY Name", "Field must be grouped or aggregated: Name"},
		{"SELECT MAX(Amount) FROM Opportunity LIMIT 1", "cannot also use LIMIT"},
		{"SELECT SUM(Name) FROM Opportunity", "field Name does not support the function SUM"},
		{"SELECT MAX(IsWon) FROM Opportunity", "does not support the function MAX"},
		{"SELECT COUNT(Description) FROM Account", "does not support the function COUNT"},
		{"SELECT CALENDAR_YEAR(Name) FROM Account GROUP BY CALENDAR_YEAR(Name)", "does not support the function CALENDAR_YEAR"},
		{"SELECT CALENDAR_YEAR(CreatedDate) FROM Account", "must be grouped"},
		{"SELECT Amount FROM Opportunity GROUP BY Amount", "field 'Amount' can not be grouped"},
		{"SELECT CreatedDate FROM Account GROUP BY CreatedDate", "can not be grouped"},
		{"SELECT COUNT(Id) FROM Account GROUP BY ROLLUP(Type, Rating, Industry, Name)", "unexpected token"},
		{"SELECT Industry, (SELECT Id FROM Contacts) FROM Account GROUP BY Industry", "not supported with nested queries"},
		{"SELECT Id, (SELECT COUNT(Id) FROM Contacts) FROM Account", "not supported in a nested query"},
		{"SELECT Name n FROM Account", "only aggregate expressions use field aliasing"},
		{"SELECT Id FROM Account ORDER BY COUNT(Id)", "needs GROUP BY"},
		{"SELECT COUNT() FROM Account ORDER BY Name", "COUNT() has no order"},
		{"SELECT COUNT(), Name FROM Account", "unexpected token"},
		{"SELECT COUNT() FROM Account GROUP BY Industry", "not groups"},
		{"SELECT Id FROM Account HAVING COUNT(Id) > 1", "unexpected token: 'HAVING'"},
	} {
		text, refused := c.query(tt.q)
		if refused == nil || refused.Code != "MALFORMED_QUERY" || !strings.Contains(refused.Message, tt.says) {
			t.Errorf("%s: %v %s; want MALFORMED_QUERY: … %s", tt.q, refused, text, tt.says)
		}
	}
}

// A hidden field is hidden from every function and clause too.
func TestGroupsOfHiddenField(t *testing.T) {
	t.Parallel()
	u := rep()
	u.HiddenFields = []string{"Opportunity.Amount", "Case.ContactEmail"}
	c := readAs(t, u)
	for _, q := range []string{
		"SELECT SUM(Amount) FROM Opportunity", "SELECT FORMAT(Amount) FROM Opportunity", "SELECT StageName FROM Opportunity GROUP BY StageName HAVING MAX(Amount) > 5",
		"SELECT StageName FROM Opportunity GROUP BY StageName ORDER BY MAX(Amount)", "SELECT Id FROM Opportunity WHERE Amount > EUR5",
		"SELECT TYPEOF What WHEN Opportunity THEN Amount END FROM Task", "SELECT ContactEmail FROM Case",
	} {
		if code := c.code(q); code != "INVALID_FIELD" {
			t.Errorf("%s: %q, want INVALID_FIELD", q, code)
		}
	}
}
