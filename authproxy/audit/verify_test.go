package audit

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/seal"
)

// An attacker who can write to the database but has no key changes a log of ten
// entries; Verify names the first one that is wrong.
func TestAU02ChangedLog(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change []string
		first  int64
	}{
		"edited byte":       {[]string{`UPDATE audit_entries SET entry = replace(entry, '"ok"', '"Ok"') WHERE seq = 4`}, 4},
		"edited actor":      {[]string{`UPDATE audit_entries SET actor = 'else' WHERE seq = 5`}, 5},
		"edited tool":       {[]string{`UPDATE audit_entries SET tool = '' WHERE seq = 5`}, 5},
		"edited time":       {[]string{`UPDATE audit_entries SET at = at + 1 WHERE seq = 6`}, 6},
		"edited MAC":        {[]string{`UPDATE audit_entries SET mac = mac || 'A' WHERE seq = 7`}, 7},
		"other algorithm":   {[]string{`UPDATE audit_entries SET mac = 'none:' WHERE seq = 7`}, 7},
		"MAC of nobody":     {[]string{`UPDATE audit_entries SET mac = '' WHERE seq = 2`}, 2},
		"first deleted":     {[]string{`DELETE FROM audit_entries WHERE seq = 1`}, 1},
		"middle deleted":    {[]string{`DELETE FROM audit_entries WHERE seq = 5`}, 5},
		"deleted, closed":   {[]string{`DELETE FROM audit_entries WHERE seq = 5`, `UPDATE audit_entries SET seq = seq - 1 WHERE seq > 5`}, 5},
		"tail cut off":      {[]string{`DELETE FROM audit_entries WHERE seq > 8`}, 9},
		"all cut off":       {[]string{`DELETE FROM audit_entries`}, 1},
		"all and head gone": {[]string{`DELETE FROM audit_entries WHERE seq > 1`, `DELETE FROM meta WHERE name = 'audit_head'`}, 1},
		"head edited":       {[]string{`UPDATE meta SET value = value || 'A' WHERE name = 'audit_head'`}, 1},
		"two swapped": {[]string{
			`UPDATE audit_entries SET seq = -1 WHERE seq = 3`, `UPDATE audit_entries SET seq = 3 WHERE seq = 4`,
			`UPDATE audit_entries SET seq = 4 WHERE seq = -1`}, 3},
		"contents swapped": {[]string{
			`UPDATE audit_entries SET entry = (SELECT entry FROM audit_entries WHERE seq = 9), mac = (SELECT mac FROM audit_entries WHERE seq = 9) WHERE seq = 8`}, 8},
		"forged at the end": {[]string{
			`INSERT INTO audit_entries (seq, at, actor, action, tool, entry, mac) SELECT 11, at, actor, action, tool, replace(entry, '"seq":10', '"seq":11'), mac FROM audit_entries WHERE seq = 10`}, 11},
		"forged before the first": {[]string{
			`INSERT INTO audit_entries (seq, at, actor, action, tool, entry, mac) SELECT 0, at, actor, action, tool, entry, mac FROM audit_entries WHERE seq = 1`}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newStore(t).open()
			for i := range 10 {
				appendAll(t, l, Entry{Actor: actor.User("005A"), Action: "tool.call", Tool: fmt.Sprint("tool", i), Outcome: OK})
			}
			if n, err := l.Verify(t.Context()); n != 10 || err != nil {
				t.Fatalf("Verify of the sound log = %d, %v", n, err)
			}
			for _, q := range c.change {
				if _, err := l.db.Writes.ExecContext(t.Context(), q); err != nil {
					t.Fatal(err)
				}
			}
			_, err := l.Verify(t.Context())
			var broken *Broken
			if !errors.As(err, &broken) || broken.Seq != c.first {
				t.Errorf("Verify = %v, want a break at %d", err, c.first)
			}
		})
	}
}

// The whole chain recomputed, with another key under the same id.
func TestAU03RecomputedChain(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	real := s.open()
	appendAll(t, real, entry("user.block"), entry("tool.call"))
	keys := filepath.Join(s.dir, "keys")
	if err := os.Rename(keys, keys+".real"); err != nil {
		t.Fatal(err)
	}
	known, err := real.ring.Keys(chainPurpose)
	if err != nil {
		t.Fatal(err)
	}
	_, forged, _ := strings.Cut(seal.NewKeyLine(), " ")
	if err := os.WriteFile(keys, []byte(known[0].ID+" "+forged), 0o600); err != nil {
		t.Fatal(err)
	}
	forger := s.open()
	for _, q := range []string{`DELETE FROM audit_entries`, `DELETE FROM meta WHERE name = 'audit_head'`} {
		if _, err := forger.db.Writes.ExecContext(t.Context(), q); err != nil {
			t.Fatal(err)
		}
	}
	appendAll(t, forger, entry("tool.call"), entry("tool.call"))
	if n, err := forger.Verify(t.Context()); n != 2 || err != nil {
		t.Fatalf("the forged chain is not even consistent: %d, %v", n, err)
	}
	_, err = real.Verify(t.Context())
	var broken *Broken
	if !errors.As(err, &broken) {
		t.Errorf("Verify of the forged chain = %v", err)
	}
}

