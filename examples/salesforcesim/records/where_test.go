package records

import (
	"testing"
)

func TestWhere(t *testing.T) {
	t.Parallel()
	c := readAs(t, manager())
	c.create("Account", map[string]any{"Name": `100% O'Malley \ Söhne_1`, "BillingCity": "Cork"})
	const (
		north, cascade, helios, meridian = "Northwind Logistics", "Cascade Health Partners", "Helios Energy GmbH", "Meridian Retail Group"
		cold, omalley                    = "Northwind Cold Storage", `100% O'Malley \ Söhne_1`
	)
	for _, tt := range []struct{ where, want string }{
		{"Name = 'helios energy gmbh'", helios},
		{"Name != 'Helios Energy GmbH' AND Industry = 'Energy'", ""},
		// Null is not equal to anything.
		{"Industry <> 'Logistics'", join(omalley, cascade, helios, meridian)},
		{"Industry = null", omalley},
		{"Industry != NULL AND Rating = null", cold},
		{"AnnualRevenue < 84000000", helios},
		{"Name LIKE '%e__idian%'", ""},
		{"Name LIKE '%er_dian%'", meridian},
		{"AnnualRevenue <= 84000000.0", join(helios, north)},
		{"AnnualRevenue > 212499999.5", join(cascade, meridian)},
		{"AnnualRevenue >= 460000000", meridian},
		{"NumberOfEmployees > -1 AND NumberOfEmployees < +700", join(helios, north)},
		{"Name > 'Meridian' AND Name < 'northwind d'", join(meridian, cold)},
		{"Name LIKE 'north%'", join(cold, north)},
		{`Name LIKE '100\%%'`, omalley},
		{`Name LIKE '%S_hne\_1'`, omalley},
		{`Name LIKE '%\\%'`, omalley},
		{`Name LIKE '%.%'`, ""},
		{`Name = '100% O\'Malley \\ Söhne_1'`, omalley},
		{"Name IN ('Helios Energy GmbH', 'MERIDIAN RETAIL GROUP', 'none')", join(helios, meridian)},
		{"Rating NOT IN ('Hot', 'Warm')", join(omalley, meridian, cold)},
		{"Rating IN ('Cold', null)", join(omalley, meridian, cold)},
		{"NOT Industry = 'Logistics'", join(omalley, cascade, helios, meridian)},
		{"NOT (Industry = 'Logistics' OR Industry = null)", join(cascade, helios, meridian)},
		{"(Industry = 'Energy' OR Industry = 'Retail') AND Rating = 'Hot'", helios},
		{"Industry = 'Energy' OR (Industry = 'Retail' AND (Rating = 'Cold' OR Rating = 'Hot'))", join(helios, meridian)},
		{"Parent.Name = 'Northwind Logistics'", cold},
		{"Parent.Industry = null", join(omalley, cascade, helios, meridian, north)},
		{"Owner.Profile.Name = 'Sales Manager'", omalley},
		{"Owner.Manager.Name = 'Morgan Adeyemi' AND BillingCountry = 'Germany'", helios},
		{"Account.Name = 'Helios Energy GmbH'", helios},
		{"Id = '" + heliosID[:15] + "'", helios},
		{"Id IN (SELECT AccountId FROM Opportunity WHERE IsWon = true)", meridian},
		{"Id NOT IN (SELECT AccountId FROM Contact)", join(omalley, cold)},
		{"Id IN (SELECT Account__c FROM Secret__c WHERE Classification__c = 'Restricted')", north},
		{"CreatedDate = TODAY", join(omalley, cascade, helios, meridian, cold, north)},
		{"CreatedDate = 2026-03-10T15:00:00Z AND Rating = 'Warm'", cascade},
		{"CreatedDate > 2026-03-10T16:00:00+01:00", ""},
		{"CreatedDate >= 2026-03-10T16:00:00+01:00 AND Rating = 'Warm'", cascade},
	} {
		if got := c.column("SELECT Name FROM Account WHERE "+tt.where+" ORDER BY Name", "Name"); got != tt.want {
			t.Errorf("WHERE %s\n got %q\nwant %q", tt.where, got, tt.want)
		}
	}
}

func join(names ...string) string {
	out := ""
	for i, n := range names {
		if i > 0 {
			out += ", "
		}
		out += n
	}
	return out
}

// The clock stands at 2026-03-10; opportunities close at +21, +75, +40, +90, -35 and -12 days.
func TestDates(t *testing.T) {
	t.Parallel()
	c := readAs(t, rep())
	for _, tt := range []struct {
		where string
		want  int
	}{
		{"CloseDate = 2026-03-31", 1},
		{"CloseDate != 2026-03-31", 5},
		{"CloseDate < 2026-03-31", 2},
		{"CloseDate <= 2026-03-31", 3},
		{"CloseDate > TODAY", 4},
		{"CloseDate < TODAY", 2},
		{"CloseDate = LAST_N_DAYS:12", 1},
		{"CloseDate = LAST_N_DAYS:11", 0},
		{"CloseDate = NEXT_N_DAYS:40", 2},
		{"CloseDate = NEXT_N_DAYS:39", 1},
		{"CloseDate = THIS_MONTH", 1},
		{"CloseDate = LAST_MONTH", 2},
		{"CloseDate = NEXT_MONTH", 1},
		{"CloseDate = THIS_QUARTER", 3},
		{"CloseDate > THIS_QUARTER", 3},
		{"CloseDate = NEXT_QUARTER", 3},
		{"CloseDate = LAST_QUARTER", 0},
		{"CloseDate = THIS_YEAR", 6},
		{"CloseDate >= NEXT_YEAR", 0},
		{"CloseDate = YESTERDAY OR CloseDate = TOMORROW", 0},
	} {
		if got := len(c.soql("SELECT Id FROM Opportunity WHERE " + tt.where)); got != tt.want {
			t.Errorf("WHERE %s: %d records, want %d", tt.where, got, tt.want)
		}
	}
}

func TestOrderLimitOffset(t *testing.T) {
	t.Parallel()
	c := readAs(t, rep())
	for _, tt := range []struct{ q, want string }{
		{"SELECT Name FROM Opportunity ORDER BY Amount LIMIT 2", "Helios monitoring pilot, Northwind route planning"},
		{"SELECT Name FROM Opportunity ORDER BY Amount DESC LIMIT 2", "Helios monitoring pilot, Meridian store rollout"},
		{"SELECT Name FROM Opportunity ORDER BY Amount DESC NULLS LAST LIMIT 1", "Meridian store rollout"},
		{"SELECT Name FROM Opportunity ORDER BY Amount ASC NULLS FIRST LIMIT 1", "Helios monitoring pilot"},
		{"SELECT Name FROM Opportunity ORDER BY CloseDate LIMIT 1 OFFSET 1", "Meridian loyalty add-on"},
		{"SELECT Name FROM Opportunity ORDER BY IsWon DESC, Account.Name, Name DESC LIMIT 2", "Meridian store rollout, Cascade patient portal"},
		{"SELECT Name FROM Opportunity LIMIT 0", ""},
		{"SELECT Name FROM Opportunity OFFSET 100", ""},
		{"SELECT o.Name FROM Opportunity o WHERE o.Account.Name LIKE 'Helios%'", "Helios monitoring pilot"},
		{"SELECT Opportunity.Name FROM Opportunity AS o WHERE o.Amount = null", "Helios monitoring pilot"},
	} {
		if got := c.column(tt.q, "Name"); got != tt.want {
			t.Errorf("%s\n got %q\nwant %q", tt.q, got, tt.want)
		}
	}
}
