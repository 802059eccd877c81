package listing

import "sfmcp-proxy/authproxy/budget"

type budgetRow struct {
	Scope  string `json:"scope" col:"OF" fit:"line,late"`
	Budget string `json:"budget" col:"BUDGET" fit:"line,late"`
	Org    string `json:"org,omitempty" col:"ORG" fit:"drop"`
	Party  string `json:"party,omitempty" col:"PARTY" fit:"line,id,late"`
	Used   int64  `json:"used"`
	Limit  int64  `json:"limit"`
	Taken  string `json:"-" col:"USED"`
	Most   string `json:"-" col:"LIMIT"`
	Renews moment `json:"renews" col:"BEGINS ANEW" fit:"drop"`
}

// Budgets prints how much of budgets is used.
func (p Printer) Budgets(counts []budget.Count) error {
	all := make([]budgetRow, len(counts))
	for i, c := range counts {
		all[i] = budgetRow{c.Scope, c.Name, c.Org, c.Party, c.Taken, c.Limit, c.Amount(c.Taken), c.Amount(c.Limit), moment{c.Renews}}
	}
	return rows(p, all)
}
