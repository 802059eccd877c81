package team

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"sfmcp-proxy/authproxy/access"
	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/audit/roster"
	"sfmcp-proxy/authproxy/console"
	"sfmcp-proxy/authproxy/oversight"
	"sfmcp-proxy/authproxy/ui"
)

// overview shows what happens, and what to do about it.
func (t *Team) overview(q *request) error {
	p := q.page("Overview", "/console", "What assistants did in Salesforce, what waits for a person, and what is stopped.")
	p.Live = eventsPath
	if err := t.add(q, p, append(t.watched(), part{"the stop switch", t.stopSection})); err != nil {
		return err
	}
	return t.show(q, p)
}

// callTiles count the calls of today, and show those of the days before.
func (t *Team) callTiles(q *request, p *ui.ConsolePage) error {
	all, err := t.Reads.Calls(q.Context(), q.Now)
	if err != nil {
		return err
	}
	others, err := t.Reads.OtherLogs(q.Context(), q.Now)
	if err != nil {
		return err
	}
	before, today, whose := all[:len(all)-1], all[len(all)-1], ""
	if len(others) > 0 {
		whose = "Of this replica alone: " + roster.InWords(others) + " count their own. "
	}
	p.Tiles = append(p.Tiles, ui.Tile{Number: strconv.Itoa(today.Total()), Label: "calls today", Path: "/console/audit?action=tool.call&since=" + q.Now.UTC().Format(time.DateOnly),
		Text: whose + usualCalls(before) + "Look who called what, if it is more than you expect."})
	denied := ui.Tile{Number: strconv.Itoa(today.Of(audit.Denied)), Label: "denied today", Path: "/console/denials", Text: whose + "Nothing to do: the rules are in nobody's way today."}
	if today.Of(audit.Denied) > 0 {
		denied.Text = whose + "See which rule denies most: somebody may need access, or a word of advice."
	}
	p.Tiles, p.Chart = append(p.Tiles, denied), chartOf(all)
	if len(others) > 0 {
		p.Chart.Caption += ", of this replica"
	}
	return nil
}

// usualCalls says how many calls a day has, of those days; of none before the first call nothing.
func usualCalls(before []oversight.Day) string {
	for len(before) > 0 && before[0].Total() == 0 {
		before = before[1:]
	}
	if len(before) == 0 {
		return ""
	}
	total := 0
	for _, d := range before {
		total += d.Total()
	}
	return fmt.Sprintf("On average %d a day, in the %s before. ", (total+len(before)/2)/len(before), counted(len(before), "day"))
}

// waitingTile counts the calls that wait for a person, and says how long the oldest does.
func (t *Team) waitingTile(q *request, p *ui.ConsolePage) error {
	pending := approval.Filter{State: approval.Pending, OldestFirst: true, Limit: 1}
	oldest, err := t.Reads.Approvals.List(q.Context(), pending)
	if err != nil {
		return err
	}
	n, err := t.Reads.Approvals.Count(q.Context(), pending)
	if err != nil {
		return err
	}
	tile := ui.Tile{Number: strconv.Itoa(n), Label: calls(n) + " waiting for a person", Path: "/approvals", Text: "Nothing to do: nobody's assistant waits."}
	if len(oldest) > 0 {
		tile.Kind, tile.Text = "warn", "The oldest waits since "+ui.Moment(oldest[0].CreatedAt, q.Now)+" for "+oldest[0].WhoIsMissing()+"."
	}
	p.Tiles = append(p.Tiles, tile)
	return nil
}

func calls(n int) string {
	if n == 1 {
		return "call"
	}
	return "calls"
}

// loginTile counts Salesforce logins that are over.
func (t *Team) loginTile(q *request, p *ui.ConsolePage) error {
	lost, err := t.Reads.LostLogins(q.Context())
	if err != nil {
		return err
	}
	tile := ui.Tile{Number: strconv.Itoa(lost), Label: "Salesforce logins lost", Path: "/console/people?login=" + oversight.AnyLost, Text: "Nothing to do: nobody has to sign in again."}
	if lost > 0 {
		tile.Kind, tile.Text = "warn", "These people must sign in again; their account page leads them."
	}
	p.Tiles = append(p.Tiles, tile)
	return nil
}

// definitionTile counts definitions that wait to be accepted.
func (t *Team) definitionTile(q *request, p *ui.ConsolePage) error {
	waiting, err := t.Reads.WaitingDefinitions(q.Context())
	if err != nil {
		return err
	}
	tile := ui.Tile{Number: strconv.Itoa(waiting), Label: "tools changed and hidden", Path: "/console/tools", Text: "Nothing to do: everything that servers list was decided about."}
	if waiting > 0 {
		tile.Kind, tile.Text = "warn", "Nobody can call them until somebody has read the difference and accepts it."
	}
	p.Tiles = append(p.Tiles, tile)
	return nil
}

// endInWords is how calls ended, as the overview says it.
var endInWords = map[audit.Outcome]string{audit.OK: "answered", audit.Held: "held", audit.Denied: "denied", audit.Failed: "failed"}

// chartOf shows the last days.
func chartOf(all []oversight.Day) *ui.Chart {
	c := &ui.Chart{Caption: fmt.Sprintf("Calls of the last %d days (UTC)", oversight.CountedDays)}
	for _, end := range oversight.Ends() {
		c.Parts = append(c.Parts, endInWords[end])
	}
	for _, d := range all {
		c.Bars = append(c.Bars, ui.Bar{Label: d.Begin.Format("Mon 2 Jan"), Parts: d.Calls})
	}
	return c
}

