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

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

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

func TestList(t *testing.T) {
	t.Parallel()
	x := newFixture(t, lists(map[string]string{
		"":     `{"tools":[{"name":"a","x":1.0},{"description":"d", "name":"b"},{"name":"twice"}],"nextCursor":""}`,
		"at ":  `{"tools":[{"name":"twice","x":1}],"nextCursor":"2"}`,
		"at 2": `{"tools":[{"name":"c"}]}`,
	}))
	l, err := x.List(t.Context(), x.target, "tools/list", 0)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"b": `{"description":"d","name":"b"}`, "c": `{"name":"c"}`, "twice": `[{"name":"twice","x":1},{"name":"twice"}]`} {
		sum := sha256.Sum256([]byte(want))
		got, ok := l.Named(name)
		if diff := cmp.Diff(Listed{jsontext.Value(want), hex.EncodeToString(sum[:]), name == "twice"}, got); !ok || diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	for _, name := range []string{"A", "absent", ""} {
		if got, ok := l.Named(name); ok {
			t.Errorf("%q is listed: %+v", name, got)
		}
	}
	if l.Twice() != "twice" {
		t.Errorf("listed twice: %q", l.Twice())
	}
	if n := x.fake.count("tools/list"); n != 3 {
		t.Errorf("tools/list came %d times, want 3", n)
	}
}

func TestListIsMadeAgain(t *testing.T) {
	t.Parallel()
	x := newFixture(t, func(w http.ResponseWriter, r *http.Request, m *jsonrpc.Message) bool {
		if m.Method == "tools/call" {
			stream(w, `{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}`, fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":{}}`, m.ID))
			return true
		}
		return lists(map[string]string{"": `{"tools":[{"name":"a"}]}`})(w, r, m)
	})
	mark := int64(0)
	listed := func(want int) {
		t.Helper()
		if _, err := x.List(t.Context(), x.target, "tools/list", mark); err != nil {
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
	mark++
	listed(5)
	listed(5)
	mark--
	listed(5)

	// What was listed for a client counts, unless the list has changed meanwhile.
	l, whole, err := ReadList("tools/list", jsontext.Value(`{"tools":[{"name":"of a client"}]}`))
	if !whole || err != nil {
		t.Fatal(whole, err)
	}
	x.Listing(x.target, "tools/list", 7)(l)
	mark = 7
	listed(5)
	keep := x.Listing(x.target, "tools/list", 8)
	_, _ = x.ask(t, false) // says that the list changed
	keep(l)
	listed(6)
	if got, err := x.List(t.Context(), x.target, "tools/list", mark); err != nil || len(got.items) != 1 || got.items["a"].Digest == "" {
		t.Errorf("kept %+v, %v", got, err)
	}
}

// A server that has no prompts has an empty list of them.
func TestNoSuchList(t *testing.T) {
	t.Parallel()
	x := newFixture(t, func(w http.ResponseWriter, _ *http.Request, m *jsonrpc.Message) bool {
		if m.Method != "prompts/list" {
			return false
		}
		stream(w, fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"error":{"code":-32601,"message":"no"}}`, m.ID))
		return true
	})
	l, err := x.List(t.Context(), x.target, "prompts/list", 0)
	if err != nil || len(l.items) != 0 {
		t.Errorf("%+v, %v", l, err)
	}
}

func TestListIsMadeOnceForAll(t *testing.T) {
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
			if _, err := x.List(t.Context(), x.target, "tools/list", 0); err != nil {
				t.Error(err)
			}
		})
	}
	impatient := x.target
	impatient.Timeout = 50 * time.Millisecond
	_, err := x.List(t.Context(), impatient, "tools/list", 0)
	wants{TimedOut, false}.check(t, nil, err)
	close(release)
	all.Wait()
	if n := x.fake.count("tools/list"); n != 1 {
		t.Errorf("tools/list came %d times, want 1", n)
	}
}

func TestUnusableList(t *testing.T) {
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
		_, err := x.List(t.Context(), x.target, "tools/list", 0)
		if e, ok := errors.AsType[*Error](err); !ok || e.Kind != Broken || e.MayHaveHappened {
			t.Errorf("%s: %v, want Broken", name, err)
		}
	}
	endless := `{"tools":[{"name":"a"}],"nextCursor":"x"}`
	x := newFixture(t, lists(map[string]string{"": endless, "at x": endless}))
	_, err := x.List(t.Context(), x.target, "tools/list", 0)
	wants{Broken, false}.check(t, nil, err)
	if n := x.fake.count("tools/list"); n != 50 {
		t.Errorf("%d pages were read, want 50", n)
	}
}
