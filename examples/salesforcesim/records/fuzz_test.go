package records

import "testing"

// FuzzQuery holds the parser to its promise that every text is answered and none crashes.
func FuzzQuery(f *testing.F) {
	for _, q := range []string{
		"SELECT Id, Account.Name, (SELECT Id FROM Cases) FROM Contact WHERE Name LIKE 'a\\%_' AND (NOT Id IN ('x')) ORDER BY Name LIMIT 1",
		"SELECT COUNT() FROM Opportunity WHERE CloseDate = LAST_N_DAYS:3 OR Amount >= -1.5",
		"SELECT FIELDS(ALL) FROM Account LIMIT 1", "FIND {a* OR \"b c\"} IN ALL FIELDS RETURNING Account(Id WHERE Name = 'x')", "'", "\\", "\xff",
	} {
		f.Add(q)
	}
	d := testStore(f)
	f.Fuzz(func(t *testing.T, q string) {
		d.Do(rep(), func(v *View) {
			for _, ask := range []func(string) (Object, *Error){v.Query, v.Search} {
				if o, refused := ask(q); refused == nil {
					Encode(o)
				} else {
					Encode(refused)
				}
			}
		})
	})
}
