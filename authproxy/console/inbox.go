package console

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/company"
	"sfmcp-proxy/authproxy/ui"
)

// Bounds of the list of calls.
const (
	recentApprovals = 50  // that are over, on one page
	waitingShown    = 50  // that wait, of which each is read
	waitingLooked   = 300 // that are read for a search
	maxSought       = 100 // bytes of what is searched for
)

// Inbox knows what waits for somebody.
type Inbox interface {
	// Waiting are the requests to which by may agree now, the oldest first.
	Waiting(ctx context.Context, by approval.Decider) ([]approval.Request, error)
}

// lists is the page of what waits and what became of it.
type lists struct{ *Console }

// approvals lists the calls that wait for the viewer, their own that wait for somebody else, and
// what became of recent ones.
func (c lists) approvals(w http.ResponseWriter, r *http.Request, v *visit) error {
	page := ui.ApprovalsPage{Viewer: v.viewer, Sought: strings.TrimSpace(r.URL.Query().Get("q")), Newest: r.URL.Query().Get("order") == "newest"}
	page.Sought = page.Sought[:min(len(page.Sought), maxSought)]
	waiting, err := c.waitingFor(r.Context(), v)
	if err != nil {
		return err
	}
	page.Listed = listed(waiting)
	if page.Count = len(waiting); page.Count > 1 {
		page.Oldest = ui.Moment(waiting[0].CreatedAt, c.Now())
	}
	if page.Newest {
		slices.Reverse(waiting)
	}
	if page.Waiting, page.More, err = c.linesOf(r.Context(), v, waiting, page.Sought); err != nil {
		return err
	}
	if !v.isOnlyPerson() {
		if page.Elsewhere, err = c.elsewhere(r.Context(), v); err != nil {
			return err
		}
	}
	behind := placeOf(r.URL.Query().Get("behind"))
	page.Behind = behind.ID != ""
	if page.Recent, page.Older, err = c.recent(r.Context(), v, behind); err != nil {
		return err
	}
	if v.person != nil && v.person.Stale {
		page.Renew = renew(r, v.person, company.Silently)
	}
	c.render(w, r, http.StatusOK, page)
	return nil
}

