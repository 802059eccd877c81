package api

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/oversight"
)

// entryParams are those of a search in the audit log.
func entryParams() []Param {
	var outcomes []string
	for _, o := range audit.Outcomes() {
		outcomes = append(outcomes, string(o))
	}
	return paging(
		Param{Name: "person", Doc: "Salesforce user id or username, or the name, e-mail address or subject of somebody of the company"}, Param{Name: "tool", Doc: "exact name"}, Param{Name: "server", Doc: "name of the endpoint"},
		Param{Name: "client", Doc: "client id", Length: maxClient}, Param{Name: "outcome", Doc: "how it ended", Enum: outcomes}, Param{Name: "action", Doc: "tool.call, or tool. for all of tool"},
		Param{Name: "object", Doc: "what was acted on, exactly"}, Param{Name: "rule", Doc: "as an entry names it"}, Param{Name: "approval", Doc: "apr_…"}, Param{Name: "grant", Doc: "grt_…: a connection"},
		Param{Name: "request", Doc: "request id"}, Param{Name: "since", Doc: "7d, 2026-03-01"}, Param{Name: "until", Doc: "a date means its end"},
		Param{Name: "text", Doc: "anywhere in an entry; each page looks through " + strconv.Itoa(oversight.TextLooked) + " that fit otherwise, so one may be empty and have a next"})
}

// Entries is a page of the audit log.
type Entries struct {
	Items []json.RawMessage `json:"items" doc:"as 'audit export' writes them, without arguments"`
	Whom  string            `json:"whom,omitempty" doc:"of a search by person: who they are, at Salesforce and at the company"`
	Next  string            `json:"next,omitempty" doc:"cursor of the page behind; missing: there is none"`
}

// entries searches the audit log, the newest first. Without arguments: whoever reads those opens
// one entry, which is recorded.
func (a logRoutes) entries(q *call) (list Entries, err error) {
	asked := func(name string) string {
		if name != "before" {
			return q.query.Get(name)
		}
		before, err := base64.RawURLEncoding.DecodeString(q.query.Get("cursor"))
		if err != nil {
			return "none" // is no number
		}
		return string(before)
	}
	filter, whom, err := a.Reads.Filter(q.Context(), asked, q.now)
	if wrong, ok := errors.AsType[*oversight.InputError](err); ok {
		return list, badRequest.is(wrong.Error(), `Correct it; as cursor send what the answer before had as "next".`)
	}
	if err != nil {
		return list, err
	}
	found, older, err := a.Reads.Entries(q.Context(), filter, q.query.Get("text"), q.limit())
	if err != nil {
		return list, err
	}
	list.Items = []json.RawMessage{}
	if whom != nil {
		list.Whom = withUnsure(whom.String(), whom.Unsure)
	}
	for _, e := range slices.Backward(found) {
		e.Arguments, e.Sent = nil, nil
		text, err := json.Marshal(e)
		if err != nil {
			return list, err
		}
		list.Items = append(list.Items, text)
	}
	if older > 0 {
		list.Next = base64.RawURLEncoding.EncodeToString(strconv.AppendInt(nil, older, 10))
	}
	return list, nil
}

// withUnsure says who somebody is that was asked for, and what is not known of that.
func withUnsure(whom string, unsure []string) string {
	return strings.Join(append([]string{whom}, unsure...), "; not known: ")
}

// Entry is one entry, whole.
type Entry struct {
	Entry json.RawMessage `json:"entry" doc:"as 'audit export' writes it"`
}

// entry is one entry with its arguments. That it was read is recorded first.
func (a logRoutes) entry(q *call) (Entry, error) {
	seq, err := strconv.ParseInt(q.variable("entry"), 10, 64)
	if err != nil || seq < 1 {
		return Entry{}, oversight.ErrNotFound
	}
	e, err := a.Reads.ReadEntry(q.Context(), q.token.Actor(), seq)
	if err != nil {
		return Entry{}, err
	}
	text, err := json.Marshal(e)
	return Entry{text}, err
}

