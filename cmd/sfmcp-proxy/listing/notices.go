package listing

import "sfmcp-proxy/authproxy/notice"

type noticeRow struct {
	ID       string `json:"id" col:"ID" fit:"drop"`
	Target   string `json:"target" col:"TARGET" fit:"line,late"`
	Event    string `json:"event" col:"EVENT"`
	About    string `json:"about" col:"ABOUT" fit:"line,late"`
	Created  moment `json:"created_at" col:"CREATED"`
	Attempts int    `json:"attempts" col:"ATTEMPTS" fit:"drop"`
	Outcome  string `json:"outcome" col:"OUTCOME"`
	Next     moment `json:"next_at" col:"NEXT" fit:"drop"`
	Problem  string `json:"problem" col:"PROBLEM" fit:"line,late"`
}

// Notices prints messages of the queue.
func (p Printer) Notices(list []notice.Row) error {
	all := make([]noticeRow, len(list))
	for i, r := range list {
		outcome := r.Outcome
		if outcome == "" {
			outcome = "waiting"
		}
		all[i] = noticeRow{r.ID, r.Target, string(r.Event), r.About, moment{r.Created}, r.Attempts, outcome, moment{r.Next}, r.Problem}
		if r.Outcome != "" {
			all[i].Next = moment{}
		}
	}
	return rows(p, all)
}
