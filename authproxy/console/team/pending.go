package team

import (
	"encoding/json"
	"fmt"
	"strings"

	"sfmcp-proxy/authproxy/ui"
)

// Pending is what a reload would change now.
type Pending struct {
	// Problem says why the configuration, as it is in the files, would not be taken; empty: it would.
	Problem string
	// Servers are those whose calls would be decided otherwise.
	Servers []PendingServer
}

// PendingServer is one of them.
type PendingServer struct {
	Server, Policy string
	Lines          []string // what changes for whom
}

// pendingSections say what the files have that is not in force.
func (t policyPages) pendingSections() (sections []ui.Section) {
	pending := t.Pending()
	if pending == nil {
		return nil
	}
	if pending.Problem != "" {
		return []ui.Section{{Heading: "What a reload would change", Text: "Nothing: the configuration in the files would be refused, and what is in force stays. Correct this:", Block: pending.Problem}}
	}
	if len(pending.Servers) == 0 {
		return []ui.Section{{Heading: "What a reload would change", Text: "No decision: what the files say is in force."}}
	}
	for _, s := range pending.Servers[:min(len(pending.Servers), maxEndpoints)] {
		lines := s.Lines[:min(len(s.Lines), maxLines)]
		sections = append(sections, ui.Section{Heading: "What a reload would change at " + s.Server, Text: strings.TrimSpace("The policy " + s.Policy + " in the files is another one than the one in force. " +
			shown(len(lines), len(s.Lines), "'policy diff' at the command line has all.")), Block: strings.Join(lines, "\n")})
	}
	if n := len(pending.Servers); n > maxEndpoints {
		sections = append(sections, ui.Section{Heading: "What a reload would change elsewhere", Text: endpointsShown(n)})
	}
	return sections
}

// replayFact says how the newest replay of a policy ended.
func (t policyPages) replayFact(q *request, name, version string) (ui.Fact, error) {
	last, err := t.Reads.LastReplay(q.Context(), name)
	fact := ui.Fact{Name: "Last replay", Cell: ui.Cell{Text: "none: 'policy replay' says what recorded calls a draft would decide otherwise"}}
	if err != nil || last.Seq == 0 {
		return fact, err
	}
	var about struct{ Calls, Judged, Changed int }
	if err := json.Unmarshal(last.Arguments, &about); err != nil {
		return fact, nil
	}
	of := "of another version than the one in force"
	if last.PolicyVersion == version {
		of = "of the version in force"
	}
	fact.Cell = ui.Cell{Text: fmt.Sprintf("%d of %s judged, %d decided otherwise", about.Judged, counted(about.Calls, "call"), about.Changed), Path: entryPath(last.Seq), Faint: ui.Moment(last.At, q.Now) + ", " + of}
	return fact, nil
}
