package team

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"sfmcp-proxy/authproxy"
	"sfmcp-proxy/authproxy/access"
	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/audit/roster"
	"sfmcp-proxy/authproxy/console"
	"sfmcp-proxy/authproxy/review"
	"sfmcp-proxy/authproxy/ui"
)

// idleAtOnce is of how many items one form of the page ends unused access: each is an entry or more.
const idleAtOnce = 100

// reviews lists the access reviews that have begun, and begins another.
func (t reviewPages) reviews(q *request) error {
	p := q.page("Access reviews", "/console/reviews", "Who has access, who uses it, keep or revoke: each quarter once, with a reason for each decision. A review, and every decision in it, is in the audit log.")
	all, err := t.Reviews.Summaries(q.Context())
	if err != nil {
		return err
	}
	table := &ui.Table{Caption: "Access reviews", Columns: []string{"Review", "Of what was used", "Items", "Open", "Begun"}, Empty: "None has begun."}
	for _, r := range all[:min(len(all), maxLines)] {
		open := ui.Cell{Text: strconv.Itoa(r.Open), Kind: "warn"}
		if r.Open == 0 {
			open = ui.Cell{Text: "all decided", Kind: "good"}
		}
		table.Rows = append(table.Rows, []ui.Cell{{Text: r.ID, Path: reviewPath(r.ID)}, {Text: period(&r.Review)}, {Text: strconv.Itoa(r.Scope.Items)}, open,
			{Text: ui.Moment(r.Begun, q.Now), Path: entryPath(r.Entry), Faint: "by " + q.by(actor.Parse(r.By))}})
	}
	there, err := t.Reviews.Elsewhere(q.Context())
	if err != nil {
		return err
	}
	if len(there) > 0 {
		p.Notes = append(p.Notes, ui.ConsoleNote{Text: elsewhereNote(there)})
	}
	p.Sections = append(p.Sections, ui.Section{Text: shown(len(table.Rows), len(all), "'review list' at the command line has all."), Table: table},
		ui.Section{Heading: "Begin a review", Acts: acts(q.button(ui.Act{Path: "reviews/start", Label: "Begin", Text: "Lists each person who is connected, or may connect, with the tools that they used in the quarter and those that they did not. Nothing is ended by it.",
			Inputs: []ui.SearchField{{Name: "quarter", Label: "Quarter", Hint: "2026-Q3; empty: the last whole one"}, {Name: "server", Label: "Server", Options: t.Reads.ServerNames()}}}))})
	return t.show(q, p)
}

// namedElsewhere is how many reviews of other replicas the page names.
const namedElsewhere = 10

// elsewhereNote says which reviews other replicas have.
func elsewhereNote(all []*authproxy.ElsewhereError) string {
	text := "Other replicas began these, and have them in their audit logs, where they are read and decided:"
	for _, e := range all[:min(len(all), namedElsewhere)] {
		text += " " + e.Review + " (" + cmp.Or(e.Host, e.Log) + ");"
	}
	return strings.TrimSuffix(text, ";") + ". " + shown(min(len(all), namedElsewhere), len(all), "'review list' at the command line has more.")
}

// onAnotherReplica is what is wrong where a review is in the log of another replica.
func onAnotherReplica(status int, e *authproxy.ElsewhereError) error {
	return console.Problem(status, "In the log of another replica", ui.Capital(e.Error())+". Another replica has answered now: open the page again until that one does, or use 'review' at the command line of its machine. Nothing was done.")
}

// period is the time of which a review says what was used.
func period(r *review.Review) string {
	return r.Since.UTC().Format("2 January 2006") + " to " + r.Until.UTC().Add(-time.Nanosecond).Format("2 January 2006")
}

func reviewPath(id string) string { return "/console/reviews/" + url.PathEscape(id) }

func itemPath(id string, of review.Of) string {
	return reviewPath(id) + "/" + url.PathEscape(of.Server) + "/" + url.PathEscape(of.Org) + "/" + url.PathEscape(of.Subject)
}

