package api

import (
	"cmp"
	"time"

	"sfmcp-proxy/authproxy/approval/insights"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/oversight"
)

// Insights is how calls were decided that began to wait since a time.
type Insights struct {
	Since  time.Time `json:"since"`
	Cut    bool      `json:"cut" doc:"only the newest are counted: choose a shorter time"`
	Total  int       `json:"total" doc:"groups that there are; the first 200 are listed"`
	Groups []Insight `json:"groups" doc:"all calls, then by rule, then by who decided; those with most calls first"`
}

// Insight is what became of calls that have something in common.
type Insight struct {
	Of        insights.Kind `json:"of" doc:"what they have in common: all, rule, or by, which is who decided"`
	Name      string        `json:"name,omitempty" doc:"the rule, or who decided"`
	Held      int           `json:"held" doc:"how many waited; of who decided: how many decisions"`
	Approved  int           `json:"approved"`
	Denied    int           `json:"denied"`
	Countered int           `json:"countered" doc:"another call was proposed in their place"`
	Expired   int           `json:"expired"`
	Waiting   int           `json:"waiting"`
	MedianMS  int64         `json:"median_ms" doc:"half of the decisions took at most that; 0: there was none"`
	P95MS     int64         `json:"p95_ms"`
	Habit     bool          `json:"habit" doc:"nearly everything is approved, half of it sooner than a call can be read"`
}

// insights says how calls that waited were decided.
func (a logRoutes) insights(q *call) (Insights, error) {
	begin, _, err := a.Reads.Times(cmp.Or(q.query.Get("since"), "30d"), q.now.UTC())
	if err != nil {
		return Insights{}, badRequest.is("since: "+err.Error(), "Send a time of one of these forms.")
	}
	groups, cut, err := a.Reads.Insights(q.Context(), audit.Filter{Since: begin, Limit: oversight.InsightsLooked})
	if err != nil {
		return Insights{}, err
	}
	list := Insights{Since: begin, Cut: cut, Total: len(groups), Groups: []Insight{}}
	for _, g := range groups[:min(len(groups), maxPage)] {
		list.Groups = append(list.Groups, Insight{Of: g.Of, Name: g.Name, Held: g.Held, Approved: g.Approved, Denied: g.Denied, Countered: g.Countered,
			Expired: g.Expired, Waiting: g.Waiting, MedianMS: g.Median.Milliseconds(), P95MS: g.P95.Milliseconds(), Habit: g.Habit})
	}
	return list, nil
}
