package authproxy

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"sfmcp-proxy/authproxy/access"
	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/audit"
	logs "sfmcp-proxy/authproxy/audit/roster"
	"sfmcp-proxy/authproxy/definition"
	"sfmcp-proxy/authproxy/grant"
	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/authproxy/review"
)

// Errors of [Reviews].
var (
	ErrNoReview   = errors.New("there is no such review")
	ErrReviewed   = errors.New("a review of that name has begun already")
	ErrNotInIt    = errors.New("the review has no such person and server")
	ErrOwnAccess  = errors.New("nobody decides in a review about their own access")
	ErrLargeScope = fmt.Errorf("the review would have more than %d items", maxItems)
)

// maxItems is how many people times servers one review has at most.
const maxItems = 20_000

// Reviews begins access reviews and takes the decisions of people in them. A review lives in the
// audit log alone (package review); what a decision ends is ended by [Cutoff].
type Reviews struct {
	Cutoff      *Cutoff
	Definitions *definition.Store
	Now         func() time.Time
	// Roster knows the audit logs of other replicas; nil: there are none.
	Roster *logs.Roster
}

// Begin records a review under a new name: of who has access to the servers of the scope, and what
// they used of it in its time. Whoever has a connection is in it, and whoever has signed in and may
// connect. Of several that begin one name at once, here or at other replicas, one does. [ErrReviewed], which
// is an [ElsewhereError] if another replica has it; [ErrLargeScope]
func (r *Reviews) Begin(ctx context.Context, act Act, name string, scope review.Scope) (*review.Review, error) {
	_, err := r.Review(ctx, name)
	if err == nil {
		return nil, ErrReviewed
	}
	if there, ok := errors.AsType[*ElsewhereError](err); ok {
		return nil, fmt.Errorf("%w: %w", ErrReviewed, there)
	}
	if !errors.Is(err, ErrNoReview) {
		return nil, err
	}
	items, scope, err := r.items(ctx, scope)
	if err != nil {
		return nil, err
	}
	about, err := json.Marshal(scope)
	if err != nil {
		return nil, err
	}
	begin := audit.Entry{Actor: act.By, Action: audit.ReviewBegin, Object: name, Reason: act.Why}
	entry, err := r.Cutoff.Audit.GiveWithin(ctx, begin, func(ctx context.Context, intent int64) (audit.Result, error) {
		claim, err := r.Roster.Claim(ctx, claimed, name)
		if err != nil {
			return audit.Result{}, err
		}
		if !claim.Own { // another replica was quicker
			return audit.Result{Outcome: audit.Denied, Reason: act.Why}, fmt.Errorf("%w: %w", ErrReviewed, elsewhere(claim))
		}
		begin.IntentSeq = intent
		if err := r.include(ctx, begin, items); err != nil {
			return audit.Result{}, err
		}
		return audit.Result{Reason: act.Why, Arguments: about}, nil
	})
	if err == nil && entry == 0 { // it is this entry that has it begin
		err = errors.New("the review has not begun: the entry that says so could not be written to the audit log")
	}
	if err != nil {
		return nil, err // nobody sees what was to be in it
	}
	return r.begun(ctx, &review.Review{ID: name, Begun: r.Now().UTC(), By: act.By.String(), Entry: entry, Scope: scope, Items: items})
}

// begun is a review that has begun by an entry: as it is read, or, where it cannot be read just now, as it was written.
func (r *Reviews) begun(ctx context.Context, written *review.Review) (*review.Review, error) {
	ctx, end := audit.Lasting(ctx)
	defer end()
	switch one, err := r.Review(ctx, written.ID); {
	case err != nil:
		return written, nil
	case one.Entry != written.Entry: // somebody else was quicker
		return nil, ErrReviewed
	default:
		return one, nil
	}
}

// include records the items of a review that begins. Many share one write to the disk, before that of the outcome.
func (r *Reviews) include(ctx context.Context, begin audit.Entry, items []*review.Item) error {
	var lost atomic.Pointer[error]
	for _, i := range items {
		if err := ctx.Err(); err != nil {
			return err
		}
		facts, err := json.Marshal(i.Facts)
		if err != nil {
			return err
		}
		r.Cutoff.Audit.AppendLater(ctx, audit.Entry{Actor: begin.Actor, Action: audit.ReviewInclude, Object: begin.Object, Outcome: audit.OK, Org: i.Org, Subject: i.Subject, Username: i.Username,
			Server: i.Server, IntentSeq: begin.IntentSeq, Arguments: facts}, func(err error) { lost.Store(&err) })
	}
	r.Cutoff.Audit.Flush()
	if err := lost.Load(); err != nil {
		return *err
	}
	return nil
}

