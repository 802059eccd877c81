package mcpforward

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"sfmcp-proxy/authproxy/budget"
	"sfmcp-proxy/authproxy/outside"
	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/authproxy/policy/mask"
	"sfmcp-proxy/authproxy/policy/reach"
	"sfmcp-proxy/authproxy/seal"
	"sfmcp-proxy/mcpforward/jsonrpc"
	"sfmcp-proxy/mcpforward/records"
)

// D15: the sessions of a connection are bounded by themselves: another connection that opens
// as many as it can takes none away.
func TestD15SessionsOfOthersStay(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	now := time.Now()
	s := newSessionStore(w.db, func() time.Time { return now })
	open := func(grant string) string {
		t.Helper()
		id, err := s.open(t.Context(), grant, session{version: newestVersion})
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	mine := open("grt_mine")
	now = now.Add(time.Second)
	for range 200 {
		open("grt_other")
	}
	oldest := now
	open("grt_mine")
	if _, err := s.find(t.Context(), mine, "grt_mine"); err != nil {
		t.Errorf("a session is gone because another connection has many: %v", err)
	}
	now = oldest.Add(time.Second)
	open("grt_other") // one too many
	var n int
	if err := w.db.Reads.QueryRow(`SELECT COUNT(*) FROM mcp_sessions WHERE grant_id = 'grt_other'`).Scan(&n); err != nil || n != 200 {
		t.Errorf("the other has %d, %v", n, err)
	}
	expires := func() (at int64) {
		if err := w.db.Reads.QueryRow(`SELECT expires_at FROM mcp_sessions WHERE session_hash = $1`, seal.Hash(mine)).Scan(&at); err != nil {
			t.Fatal(err)
		}
		return at
	}
	before := expires()
	if err := s.prolong(t.Context(), sessionKey{seal.Hash(mine), "grt_other"}, now.UnixMilli()); err != nil || expires() != before {
		t.Errorf("another connection prolongs a session: %v", err)
	}
	if err := s.prolong(t.Context(), sessionKey{seal.Hash(mine), "grt_mine"}, now.UnixMilli()); err != nil || expires() <= before {
		t.Errorf("its own does not: %v", err)
	}
	if _, err := s.find(t.Context(), mine, "grt_other"); !errors.Is(err, errNoSession) {
		t.Errorf("a session of another connection: %v", err)
	}
}

// Codes that mean something to a client of the stateless era are not Salesforce's to give,
// to the last of their range; the one that sends a user to an address, to no client.
func TestPassableCodes(t *testing.T) {
	t.Parallel()
	for code, reserved := range map[jsonrpc.Code]bool{
		-32000: true, -32001: true, -32050: true, -32099: true, -31999: false, -32100: false, -32602: false, -32700: false, 0: false, 7: false,
	} {
		for stateless, want := range map[bool]jsonrpc.Code{false: code, true: code} {
			if stateless && reserved {
				want = jsonrpc.InternalError
			}
			c := newCall(&request{stateless: stateless}, "")
			if got := c.delivery.passableCode(code); got != want {
				t.Errorf("stateless %t: %d becomes %d, want %d", stateless, code, got, want)
			}
		}
	}
	for _, stateless := range []bool{false, true} {
		if got := newCall(&request{stateless: stateless}, "").delivery.passableCode(-32042); got != jsonrpc.InternalError {
			t.Errorf("stateless %t: a client is sent to an address, by %d", stateless, got)
		}
	}
}

// FW-01: what has no canonical form has no digest that a decision could be bound to, and is
// not sent.
func TestFW01ArgumentsWithoutACanonicalForm(t *testing.T) {
	t.Parallel()
	for _, arguments := range []string{`{"a":1,"a":2}`, `{"a":{"b":1,"\u0062":2}}`, "{\"a\":\"\xff\"}", `{"a":1}x`, `{`, `[]`, `null`, `"x"`, `7`} {
		params, canonical, err := forwardedParams(jsonrpc.Object{}, "name", "soqlQuery", jsontext.Value(arguments))
		if err == nil || params != nil || canonical != nil {
			t.Errorf("%q: sent as %s, %v", arguments, params, err)
		}
	}
	params, canonical, err := forwardedParams(jsonrpc.Object{}, "name", "soqlQuery", jsontext.Value(`{"b":1.0,"a":2}`))
	if err != nil || string(canonical) != `{"a":2,"b":1.0}` || string(params) != `{"name":"soqlQuery","arguments":{"b":1.0,"a":2}}` {
		t.Errorf("%s, %s, %v", params, canonical, err)
	}
}

// A client is told to make a smaller call only where one could be made: where nothing is left, or
// a call counts as one, no smaller one is.
func TestTextSpent(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		taken, wanted int64
		want          string
	}{
		{99, 2, "It would be 2 more, and 99 of 100 records are used"}, {0, 101, "It alone would be 101"}, {0, 100, "It would be 100 more, and 0 of 100"},
		{100, 2, "they are used up"}, {120, 2, "they are used up"}, {100, 1, "they are used up"}, {100, 0, "they are used up"},
	} {
		got := textSpent(&budget.Spent{Counter: &budget.Counter{Name: "records", Limit: 100}, Taken: tt.taken, Wanted: tt.wanted, Renews: time.Now()})
		if !strings.Contains(got, tt.want) || strings.Contains(got, "smaller") == (tt.want == "they are used up") {
			t.Errorf("%d taken, %d wanted: %s", tt.taken, tt.wanted, got)
		}
	}
}

