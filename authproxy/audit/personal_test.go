package audit

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/audit/logfile"
	"sfmcp-proxy/authproxy/db/dbtest"
	"sfmcp-proxy/authproxy/seal"
)

// records is everything that the log has on disk.
func (s *store) records() string {
	s.t.Helper()
	segments, err := logfile.Segments(s.log())
	if err != nil {
		s.t.Fatal(err)
	}
	var all []byte
	for _, segment := range segments {
		text, err := os.ReadFile(segment.Path)
		if err != nil {
			s.t.Fatal(err)
		}
		all = append(all, text...)
	}
	return string(all)
}

// everything about a person that an entry can say.
func personal() Entry {
	e := typical()
	e.Reason, e.AnswerDigest = "because of Smith", strings.Repeat("fedcba9876543210", 4)
	e.Records, e.RecordsTotal = []Records{{Class: "read", Object: "Contact", IDs: []string{"003xx0000000001AAA"}}}, 1
	e.Arguments = json.RawMessage(`{"q":"SELECT Id FROM Contact WHERE Name = 'Smith'"}`)
	e.Sent = json.RawMessage(`{"q":"SELECT Id FROM Contact WHERE Name = 'Smith' LIMIT 5"}`)
	return e
}

// What is about a person is not in the file, and whoever may read gets it back.
func TestAU15PersonalFieldsAreEncrypted(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	want := personal()
	appendAll(t, s.open(), want)
	text := s.records()
	for _, secret := range []string{want.Subject, want.Username, want.Source, want.Reason, "Smith", "003xx", "Contact", want.ArgumentsDigest, want.AnswerDigest} {
		if strings.Contains(text, secret) {
			t.Errorf("the log has %q: %s", secret, text)
		}
	}
	for _, kept := range []string{want.Tool, want.Rule, want.Grant, want.Client, want.RequestID} {
		if !strings.Contains(text, kept) {
			t.Errorf("the log lacks %q: %s", kept, text)
		}
	}
	want.Seq, want.At = 1, start
	other := s.open() // another process, which has no key yet
	if diff := cmp.Diff([]Entry{want}, list(t, other, Filter{})); diff != "" {
		t.Error(diff)
	}
	for name, f := range map[string]Filter{
		"id": {Person: Person{Subjects: []string{want.Subject}}}, "actor": {Actor: "user " + want.Subject}, "tool": {Tool: want.Tool},
	} {
		if n, err := other.Count(t.Context(), f); err != nil || n != 1 || len(list(t, other, f)) != 1 {
			t.Errorf("by %s: %d, %v", name, n, err)
		}
	}
	if found, err := other.Persons().SubjectsNamed(t.Context(), "REP@acme.example"); err != nil || len(found) != 1 || found[0] != want.Subject {
		t.Errorf("by username: %v, %v", found, err)
	}
	sound(t, other, 1)
}

// A decision has two people, and each is known by their own pseudonym.
func TestPersonsOfOneEntry(t *testing.T) {
	t.Parallel()
	l := newStore(t).open()
	e := personal()
	e.Actor, e.Action = actor.User("005xx000001Sv6BAAS"), ApprovalDecide
	appendAll(t, l, e, personal())
	got := list(t, l, Filter{Limit: 2})
	if got[0].Actor != e.Actor || got[0].Subject != e.Subject || got[1].Actor.ID != e.Subject {
		t.Errorf("%+v", got)
	}
	if n := len(list(t, l, Filter{Person: Person{Subjects: []string{e.Actor.ID}}})); n != 1 {
		t.Errorf("%d entries of the decider", n)
	}
}

