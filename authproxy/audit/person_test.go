package audit

import (
	"slices"
	"testing"

	"sfmcp-proxy/authproxy/actor"
)

// U2: an entry concerns a person by whatever it names them with.
func TestU2PersonIsConcerned(t *testing.T) {
	t.Parallel()
	const id, name = "005xx000001Sv6AAAS", "rep_1@acme.example"
	l := newStore(t).open()
	appendAll(t, l,
		Entry{Actor: actor.User(id), Org: "acme", Subject: id, Username: name, Action: ToolCall, Outcome: OK},                        // 1
		Entry{Actor: actor.Proxy, Org: "sandbox", Subject: id, Action: LinkLost, Outcome: Failed},                                    // 2, of another org
		Entry{Actor: actor.Operator("alice", ""), Username: "REP_1@acme.example", Action: UserBlock, Outcome: OK},                    // 3, the username alone
		Entry{Actor: actor.User(id), Action: SessionEnd, Outcome: OK},                                                                // 4, the actor alone
		Entry{Actor: actor.Operator("alice", name), Subject: "005xx000001Sv6BAAS", Action: ApprovalDecide, Outcome: OK},              // 5, named as the decider
		Entry{Actor: actor.User("005xx000001Sv6BAAS"), Subject: "005xx000001Sv6BAAS", Username: name, Action: ToolCall, Outcome: OK}, // 6, had the username earlier
		Entry{Actor: actor.Client(id), Subject: "005xx000001Sv6BAAS", Username: "repx1@acme.example", Action: TokenIssue, Outcome: OK, Reason: name},
		Entry{Actor: actor.Proxy, Subject: "005xx000001Sv6AAAT", Action: ToolCall, Outcome: OK, Object: id},
	)
	person := Person{Subjects: []string{id}, Usernames: []string{name}}
	for _, limit := range []int{0, 100} {
		var got []int64
		for _, e := range list(t, l, Filter{Person: person, Limit: limit}) {
			got = append(got, e.Seq)
		}
		if !slices.Equal(got, []int64{1, 2, 3, 4, 5}) {
			t.Errorf("limit %d: %v", limit, got)
		}
	}
	subjects, err := l.Persons().SubjectsNamed(t.Context(), "Rep_1@ACME.example")
	if err != nil || !slices.Equal(subjects, []string{id, "005xx000001Sv6BAAS"}) {
		t.Errorf("%v, %v", subjects, err)
	}
}

// U3: what is counted is what would be listed, whichever way it is asked.
func TestU3Count(t *testing.T) {
	t.Parallel()
	l := newStore(t).open()
	appendAll(t, l, entry("tool.call"), entry("tool.list"),
		Entry{Actor: actor.Proxy, Subject: "005xx000001Sv6AAAS", Action: ToolCall, Tool: "find", Outcome: OK})
	for want, filter := range map[int]Filter{
		3: {Limit: 1}, 2: {Action: "tool.call", Limit: 1}, 1: {Person: Person{Subjects: []string{"005xx000001Sv6AAAS"}}}, 0: {Tool: "none"},
	} {
		if n, err := l.Count(t.Context(), filter); n != want || err != nil {
			t.Errorf("%+v: %d, %v, want %d", filter, n, err, want)
		}
	}
}
