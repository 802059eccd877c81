package ui

import (
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/seal"
)

// A mark is that of one browser, page, moment and content, made by us; everything else is none.
func TestMarks(t *testing.T) {
	t.Parallel()
	ring := func() *seal.KeyRing {
		path := filepath.Join(t.TempDir(), "keys")
		if err := seal.CreateKeyFile(path); err != nil {
			t.Fatal(err)
		}
		keys, err := seal.LoadKeyRing(path)
		if err != nil {
			t.Fatal(err)
		}
		return keys
	}
	at := time.UnixMilli(1_800_000_000_123).UTC()
	now := at
	marks := Marks{Ring: ring(), Now: func() time.Time { return now }}
	shown := Shown{Browser: "b", Page: "p", At: at, What: "unread"}
	mark := marks.Mark(shown)
	if got, ok := marks.Read(mark, "b", "p"); !ok || got != shown {
		t.Errorf("read %+v, %t", got, ok)
	}
	for what, bad := range map[string][3]string{
		"another browser": {mark, "c", "p"}, "another page": {mark, "b", "q"}, "moved over": {mark, "bp", ""},
		"another time": {strings.Replace(mark, "123.", "122.", 1), "b", "p"}, "other content": {strings.Replace(mark, "unread", "", 1), "b", "p"},
		"no MAC": {"1800000000123.unread.", "b", "p"}, "nothing": {"", "b", "p"}, "no time": {"x.unread.y:z", "b", "p"},
		"made by others": {Marks{Ring: ring()}.Mark(shown), "b", "p"},
	} {
		if got, ok := marks.Read(bad[0], bad[1], bad[2]); ok || got != (Shown{}) {
			t.Errorf("%s: read %+v", what, got)
		}
	}
	click := httptest.NewRequest(http.MethodPost, "/", nil)
	click.Header.Set("Sec-Fetch-User", "?1")
	for after, want := range map[time.Duration]bool{-time.Hour: true, 0: true, 999 * time.Millisecond: true, time.Second: false, time.Hour: false} {
		if now = at.Add(after); marks.TooSoon(click, shown) != want {
			t.Errorf("%v after: too soon is %t", after, !want)
		}
	}
	now = at
	if marks.TooSoon(httptest.NewRequest(http.MethodPost, "/", nil), shown) {
		t.Error("a program that read the form is told that it clicks too soon")
	}
	if any := (Marks{Now: marks.Now, Least: -1}); any.TooSoon(click, shown) {
		t.Error("at any time is too soon")
	}
}