// Denials is what was denied since a time, the most frequent first.
type Denials struct {
	Since        time.Time `json:"since"`
	Cut          bool      `json:"cut" doc:"only the newest are counted: choose a shorter time"`
	TotalReasons int       `json:"total_reasons" doc:"that there are; the first 200 are listed"`
	Reasons      []Denial  `json:"reasons" doc:"with the same rule and reason"`
	TotalPeople  int       `json:"total_people" doc:"that there are; the first 200 are listed"`
	People       []Denial  `json:"people" doc:"to the same person"`
}

// Denial is how many denials have something in common, with the last of them.
type Denial struct {
	Count    int       `json:"count"`
	Rule     string    `json:"rule,omitempty"`
	Reason   string    `json:"reason,omitempty"`
	Org      string    `json:"org,omitempty"`
	Subject  string    `json:"subject,omitempty"`
	Username string    `json:"username,omitempty"`
	Tool     string    `json:"tool,omitempty"`
	Server   string    `json:"server,omitempty"`
	Entry    int64     `json:"entry"`
	At       time.Time `json:"at"`
}

// denials counts what was denied.
func (a logRoutes) denials(q *call) (Denials, error) {
	since := q.query.Get("since")
	if since == "" {
		since = "7d"
	}
	begin, _, err := a.Reads.Times(since, q.now.UTC())
	if err != nil {
		return Denials{}, badRequest.is("since: "+err.Error(), "Send a time of one of these forms.")
	}
	all, err := a.Reads.DenialsSince(q.Context(), begin)
	if err != nil {
		return Denials{}, err
	}
	return Denials{begin, all.Cut, len(all.Reasons), denialsOf(all.Reasons), len(all.Persons), denialsOf(all.Persons)}, nil
}

func denialsOf(all []oversight.Tally) []Denial {
	list := []Denial{}
	for _, t := range all[:min(len(all), maxPage)] {
		e := t.Last
		list = append(list, Denial{t.N, e.Rule, e.Reason, e.Org, e.Subject, e.Username, e.Tool, e.Server, e.Seq, e.At})
	}
	return list
}

// Log is what is known of the audit log of the process that answers; each replica has its own.
type Log struct {
	Origin  string `json:"origin" doc:"name of the log"`
	Entries int64  `json:"entries"`
	Signed  int64  `json:"signed" doc:"last entry that a checkpoint signs"`
	Problem string `json:"problem,omitempty" doc:"why nothing is appended and no call is made: log and checkpoints do not agree"`
}

func (a logRoutes) log(*call) (Log, error) {
	s := a.Reads.LogState()
	l := Log{Origin: s.Origin, Entries: s.Entries, Signed: s.Signed}
	if s.Halted != nil {
		l.Problem = s.Halted.Error()
	}
	return l, nil
}

// Verification is what a verification of the log found.
type Verification struct {
	Whole   bool   `json:"whole" doc:"every entry is as it was written"`
	Read    bool   `json:"read" doc:"the whole log was read; false: it has more than can be read while a program waits"`
	First   int64  `json:"first"`
	Last    int64  `json:"last"`
	Signed  int64  `json:"signed" doc:"last entry that a checkpoint signs"`
	Finding string `json:"finding" doc:"what was found, in a sentence; of a log that is not whole the first entry that is wrong"`
}

// verify reads the whole log.
func (a logRoutes) verify(q *call, _ *Nothing) (Verification, error) {
	found, err := a.Reads.VerifyLog(q.Context())
	if errors.Is(err, oversight.ErrVerifying) {
		return Verification{}, conflict.is("The log is being verified for somebody else.", "Try again in half a minute.")
	}
	return Verification{found.Wrong == nil && !found.Unread && err == nil, !found.Unread, found.First, found.Last, found.Signed, found.String()}, err
}
