package api

import (
	"errors"
	"time"

	"sfmcp-proxy/authproxy"
	"sfmcp-proxy/authproxy/oversight"
	"sfmcp-proxy/authproxy/review"
)

// Review is an access review, without its items.
type Review struct {
	ID        string    `json:"id"`
	Since     time.Time `json:"since" doc:"of what was used since then"`
	Until     time.Time `json:"until"`
	Servers   []string  `json:"servers"`
	Items     int       `json:"items"`
	Open      int       `json:"open" doc:"items about which nobody has decided"`
	Begun     time.Time `json:"begun"`
	By        string    `json:"by"`
	Entry     int64     `json:"entry" doc:"of the audit log"`
	OtherLogs []string  `json:"other_logs,omitempty" doc:"machines of other replicas: what was called there is not in it"`
}

// reviews lists the access reviews that have begun, the newest first.
func (a reviewRoutes) reviews(q *call) (List[Review], error) {
	all, err := a.Reviews.Summaries(q.Context())
	if err != nil {
		return List[Review]{}, err
	}
	return listed(q, all, func(s authproxy.Summary) string { return newestFirst(s.Begun, s.ID) }, func(s authproxy.Summary) Review { return reviewOf(&s.Review, s.Open) })
}

func reviewOf(r *review.Review, open int) Review {
	return Review{r.ID, r.Since, r.Until, append([]string{}, r.Servers...), r.Scope.Items, open, r.Begun, r.By, r.Entry, r.OtherLogs}
}

// ReviewItem is one person's access to one server, as it was when the review began.
type ReviewItem struct {
	Org         string    `json:"org"`
	Subject     string    `json:"subject" doc:"Salesforce user id; a pseudonym if the person was erased"`
	Username    string    `json:"username,omitempty"`
	Server      string    `json:"server"`
	Connections int       `json:"connections" doc:"0: they might connect, and had not"`
	Used        int       `json:"tools_used"`
	Unused      int       `json:"tools_not_used" doc:"that they see"`
	LastUse     time.Time `json:"last_use,omitzero"`
	Decision    string    `json:"decision,omitempty" doc:"keep or revoke; missing: none yet"`
	DecidedBy   string    `json:"decided_by,omitempty"`
	DecidedAt   time.Time `json:"decided_at,omitzero"`
	Reason      string    `json:"reason,omitempty"`
}

func itemOf(i *review.Item) ReviewItem {
	item := ReviewItem{Org: i.Org, Subject: i.Subject, Username: i.Username, Server: i.Server, Connections: i.Connections, Used: i.UsedTotal, Unused: i.UnusedTotal, LastUse: i.LastUsed}
	if d := i.Decision; d != nil {
		item.Decision, item.DecidedBy, item.DecidedAt, item.Reason = string(d.What), d.By, d.At, d.Reason
	}
	return item
}

// review lists the items of one review.
func (a reviewRoutes) review(q *call) (List[ReviewItem], error) {
	name := q.variable("review")
	if review.ValidName(name) != nil {
		return List[ReviewItem]{}, oversight.ErrNotFound
	}
	r, err := a.Reviews.Review(q.Context(), name)
	if there, ok := errors.AsType[*authproxy.ElsewhereError](err); ok {
		err = notFound.is("Not here: "+there.Error()+".", "Ask again until that replica answers, or use 'review status' on its machine.")
	} else if errors.Is(err, authproxy.ErrNoReview) {
		err = oversight.ErrNotFound
	}
	if err != nil {
		return List[ReviewItem]{}, err
	}
	return listed(q, r.Items, func(i *review.Item) string { return i.Server + " " + i.Org + " " + i.Subject }, itemOf)
}

// Quarter is of which time a review is to be.
type Quarter struct {
	Quarter string `json:"quarter,omitempty" doc:"such as 2026-Q3; missing: the last whole one" max:"20"`
	Server  string `json:"server,omitempty" doc:"name of the endpoint; missing: all" max:"300"`
	Reason  Reason `json:"reason" doc:"why, in a few words" min:"1" max:"200"`
}

// startReview begins a review of a quarter, which ends nothing.
func (a reviewRoutes) startReview(q *call, in *Quarter) (Review, error) {
	name, begin, end, err := review.Quarter(in.Quarter, q.now.UTC())
	if err != nil {
		return Review{}, badRequest.is("quarter: "+err.Error()+".", "Send one such as 2026-Q3, or none for the last whole one.")
	}
	scope := review.Scope{Since: begin, Until: end}
	if in.Server != "" {
		if a.Reads.Access.Server(in.Server) == nil {
			return Review{}, badRequest.is("server: there is none of that name.", "Send the name of an endpoint, or none for all.")
		}
		name, scope.Servers = name+"."+in.Server, []string{in.Server}
	}
	r, err := a.Reviews.Begin(q.Context(), q.act(in.Reason), name, scope)
	there, isThere := errors.AsType[*authproxy.ElsewhereError](err)
	switch {
	case isThere:
		return Review{}, conflict.is("It has begun: "+there.Error()+". Nothing was done.", "Ask that replica, or use 'review status' on its machine.")
	case errors.Is(err, authproxy.ErrReviewed):
		return Review{}, conflict.is("A review of that quarter has begun already; nothing was done.", "Read it: "+version+"/reviews/"+name)
	case errors.Is(err, authproxy.ErrLargeScope):
		return Review{}, badRequest.is("There are too many people for one review; nothing was done.", "Begin one for each server.")
	case err != nil:
		return Review{}, err
	}
	return reviewOf(r, r.Open()), nil
}
