package approval

import (
	"encoding/json"
	"testing"
)

// AP-14: nothing is remembered. Once a call was approved and made, each other one is asked about anew: of the
// same tool and object, of another client or connection, and the very same once its answer is forgotten.
func TestAP14NothingIsRemembered(t *testing.T) {
	t.Parallel()
	s, c := newStore(t)
	s.perConnection, s.perUser = 100, 100
	b := binding("Acme")
	first := submit(t, s, b)
	decide(t, s, first.ID, true)
	if _, err := s.Spend(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	if err := s.Settle(t.Context(), first.ID, Done, json.RawMessage(`{}`)); err != nil {
		t.Fatal(err)
	}
	other := func(change func(*Binding)) Binding { b := b; change(&b); return b }
	for name, next := range map[string]Binding{
		"the same object":            binding("Acme 2"),
		"another object":             other(func(b *Binding) { b.Arguments = []byte(`{"body":{"Name":"Acme"},"sobject-name":"Lead"}`) }),
		"a delete":                   other(func(b *Binding) { b.Tool = "deleteSobjectRecord" }),
		"a tool that carries others": other(func(b *Binding) { b.Tool = "dispatch" }),
		"another client":             other(func(b *Binding) { b.ClientID, b.GrantID = "claude", "g2" }),
		"another user":               other(func(b *Binding) { b.Subject = "005B" }),
		"another server":             other(func(b *Binding) { b.Server = "service" }),
	} {
		if r := submit(t, s, next); r.State != Pending || r.ID == first.ID {
			t.Errorf("%s: %s is %s", name, r.ID, r.State)
		}
	}
	if r := submit(t, s, b); r.ID != first.ID || r.State != Spent {
		t.Errorf("the same at once: %s is %s, it is answered from the record", r.ID, r.State)
	}
	c.add(lifetime)
	if r := submit(t, s, b); r.State != Pending || r.ID == first.ID {
		t.Errorf("the same later: %s is %s", r.ID, r.State)
	}
}