// items are the people and servers of a scope, which it completes.
func (r *Reviews) items(ctx context.Context, scope review.Scope) (items []*review.Item, _ review.Scope, err error) {
	c := r.Cutoff
	var usage review.Usage
	if err := c.Audit.List(ctx, audit.Filter{Action: string(audit.ToolCall), Since: scope.Since, Until: scope.Until}, func(e audit.Entry) error { usage.Add(e); return nil }); err != nil {
		return nil, scope, err
	}
	others, err := r.Roster.Beside(ctx, scope.Since)
	if err != nil {
		return nil, scope, err
	}
	scope.OtherLogs = logs.Hosts(others)
	users, err := c.Grants.Users(ctx)
	if err != nil {
		return nil, scope, err
	}
	grants, err := c.Grants.Grants(ctx, grant.Filter{})
	if err != nil {
		return nil, scope, err
	}
	of := map[review.Of][]grant.Grant{}
	for _, g := range grants {
		of[review.Of{Org: g.Org, Subject: g.Subject, Server: g.Server}] = append(of[review.Of{Org: g.Org, Subject: g.Subject, Server: g.Server}], g)
	}
	var named []string
	for _, s := range c.Access.Servers() {
		if len(scope.Servers) > 0 && !slices.Contains(scope.Servers, s.Name) {
			continue
		}
		named = append(named, s.Name)
		tools, err := r.toolsOf(ctx, s)
		if err != nil {
			return nil, scope, err
		}
		if len(tools) == 0 {
			scope.Unknown = append(scope.Unknown, s.Name)
		}
		for _, u := range users {
			at := review.Of{Org: u.Org, Subject: u.Subject, Server: s.Name}
			if s.Org != u.Org || len(of[at]) == 0 && (u.Blocked() || !c.Access.MayUse(access.Person{Org: u.Org, Subject: u.Subject, Username: strings.ToLower(u.Username)}, s.Name)) {
				continue
			}
			if len(items) == maxItems {
				return nil, scope, ErrLargeScope
			}
			facts, err := r.facts(ctx, s, u, of[at], tools, &usage)
			if err != nil {
				return nil, scope, err
			}
			items = append(items, &review.Item{Of: at, Username: u.Username, Facts: facts})
		}
	}
	scope.Servers, scope.Items = named, len(items)
	return items, scope, nil
}

// toolsOf are the tools of a server that people accepted.
func (r *Reviews) toolsOf(ctx context.Context, s *access.Server) (names []string, err error) {
	all, err := r.Definitions.List(ctx, definition.Server{Org: s.Org, URL: s.URL})
	for _, d := range all {
		if d.Kind == definition.Tool && d.State == definition.Accepted {
			names = append(names, d.Name)
		}
	}
	return names, err
}

// facts are what an item says.
func (r *Reviews) facts(ctx context.Context, s *access.Server, u grant.User, grants []grant.Grant, tools []string, usage *review.Usage) (review.Facts, error) {
	at := review.Of{Org: u.Org, Subject: u.Subject, Server: s.Name}
	f := review.Facts{Connections: len(grants), Used: usage.By(at)}
	clients := []string{""} // of somebody who has not connected: whatever is visible without naming one
	for _, g := range grants {
		if f.Granted.IsZero() || g.CreatedAt.Before(f.Granted) {
			f.Granted = g.CreatedAt.UTC()
		}
		if g.LastUsedAt.After(f.LastUsed) {
			f.LastUsed = g.LastUsedAt.UTC()
		}
		clients = append(clients, g.ClientID)
	}
	if len(grants) > 0 {
		clients = clients[1:]
	}
	var who []policy.Principal
	for _, client := range clients {
		p, err := r.Cutoff.Access.Principal(ctx, u.Org, u.Subject, client)
		if err != nil {
			return f, err
		}
		who = append(who, p)
		for _, group := range s.Groups {
			if (group == access.Everyone || slices.Contains(p.Groups, group)) && !slices.Contains(f.Groups, group) {
				f.Groups = append(f.Groups, group)
			}
		}
	}
	for _, tool := range tools {
		if !usage.Called(at, tool) && slices.ContainsFunc(who, func(p policy.Principal) bool { return s.Policy == nil || s.Policy.Visible(p, tool) }) {
			f.Unused = append(f.Unused, tool)
		}
	}
	return review.NewFacts(f), nil
}

