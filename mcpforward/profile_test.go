package mcpforward

import (
	"errors"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"sfmcp-proxy/authproxy/access"
	"sfmcp-proxy/examples/salesforcesim"
)

// While everything is stopped nothing is asked of Salesforce, for whoever signs in neither. With writes stopped it is.
func TestProfileWhileStopped(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	rep(w)
	for stop, asks := range map[access.Stop]bool{access.StopAll: false, access.StopWrites: true} {
		if err := w.handler.Access.SetStop(t.Context(), stop, "root"); err != nil {
			t.Fatal(err)
		}
		before := len(w.entries("user.lookup"))
		_, _, err := w.handler.Profile(t.Context(), "acme", salesforcesim.RepID)
		if asked := len(w.entries("user.lookup")) > before; asked != asks || errors.Is(err, errStopped) == asks {
			t.Errorf("stop %s: asked: %t, %v", stop, asked, err)
		}
	}
}

// A username decides about groups, so the same answer must always give the same one.
func TestProfileIsReadTheSameWayEveryTime(t *testing.T) {
	t.Parallel()
	text := jsontext.Value(`{"content":[{"type":"text","text":"{\"preferred_username\":\"b@x\",\"username\":\"a@x\",\"displayName\":\"B\",\"name\":\"A\"}"}]}`)
	for range 100 {
		if name, username, err := readProfile(text); name != "A" || username != "a@x" || err != nil {
			t.Fatalf("%s %s %v", name, username, err)
		}
	}
}
