package team

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/ui"
)

// healthOver is the time of which it is said how Salesforce did.
const healthOver = 15 * time.Minute

// Health is how a hosted server of Salesforce does, as this process sees it: each replica has
// requests and sessions of its own.
type Health struct {
	Server string // the name of our endpoint in front of it
	// CircuitOpen: calls are refused for now, because it failed several times in a row.
	CircuitOpen bool
	Sessions    int // MCP sessions that are kept with it
	// Requests are those that ended in the time that was asked for, Failed those of them that
	// Salesforce did not answer.
	Requests, Failed int
	Median, Slow     time.Duration // half of them took as long or less, and 95 of 100
}

// The limits beyond which a server does not do well.
const (
	failedPercent = 5
	slowAfter     = 10 * time.Second
)

// ill is how bad it is, for the order of the list.
func (h Health) ill() int {
	switch {
	case h.CircuitOpen:
		return 3
	case h.Failed*100 > h.Requests*failedPercent:
		return 2
	case h.Slow >= slowAfter:
		return 1
	}
	return 0
}

// state is how it does in a word, and what to do.
func (h Health) state() (state ui.Cell, do string) {
	switch {
	case h.CircuitOpen:
		return ui.Cell{Text: "not answering", Kind: "denied"}, "Look at status.salesforce.com. Calls are refused until it answers again; nothing is to be done here."
	case h.ill() == 2:
		return ui.Cell{Text: "failing", Kind: "warn"}, "Look at status.salesforce.com, and at what failed in the audit log."
	case h.ill() == 1:
		return ui.Cell{Text: "slow", Kind: "warn"}, "Assistants give up after about a minute: ask which queries are that large."
	case h.Requests == 0:
		return ui.Cell{Text: "not used"}, "Nothing."
	}
	return ui.Cell{Text: "answering", Kind: "good"}, "Nothing."
}

// healthSection shows how Salesforce does, by server.
func (t *Team) healthSection(q *request, p *ui.ConsolePage) error {
	all := slices.Clone(t.Health(q.Now.Add(-healthOver)))
	slices.SortStableFunc(all, func(a, b Health) int {
		return cmp.Or(cmp.Compare(b.ill(), a.ill()), cmp.Compare(b.Requests, a.Requests), cmp.Compare(a.Server, b.Server))
	})
	table := &ui.Table{Caption: "Salesforce by server", Columns: []string{"Server", "State", "Answers in", "Requests", "Sessions", "What to do"}, Empty: "No server is configured."}
	for _, h := range all[:min(len(all), maxLines)] {
		state, do := h.state()
		took, requests := ui.Cell{}, ui.Cell{Text: strconv.Itoa(h.Requests)}
		if h.Requests > 0 {
			took = ui.Cell{Text: inSeconds(h.Median), Faint: "95 of 100 in " + inSeconds(h.Slow)}
		}
		if h.Failed > 0 {
			requests.Faint = fmt.Sprintf("%d failed", h.Failed)
		}
		table.Rows = append(table.Rows, []ui.Cell{{Text: h.Server, Path: "/console/audit?" + url.Values{"action": {string(audit.ToolCall)}, "outcome": {string(audit.Failed)}, "server": {h.Server}}.Encode()}, state, took, requests, {Text: strconv.Itoa(h.Sessions)}, {Text: do}})
	}
	p.Watched = append(p.Watched, ui.Section{Heading: "Salesforce by server", Table: table, Text: strings.TrimSpace(
		"Requests of the last 15 minutes and sessions of the process that answers you. Where several run, each has its own: the metrics have those of all. " + shown(len(table.Rows), len(all), ""))})
	return nil
}

// inSeconds is how long something took, as exact as people want it.
func inSeconds(d time.Duration) string {
	if d < time.Millisecond {
		return "less than 1 ms"
	}
	if d < time.Second {
		return strconv.FormatInt(d.Milliseconds(), 10) + " ms"
	}
	return strconv.FormatFloat(d.Seconds(), 'f', 1, 64) + " s"
}

// healthTile says whether Salesforce answers.
func (t *Team) healthTile(q *request, p *ui.ConsolePage) error {
	var open []string
	for _, h := range t.Health(q.Now.Add(-healthOver)) {
		if h.CircuitOpen {
			open = append(open, h.Server)
		}
	}
	tile := ui.Tile{Number: strconv.Itoa(len(open)), Label: "servers that do not answer", Path: "#w0", Text: "Nothing to do. Below is how fast each answers."}
	if len(open) > 0 {
		tile.Kind, tile.Text = "denied", "Salesforce failed several times in a row: "+firstNames(open)+". Calls are refused until it answers again."
	}
	p.Tiles = append(p.Tiles, tile)
	return nil
}

// firstNames are the first names of a list in a sentence, with how many more there are.
func firstNames(all []string) string {
	const named = 5
	if len(all) <= named {
		return strings.Join(all, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(all[:named], ", "), len(all)-named)
}