// listed stands for a list of calls that wait, in this order, with who agreed already.
func listed(waiting []approval.Request) string {
	h := sha256.New()
	for i := range waiting {
		fmt.Fprintln(h, waiting[i].ID, len(waiting[i].Decisions))
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// deciders are as whom the viewer may agree to calls of others and of their own: one for each way
// in which the browser is signed in.
func (v *visit) deciders() (all []approval.Decider) {
	if !v.isOnlyPerson() {
		all = append(all, approval.Decider{Actor: actor.User(v.session.Subject), Org: v.session.Org})
	}
	if v.person != nil && !v.person.Stale {
		all = append(all, personDecider(v.person))
	}
	return all
}

// waitingFor are the calls that wait for the viewer, the oldest first.
func (c lists) waitingFor(ctx context.Context, v *visit) (waiting []approval.Request, err error) {
	seen := map[string]bool{}
	for _, by := range v.deciders() {
		some, err := c.Inbox.Waiting(ctx, by)
		if err != nil {
			return nil, err
		}
		for i := range some {
			// As whom they would decide about it: in the browser of whoever asked, nobody agrees by another name.
			if !seen[some[i].ID] && v.decider(&some[i]).Actor == by.Actor {
				seen[some[i].ID] = true
				waiting = append(waiting, some[i])
			}
		}
	}
	slices.SortStableFunc(waiting, func(a, b approval.Request) int { return a.CreatedAt.Compare(b.CreatedAt) })
	return waiting, nil
}

// elsewhere are the viewer's own calls that wait for somebody else.
func (c lists) elsewhere(ctx context.Context, v *visit) (lines []ui.ApprovalLine, err error) {
	mine, err := c.Approvals.List(ctx, approval.Filter{Org: v.session.Org, Subject: v.session.Subject, State: approval.Pending, OfOthers: true, Limit: waitingShown})
	if err != nil {
		return nil, err
	}
	lines, _, err = c.linesOf(ctx, v, mine, "")
	return lines, err
}

// recent are those of the viewer's calls, and of those that ask for a role of theirs, which are over: the newest behind a
// place, and where the next ones begin; "": there are none.
func (c lists) recent(ctx context.Context, v *visit, behind approval.Place) (lines []ui.ApprovalLine, next string, err error) {
	who, err := c.concerned(ctx, v)
	if err != nil {
		return nil, "", err
	}
	all, err := c.Approvals.Over(ctx, who, behind, recentApprovals+1)
	if err != nil {
		return nil, "", err
	}
	if len(all) > recentApprovals {
		all = all[:recentApprovals]
		next = placeText(all[recentApprovals-1].PlaceOf())
	}
	for i := range all {
		whole, _, err := c.Decisions.See(ctx, v.decider(&all[i]), all[i].ID) // with what became of it
		if errors.Is(err, approval.ErrNotFound) {
			continue // it was removed by age meanwhile
		}
		if err != nil {
			return nil, "", err
		}
		line := c.line(ctx, v, whole)
		line.Gist = gistOf(whole)
		lines = append(lines, line)
	}
	return lines, next, nil
}

// concerned is the viewer as calls concern them, by each way in which the browser is signed in.
func (c lists) concerned(ctx context.Context, v *visit) (who approval.Concerned, err error) {
	if !v.isOnlyPerson() {
		who.Users = append(who.Users, approval.Requester{Org: v.session.Org, Subject: v.session.Subject})
	}
	if v.person == nil {
		return who, nil
	}
	links, err := c.People.LinksOf(ctx, v.person.Issuer, v.person.Subject)
	for _, l := range links {
		if u := (approval.Requester{Org: l.Org, Subject: l.Subject}); !slices.Contains(who.Users, u) {
			who.Users = append(who.Users, u)
		}
	}
	who.Roles = v.person.Roles
	return who, err
}

// placeText is a place in a list for an address, and placeOf reads it; what is none is the beginning.
func placeText(p approval.Place) string { return strconv.FormatInt(p.At.UnixMilli(), 36) + "-" + p.ID }

func placeOf(text string) approval.Place {
	at, id, _ := strings.Cut(text, "-")
	millis, err := strconv.ParseInt(at, 36, 64)
	if err != nil || !callID.MatchString(id) {
		return approval.Place{}
	}
	return approval.Place{At: time.UnixMilli(millis), ID: id}
}

// callID is the form of ids of calls.
var callID = regexp.MustCompile(`^` + approval.IDPrefix + `[A-Za-z0-9_-]{1,64}$`)

// linesOf are the lines of calls that wait and say what is sought, and how many more there are.
func (c lists) linesOf(ctx context.Context, v *visit, waiting []approval.Request, sought string) (lines []ui.ApprovalLine, more int, err error) {
	looked := waitingShown
	if sought != "" {
		looked = waitingLooked
	}
	for i := range waiting[:min(len(waiting), looked)] {
		line := c.line(ctx, v, &waiting[i])
		if line.Gist, err = c.gist(ctx, waiting[i].ID); err != nil {
			return nil, 0, err
		}
		if says(line, sought) {
			lines = append(lines, line)
		}
	}
	shown := min(len(lines), waitingShown)
	return lines[:shown], len(lines) - shown + max(0, len(waiting)-looked), nil
}

// says reports whether a line holds a text, in any case of letters.
func says(line ui.ApprovalLine, text string) bool {
	all := strings.Join([]string{line.ID, line.Who, line.Tool, line.Gist, line.Class, line.Client, line.Server}, "\n")
	return strings.Contains(strings.ToLower(all), strings.ToLower(text))
}

// line is a call in a list; who asked is named where that is not the viewer.
func (c *Console) line(ctx context.Context, v *visit, a *approval.Request) ui.ApprovalLine {
	when := "asked " + ui.Moment(a.CreatedAt, c.Now())
	if !a.DecidedAt.IsZero() {
		when = "decided " + ui.Moment(a.DecidedAt, c.Now())
	}
	who := ""
	if !v.isRequester(a) {
		who = c.requesterLabel(ctx, v, a)
	}
	until := ""
	if a.State == approval.Pending {
		until = ui.Soon(a.ExpiresAt, c.Now())
	}
	return ui.ApprovalLine{
		Until:   until,
		OrgKind: c.orgKind(a.Org),
		ID:      a.ID, Who: who, Tool: a.Tool, Class: classInWords(a.Class), Client: c.Clients.Name(ctx, a.ClientID), Server: c.serverTitle(a.Server),
		State: string(a.State), Sign: signOf(a), Status: statusInWords(a), When: when,
	}
}

// signOf is how a list marks what became of a call: good news and bad are told apart at a glance.
func signOf(a *approval.Request) string {
	switch {
	case a.State == approval.Spent && a.Outcome == approval.Failed:
		return "denied"
	case troubled(a):
		return "warn"
	}
	return string(a.State)
}

// gist is that of a call in a list, which has no arguments.
func (c *Console) gist(ctx context.Context, id string) (string, error) {
	a, err := c.Approvals.Get(ctx, id)
	if err != nil {
		return "", err
	}
	return gistOf(a), nil
}

// gistOf tells a call from the others, as long as its arguments are kept: the object and the record's name or id.
// It decides nothing; the call's own page shows all of it.
func gistOf(a *approval.Request) string {
	call, ok := recordOf(a)
	if !ok {
		return "" // another tool's arguments
	}
	parts := []string{call.Object, call.name(), call.ID, call.Path}
	parts = slices.DeleteFunc(parts, func(s string) bool { return s == "" })
	return shortened(strings.Join(parts, " · "))
}

// shortened cuts what a line of a list has no room for.
func shortened(s string) string {
	const most = 80
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}
