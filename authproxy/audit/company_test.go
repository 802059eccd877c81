package audit

import (
	"strings"
	"testing"

	"sfmcp-proxy/authproxy/actor"
)

// A person of the company stands in the log under a pseudonym, as who acts and as who is
// acted on, and is found by name; after they were erased what they did stays, and nobody can
// say who they were or where from. Whoever they acted on stays as they were.
func TestAU15PersonOfTheCompany(t *testing.T) {
	t.Parallel()
	const issuer, subject = "https://idp.acme.example", "sam.o"
	s := newStore(t)
	l := s.open()
	sam := actor.Person(issuer, subject)
	rep := "005xx000001Sv6AAAS"
	appendAll(t, l,
		Entry{Actor: sam, Action: SessionCreate, Outcome: OK, Source: "192.0.2.7"},
		Entry{Actor: actor.User(rep), Action: PersonLink, Outcome: OK, Org: "acme", Subject: rep, Object: sam.String(), Source: "192.0.2.8"},
		Entry{Actor: sam, Action: ApprovalDecide, Outcome: OK, Org: "acme", Subject: rep, Object: "appr-1", Reason: "fine"},
		Entry{Actor: sam, Action: StopSet, Outcome: OK, Object: "writes", Reason: "sam.o is away"},
	)
	if text := s.records(); strings.Contains(text, issuer+" "+subject) || strings.Contains(text, "192.0.2.7") || !strings.Contains(text, "sam.o is away") {
		t.Errorf("the log has them in clear, or lacks why they stopped: %s", text)
	}
	for name, l := range map[string]*Log{"this process": l, "another": s.open()} {
		all := list(t, l, Filter{})
		if all[0].Actor != sam || all[0].Source != "192.0.2.7" || all[1].Object != sam.String() || all[2].Actor != sam || all[3].Actor != sam || all[3].Object != "writes" {
			t.Errorf("%s: %+v", name, all)
		}
	}
	count := func(what string, f Filter, want int) {
		t.Helper()
		if n, err := l.Count(t.Context(), f); n != want || err != nil || len(list(t, l, f)) != want {
			t.Errorf("%s: %d counted, %d listed, %v; want %d", what, n, len(list(t, l, f)), err, want)
		}
	}
	count("by actor", Filter{Actor: sam.String()}, 3)
	count("by object", Filter{Object: sam.String()}, 1)
	human := Filter{Person: Person{Company: []actor.Actor{sam}}}
	count("as a human, by and about", human, 4)
	count("as a human with a Salesforce user", Filter{Person: Person{Subjects: []string{rep}, Company: []actor.Actor{sam}}}, 4)
	count("as somebody of the same subject elsewhere", Filter{Person: Person{Company: []actor.Actor{actor.Person("https://other.example", subject)}}}, 0)
	count("of another issuer", Filter{Actor: actor.Person("https://other.example", subject).String()}, 0)
	erased, err := l.Persons().Erase(t.Context(), issuer, subject, Erasure{By: actor.Operator("root", ""), Why: "ticket 7"}, nothingBesides)
	if err != nil || erased.Entries != 3 || !isPseudonym(erased.Pseudonym) {
		t.Fatalf("%+v, %v", erased, err)
	}
	for name, l := range map[string]*Log{"this process": l, "another": s.open()} {
		all := list(t, l, Filter{})
		gone := actor.Person(issuer, erased.Pseudonym)
		if all[0].Actor != gone || all[0].Source != "" || all[0].Personal != Erased || all[1].Object != gone.String() || all[1].Source != "192.0.2.8" ||
			all[1].Subject != rep || all[2].Actor != gone || all[2].Reason != "fine" || all[3].Actor != gone || all[3].Object != "writes" || all[3].Reason == "" {
			t.Errorf("%s, erased: %+v", name, all)
		}
	}
	count("who was erased, by name", human, 0)
	count("who was erased, by pseudonym", Filter{Person: Person{Subjects: []string{erased.Pseudonym}}}, 6)
	appendAll(t, l, Entry{Actor: sam, Action: SessionCreate, Outcome: OK})
	count("who came back", human, 1)
	if all := list(t, l, Filter{}); all[len(all)-1].Actor != sam || all[0].Actor == sam {
		t.Errorf("who comes back is somebody new: %+v", all)
	}
	sound(t, l, 7)
}
