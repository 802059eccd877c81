package approval

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"sfmcp-proxy/authproxy/actor"
)

// A proposal has other values, and nothing else: numbers and texts stay what they are, byte
// for byte.
func TestAP03Proposals(t *testing.T) {
	t.Parallel()
	const of = `{"body":{"A":1,"B":"x","C":true,"D":null,"L":[1,{"z":"y"}]},"id":"001"}`
	for in, want := range map[string]string{
		`{"id":"001","body":{"L":[2,{"z":"ü\u202e"}],"D":null,"C":false,"B":"","A":1.0}}`: `{"body":{"A":1.0,"B":"","C":false,"D":null,"L":[2,{"z":"ü` + "\u202e" + `"}]},"id":"001"}`,
		strings.Replace(of, "1,", "90071992547409930,", 1):                                strings.Replace(of, "1,", "90071992547409930,", 1),
		of:         "",
		" " + of:   "",
		`{}`:       "",
		`[]`:       "",
		`nonsense`: "",
		``:         "",
		of + of:    "",
		strings.Replace(of, `"A":1`, `"A":"1"`, 1):                         "",
		strings.Replace(of, `"A":1`, `"A":null`, 1):                        "",
		strings.Replace(of, `null`, `1`, 1):                                "",
		strings.Replace(of, `"A":1`, `"A":2,"E":1`, 1):                     "",
		strings.Replace(of, `"A":1`, `"A":2,"A":1`, 1):                     "",
		strings.Replace(of, `"B":"x"`, `"BB":"x"`, 1):                      "",
		strings.Replace(of, `[1,`, `[1,1,`, 1):                             "",
		strings.Replace(of, `{"z":"y"}`, `{}`, 1):                          "",
		strings.Replace(of, `"y"`, `"`+"\xff"+`"`, 1):                      "",
		strings.Replace(of, `"x"`, `"`+strings.Repeat("x", 70<<10)+`"`, 1): "",
	} {
		got, err := proposal(jsontext.Value(of), jsontext.Value(in))
		if string(got) != want || (err == nil) == (want == "") || err != nil && !errors.Is(err, ErrProposal) {
			t.Errorf("%.80s: %.80s, %v", in, got, err)
		}
	}
}

// A proposal that cannot be made leaves the request as it is.
func TestCounterChangesNothingByHalf(t *testing.T) {
	t.Parallel()
	s, c := newStore(t)
	r := submit(t, s, binding("Acme").by("role:a"))
	made := submit(t, s, binding("Made").by("role:a"))
	for name, arguments := range map[string]jsontext.Value{"the same": r.Arguments, "another shape": jsontext.Value(`{}`), "what the client asked for itself": made.Arguments} {
		if got, err := s.Counter(t.Context(), r.ID, actor.User("bob"), "bob", arguments); !errors.Is(err, ErrProposal) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	if got := state(t, s, r.ID); got != Pending {
		t.Errorf("it is %s", got)
	}
	if _, err := s.Counter(t.Context(), r.ID, actor.User("bob"), "", binding("Other").Arguments); err == nil {
		t.Error("nobody proposed")
	}
	if _, err := s.Counter(t.Context(), "apr_none", actor.User("bob"), "bob", binding("Other").Arguments); !errors.Is(err, ErrNotFound) {
		t.Errorf("in the place of nothing: %v", err)
	}
	counter, err := s.Counter(t.Context(), r.ID, actor.User("bob"), "bob", binding("Other").Arguments)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := s.Counter(t.Context(), r.ID, actor.User("cem"), "cem", binding("More").Arguments); !errors.Is(err, ErrGone) || got.State != Countered || got.Counter.ID != counter.ID {
		t.Errorf("twice: %+v, %v", got, err)
	}
	if _, err := s.Deny(t.Context(), r.ID, actor.User("bob"), ""); !errors.Is(err, ErrGone) {
		t.Errorf("denied what is countered: %v", err)
	}
	// Nothing came of the proposal: the first call may be asked for again.
	c.add(lifetime - time.Second)
	if met := submit(t, s, binding("Acme").by("role:a")); met.ID != r.ID || met.State != Countered {
		t.Errorf("it meets %+v", met)
	}
	if _, err := s.Void(t.Context(), VoidFilter{ID: counter.ID}, "x"); err != nil {
		t.Fatal(err)
	}
	if met := submit(t, s, binding("Acme").by("role:a")); met.ID == r.ID || met.State != Pending {
		t.Errorf("once the proposal is over it meets %+v", met)
	}
}

// What stands in the way of a proposal, or of an undo, is said as it is: who asked for that call, or that
// somebody denied it or proposed another one in its place.
func TestWhatStandsInTheWay(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		stands func(s *Store, there *Request) // makes of a request for that call what stands in the way
		want   string
	}{
		"asked for": {func(*Store, *Request) {}, "the client has made that call itself, as "},
		"approved":  {func(s *Store, there *Request) { decide(t, s, there.ID, true) }, "the client has made that call itself, as "},
		"denied":    {func(s *Store, there *Request) { decide(t, s, there.ID, false) }, "a person denied that call as "},
		"countered": {func(s *Store, there *Request) {
			if _, err := s.Counter(t.Context(), there.ID, actor.User("cem"), "cem", binding("another").Arguments); err != nil {
				t.Fatal(err)
			}
		}, "a person proposed another call in the place of that one, which is "},
		"proposed": {nil, "somebody has proposed that call already, as "},
	} {
		s, c := newStore(t)
		that := binding("that")
		var there *Request
		if tt.stands == nil {
			var err error
			if there, err = s.Counter(t.Context(), submit(t, s, binding("first")).ID, actor.User("cem"), "cem", that.Arguments); err != nil {
				t.Fatal(err)
			}
		} else {
			there = submit(t, s, that)
			tt.stands(s, there)
		}
		r := submit(t, s, binding("Acme"))
		_, err := s.Counter(t.Context(), r.ID, actor.User("bob"), "bob", that.Arguments)
		if !errors.Is(err, ErrProposal) || !strings.HasSuffix(err.Error(), ": "+tt.want+there.ID) {
			t.Errorf("%s: proposing it: %v", name, err)
		}
		c.add(time.Millisecond)
		done := sent(t, s, "Done", Done)
		if err := s.SaveCheck(t.Context(), done.ID, Intended, images); err != nil {
			t.Fatal(err)
		}
		_, err = s.Undo(t.Context(), done.ID, that, "update", "ann")
		if !errors.Is(err, ErrUndo) || !strings.HasSuffix(err.Error(), ": "+tt.want+there.ID) {
			t.Errorf("%s: undoing by it: %v", name, err)
		}
	}
}

