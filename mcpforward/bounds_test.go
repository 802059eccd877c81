package mcpforward

import (
	"errors"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"sfmcp-proxy/authproxy/seal"
	"sfmcp-proxy/mcpforward/jsonrpc"
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
