package listing

import (
	"fmt"

	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/authproxy/policy/analysis"
	"sfmcp-proxy/authproxy/ui"
)

// calls is what JSON says of a group of calls.
type calls struct {
	Server  string       `json:"server"`
	Users   []string     `json:"users"`
	Clients []string     `json:"clients"`
	Class   policy.Class `json:"class"`
	Tools   []string     `json:"tools"`
	Objects []string     `json:"objects,omitempty"` // missing where no records are touched
	Rows    string       `json:"rows,omitempty"`
}

func newCalls(server string, c analysis.Calls) calls {
	return calls{server, c.Users, c.Clients, c.Class, c.Tools, c.Objects, c.Rows}
}

// way is what JSON says of one way in which calls are decided.
type way struct {
	Effect      policy.Effect `json:"effect"`
	Rule        int           `json:"rule"` // counted from 1; 0: no rule matches
	Conditional bool          `json:"conditional,omitempty"`
	Approvers   string        `json:"approvers,omitempty"`
	Hidden      []string      `json:"hidden,omitempty"`
	Shadow      bool          `json:"shadow,omitempty"`
}

func newWays(ways analysis.Ways) (all []way) {
	for _, w := range ways {
		all = append(all, way{w.Effect, w.Rule + 1, w.Conditional, w.Approvers, w.Hidden, w.Shadow})
	}
	return all
}

// Possible prints who may make calls on a server.
func (p Printer) Possible(server string, all []analysis.Possible) error {
	for _, one := range all {
		if p.JSON {
			if err := p.encoder().Encode(struct {
				calls
				Ways []way `json:"ways"`
			}{newCalls(server, one.Calls), newWays(one.Ways)}); err != nil {
				return err
			}
			continue
		}
		if err := p.paragraph(0, "%s: %s may %s: %s (%s)", server, one.Who(), one.What(), one.Ways, one.Ways.Last()); err != nil {
			return err
		}
	}
	return nil
}

// Changes prints what another version of a policy changes on a server.
func (p Printer) Changes(server string, all []analysis.Change) error {
	heading := ""
	for _, one := range all {
		if p.JSON {
			if err := p.encoder().Encode(struct {
				calls
				More   int   `json:"more"` // 1 lets more pass, -1 less, 0 neither for certain
				Before []way `json:"before"`
				After  []way `json:"after"`
			}{newCalls(server, one.Calls), one.More(), newWays(one.Before), newWays(one.After)}); err != nil {
				return err
			}
			continue
		}
		if now := headings[one.More()]; now != heading {
			heading = now
			if _, err := fmt.Fprintf(p.Out, "%s: %s\n", server, heading); err != nil {
				return err
			}
		}
		if err := p.paragraph(2, "%s: %s", one.Who(), one.What()); err != nil {
			return err
		}
		if err := p.paragraph(6, "before: %s (%s)", one.Before, one.Before.Last()); err != nil {
			return err
		}
		if err := p.paragraph(6, "after:  %s (%s)", one.After, one.After.Last()); err != nil {
			return err
		}
	}
	return nil
}

var headings = map[int]string{1: "more passes", -1: "less passes", 0: "other than before"}

// Gaps prints what is not guarded.
func (p Printer) Gaps(all []analysis.Gap) error {
	for _, gap := range all {
		if p.JSON {
			if err := p.encoder().Encode(struct {
				About string `json:"about"`
				Text  string `json:"text"`
			}{gap.About, gap.Text}); err != nil {
				return err
			}
			continue
		}
		if err := p.paragraph(0, "%s: %s", gap.About, gap.Text); err != nil {
			return err
		}
	}
	return nil
}

// paragraph prints one sentence, wrapped to the width with an indent of so many spaces; lines
// after the first are indented by two more.
func (p Printer) paragraph(indent int, format string, args ...any) error {
	_, err := fmt.Fprintln(p.Out, wrap(ui.Printable(fmt.Sprintf(format, args...)), indent, p.Width))
	return err
}