// Reviews are all that have begun, oldest first, as far as the log is kept.
func (r *Reviews) Reviews(ctx context.Context) ([]*review.Review, error) {
	return r.read(ctx, "")
}

// Review returns one; an empty name stands for the newest. [ErrNoReview], which is an [ElsewhereError] if
// another replica has it.
func (r *Reviews) Review(ctx context.Context, name string) (*review.Review, error) {
	all, err := r.read(ctx, name)
	if err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, r.absent(ctx, name)
	}
	newest := all[len(all)-1]
	if name == "" {
		if err := r.newestIsHere(ctx, newest); err != nil {
			return nil, err
		}
	}
	return newest, nil
}

// Item is one person's access to one server in a review, which has no other items then. It is found
// without reading what the review says of others. [ErrNoReview], [ErrNotInIt]
func (r *Reviews) Item(ctx context.Context, name string, of review.Of) (*review.Review, *review.Item, error) {
	var found []audit.Entry
	for _, f := range []audit.Filter{{Action: string(audit.ReviewBegin), Object: name}, {Action: reviewNoun, Object: name, Person: audit.Person{Subjects: []string{of.Subject}}}} {
		if err := r.Cutoff.Audit.List(ctx, f, func(e audit.Entry) error { found = append(found, e); return nil }); err != nil {
			return nil, nil, err
		}
	}
	slices.SortFunc(found, func(a, b audit.Entry) int { return cmp.Compare(a.Seq, b.Seq) })
	found = slices.CompactFunc(found, func(a, b audit.Entry) bool { return a.Seq == b.Seq })
	var reader review.Reader
	for _, e := range found {
		reader.Add(e)
	}
	all := reader.Reviews()
	if len(all) == 0 {
		return nil, nil, r.absent(ctx, name)
	}
	one := all[len(all)-1]
	item := one.Find(of)
	if item == nil {
		return nil, nil, ErrNotInIt
	}
	return one, item, nil
}

func (r *Reviews) read(ctx context.Context, name string) ([]*review.Review, error) {
	var reader review.Reader
	err := r.Cutoff.Audit.List(ctx, audit.Filter{Action: reviewNoun, Object: name}, func(e audit.Entry) error { reader.Add(e); return nil })
	return reader.Reviews(), err
}

// reviewNoun selects the entries of reviews.
const reviewNoun = "review."

// Decide takes a decision about one item: that the access is kept, or that it ends. What ends does
// so first, by [Cutoff], and is then recorded; that it is kept is recorded alone. It returns how
// many connections ended. [ErrNoReview], [ErrNotInIt], [ErrOwnAccess], [actor.ErrReason], [audit.ErrNoIntent]
func (r *Reviews) Decide(ctx context.Context, by approval.Decider, name string, of review.Of, what audit.Decision, reason string) (ended int, err error) {
	if reason, err = actor.ForDecision.Clean(reason); err != nil {
		return 0, err
	}
	one, item, err := r.Item(ctx, name, of)
	if err != nil {
		return 0, err
	}
	return r.decide(ctx, by, one, item, what, reason)
}

// decide takes a decision about an item of a review, for a reason that is clean.
func (r *Reviews) decide(ctx context.Context, by approval.Decider, one *review.Review, item *review.Item, what audit.Decision, reason string) (ended int, err error) {
	if err := r.MayDecide(ctx, by, item.Of, what); err != nil {
		return 0, err
	}
	e := audit.Entry{Actor: by.Actor, Action: audit.ReviewDecide, Object: one.ID, Outcome: audit.OK, Org: item.Org, Subject: item.Subject, Username: item.Username, Server: item.Server,
		Decision: what, Reason: reason}
	switch what {
	case audit.Keep:
		if _, err = r.Cutoff.Audit.Append(ctx, e); err != nil { // the entry is all there is to it
			err = fmt.Errorf("%w: %w", audit.ErrNoIntent, err)
		}
		return 0, err
	case audit.Revoke:
		err = take(ctx, func(ctx context.Context) error {
			ended, err = r.endConnections(ctx, item.Of, Act{By: by.Actor, Why: "access review " + one.ID + ": " + reason})
			var textErr error
			e.Arguments, textErr = review.Revoked(ended)
			return also(r.Cutoff.record(ctx, e, err), textErr)
		})
		return ended, err
	}
	return 0, fmt.Errorf("deciding in a review: expected keep or revoke, found %q", string(what))
}