// start begins a review of a quarter, at one server or all.
func (t reviewPages) start(q *request) error {
	form := q.Member.Form
	name, begin, end, err := review.Quarter(strings.TrimSpace(form.Get("quarter")), q.Now.UTC())
	if err != nil {
		return console.Problem(http.StatusBadRequest, "No such quarter", "Quarter: "+err.Error()+". Nothing was done.")
	}
	scope := review.Scope{Since: begin, Until: end}
	if server := form.Get("server"); server != "" {
		if t.Reads.Access.Server(server) == nil {
			return errNothing
		}
		name, scope.Servers = name+"."+server, []string{server}
	}
	r, err := t.Reviews.Begin(q.Context(), authproxy.Act{By: q.Actor(), Why: "access review"}, name, scope)
	there, isThere := errors.AsType[*authproxy.ElsewhereError](err)
	switch {
	case isThere:
		return onAnotherReplica(http.StatusConflict, there)
	case errors.Is(err, authproxy.ErrReviewed):
		return console.Problem(http.StatusConflict, "It has begun already", "There is a review of that quarter. Open it in the list of reviews; 'review start --name' at the command line begins another.")
	case errors.Is(err, authproxy.ErrLargeScope):
		return console.Problem(http.StatusBadRequest, "Too many people for one review", ui.Capital(err.Error())+". Begin one for each server. Nothing was done.")
	case err != nil:
		return err
	}
	return t.done(q, "Begun", fmt.Sprintf("The review %s has begun: %s to decide about.", r.ID, counted(len(r.Items), "item")), nil, ui.Link{Text: r.ID, Path: reviewPath(r.ID)})
}

// named is the review of the path, and what is wrong if there is none.
func (t reviewPages) named(q *request) (*review.Review, error) {
	id := q.variable("review")
	if review.ValidName(id) != nil {
		return nil, errNothing
	}
	r, err := t.Reviews.Review(q.Context(), id)
	if there, ok := errors.AsType[*authproxy.ElsewhereError](err); ok {
		err = onAnotherReplica(http.StatusNotFound, there)
	}
	return r, err
}

// What of a review can be looked at.
const (
	openItems, idleItems, keptItems, revokedItems = "open", "open and unused", "kept", "revoked"
)

func (t reviewPages) selects(state string, r *review.Review, i *review.Item) bool {
	switch state {
	case openItems:
		return i.Decision == nil
	case idleItems:
		return t.Reviews.Unused(r, i)
	case keptItems:
		return i.Decision != nil && i.Decision.What == audit.Keep
	case revokedItems:
		return i.Decision != nil && i.Decision.What == audit.Revoke
	}
	return true
}