// What was left out of an answer is told, be it one record.
func TestNotesTellWhatIsLeftOut(t *testing.T) {
	t.Parallel()
	for _, cut := range []int64{0, 1, 2} {
		c := obligations{&call{decision: policy.Decision{Reach: &reach.Value{}, Obligations: policy.Obligations{Rows: 100}}}}
		if got, want := c.notes(mask.Done{Cut: cut}), fmt.Sprintf("at most 100 records in this answer; %d more", cut); strings.Contains(got, want) != (cut > 0) {
			t.Errorf("%d left out: %q", cut, got)
		}
	}
}

// Of the records that text from outside may come from those are noted that are kept, and no more.
func TestD15SourcesOfOutsideText(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, outside.Sources, outside.Sources + 1, 5 * outside.Sources} {
		var found records.Found
		for i := range n {
			found.Named = append(found.Named, policy.Record{Object: "Case", ID: fmt.Sprint(i)}, policy.Record{Object: "Account", ID: fmt.Sprint(i)})
		}
		c := outsideNotes{call: &call{tool: "soqlQuery"}}
		got := c.sources(found)
		if len(got) != min(n, outside.Sources) || slices.ContainsFunc(got, func(s outside.Source) bool { return s.Object != "Case" || s.Tool != "soqlQuery" }) {
			t.Errorf("of %d cases: %v", n, got)
		}
	}
	c := outsideNotes{call: &call{tool: "soqlQuery"}}
	if got := c.sources(records.Found{}); len(got) != 1 || got[0] != (outside.Source{Tool: "soqlQuery"}) {
		t.Errorf("where no record is named: %v", got)
	}
}

// The name of what a completion refers to is of the kind that it says, and bounded.
func TestReferenceNames(t *testing.T) {
	t.Parallel()
	uri := "file:///" + strings.Repeat("a", maxURI)
	for ref, want := range map[string]string{
		`{"type":"ref/prompt","name":"p"}`: "prompt:p", `{"type":"ref/resource","uri":"u:x"}`: "resource:u:x",
		`{"type":"ref/resource","uri":"` + uri[:maxURI] + `"}`: "resource:" + uri[:maxURI], `{"type":"ref/resource","uri":"` + uri[:maxURI+1] + `"}`: "",
		`{"type":"ref/prompt","uri":"u:x"}`: "", `{"type":"ref/resource","name":"p"}`: "", `{"type":"ref/prompt","name":""}`: "", `{"type":"ref/resource","uri":""}`: "",
		`{"type":"ref/tool","name":"p","uri":"u:x"}`: "", `{"name":"p","uri":"u:x"}`: "",
	} {
		params, err := jsonrpc.ParseObject(jsontext.Value(`{"ref":` + ref + `}`))
		if err != nil {
			t.Fatal(err)
		}
		if got := referenceName(params); got != want {
			t.Errorf("%.60s is %.60q, want %.60q", ref, got, want)
		}
	}
}
