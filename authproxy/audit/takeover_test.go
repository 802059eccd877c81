package audit

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/db/dbtest"
	"sfmcp-proxy/authproxy/seal"
)

// earlier fills the database as an earlier version did, with entries by these actors, written
// as it wrote them.
func (s *store) earlier(actors ...string) (texts []string) {
	s.t.Helper()
	d := dbtest.OpenURL(s.t, s.url)
	ring, err := seal.LoadKeyRing(s.keys())
	if err != nil {
		s.t.Fatal(err)
	}
	keys, err := ring.Keys(chainKey)
	if err != nil {
		s.t.Fatal(err)
	}
	end := chainEnd{MAC: chainGenesis}
	for i, by := range actors {
		text := fmt.Sprintf(`{"seq":%d,"at":"2026-03-01T12:00:00Z","actor":%q,"action":"approval.decide","object":%q,"outcome":"ok"}`, i+1, by, by)
		h := hmac.New(sha256.New, keys[0].Key)
		h.Write([]byte(strconv.Itoa(len(end.MAC)) + ":" + end.MAC + text))
		end = chainEnd{int64(i + 1), keys[0].ID + ":" + base64.RawURLEncoding.EncodeToString(h.Sum(nil))}
		if _, err := d.Writes.Exec(`INSERT INTO audit_entries (seq, at, actor, action, tool, entry, mac) VALUES ($1, 0, '', '', '', $2, $3)`, end.Seq, text, end.MAC); err != nil {
			s.t.Fatal(err)
		}
		texts = append(texts, text)
	}
	head, err := json.Marshal(end)
	if err != nil {
		s.t.Fatal(err)
	}
	sealed, err := ring.Seal(seal.Place{Table: "meta", Row: "audit_head", Purpose: "audit head"}, head)
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := d.Writes.Exec(`INSERT INTO meta (name, value) VALUES ('audit_head', $1)`, sealed); err != nil {
		s.t.Fatal(err)
	}
	return texts
}

// exported is the log as lines.
func exported(t *testing.T, l *Log) []string {
	t.Helper()
	var out bytes.Buffer
	if err := l.Export(t.Context(), Filter{}, &out); err != nil {
		t.Fatal(err)
	}
	return slices.Collect(strings.Lines(out.String()))
}

// The log that an earlier version kept in the database becomes the first entries, under the
// same numbers and byte for byte, once.
func TestEarlierLogIsTakenOver(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	texts := s.earlier(slices.Repeat([]string{"operator:alice"}, 2*takenAtOnce+3)...)
	n := int64(len(texts))
	for range 2 {
		l := s.open()
		lines := exported(t, l)
		if int64(len(lines)) != n+1 {
			t.Fatalf("%d entries of %d", len(lines), n)
		}
		for i, text := range texts {
			if lines[i] != text+"\n" {
				t.Fatalf("entry %d is %s, was %s", i+1, lines[i], text)
			}
		}
		if got := list(t, l, Filter{Action: string(LogTakeOver)}); len(got) != 1 || got[0].Seq != n+1 || got[0].Outcome != OK {
			t.Errorf("the record of it: %+v", got)
		}
		sound(t, l, n+1)
		var left int
		if err := l.config.DB.Reads.QueryRow(`SELECT count(*) FROM audit_entries`).Scan(&left); err != nil || left != 0 {
			t.Errorf("%d entries are left in the table, %v", left, err)
		}
	}
}

// A process that died in the middle is followed by one that goes on.
func TestTakingOverGoesOn(t *testing.T) {
	t.Parallel()
	s := newFiles(t)
	texts := s.earlier(slices.Repeat([]string{"operator:alice"}, takenAtOnce+3)...)
	l := s.open()
	s.remove()
	remove(t, s.keys()+".checkpoint")
	exec(t, l, `DELETE FROM meta WHERE name LIKE 'audit_%'`)
	for i, text := range texts { // again as it was
		if _, err := l.config.DB.Writes.Exec(`INSERT INTO audit_entries (seq, at, actor, action, tool, entry, mac) VALUES ($1, 0, '', '', '', $2, '')`, i+1, text); err != nil {
			t.Fatal(err)
		}
	}
	half, err := openLog(l.config)
	if err != nil {
		t.Fatal(err)
	}
	if err := (takeover{half}).takeGroup(t.Context()); err != nil { // and dies
		t.Fatal(err)
	}
	if err := half.closeFiles(); err != nil {
		t.Fatal(err)
	}
	if lines := exported(t, s.open()); len(lines) != len(texts)+1 || lines[takenAtOnce] != texts[takenAtOnce]+"\n" {
		t.Errorf("%d entries", len(lines))
	}
}

// An earlier log that somebody changed stays where it is, and the log begins with saying so.
func TestEarlierLogThatIsNotSound(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]string{
		"edited":      `UPDATE audit_entries SET entry = replace(entry, 'bob', 'eve') WHERE seq = 2`,
		"deleted":     `DELETE FROM audit_entries WHERE seq = 2`,
		"cut off":     `DELETE FROM audit_entries WHERE seq = 3`,
		"head gone":   `DELETE FROM meta WHERE name = 'audit_head'`,
		"head edited": `UPDATE meta SET value = 'v1.a.b' WHERE name = 'audit_head'`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStore(t)
			s.earlier("operator:alice", "operator:bob", "operator:carol")
			d := dbtest.OpenURL(t, s.url)
			if _, err := d.Writes.Exec(change); err != nil {
				t.Fatal(err)
			}
			s.open()
			l := s.open() // said once
			got := list(t, l, Filter{})
			if len(got) != 1 || got[0].Action != LogTakeOver || got[0].Outcome != Failed {
				t.Errorf("the log begins with %+v", got)
			}
			var left int
			if err := l.config.DB.Reads.QueryRow(`SELECT count(*) FROM audit_entries`).Scan(&left); err != nil || left < 2 {
				t.Errorf("%d entries are left in the table, %v", left, err)
			}
		})
	}
}

// Operators stand in entries of earlier versions in another form.
func TestEntriesOfEarlierVersions(t *testing.T) {
	t.Parallel()
	texts := map[string]actor.Actor{
		"user 0055g00000ABCDEAA0":                  actor.User("0055g00000ABCDEAA0"),
		"client chatgpt":                           actor.Client("chatgpt"),
		"operator:alice":                           actor.Operator("alice", ""),
		"operator":                                 actor.Operator("", ""),
		"Bob Miller (operator:alice)":              actor.Operator("alice", "Bob Miller"),
		"user 0055g00000ABCDEAA0 (operator:alice)": actor.Operator("alice", "user 0055g00000ABCDEAA0"),
		"browser":                                  actor.Browser,
		"005A":                                     {ID: "005A"},
	}
	var actors []string
	for text := range texts {
		actors = append(actors, text)
	}
	s := newStore(t)
	s.earlier(actors...)
	l := s.open()
	for _, e := range list(t, l, Filter{Action: string(ApprovalDecide)}) {
		if e.Actor != texts[e.Object] {
			t.Errorf("%q is read as %#v", e.Object, e.Actor)
		}
	}
	for user, want := range map[string]int{"operator:alice": 3, `operator:alice as "Bob Miller"`: 1, "Bob Miller (operator:alice)": 1, "user 0055g00000ABCDEAA0": 1, "client chatgpt": 1} {
		if got := len(list(t, l, Filter{Actor: user})); got != want {
			t.Errorf("%s: %d entries", user, got)
		}
	}
}