// review lists the items of one review.
func (t reviewPages) review(q *request) error {
	r, err := t.named(q)
	if err != nil {
		return missing(err)
	}
	p := q.page("Review "+r.ID, "/console/reviews", "Of what was used from "+period(r)+". Open a line to see which tools, and to keep the access or end it.")
	p.Back = &ui.Link{Text: "Access reviews", Path: "/console/reviews"}
	state, person, server := q.asked("state"), strings.ToLower(q.asked("person")), q.asked("server")
	p.Search = []ui.SearchField{{Name: "state", Label: "Decided", Value: state, Options: []string{openItems, idleItems, keptItems, revokedItems}},
		{Name: "person", Label: "Person", Value: q.asked("person")}, {Name: "server", Label: "Server", Value: server, Options: r.Servers}}
	if len(r.Unknown) > 0 {
		p.Notes = append(p.Notes, ui.ConsoleNote{Kind: "warn", Text: "Nobody had listed the tools of " + strings.Join(r.Unknown, ", ") + " when it began: of these servers nothing can be said to be unused."})
	}
	if len(r.OtherLogs) > 0 {
		p.Notes = append(p.Notes, ui.ConsoleNote{Kind: "warn", Text: "The calls of other replicas are in their audit logs, and not in this review (" + roster.InWords(r.OtherLogs) +
			"): a tool that it has as not used may have been used there. When a connection was last used is known of all replicas, and what is unused goes by that."})
	}
	idle, found := 0, 0
	table := &ui.Table{Caption: "Items", Columns: []string{"Person", "Server", "Tools used", "Not used", "Last use", "Decision"}, Empty: "Nothing fits."}
	for _, i := range r.Items {
		if t.Reviews.Unused(r, i) {
			idle++
		}
		if !t.selects(state, r, i) || server != "" && i.Server != server || !strings.Contains(strings.ToLower(i.Name()+" "+i.Subject), person) {
			continue
		}
		if found++; found <= maxLines {
			table.Rows = append(table.Rows, itemRow(q, r, i))
		}
	}
	p.Tiles = []ui.Tile{{Number: strconv.Itoa(r.Open()), Label: "open, of " + counted(len(r.Items), "item"), Path: reviewPath(r.ID) + "?state=open"}, {Number: strconv.Itoa(idle), Label: "open and unused", Path: reviewPath(r.ID) + "?state=open+and+unused"}}
	p.Sections = append(p.Sections, ui.Section{Text: shown(len(table.Rows), found, "Search to see fewer, or use 'review status'."), Table: table})
	if idle > 0 {
		p.Sections = append(p.Sections, ui.Section{Heading: "Access that nobody used", Acts: acts(q.button(ui.Act{Path: strings.TrimPrefix(reviewPath(r.ID), "/console/") + "/idle", Label: "Revoke what nobody used",
			Reason: true, Decision: true, Danger: true, Text: fmt.Sprintf("%s, at most %d at once: their connections to these servers end, unless they were used meanwhile. They can connect again while their groups allow it. Nobody decides about their own access.", counted(idle, "item"), idleAtOnce)}))})
	}
	if proposal := t.proposal(r); proposal != "" {
		p.Sections = append(p.Sections, ui.Section{Heading: "What the configuration could do without", Text: "Proposed from this review; nothing is changed by it. 'policy diff' and 'policy replay' say what it would change for whom.", Block: proposal})
	}
	return t.show(q, p)
}

func itemRow(q *request, r *review.Review, i *review.Item) []ui.Cell {
	used := ui.Cell{Text: strconv.Itoa(i.UsedTotal)}
	if i.UsedTotal == 0 {
		used = ui.Cell{Text: "none", Kind: "warn"}
	}
	if i.Connections == 0 {
		used.Faint = "may connect, and has not"
	}
	return []ui.Cell{{Text: i.Name(), Path: itemPath(r.ID, i.Of)}, {Text: i.Server}, used, {Text: strconv.Itoa(i.UnusedTotal)}, {Text: sinceUse(q, i.LastUsed)}, decisionCell(q, i)}
}

func decisionCell(q *request, i *review.Item) ui.Cell {
	if i.Decision == nil {
		return ui.Cell{Text: "open", Kind: "warn"}
	}
	kind := "good"
	if i.Decision.What == audit.Revoke {
		kind = "denied"
	}
	text := ui.Moment(i.Decision.At, q.Now) + " by " + q.by(actor.Parse(i.Decision.By)) + because(i.Decision.Reason)
	if i.Decision.Ended != nil && *i.Decision.Ended == 0 {
		text += "; there was no connection, nothing ended"
	}
	if i.Decision.Incomplete {
		text += "; not all of it could be done, decide again"
	}
	return ui.Cell{Text: string(i.Decision.What), Kind: kind, Faint: text}
}

// proposal is what policies and groups could do without, as lines.
func (t reviewPages) proposal(r *review.Review) string {
	policies := map[string]string{}
	for _, s := range t.Reads.Access.Servers() {
		if s.Policy != nil {
			policies[s.Name] = s.Policy.Name
		}
	}
	var lines strings.Builder
	for _, change := range r.Proposal(policies) {
		lines.WriteString(change.Difference())
	}
	return shortened(lines.String())
}

// shortened is as much of a proposal as the page shows, with how much more there is.
func shortened(text string) string {
	if len(text) <= maxProposal {
		return text
	}
	whole := text[:strings.LastIndexByte(text[:maxProposal], '\n')+1]
	return whole + fmt.Sprintf("…and %d lines more: 'review proposal' has all\n", strings.Count(text[len(whole):], "\n"))
}

// maxProposal is how many bytes of a proposal the page shows; 'review proposal' has all.
const maxProposal = 8000

