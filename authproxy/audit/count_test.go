package audit

import (
	"fmt"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/db/dbtest"
)

// What is counted by the index alone is what the list has, for every filter, over several
// segments, with names in every case, and times in the middle of a block and of a millisecond.
func TestU3CountIsTheList(t *testing.T) {
	t.Parallel()
	if dbtest.OnPostgres() {
		return // it is about files
	}
	s := newStore(t)
	l, segments := s.long()
	actors := []actor.Actor{actor.User("005A"), actor.User("005a"), actor.User("Kay@acme.example"), actor.Operator("alice", ""), actor.Operator("alice", "005A"), actor.Client("c"), actor.Proxy}
	for i := range 700 {
		s.enqueue(l, Entry{Actor: actors[i%len(actors)], Action: []Action{ToolCall, ToolList, "tool"}[i%3], Outcome: Outcomes()[i%2], Tool: fmt.Sprint("t", i%5),
			Subject: []string{"", "005A", "005a", "005B"}[i%4], Username: []string{"", "\u212aay@acme.example", "KAY@acme.example", "rep@acme.example"}[i/4%4]})
		if i%7 == 0 {
			l.Flush()
		}
	}
	l.Flush()
	middle := start.Add(40 * time.Second)
	first, err := firstOf(segments[1])
	if err != nil {
		t.Fatal(err)
	}
	for name, f := range map[string]Filter{
		"all": {}, "id": {Person: Person{Subjects: []string{"005A"}}}, "id in another case": {Person: Person{Subjects: []string{"005a"}}},
		"name": {Person: Person{Usernames: []string{"kay@ACME.example"}}}, "both": {Person: Person{Subjects: []string{"005B"}, Usernames: []string{"rep@acme.example"}}},
		"operator": {Actor: "operator:alice"}, "operator and person": {Actor: actors[4].String()}, "user": {Actor: actors[0].String()},
		"noun": {Action: "tool."}, "action": {Action: string(ToolList)}, "outcome": {Outcome: OK}, "tool and outcome": {Tool: "t1", Outcome: Intent},
		"since": {Since: middle}, "since within a millisecond": {Since: middle.Add(time.Microsecond)}, "until": {Until: middle}, "until within a millisecond": {Until: middle.Add(time.Microsecond)},
		"between": {Since: middle, Until: middle.Add(17 * time.Second), Tool: "t2"}, "at one time": {Since: first.At, Until: first.At.Add(1)},
		"after": {After: segments[1].First + 5}, "after, of one": {After: 850, Person: Person{Subjects: []string{"005A"}}}, "none": {Tool: "x"},
	} {
		want := len(list(t, l, f))
		if got, err := l.Count(t.Context(), f); err != nil || got != want {
			t.Errorf("%s: %d entries are counted, %v, and %d listed", name, got, err, want)
		}
		if want == 0 != (name == "none") {
			t.Errorf("%s: %d entries", name, want)
		}
	}
	if got, err := l.Persons().SubjectsNamed(t.Context(), "kay@acme.example"); err != nil || len(got) != 3 {
		t.Errorf("who had the name: %q, %v", got, err)
	}
}
