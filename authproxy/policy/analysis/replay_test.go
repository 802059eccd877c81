package analysis

import (
	"fmt"
	"testing"

	"sfmcp-proxy/authproxy/policy"
)

// What a draft would let pass more freely is read first, however few calls that were.
func TestReplaysBeginWithWhatPassesMoreFreely(t *testing.T) {
	r := &Replay{Changes: []Replayed{
		{Tool: "a", From: policy.Allow, To: policy.Deny, Calls: 500}, {Tool: "b", From: policy.Confirm, To: policy.Allow, Calls: 1},
		{Tool: "c", From: policy.Confirm, To: policy.Deny, Calls: 7}, {Tool: "d", From: policy.Deny, To: policy.Confirm, Calls: 3}, {Tool: "e", From: policy.Allow, To: policy.Confirm, Calls: 600},
	}}
	r.Sort()
	order := ""
	for _, c := range r.Changes {
		order += fmt.Sprintf("%s%+d ", c.Tool, c.More())
	}
	if order != "d+1 b+1 e-1 a-1 c-1 " {
		t.Error(order)
	}
}

// A call over a relation that only the org knows passed because the org was asked; a draft that
// would deny it for want of that has not judged it. What the draft decides whatever the relation
// leads to counts.
func TestReplaysDoNotJudgeWhatOnlyTheOrgKnows(t *testing.T) {
	t.Parallel()
	call := func(query string) Recorded {
		return Recorded{Effect: policy.Allow, Call: policy.Call{Tool: "soqlQuery", Arguments: []byte(`{"q":"` + query + `"}`)}}
	}
	for name, tt := range map[string]struct {
		draft             []policy.Rule
		query             string
		unjudged, changed int
	}{
		"denied for want of it":    {[]policy.Rule{{Effect: policy.Allow, Objects: []string{"Account"}}}, "SELECT Plan__r.Name FROM Account LIMIT 5", 1, 0},
		"let pass":                 {[]policy.Rule{{Effect: policy.Allow}}, "SELECT Plan__r.Name FROM Account LIMIT 5", 0, 0},
		"denied, and without such": {[]policy.Rule{{Effect: policy.Allow, Objects: []string{"Case"}}}, "SELECT Name FROM Account LIMIT 5", 0, 1},
	} {
		var r Replay
		r.Add(call(tt.query), &policy.Policy{Name: "draft", Rules: tt.draft})
		if r.Unjudged[unknownSchema] != tt.unjudged || r.Changed != tt.changed || r.Judged != 1-tt.unjudged {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

// Calls are counted together only if nothing that people compare differs: whose they were,
// through what, and what became of them.
func TestReplayKeepsChangesApart(t *testing.T) {
	draft := &policy.Policy{Name: "draft", Mode: policy.Enforce, Rules: []policy.Rule{{Effect: policy.Allow, Users: []string{"chief@acme.example"}}, {Effect: policy.Deny}}}
	usual := Recorded{Server: "sales", Who: policy.Principal{Org: "prod", Subject: "005xx000001Sv6AAAS", Username: "rep@acme.example"}, Call: policy.Call{Tool: "getUserInfo"}, Effect: policy.Allow}
	r, seq := &Replay{}, int64(0)
	add := func(change func(*Recorded)) {
		c := usual
		change(&c)
		seq++
		c.Seq = seq
		r.Add(c, draft)
	}
	same := func(*Recorded) {}
	for i, change := range []func(*Recorded){
		same,
		func(c *Recorded) { c.Server = "service" },
		func(c *Recorded) { c.Who.Username = "manager@acme.example" },
		func(c *Recorded) { c.Call.Tool = "getObjectSchema" },
		func(c *Recorded) { c.Effect = policy.Confirm },
		func(c *Recorded) { c.Who.Username, c.Effect = "chief@acme.example", policy.Deny },
	} {
		add(change)
		add(change)
		if len(r.Changes) != i+1 || r.Changes[i].Calls != 2 || len(r.Changes[i].Examples) != 2 {
			t.Fatalf("after %d kinds of calls: %+v", i+1, r.Changes)
		}
	}
	add(same)
	if r.Changes[0].Calls != 3 || r.Changed != 13 {
		t.Errorf("%d changed, %+v", r.Changed, r.Changes[0])
	}
}