// item is one person's access to one server, with what they used of it.
func (t reviewPages) item(q *request) error {
	r, i, err := t.itemOf(q)
	if err != nil {
		return missing(err)
	}
	p := q.page(i.Name()+" at "+i.Server, "/console/reviews", "")
	p.Back = &ui.Link{Text: "Review " + r.ID, Path: reviewPath(r.ID) + "?state=open"}
	facts := []ui.Fact{{Name: "Decision", Cell: decisionCell(q, i)}, {Name: "Connections when it began", Cell: ui.Cell{Text: strconv.Itoa(i.Connections)}}, {Name: "Connected since", Cell: ui.Cell{Text: ui.Moment(i.Granted, q.Now)}},
		{Name: "Last use", Cell: ui.Cell{Text: sinceUse(q, i.LastUsed)}}, {Name: "May connect by the groups", Cell: groupsCell(i.Groups)}}
	if i.Erased {
		p.Notes = append(p.Notes, ui.ConsoleNote{Kind: "warn", Text: "What this item said of a person was erased."})
	} else {
		facts = append(facts, ui.Fact{Name: "The person now", Cell: ui.Cell{Text: "what they have, and what can be ended", Path: personPath(i.Org, i.Subject)}})
	}
	used := &ui.Table{Caption: "Tools used", Columns: []string{"Tool", "Calls", "Last"}, Empty: "None was called."}
	for _, u := range i.Used {
		used.Rows = append(used.Rows, []ui.Cell{{Text: u.Tool, Path: toolPath(i.Server, u.Tool)}, {Text: strconv.FormatInt(u.Calls, 10)}, {Text: ui.Moment(u.Last, q.Now)}})
	}
	unused := "None: whatever they see, they used."
	if i.UnusedTotal > 0 {
		unused = strings.Join(i.Unused, ", ")
	}
	decisions := ui.Section{Facts: facts}
	acts, note := t.itemActs(q, r, i)
	decisions.Acts = acts
	if note != nil {
		p.Notes = append(p.Notes, *note)
	}
	p.Sections = append(p.Sections, decisions,
		ui.Section{Heading: "Tools used", Text: shown(len(i.Used), i.UsedTotal, ""), Table: used},
		ui.Section{Heading: "Seen and not used", Text: strings.TrimSpace(unused + " " + shown(len(i.Unused), i.UnusedTotal, ""))})
	return t.show(q, p)
}

// groupsCell names the groups by which somebody may connect.
func groupsCell(groups []string) ui.Cell {
	if slices.Contains(groups, access.Everyone) {
		return ui.Cell{Text: "every user of the org may"}
	}
	return ui.Cell{Text: strings.Join(groups, ", ")}
}

// itemActs are the two decisions, or none where the member may take none; the note says what is in the way of somebody who otherwise could.
func (t reviewPages) itemActs(q *request, r *review.Review, i *review.Item) ([]*ui.Act, *ui.ConsoleNote) {
	path := strings.TrimPrefix(itemPath(r.ID, i.Of), "/console/") + "/decide"
	may := acts(q.button(ui.Act{Path: path, Label: "Keep", Text: "Nothing changes; that it is needed is on record.", Reason: true, Decision: true, Fields: []ui.HiddenField{{Name: "decision", Value: string(audit.Keep)}}}),
		q.button(ui.Act{Path: path, Label: "Revoke", Text: "Their connections to " + i.Server + " end. They can connect again while their groups allow it.", Reason: true, Decision: true, Danger: true, Fields: []ui.HiddenField{{Name: "decision", Value: string(audit.Revoke)}}}))
	if len(may) == 0 {
		return nil, nil
	}
	err := t.Reviews.MayDecide(q.Context(), q.reviewer(), i.Of, audit.Revoke)
	switch {
	case err == nil:
		return may, nil
	case errors.Is(err, authproxy.ErrOwnAccess):
		return nil, &ui.ConsoleNote{Text: "This is your own access: nobody decides in a review about that. Somebody else of the team does."}
	}
	t.Log.ErrorContext(q.Context(), "whether somebody may decide about an item of a review is not known", "path", q.URL.Path, "error", err)
	return nil, &ui.ConsoleNote{Kind: "warn", Text: "This cannot be decided at the moment: whether it is your own access could not be found out. Open the page again in a moment; the proxy's log says why."}
}

