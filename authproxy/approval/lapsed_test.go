package approval

import (
	"context"
	"errors"
	"slices"
	"testing"

	"sfmcp-proxy/authproxy/actor"
)

// town are people whose roles, and ways to sign in, change.
type town struct {
	behind map[string]string // the human behind a Salesforce user, where that is known
	roles  map[string][]string
	called map[string][]string
}

func (p *town) HumanOf(_ context.Context, org, subject string) (string, error) {
	if human := p.behind[subject]; human != "" {
		return human, nil
	}
	return SalesforceHuman(org, subject), nil
}

func (r *town) Called(_ context.Context, name string) ([]string, error) {
	return r.called[name], nil
}

func (p *town) Holds(_ context.Context, human, role string) (bool, error) {
	return slices.Contains(p.roles[human], role), nil
}

// AP-05: what somebody agreed to is not made if a single one of those who agreed turns out to
// be who asked for it, or does not hold the role any more. It waits again, for that one alone.
func TestAP05DecisionsLapseBeforeTheCall(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(*town)
		lapsed string
	}{
		"nothing has changed":  {func(*town) {}, ""},
		"bob is the requester": {func(p *town) { p.behind["005A"] = "bob" }, "bob"},
		"ann is the requester": {func(p *town) { p.behind["005A"] = "ann" }, "ann"},
		"bob has another role": {func(p *town) { p.roles["bob"] = []string{"c"} }, "bob"},
		"ann has left":         {func(p *town) { delete(p.roles, "ann") }, "ann"},
	} {
		s, _ := newStore(t)
		people := &town{behind: map[string]string{}, roles: map[string][]string{"ann": {"a"}, "bob": {"b"}}}
		s.people = people
		b := binding("Acme").by("role:a and role:b")
		r := submit(t, s, b)
		for human, role := range map[string]string{"ann": "a", "bob": "b"} {
			if _, err := s.Approve(t.Context(), r.ID, Decision{By: actor.User(human), Human: human, Factor: role, Role: role}); err != nil {
				t.Fatal(err)
			}
		}
		test.change(people)
		_, err := s.Spend(t.Context(), b)
		if test.lapsed == "" {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if !errors.Is(err, ErrLapsed) {
			t.Errorf("%s: %v", name, err)
		}
		now, err := s.Get(t.Context(), r.ID)
		if err != nil || now.State != Pending || len(now.Decisions) != 1 || now.Decisions[0].Human == test.lapsed || now.Reopenings != 1 {
			t.Errorf("%s: it is %+v, %v", name, now, err)
		}
	}
}

// AP-12: whom an operator named counts no more once it turns out that they are who asked for the call, who proposed it, or
// somebody who agreed before; of two who turn out to be one, the first counts.
func TestAP12NamedWhoTurnOutToBeSomebody(t *testing.T) {
	t.Parallel()
	const named = "named bob"
	for name, test := range map[string]struct {
		is     []string // whom the name bob means in the end
		lapses bool
	}{
		"nobody":                             {nil, false},
		"somebody else":                      {[]string{"joe"}, false},
		"who agreed before":                  {[]string{"ann"}, true},
		"who proposed it":                    {[]string{"zoe"}, true},
		"the requester at the company":       {[]string{"rep"}, true},
		"the requester at Salesforce":        {[]string{SalesforceHuman("acme", "005A")}, true},
		"the requester's name in other orgs": {[]string{SalesforceHuman("other", "005A")}, false},
	} {
		s, _ := newStore(t)
		people := &town{behind: map[string]string{"005A": "rep"}, roles: map[string][]string{"ann": {"a"}}, called: map[string][]string{}}
		s.people = people
		first := submit(t, s, binding("Acme").by("role:a and role:b"))
		r, err := s.Counter(t.Context(), first.ID, actor.User("zoe"), "zoe", binding("Other").Arguments)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range []Decision{{By: actor.User("ann"), Human: "ann", Factor: "a", Role: "a"}, {By: actor.Operator("root", "bob"), Human: named, Factor: "b", Role: "b"}} {
			if _, err := s.Approve(t.Context(), r.ID, d); err != nil {
				t.Fatal(err)
			}
		}
		people.called["bob"] = test.is
		_, err = s.Spend(t.Context(), r.Binding)
		if errors.Is(err, ErrLapsed) != test.lapses || !test.lapses && err != nil {
			t.Errorf("%s: %v", name, err)
		}
		now, err := s.Get(t.Context(), r.ID)
		if test.lapses && (err != nil || len(now.Decisions) != 1 || now.Decisions[0].Human == named) {
			t.Errorf("%s: it is %+v, %v", name, now, err)
		}
	}
}

// AP-06: of two who agree at the same moment and are one human nobody counts twice, although both were asked
// before either had agreed: the store compares them as it writes.
func TestAP06NamedAlikeCountOnceAsTheyAreWritten(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t)
	s.people = &town{roles: map[string][]string{"ann": {"a"}}, called: map[string][]string{"ann@corp.example": {"ann"}}}
	r := submit(t, s, binding("Acme").by("role:a and role:b"))
	agree := func(human, factor string, by actor.Actor) error {
		_, err := s.Approve(t.Context(), r.ID, Decision{By: by, Human: human, Factor: factor, Role: factor})
		return err
	}
	if err := agree("ann", "a", actor.User("ann")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"ann@corp.example", " ann@corp.example"} {
		if err := agree(OperatorHuman(actor.Operator("root", name)), "b", actor.Operator("root", name)); !errors.Is(err, ErrAlready) {
			t.Errorf("as %q: %v", name, err)
		}
	}
	if got := state(t, s, r.ID); got != Pending {
		t.Errorf("it is %s", got)
	}
}