// After an entry's person was erased it verifies as before, and says nothing about them; nor does
// the index, and nor does anything that the proxy itself adds. Who comes back is another person.
func TestAU15ErasePerson(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	l := s.open()
	e := personal()
	other := personal()
	other.Subject, other.Actor, other.Username = "005xx000001Sv6BAAS", actor.User("005xx000001Sv6BAAS"), "manager@acme.example"
	appendAll(t, l, e, other, e)
	before := s.records()
	erased, err := l.Persons().Erase(t.Context(), "acme", e.Subject, Erasure{By: actor.Operator("root", ""), Why: "ticket 7"}, nothingBesides)
	if err != nil || erased.Entries != 2 || !isPseudonym(erased.Pseudonym) {
		t.Fatalf("Erase = %+v, %v", erased, err)
	}
	late := personal()
	late.Actor, late.Action = actor.Proxy, LinkRevoke
	appendAll(t, l, late)
	if !strings.HasPrefix(s.records(), before) {
		t.Error("the log was written anew")
	}
	for name, l := range map[string]*Log{"this process": l, "another": s.open()} {
		all := list(t, l, Filter{})
		for _, seq := range []int{1, 3, 6} {
			if got := all[seq-1]; got.Personal != Erased || got.Subject != erased.Pseudonym || got.Arguments != nil || got.Source != "" || got.Tool != e.Tool {
				t.Errorf("%s: entry %d: %+v", name, seq, got)
			}
		}
		if got := all[1]; got.Username != other.Username || got.Personal != "" {
			t.Errorf("%s: somebody else's entry: %+v", name, got)
		}
		if got := all[3]; got.Action != SubjectErase || got.Reason != "ticket 7" || got.Subject != erased.Pseudonym {
			t.Errorf("%s: the record of it: %+v", name, got)
		}
		for what, f := range map[string]Filter{"id": {Person: Person{Subjects: []string{e.Subject}}}, "actor": {Actor: "user " + e.Subject}, "name": {Person: Person{Usernames: []string{e.Username}}}} {
			if n, err := l.Count(t.Context(), f); err != nil || n != 0 || len(list(t, l, f)) != 0 {
				t.Errorf("%s: by %s: %d, %v", name, what, n, err)
			}
		}
		if n := len(list(t, l, Filter{Person: Person{Subjects: []string{erased.Pseudonym}}})); n != 5 {
			t.Errorf("%s: by the pseudonym: %d", name, n)
		}
	}
	var out bytes.Buffer
	if err := l.Export(t.Context(), Filter{}, &out); err != nil || strings.Contains(out.String(), e.Subject) || strings.Contains(out.String(), e.Username) {
		t.Errorf("export: %v, %s", err, out.String())
	}
	sound(t, l, 6)
	if _, err := l.Persons().Erase(t.Context(), "acme", e.Subject, Erasure{By: actor.Proxy}, nothingBesides); err != ErrUnknownPerson {
		t.Errorf("a second time: %v", err)
	}
	appendAll(t, l, e)
	back := list(t, l, Filter{Person: Person{Subjects: []string{e.Subject}}})
	if len(back) != 1 || back[0].Seq != 7 || back[0].Username != e.Username {
		t.Errorf("who came back: %+v", back)
	}
}

func nothingBesides(context.Context) error { return nil }

// A key that was put back with an older database is erased again, and so is a person whom that
// database does not know.
func TestAU15EraseAgain(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	l := s.open()
	e := personal()
	appendAll(t, l, e)
	exec := func(query string, args ...any) {
		t.Helper()
		if _, err := l.config.DB.Writes.ExecContext(t.Context(), query, args...); err != nil {
			t.Fatal(err)
		}
	}
	var sealed string
	if err := l.config.DB.Reads.QueryRow(`SELECT sealed_key FROM audit_persons`).Scan(&sealed); err != nil {
		t.Fatal(err)
	}
	erased, err := l.Persons().Erase(t.Context(), "acme", e.Subject, Erasure{By: actor.Proxy}, nothingBesides)
	if err != nil {
		t.Fatal(err)
	}
	for _, put := range []string{"of before", "of before the person"} {
		exec(`DELETE FROM audit_persons`)
		if put == "of before" {
			exec(`INSERT INTO audit_persons (org, pseudonym, subject, sealed_key) VALUES ('acme', $1, $2, $3)`, erased.Pseudonym, e.Subject, sealed)
		}
		if id, changed, err := l.Persons().EraseAgain(t.Context(), "acme", erased.Pseudonym); err != nil || !changed || id != "" && id != e.Subject {
			t.Errorf("%s: %q, %t, %v", put, id, changed, err)
		}
		if got := list(t, s.open(), Filter{}); got[0].Personal != Erased {
			t.Errorf("%s: %+v", put, got[0])
		}
		if _, changed, err := l.Persons().EraseAgain(t.Context(), "acme", erased.Pseudonym); err != nil || changed {
			t.Errorf("%s, a second time: %t, %v", put, changed, err)
		}
	}
}

// Whoever takes a key away, or exchanges it, erases nothing unseen, and no entry becomes
// somebody else's.
func TestAU15KeyThatIsMissingIsSaid(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]string{
		"deleted":         `DELETE FROM audit_persons WHERE subject = '005xx000001Sv6AAAS'`,
		"somebody else's": `UPDATE audit_persons SET subject = '005xx000001Sv6CAAS' WHERE subject = '005xx000001Sv6AAAS'`,
		"exchanged":       `UPDATE audit_persons SET sealed_key = 'v1.x.y'`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStore(t)
			l := s.open()
			e, other := personal(), personal()
			other.Actor, other.Subject = actor.User("005xx000001Sv6BAAS"), "005xx000001Sv6BAAS"
			appendAll(t, l, e, other)
			if _, err := l.config.DB.Writes.Exec(change); err != nil {
				t.Fatal(err)
			}
			got := list(t, s.open(), Filter{})
			if got[0].Personal != KeyMissing || !isPseudonym(got[0].Subject) || !isPseudonym(got[0].Actor.ID) || got[0].Sealed == "" {
				t.Errorf("%+v", got[0])
			}
			if name == "deleted" { // whoever has the key file still finds them
				if n := len(list(t, s.open(), Filter{Person: Person{Subjects: []string{e.Subject}}})); n != 1 {
					t.Errorf("%d entries by the id", n)
				}
			}
		})
	}
}

