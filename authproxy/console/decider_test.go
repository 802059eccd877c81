package console

import (
	"testing"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/approval"
)

// Who decided is said so that it can stand behind "Denied by", for whoever looks.
func TestDeciderLabel(t *testing.T) {
	t.Parallel()
	named := func(a actor.Actor) string { return "the name of " + a.ID }
	for _, tt := range []struct {
		by          actor.Actor
		isRequester bool
		want        string
	}{
		{actor.User("005A"), true, "you"},
		{actor.User("005A"), false, "Riley (riley@acme.example), who had asked for it"},
		{actor.User("005B"), false, "the name of 005B"},
		{actor.User("005B"), true, "the name of 005B"},
		{actor.Actor{ID: "ann"}, false, `"ann", as an earlier version of this proxy recorded it`},
	} {
		a := &approval.Request{Binding: approval.Binding{Subject: "005A"}, DecidedBy: tt.by}
		if got := deciderLabel(a, tt.isRequester, "Riley (riley@acme.example)", named); got != tt.want {
			t.Errorf("%v, asked by the viewer %t: %s, want %s", tt.by, tt.isRequester, got, tt.want)
		}
	}
}
