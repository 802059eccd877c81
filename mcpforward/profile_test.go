package mcpforward

import (
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

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