// After a rotation of the key file everybody is found and read as before, and keys are sealed anew.
func TestPersonsOutliveRotation(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	e := personal()
	appendAll(t, s.open(), e)
	if err := seal.RotateKeyFile(s.keys()); err != nil {
		t.Fatal(err)
	}
	l := s.open()
	appendAll(t, l, e)
	all := list(t, l, Filter{Person: Person{Subjects: []string{e.Subject}}})
	if len(all) != 2 || all[0].Username != e.Username || all[1].Username != e.Username {
		t.Errorf("%+v", all)
	}
	if found, err := l.Persons().SubjectsNamed(t.Context(), e.Username); err != nil || len(found) != 1 {
		t.Errorf("by name: %v, %v", found, err)
	}
	keys, err := l.config.Ring.Keys(pseudonymKey)
	if err != nil {
		t.Fatal(err)
	}
	var sealed string
	if err := l.config.DB.Reads.QueryRow(`SELECT sealed_key FROM audit_persons`).Scan(&sealed); err != nil || !strings.HasPrefix(sealed, "v1."+keys[0].ID+".") {
		t.Errorf("the key is sealed as %s, %v", sealed, err)
	}
}

// However often somebody was erased and came back, they are found, up to a bound: whoever looks
// does not look for ever.
func TestD15LivesAreBounded(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	l := s.open()
	id := personID{"acme", "005xx000001Sv6AAAS"}
	erase := func(from, to int) {
		t.Helper()
		err := l.config.DB.Tx(t.Context(), func(tx *sql.Tx) error {
			for life := from; life < to; life++ {
				pseudonyms, err := l.persons.pseudonyms(id, life)
				if err != nil {
					return err
				}
				if _, err := tx.Exec(`INSERT INTO audit_persons (org, pseudonym, subject, sealed_key) VALUES ($1, $2, '', '')`, id.org, pseudonyms[0]); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	const most = 1000
	erase(0, most-1)
	if all, erased, err := l.persons.lives(t.Context(), id); err != nil || len(all) != most || erased != all[most-2][0] {
		t.Errorf("after %d erasures: %d lives, %v", most-1, len(all), err)
	}
	erase(most-1, most)
	if _, _, err := l.persons.lives(t.Context(), id); err == nil {
		t.Errorf("after %d erasures they are looked for", most)
	}
}

// With many persons the first entry of one costs no more than with few: their key is found by an index.
func TestPersonIsFoundByIndex(t *testing.T) {
	t.Parallel()
	if dbtest.OnPostgres() {
		t.Skip("the plan of SQLite")
	}
	l := newStore(t).open()
	var parent, id, unused int
	var plan string
	if err := l.config.DB.Reads.QueryRowContext(t.Context(), "EXPLAIN QUERY PLAN "+readPerson, "acme", "005A").Scan(&id, &parent, &unused, &plan); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(plan, "SEARCH audit_persons USING INDEX audit_persons_subject") {
		t.Error(plan)
	}
}

// Entries of more persons than one statement asks for are revealed, and those of one who was erased
// meanwhile are not.
func TestManyPersonsAreRevealed(t *testing.T) {
	t.Parallel()
	l := newStore(t).open()
	const many = 2*rowsAtOnce + 7
	for i := range many {
		e := entry("tool.call")
		e.Org, e.Subject, e.Username = "acme", fmt.Sprintf("005A%05d", i), fmt.Sprintf("user%d@acme.example", i)
		appendAll(t, l, e)
	}
	revealed := func() (n int) {
		for _, e := range list(t, l, Filter{}) {
			if e.Username == fmt.Sprintf("user%d@acme.example", e.Seq-1) && e.Personal == "" && e.Subject == fmt.Sprintf("005A%05d", e.Seq-1) {
				n++
			}
		}
		return n
	}
	if n := revealed(); n != many {
		t.Errorf("%d of %d entries are revealed", n, many)
	}
	if _, err := l.Persons().Erase(t.Context(), "acme", "005A00003", Erasure{By: actor.Operator("alice", "")}, func(context.Context) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if n := revealed(); n != many-1 {
		t.Errorf("after one of %d was erased %d are revealed", many, n)
	}
}