// hereNote says that this machine is stopped by itself.
func (t *Team) hereNote(_ *request, p *ui.ConsolePage) error {
	if here, is := t.Reads.Access.StoppedHere(); is {
		text := ui.Capital(here.String()) + "."
		if !here.Kept {
			text += " Whoever removes that file lets calls pass again, as far as the switch below does."
		}
		p.Notes = append(p.Notes, ui.ConsoleNote{Kind: "denied", Text: text})
	}
	return nil
}

// stopTile says what is stopped.
func (t *Team) stopTile(q *request, p *ui.ConsolePage) error {
	mode, err := t.Reads.Access.StopPosition(q.Context())
	tile := ui.Tile{Number: string(mode), Label: "stop switch", Path: "#s0", Text: "Nothing is stopped. The switch is below."}
	switch {
	case err != nil:
		tile.Kind, tile.Number, tile.Text = "denied", "all", "Everything is stopped, because the switch cannot be read."
	case mode != access.StopOff:
		tile.Kind, tile.Text = "warn", stopInWords[mode]
	}
	p.Tiles = append(p.Tiles, tile)
	return nil
}

// stopSection says what is stopped, since when and by whom, and offers the other positions.
func (t *Team) stopSection(q *request, p *ui.ConsolePage) error {
	set, err := t.Reads.Access.StopSetting(q.Context())
	if err != nil {
		set = access.StopSetting{Position: access.StopAll}
	}
	mode := set.Position
	s := ui.Section{Heading: "Stop switch", Text: stopInWords[mode] + " It holds for every process within a second, and survives restarts."}
	if _, is := t.Reads.Access.StoppedHere(); is {
		s.Text = fmt.Sprintf("This machine is stopped by itself, see above. The switch for every process stands at %s.", mode)
	}
	unread := err != nil
	if unread {
		s.Text = "Everything is stopped here: " + err.Error() + ". Other processes may know better, and stop less: 'Stop everything' holds for all of them."
	}
	switch last, err := t.Reads.LastStop(q.Context()); {
	case err != nil:
		t.unread(q, "who set the stop switch last", err)
		s.Facts = append(s.Facts, ui.Fact{Name: "Last set", Cell: ui.Cell{Text: unreadCell, Kind: "warn"}})
	case last.Seq != 0:
		s.Facts = append(s.Facts, ui.Fact{Name: "Last set", Cell: ui.Cell{Text: ui.Moment(last.At, q.Now), Faint: "to " + last.Object + " by " + q.by(last.Actor) + because(last.Reason),
			Path: entryPath(last.Seq)}})
	}
	for _, to := range []struct {
		mode        access.Stop
		label, text string
	}{
		{access.StopWrites, "Stop all changes", "Assistants can still read, and change nothing. Calls that were approved are not made either."},
		{access.StopAll, "Stop everything", "No assistant gets an answer, and no new connection can be made. Connections that there are, are kept."},
		{access.StopOff, "Let calls pass again", "Calls pass by the policy again, and approved calls can be made."},
	} {
		if to.mode == access.StopWrites && mode == access.StopAll && !unread {
			to.label, to.text = "Stop changes alone", "Assistants can read again, which is stopped now, and change nothing."
		}
		if to.mode != mode || unread {
			s.Acts = append(s.Acts, acts(q.button(ui.Act{Path: "stop", Label: to.label, Text: to.text, Reason: true, Danger: to.mode != access.StopOff,
				Fields: []ui.HiddenField{{Name: "to", Value: string(to.mode)}, {Name: "seen", Value: set.Mark()}}}))...)
		}
	}
	p.Sections = append(p.Sections, s)
	return nil
}

var stopInWords = map[access.Stop]string{
	access.StopOff:    "Nothing is stopped: calls pass by the policy.",
	access.StopWrites: "Changes are stopped for everybody: assistants can read only.",
	access.StopAll:    "Everything is stopped for everybody.",
}

// stop sets the switch.
func (t *Team) stop(q *request) error {
	to := access.Stop(q.Member.Form.Get("to"))
	if stopInWords[to] == "" {
		return console.Problem(http.StatusBadRequest, "No such position", "The switch stands at off, writes or all. Nothing was done.")
	}
	act, err := q.act()
	if err != nil {
		return err
	}
	before, readErr := t.Reads.Access.StopSeen(q.Context())
	err = t.Cutoff.StopSeen(q.Context(), q.Member.Form.Get("seen"), to, act)
	loosened := readErr == nil && before.Position.StopsMoreThan(to)
	switch {
	case errors.Is(err, access.ErrStopMoved):
		return t.stopMoved(q)
	case err != nil && (loosened || to == access.StopOff): // what gives access is done whole or not at all
		return err
	}
	text := stopInWords[to]
	if to == access.StopWrites && loosened && err == nil {
		text += " Reads pass again: before, every call was stopped."
	}
	if here, is := t.Reads.Access.StoppedHere(); is && to != access.StopAll {
		text = "The switch is set, but " + here.String() + ". Remove that file to let calls pass again."
	}
	return t.done(q, "Stop switch", text, err, ui.Link{Text: "Overview", Path: "/console"})
}

// stopMoved says that the switch is not as the page showed it, so that nothing was loosened.
func (t *Team) stopMoved(q *request) error {
	now, err := t.Reads.Access.StopSeen(q.Context())
	if err != nil {
		return err
	}
	by := ""
	if !now.At.IsZero() {
		by = fmt.Sprintf(" It was set %s, and the audit log says by whom and why.", ui.Moment(now.At, q.Now))
	}
	return console.Problem(http.StatusConflict, "The switch was set meanwhile",
		"Nothing was done. Somebody set the switch after your page was shown, and this would let calls pass that they have stopped. "+stopInWords[now.Position]+by+" Open the console again before you decide.")
}

func because(why string) string {
	if why == "" {
		return ""
	}
	return ": " + why
}