// A cut-off tail stays visible after the log was appended to.
func TestAU02CutTailIsNotGrownOver(t *testing.T) {
	t.Parallel()
	l := newStore(t).open()
	appendAll(t, l, entry("a.a"), entry("a.b"), entry("a.c"))
	if _, err := l.db.Writes.ExecContext(t.Context(), `DELETE FROM audit_entries WHERE seq = 3`); err != nil {
		t.Fatal(err)
	}
	appendAll(t, l, entry("a.d"))
	_, err := l.Verify(t.Context())
	var broken *Broken
	if !errors.As(err, &broken) || broken.Seq != 3 {
		t.Errorf("Verify = %v, want a break at 3", err)
	}
}

// A database that was put back under a running proxy is not written to.
func TestAppendRefusesARolledBackLog(t *testing.T) {
	t.Parallel()
	l := newStore(t).open()
	appendAll(t, l, entry("a.a"))
	var old string
	if err := l.db.Reads.QueryRowContext(t.Context(), `SELECT value FROM meta WHERE name = 'audit_head'`).Scan(&old); err != nil {
		t.Fatal(err)
	}
	appendAll(t, l, entry("a.b"))
	for _, q := range []string{`DELETE FROM audit_entries WHERE seq = 2`, `UPDATE meta SET value = '` + old + `' WHERE name = 'audit_head'`} {
		if _, err := l.db.Writes.ExecContext(t.Context(), q); err != nil {
			t.Fatal(err)
		}
	}
	if seq, err := l.Append(t.Context(), entry("a.c")); err == nil {
		t.Errorf("entry %d was appended to a log that was put back", seq)
	}
}

// After a key rotation the old entries verify with the old key, and new ones use the new.
// A log that was open before goes on (FT-46).
func TestVerifyAcrossKeyRotation(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	running := s.open()
	appendAll(t, running, entry("a.a"))
	keys := filepath.Join(s.dir, "keys")
	old, err := os.ReadFile(keys)
	if err != nil {
		t.Fatal(err)
	}
	fresh := []byte(seal.NewKeyLine())
	if err := os.WriteFile(keys, append(fresh, old...), 0o600); err != nil {
		t.Fatal(err)
	}
	l := s.open()
	appendAll(t, l, entry("a.b"))
	appendAll(t, running, entry("a.c"))
	for _, l := range []*Log{l, running} {
		if n, err := l.Verify(t.Context()); n != 3 || err != nil {
			t.Errorf("Verify = %d, %v", n, err)
		}
	}
	if err := os.WriteFile(keys, fresh, 0o600); err != nil { // the old key is lost
		t.Fatal(err)
	}
	var broken *Broken
	if _, err := s.open().Verify(t.Context()); !errors.As(err, &broken) || broken.Seq != 1 {
		t.Errorf("Verify without the old key = %v", err)
	}
}

// Entries of earlier versions, with operators in another form, are sound and are read.
func TestEntriesOfEarlierVersions(t *testing.T) {
	t.Parallel()
	l := newStore(t).open()
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
	for text := range texts { // as they were written: another text, no actor_kind
		e := entry(ApprovalDecide)
		e.Object = text
		w, err := newWaiting(t.Context(), e)
		if err != nil {
			t.Fatal(err)
		}
		now := `"actor":"user 005A","actor_kind":"user",`
		if !bytes.Contains(w.tail, []byte(now)) {
			t.Fatalf("%s", w.tail)
		}
		w.tail = bytes.Replace(w.tail, []byte(now), fmt.Appendf(nil, `"actor":%q,`, text), 1)
		w.entry.Actor = actor.Actor{ID: text} // its column
		l.append(w)
		if w.err != nil {
			t.Fatal(w.err)
		}
	}
	if n, err := l.Verify(t.Context()); n != int64(len(texts)) || err != nil {
		t.Errorf("Verify = %d, %v", n, err)
	}
	for _, e := range list(t, l, Filter{}) {
		if e.Actor != texts[e.Object] {
			t.Errorf("%q is read as %#v", e.Object, e.Actor)
		}
	}
	var out bytes.Buffer
	if err := l.Export(t.Context(), Filter{}, &out); err != nil {
		t.Fatal(err)
	}
	for text := range texts {
		if !strings.Contains(out.String(), fmt.Sprintf(`"actor":%q,"action"`, text)) {
			t.Errorf("the export does not hold %q as it was stored", text)
		}
	}
	for user, want := range map[string]int{"operator:alice": 3, `operator:alice as "Bob Miller"`: 1, "Bob Miller (operator:alice)": 1, "user 0055g00000ABCDEAA0": 1, "client chatgpt": 1} {
		if got := len(list(t, l, Filter{Actor: user})); got != want {
			t.Errorf("%s: %d entries", user, got)
		}
	}
}
