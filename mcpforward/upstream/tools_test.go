package upstream

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"sfmcp-proxy/mcpforward/jsonrpc"
)

// lists answers tools/list with the page that a cursor asks for ("" is the first).
func lists(pages map[string]string) func(http.ResponseWriter, *http.Request, *jsonrpc.Message) bool {
	return func(w http.ResponseWriter, _ *http.Request, m *jsonrpc.Message) bool {
		if m.Method != "tools/list" {
			return false
		}
		params, _ := jsonrpc.ParseObject(m.Params)
		cursor, given := params.String("cursor")
		if given {
			cursor = "at " + cursor
		}
		answer(w, m.ID, pages[cursor])
		return true
	}
}

func TestTool(t *testing.T) {
	t.Parallel()
	x := newFixture(t, lists(map[string]string{
		"":     `{"tools":[{"name":"a","x":1.0},{"description":"d", "name":"b"},{"name":"twice"}],"nextCursor":""}`,
		"at ":  `{"tools":[{"name":"twice","x":1}],"nextCursor":"2"}`,
		"at 2": `{"tools":[{"name":"c"}]}`,
	}))
	definition, hash, err := x.Tool(t.Context(), x.target, "b")
	const want = `{"description":"d","name":"b"}`
	sum := sha256.Sum256([]byte(want))
	if string(definition) != want || hash != hex.EncodeToString(sum[:]) || err != nil {
		t.Errorf("Tool(b) = %s, %s, %v", definition, hash, err)
	}
	if definition, _, err := x.Tool(t.Context(), x.target, "c"); string(definition) != `{"name":"c"}` || err != nil {
		t.Errorf("Tool(c) = %s, %v", definition, err)
	}
	for _, name := range []string{"A", "absent", "", "twice"} {
		if _, _, err := x.Tool(t.Context(), x.target, name); err != ErrNoTool {
			t.Errorf("Tool(%q): %v, want ErrNoTool", name, err)
		}
	}
	if n := x.fake.count("tools/list"); n != 3 {
		t.Errorf("tools/list came %d times, want 3", n)
	}
}

func TestToolIsListedAgain(t *testing.T) {
	t.Parallel()
	x := newFixture(t, func(w http.ResponseWriter, r *http.Request, m *jsonrpc.Message) bool {
		if m.Method == "tools/call" {
			stream(w, `{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}`, fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":{}}`, m.ID))
			return true
		}
		return lists(map[string]string{"": `{"tools":[{"name":"a"}]}`})(w, r, m)
	})
	listed := func(want int) {
		t.Helper()
		if _, _, err := x.Tool(t.Context(), x.target, "a"); err != nil {
			t.Fatal(err)
		}
		if n := x.fake.count("tools/list"); n != want {
			t.Errorf("tools/list came %d times, want %d", n, want)
		}
	}
	listed(1)
	x.pass(4 * time.Minute)
	listed(1)
	x.pass(time.Minute)
	listed(2)
	_, _ = x.ask(t, false) // says that the list changed
	listed(3)
	x.fake.kill() // a new session lists anew
	_, _ = x.ask(t, false)
	listed(4)
}

func TestToolIsListedOnceForAll(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	x := newFixture(t, func(w http.ResponseWriter, r *http.Request, m *jsonrpc.Message) bool {
		if m.Method == "tools/list" {
			<-release
		}
		return lists(map[string]string{"": `{"tools":[{"name":"a"}]}`})(w, r, m)
	})
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() {
			if _, _, err := x.Tool(t.Context(), x.target, "a"); err != nil {
				t.Error(err)
			}
		})
	}
	impatient := x.target
	impatient.Timeout = 50 * time.Millisecond
	_, _, err := x.Tool(t.Context(), impatient, "a")
	wants{TimedOut, false}.check(t, nil, err)
	close(release)
	all.Wait()
	if n := x.fake.count("tools/list"); n != 1 {
		t.Errorf("tools/list came %d times, want 1", n)
	}
}

func TestUnusableToolList(t *testing.T) {
	t.Parallel()
	for name, page := range map[string]string{
		"no tools":       `{}`,
		"not an array":   `{"tools":{}}`,
		"not an object":  `{"tools":["a"]}`,
		"no name":        `{"tools":[{"title":"a"}]}`,
		"empty name":     `{"tools":[{"name":""}]}`,
		"numeric cursor": `{"tools":[{"name":"a"}],"nextCursor":1}`,
	} {
		x := newFixture(t, lists(map[string]string{"": page}))
		_, _, err := x.Tool(t.Context(), x.target, "a")
		if e, ok := errors.AsType[*Error](err); !ok || e.Kind != Broken || e.MayHaveHappened {
			t.Errorf("%s: %v, want Broken", name, err)
		}
	}
	endless := `{"tools":[{"name":"a"}],"nextCursor":"x"}`
	x := newFixture(t, lists(map[string]string{"": endless, "at x": endless}))
	_, _, err := x.Tool(t.Context(), x.target, "a")
	wants{Broken, false}.check(t, nil, err)
	if n := x.fake.count("tools/list"); n != 50 {
		t.Errorf("%d pages were read, want 50", n)
	}
}
