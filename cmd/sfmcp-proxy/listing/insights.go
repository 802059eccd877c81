package listing

import (
	"fmt"
	"time"

	"sfmcp-proxy/authproxy/approval/insights"
)

type insightRow struct {
	Of        insights.Kind `json:"of"`
	Name      string        `json:"name"`
	About     string        `json:"-" col:"OF" fit:"line"`
	Held      int           `json:"held" col:"HELD"`
	Approved  int           `json:"approved"`
	Share     string        `json:"-" col:"APPROVED"`
	Denied    int           `json:"denied" col:"DENIED"`
	Countered int           `json:"countered" col:"COUNTERED" fit:"drop"`
	Expired   int           `json:"expired" col:"EXPIRED"`
	Waiting   int           `json:"waiting" col:"WAITING" fit:"drop"`
	Took      string        `json:"-" col:"MEDIAN"`
	Most      string        `json:"-" col:"P95"`
	MedianMS  int64         `json:"median_ms"` // 0: there was no decision
	P95MS     int64         `json:"p95_ms"`
	Habit     bool          `json:"habit"`
}

// Insights prints how calls that waited were decided.
func (p Printer) Insights(groups []insights.Group) error {
	if !p.JSON && groups[0].Held == 0 {
		return rows[insightRow](p, nil)
	}
	all := make([]insightRow, len(groups))
	for i, g := range groups {
		all[i] = insightRow{
			Of: g.Of, Name: g.Name, About: aboutGroup(g), Held: g.Held, Approved: g.Approved, Share: approvedShare(g), Denied: g.Denied, Countered: g.Countered, Expired: g.Expired,
			Waiting: g.Waiting, Took: took(g.Median), Most: took(g.P95), MedianMS: g.Median.Milliseconds(), P95MS: g.P95.Milliseconds(), Habit: g.Habit,
		}
	}
	if err := rows(p, all); err != nil || p.JSON {
		return err
	}
	for _, g := range groups {
		if g.Habit {
			if err := p.paragraph(0, "%s: %s of the decisions are approvals, half of them within %s: that is sooner than a call can be read", aboutGroup(g), g.Share(), took(g.Median)); err != nil {
				return err
			}
		}
	}
	return nil
}

// aboutGroup says what the calls of a group have in common.
func aboutGroup(g insights.Group) string {
	switch g.Of {
	case insights.All:
		return "all calls"
	case insights.By:
		return "by " + g.Name
	}
	return g.Name
}

// approvedShare is how many were approved, and of how many decisions.
func approvedShare(g insights.Group) string {
	if g.Approved == 0 {
		return "0"
	}
	return fmt.Sprintf("%d (%s)", g.Approved, g.Share())
}

func took(d time.Duration) string {
	switch {
	case d == 0:
		return "-"
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < 10*time.Second:
		return d.Round(100 * time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}
