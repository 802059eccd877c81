package ui

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// A page that was rendered in advance is the page, headers and all.
func TestFixedPageIsThePage(t *testing.T) {
	t.Parallel()
	site := Site{Contact: "it-help@acme.example"}
	page := MessagePage{Title: "Too much to do", Text: "Try again.", Links: []Link{{Text: "Try again"}}}
	fixed, err := site.Fix(http.StatusServiceUnavailable, page)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"", "abc-1", `<b>"&`} {
		page.RequestID = id
		want, got := httptest.NewRecorder(), httptest.NewRecorder()
		if err := site.Render(t.Context(), want, http.StatusServiceUnavailable, page); err != nil {
			t.Fatal(err)
		}
		if err := fixed.Write(got, id); err != nil {
			t.Fatal(err)
		}
		if id != "" && got.Body.String() != want.Body.String() || got.Code != want.Code {
			t.Errorf("%q: %d\n%s\nwant %d\n%s", id, got.Code, got.Body, want.Code, want.Body)
		}
		for name := range want.Header() {
			if name != "Content-Length" && got.Header().Get(name) != want.Header().Get(name) {
				t.Errorf("%s: %q, want %q", name, got.Header().Get(name), want.Header().Get(name))
			}
		}
	}
	if body := fixed.before + fixed.after; !strings.Contains(body, "mailto:it-help@acme.example") || !strings.Contains(body, `href=""`) {
		t.Errorf("the page:\n%s", body)
	}
}
