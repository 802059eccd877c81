package audit

import (
	"testing"

	"sfmcp-proxy/authproxy/actor"
)

// Whoever writes into the database takes the key of a person away, or puts it as if they had been
// erased: verifying says that it is missing and that nobody erased them, also after another key was
// made. Of whom an entry says that they were erased nothing is said.
func TestAU02KeysThatNobodyErased(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	l := s.open()
	about := func(subject string) Entry {
		return Entry{Actor: actor.User(subject), Action: ToolCall, Outcome: OK, Org: "acme", Subject: subject, Username: subject + "@acme.example", Reason: "said"}
	}
	const gone, kept, erased, emptied = "005xx000001Sv6AAAS", "005xx000001Sv7AAAS", "005xx000001Sv8AAAS", "005xx000001Sv9AAAS"
	appendAll(t, l, about(kept), about(gone), about(erased), about(emptied), about(gone),
		Entry{Actor: actor.Person("https://idp.acme.example", "sam"), Action: ApprovalDecide, Outcome: OK, Org: "acme", Subject: kept})
	lost := func() LostKeys {
		t.Helper()
		seen, err := l.Verify(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return seen.Lost
	}
	if _, err := l.Persons().Erase(t.Context(), "acme", erased, Erasure{By: actor.Operator("root", ""), Why: "asked"}, nothingBesides); err != nil {
		t.Fatal(err)
	}
	if got := lost(); got != (LostKeys{}) {
		t.Errorf("with all keys but one that was erased: %+v", got)
	}
	change := func(statement, subject string) {
		t.Helper()
		if _, err := l.config.DB.Writes.ExecContext(t.Context(), statement, subject); err != nil {
			t.Fatal(err)
		}
		l.Persons().Forget()
	}
	change(`DELETE FROM audit_persons WHERE subject = $1`, gone)
	want := LostKeys{People: 1, First: 2, Fresh: true}
	if got := lost(); got != want {
		t.Errorf("a key that was taken away: %+v", got)
	}
	appendAll(t, l, about(gone)) // makes another one
	if got := lost(); got != want {
		t.Errorf("with another key in its place: %+v", got)
	}
	change(`UPDATE audit_persons SET subject = '', sealed_key = '' WHERE subject = $1`, emptied)
	change(`DELETE FROM audit_persons WHERE subject = $1`, "sam")
	if got := lost(); got != (LostKeys{People: 2, Emptied: 1, First: 2, Fresh: true}) {
		t.Errorf("with one as if they had been erased, and a person of the company: %+v", got)
	}
	appendAll(t, l, Entry{Actor: actor.Operator("root", ""), Action: LogAcknowledge, Outcome: OK})
	if got := lost(); got.Fresh || got.People != 2 {
		t.Errorf("after somebody acknowledged: %+v", got)
	}
}