// One connection's waiting calls leave room for the user's others, up to what a user may have;
// who is refused learns which waits the longest.
func TestAP13OneConnectionDoesNotShutOutOthers(t *testing.T) {
	t.Parallel()
	s, c := newStore(t) // three of a connection, five of a user
	hold := func(grant string, n int) (*Request, error) {
		c.add(time.Second)
		b := binding(fmt.Sprint(grant, n))
		b.GrantID = grant
		return s.Submit(t.Context(), b, "create")
	}
	var firsts []*Request
	for _, tt := range []struct {
		grant string
		fit   int
		of    int // whose oldest is in the way
		here  bool
	}{{"g1", 3, 0, true}, {"g2", 2, 0, false}, {"g3", 0, 0, false}} {
		for n := range tt.fit {
			r, err := hold(tt.grant, n)
			if err != nil {
				t.Fatalf("%s: call %d: %v", tt.grant, n, err)
			}
			if n == 0 {
				firsts = append(firsts, r)
			}
		}
		_, err := hold(tt.grant, tt.fit)
		many, ok := errors.AsType[*TooManyError](err)
		if !ok || !errors.Is(err, ErrTooMany) || many.Oldest != firsts[tt.of].ID || many.Connection != tt.here || !many.Since.Equal(firsts[tt.of].CreatedAt) {
			t.Errorf("%s: %v, %+v", tt.grant, err, many)
		}
	}
}

// AP-18: the answer of a call is for the connection that made it. Another one of the same user
// and client learns that it was made, and not what was answered.
func TestAP18AnswerForItsConnection(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t)
	b := binding("Acme")
	r := submit(t, s, b)
	decide(t, s, r.ID, true)
	spender := b
	spender.GrantID = "g2" // asked for by g1
	if _, err := s.Spend(t.Context(), spender); err != nil {
		t.Fatal(err)
	}
	if err := s.Settle(t.Context(), r.ID, Done, []byte(`{"ok":true}`)); err != nil {
		t.Fatal(err)
	}
	for grant, want := range map[string]string{"g1": "", "g2": `{"ok":true}`, "g3": ""} {
		repeat := b
		repeat.GrantID = grant
		if got := submit(t, s, repeat); got.ID != r.ID || got.State != Spent || got.Outcome != Done || string(got.Result) != want {
			t.Errorf("%s gets %s %s %q", grant, got.State, got.Outcome, got.Result)
		}
	}
}

// Who proposed a call and was let agree to it all the same does not count when it is spent.
func TestAuthorDoesNotCountWhenSpending(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t)
	s.people = rosterOf{"ann": {"a"}, "bob": {"a"}}
	r := submit(t, s, binding("Acme").by("role:a"))
	counter, err := s.Counter(t.Context(), r.ID, actor.User("ann"), "ann", binding("Other").Arguments)
	if err != nil {
		t.Fatal(err)
	}
	for _, human := range []string{"ann", "bob"} {
		if r, err := s.Approve(t.Context(), counter.ID, Decision{By: actor.User(human), Human: human, Factor: "a", Role: "a"}); err != nil || r.State != Approved {
			t.Fatalf("%s: %+v, %v", human, r, err)
		}
		_, err := s.Spend(t.Context(), counter.Binding)
		if human == "ann" && !errors.Is(err, ErrLapsed) || human == "bob" && err != nil {
			t.Errorf("approved by %s: %v", human, err)
		}
	}
}
