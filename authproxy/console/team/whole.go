package team

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"sfmcp-proxy/authproxy/console"
	"sfmcp-proxy/authproxy/oversight"
	"sfmcp-proxy/authproxy/ui"
)

// wholeTiles say how much there is in the log, and up to where it is signed: of that packs of evidence
// are made.
func (t logPages) wholeTiles(q *request) []ui.Tile {
	s := t.Reads.LogState()
	all := ui.Tile{Number: strconv.FormatInt(s.Entries, 10), Label: "entries in the log", Path: "#s1", Text: "Verify below that it is whole."}
	if s.Halted != nil {
		all.Kind, all.Text = "denied", "Nothing is appended, and no call is made: log and checkpoints do not agree."
	}
	return []ui.Tile{all, {Number: strconv.FormatInt(s.Signed, 10), Label: "signed, for packs of evidence", Path: packOfSearch(q),
		Text: "Take the pack of a person, a call, a control or a time for an auditor: it is checked with the log's public key alone."}}
}

// packOfSearch is the page of packs, with as much of what is searched for as a pack can be of.
func packOfSearch(q *request) string {
	if id := q.asked("approval"); id != "" { // which has a time of its own
		return packPath("approval", id)
	}
	return packPath("user", q.asked("person"), "since", q.asked("since"), "until", q.asked("until"))
}

// wholeSection says what is known of the log, and offers to verify it.
func (t logPages) wholeSection(q *request) ui.Section {
	s := t.Reads.LogState()
	agrees := ui.Cell{Text: "they agree", Kind: "good"}
	if s.Halted != nil {
		agrees = ui.Cell{Text: "they do not agree", Kind: "denied", Faint: s.Halted.Error()}
	}
	verify := q.button(ui.Act{Path: "log/verify", Label: "Verify the log", Text: "Reads every entry of the log of the process that answers you, and compares it with the signed checkpoints. Other replicas have logs of their own: 'audit verify' does it there."})
	return ui.Section{Heading: "Is the log whole?", Facts: []ui.Fact{{Name: "Log", Cell: ui.Cell{Text: s.Origin, Code: true}}, {Name: "Log and checkpoints", Cell: agrees},
		{Name: "Signed", Cell: ui.Cell{Text: fmt.Sprintf("%d of %s", s.Signed, counted(int(s.Entries), "entry"))}}}, Acts: acts(verify)}
}

// verify reads the whole log.
func (t logPages) verify(q *request) error {
	found, err := t.Reads.VerifyLog(q.Context())
	if errors.Is(err, oversight.ErrVerifying) {
		return console.Problem(http.StatusConflict, "It is being verified", "Somebody else has just asked for it. Try again in half a minute.")
	}
	if err != nil {
		return err
	}
	p := q.page("Is the log whole?", "/console/audit", "")
	p.Back = &ui.Link{Text: "Audit log", Path: "/console/audit"}
	kind := "good"
	if found.Wrong != nil {
		kind = "denied"
	} else if found.Unread {
		kind = "warn"
	}
	p.Notes = append(p.Notes, ui.ConsoleNote{Kind: kind, Text: found.String()})
	p.Sections = []ui.Section{{Heading: "What this does not show", Text: "Whoever could put back log, database and keys together is found by checkpoints that are kept elsewhere. Somebody who does not trust this machine verifies a copy with the public key:",
		Block: "sfmcp-proxy audit verify --log COPY --key log.key --checkpoint kept.checkpoint"}}
	return t.show(q, p)
}