// Summaries are the reviews, the newest first, without their items: how many there are of each, and about
// how many of them nobody has decided.
func (r *Reviews) Summaries(ctx context.Context) (all []Summary, err error) {
	decided, at := map[string]map[review.Of]bool{}, map[string]bool{}
	if err := r.Cutoff.Audit.List(ctx, audit.Filter{Action: string(audit.ReviewDecide)}, func(e audit.Entry) error {
		if e.Outcome == audit.OK || e.Outcome == audit.Failed {
			if decided[e.Object] == nil {
				decided[e.Object] = map[review.Of]bool{}
			}
			decided[e.Object][review.Of{Org: e.Org, Subject: e.Subject, Server: e.Server}] = true
		}
		return nil
	}); err != nil {
		return nil, err
	}
	err = r.Cutoff.Audit.List(ctx, audit.Filter{Action: string(audit.ReviewBegin), Outcome: audit.OK}, func(e audit.Entry) error {
		one := Summary{Review: review.Review{ID: e.Object, Begun: e.At, By: e.Actor.String(), Entry: e.Seq}}
		if !at[e.Object] && json.Unmarshal(e.Arguments, &one.Scope) == nil {
			at[e.Object] = true
			one.Open = max(0, one.Scope.Items-len(decided[e.Object]))
			all = append(all, one)
		}
		return nil
	})
	slices.Reverse(all)
	return all, err
}

// Summary is a review without its items.
type Summary struct {
	review.Review
	Open int // items about which nobody has decided
}

// ConnectAgain says by what somebody whose access to a server ended can connect to it again, and what ends that; "" where
// nothing is known by which they could. The groups are those of an item.
func ConnectAgain(groups []string) string {
	switch {
	case len(groups) == 0:
		return ""
	case slices.Contains(groups, access.Everyone):
		return "they can connect again, because every user of the org may: whoever must not, has to be blocked"
	}
	return "they can connect again by the groups " + strings.Join(groups, ", ") + ", until they are taken out of them"
}

// MayDecide says whether somebody may take that decision about an item: nil, or the error that [Reviews.Decide]
// would have, [ErrOwnAccess].
func (r *Reviews) MayDecide(ctx context.Context, by approval.Decider, of review.Of, what audit.Decision) error {
	own, err := r.isOwn(ctx, by, of, what)
	if err == nil && own {
		err = ErrOwnAccess
	}
	return err
}

// isOwn says whether somebody decides about themselves, by whatever way they signed in, or whoever names
// them at the command line. There nothing stands in the way of ending access.
func (r *Reviews) isOwn(ctx context.Context, by approval.Decider, of review.Of, what audit.Decision) (bool, error) {
	who := by.Human
	switch {
	case by.Actor.IsUser() && by.Actor.ID == of.Subject:
		return true, nil
	case by.Actor.IsOperator() && what != audit.Revoke:
		who = approval.OperatorHuman(by.Actor)
	}
	if who == "" {
		return false, nil
	}
	human, err := r.Cutoff.People.HumanOf(ctx, of.Org, of.Subject)
	if err != nil {
		return false, err
	}
	return approval.Among(ctx, r.Cutoff.People, who, human, approval.SalesforceHuman(of.Org, of.Subject))
}

// endConnections ends what a person has to a server, each connection also if one before failed.
func (r *Reviews) endConnections(ctx context.Context, of review.Of, act Act) (ended int, err error) {
	grants, err := r.Cutoff.Grants.Grants(ctx, grant.Filter{Org: of.Org, Subject: of.Subject, Server: of.Server})
	if err != nil {
		return 0, err
	}
	return r.Cutoff.RevokeGrants(ctx, grants, act)
}