// itemOf is the item that the path names.
func (t reviewPages) itemOf(q *request) (*review.Review, *review.Item, error) {
	id := q.variable("review")
	if review.ValidName(id) != nil {
		return nil, nil, errNothing
	}
	r, i, err := t.Reviews.Item(q.Context(), id, review.Of{Org: q.variable("org"), Subject: q.variable("subject"), Server: q.variable("server")})
	if there, ok := errors.AsType[*authproxy.ElsewhereError](err); ok {
		err = onAnotherReplica(http.StatusNotFound, there)
	}
	return r, i, err
}

// reviewer is the member as one who decides.
func (q *request) reviewer() approval.Decider {
	return approval.Decider{Actor: q.Actor(), Human: q.Person.Human()}
}

// decide takes a decision about one item.
func (t reviewPages) decide(q *request) error {
	r, i, err := t.itemOf(q)
	if err != nil {
		return missing(err)
	}
	why, err := q.reason(actor.ForDecision)
	if err != nil {
		return err
	}
	what := audit.Decision(q.Member.Form.Get("decision"))
	if what != audit.Keep && what != audit.Revoke {
		return console.Problem(http.StatusBadRequest, "No decision", "The form holds no decision. Nothing was done.")
	}
	ended, err := t.Reviews.Decide(q.Context(), q.reviewer(), r.ID, i.Of, what, why)
	if errors.Is(err, authproxy.ErrOwnAccess) {
		return console.Problem(http.StatusForbidden, "Your own access", "Nobody decides in a review about their own access. Somebody else of the team has to. Nothing was done.")
	}
	if errors.Is(err, audit.ErrNoIntent) {
		return err
	}
	done := "Kept: nothing changes."
	if what == audit.Revoke {
		done = fmt.Sprintf("Revoked: %s of %s to %s ended.", counted(ended, "connection"), i.Name(), i.Server)
		switch {
		case ended == 0 && audit.TookEffect(err):
			done = fmt.Sprintf("Decided: %s has 0 connections to %s, nothing ended.", i.Name(), i.Server)
		case ended == 0:
			done = fmt.Sprintf("No connection of %s to %s is known to have ended.", i.Name(), i.Server)
		}
		if again := authproxy.ConnectAgain(i.Groups); again != "" && audit.TookEffect(err) {
			done += " " + ui.Capital(again) + "."
		}
	}
	return t.tell(q, outcome{title: "Decided", text: done, reached: what == audit.Keep || ended > 0, incomplete: err, back: ui.Link{Text: "What is open in " + r.ID, Path: reviewPath(r.ID) + "?state=open"}})
}

// revokeIdle ends access that nobody used.
func (t reviewPages) revokeIdle(q *request) error {
	r, err := t.named(q)
	if err != nil {
		return missing(err)
	}
	why, err := q.reason(actor.ForDecision)
	if err != nil {
		return err
	}
	did, err := t.Reviews.RevokeIdle(q.Context(), q.reviewer(), r.ID, idleAtOnce, why)
	text := fmt.Sprintf("Decided about %s: %s ended.", counted(did.Items, "item"), counted(did.Connections, "connection"))
	if did.Without > 0 {
		text += " " + counted(did.Without, "item") + " had 0 connections, nothing ended there: who may connect, the groups say."
	}
	if did.Used > 0 {
		text += " Used since the review began, and left: " + counted(did.Used, "item") + "."
	}
	if did.Own > 0 {
		text += " Your own access is left for somebody else to decide."
	}
	if did.Left > 0 {
		text += " Unused as well, and not decided: " + counted(did.Left, "item") + ". Do it again for these."
	}
	return t.tell(q, outcome{title: "Revoked", text: text, reached: did.Connections > 0, incomplete: err, back: ui.Link{Text: "What is open in " + r.ID, Path: reviewPath(r.ID) + "?state=open"}})
}
