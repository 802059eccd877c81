package reports

import (
	"encoding/csv"
	"io"
	"slices"
	"time"

	"sfmcp-proxy/authproxy/approval/evidence"
	"sfmcp-proxy/authproxy/audit"
)

// AccessActions are the nouns and actions of entries about who has access: given, ended, blocked,
// decided about.
var AccessActions = []string{"grant.", "user.", "client.", "consent.", "person.", "link.", "subject.", "review."}

// Access is that somebody had access, or was kept from it, from one entry to another.
type Access struct {
	Kind       string `json:"kind"` // "connection" or "block"
	Connection string `json:"connection,omitempty"`
	Who
	Client       string    `json:"client,omitempty"`
	Server       string    `json:"server,omitempty"`
	Granted      time.Time `json:"granted"` // of a block: when it began
	GrantedEntry int64     `json:"granted_entry"`
	GrantedBy    string    `json:"granted_by"`
	Ended        time.Time `json:"ended,omitzero"` // zero: the log has no end of it
	EndedEntry   int64     `json:"ended_entry,omitempty"`
	EndedBy      string    `json:"ended_by,omitempty"`
	Why          string    `json:"why,omitempty"`
	// Seconds is the time between.
	Seconds int64 `json:"seconds,omitempty"`
}

// HistoryActions are those of entries that an [AccessHistory] takes anything from.
var HistoryActions = []audit.Action{audit.GrantCreate, audit.GrantRevoke, audit.GrantReplay, audit.UserBlock, audit.UserRevoke, audit.UserUnblock}

// AccessHistory finds when access was given and when it ended. Give it the entries of
// [HistoryActions], oldest first; it passes over others. A connection that ends by its own time has no entry of its end.
type AccessHistory struct {
	all    []*Access
	open   map[string]*Access // by connection
	of     map[Who][]string   // open connections of a user
	blocks map[Who]*Access
}

// Add takes an entry.
func (h *AccessHistory) Add(e audit.Entry) {
	if e.Outcome != audit.OK && (e.Outcome != audit.Failed || e.Status == "") { // what ended incompletely has ended here
		return
	}
	if h.open == nil {
		h.open, h.of, h.blocks = map[string]*Access{}, map[Who][]string{}, map[Who]*Access{}
	}
	switch e.Action {
	case audit.GrantCreate:
		if e.Outcome == audit.OK && e.Grant != "" && h.open[e.Grant] == nil {
			a := h.begin("connection", e)
			h.open[e.Grant] = a
			h.of[key(e)] = append(h.of[key(e)], e.Grant)
		}
	case audit.GrantRevoke, audit.GrantReplay:
		h.end(e.Grant, e)
	case audit.UserBlock:
		if h.blocks[key(e)] == nil {
			h.blocks[key(e)] = h.begin("block", e)
		}
		h.endAll(e)
	case audit.UserRevoke:
		h.endAll(e)
	case audit.UserUnblock:
		if a := h.blocks[key(e)]; a != nil {
			a.end(e)
			delete(h.blocks, key(e))
		}
	}
}

func (h *AccessHistory) begin(kind string, e audit.Entry) *Access {
	a := &Access{Kind: kind, Connection: e.Grant, Who: Who{e.Org, e.Subject, e.Username}, Client: e.Client, Server: e.Server, Granted: e.At, GrantedEntry: e.Seq, GrantedBy: e.Actor.String()}
	if kind == "block" {
		a.Why = e.Reason
	}
	h.all = append(h.all, a)
	return a
}

func (h *AccessHistory) end(connection string, e audit.Entry) {
	if a := h.open[connection]; a != nil {
		a.end(e)
		delete(h.open, connection)
	}
}

// endAll ends what a user has: connections that begin afterwards are others.
func (h *AccessHistory) endAll(e audit.Entry) {
	for _, connection := range h.of[key(e)] {
		h.end(connection, e)
	}
	delete(h.of, key(e))
}

func (a *Access) end(e audit.Entry) {
	a.Ended, a.EndedEntry, a.EndedBy, a.Why = e.At, e.Seq, e.Actor.String(), e.Reason
	a.Seconds = int64(e.At.Sub(a.Granted) / time.Second)
}

// Within returns what began or ended in a time; a zero time is no bound.
func (h *AccessHistory) Within(since, until time.Time) []Access {
	in := func(t time.Time) bool {
		return !t.IsZero() && !t.Before(since) && (until.IsZero() || t.Before(until))
	}
	all := []Access{}
	for _, a := range h.all {
		if in(a.Granted) || in(a.Ended) {
			all = append(all, *a)
		}
	}
	return all
}

// WriteAccessCSV writes them as a table.
func WriteAccessCSV(w io.Writer, all []Access) error {
	rows := [][]string{{"kind", "connection", "org", "subject", "username", "client", "server", "granted", "granted_entry", "granted_by", "ended", "ended_entry", "ended_by", "why", "seconds_between"}}
	for _, a := range all {
		row := []string{a.Kind, a.Connection, a.Org, a.Subject, a.Username, a.Client, a.Server, stamp(a.Granted), number(a.GrantedEntry), a.GrantedBy, "", "", "", a.Why, ""}
		if a.EndedEntry > 0 {
			copy(row[10:], []string{stamp(a.Ended), number(a.EndedEntry), a.EndedBy, a.Why, number(a.Seconds)})
		}
		rows = append(rows, row)
	}
	return WriteCSV(w, rows)
}

// PolicyActions are the nouns of entries about how calls are decided.
var PolicyActions = []string{"policy.", "config.", "definition.", "stop."}

// WriteEventsCSV writes them as a table.
func WriteEventsCSV(w io.Writer, all []Event) error {
	rows := [][]string{{"entry", "at", "by", "action", "object", "server", "outcome", "says"}}
	for _, e := range all {
		rows = append(rows, []string{number(e.Entry), stamp(e.At), e.By, string(e.Action), e.Object, e.Server, string(e.Outcome), e.Text})
	}
	return WriteCSV(w, rows)
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// WriteCSV writes rows as a table (RFC 4180). Texts that a spreadsheet would take for a formula
// begin with an apostrophe.
func WriteCSV(w io.Writer, rows [][]string) error {
	out := csv.NewWriter(w)
	for _, row := range rows {
		row = slices.Clone(row)
		for i := range row {
			row[i] = evidence.NoFormula(row[i])
		}
		if err := out.Write(row); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}
