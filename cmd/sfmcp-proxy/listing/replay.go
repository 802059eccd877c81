package listing

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"sfmcp-proxy/authproxy/policy/analysis"
)

// replayRow is a group of calls that a draft decides otherwise.
type replayRow struct {
	Calls  int    `json:"calls" col:"CALLS"`
	Change string `json:"change" col:"CHANGE"`
	User   string `json:"user" col:"USER" fit:"line"`
	Server string `json:"server" col:"SERVER" fit:"drop"`
	Tool   string `json:"tool" col:"TOOL" fit:"line"`
	Rule   string `json:"rule" col:"BY" fit:"line"`
	Entry  string `json:"entry" col:"ENTRIES" fit:"drop"`
}

// Replays prints what drafts would have decided.
func (p Printer) Replays(replays []*analysis.Replay) error {
	for _, r := range replays {
		if p.JSON {
			if err := p.encoder().Encode(r); err != nil {
				return err
			}
			continue
		}
		if err := p.replay(r); err != nil {
			return err
		}
	}
	return nil
}

func (p Printer) replay(r *analysis.Replay) error {
	more, less := 0, 0
	for _, c := range r.Changes {
		if c.More() > 0 {
			more += c.Calls
		} else {
			less += c.Calls
		}
	}
	head := fmt.Sprintf("policy %s: %d calls, %d judged, %d decided otherwise", r.Policy, r.Calls, r.Judged, r.Changed)
	if r.Changed > 0 {
		head += fmt.Sprintf(" (%d more freely, %d less)", more, less)
	}
	for _, why := range slices.Sorted(maps.Keys(r.Unjudged)) {
		head += fmt.Sprintf("; %d not judged: %s", r.Unjudged[why], why)
	}
	if r.Unlisted > 0 {
		head += fmt.Sprintf("; %d of those are not listed", r.Unlisted)
	}
	if err := p.paragraph(0, "%s", head); err != nil || len(r.Changes) == 0 {
		return err
	}
	var all []replayRow
	var rules []string // in the order in which they are first named
	for _, c := range r.Changes {
		var entries []string
		for _, seq := range c.Examples {
			entries = append(entries, fmt.Sprint(seq))
		}
		rule, _, hasWords := strings.Cut(c.Rule, " (")
		if hasWords && !slices.Contains(rules, c.Rule) {
			rules = append(rules, c.Rule)
		}
		all = append(all, replayRow{c.Calls, string(c.From) + " → " + string(c.To), c.User, c.Server, c.Tool, rule, strings.Join(entries, " ")})
	}
	if err := rows(p, all); err != nil || len(rules) == 0 {
		return err
	}
	return p.paragraph(0, "of the draft: %s", strings.Join(rules, "; "))
}
