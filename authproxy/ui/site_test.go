package ui

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// Every page says what is stopped and whom to ask, and nothing of it where nothing is.
func TestU10BannerOnEveryPage(t *testing.T) {
	t.Parallel()
	for _, page := range allPages {
		for stopped, want := range map[Stopped]string{NothingStopped: "", WritesStopped: "Changes in Salesforce are stopped", AllStopped: "Access to Salesforce is stopped"} {
			html := renderedBy(t, Site{Contact: "Jo <jo@acme.example>", Stopped: func(context.Context) Stopped { return stopped }}, http.StatusOK, page)
			if said := strings.Count(html, "stopped at the moment"); !strings.Contains(html, want) || said != min(len(want), 1) {
				t.Errorf("%T, %d: said %d times", page, stopped, said)
			}
			if strings.Contains(html, "Jo &lt;jo@acme.example&gt;") != (stopped != NothingStopped) {
				t.Errorf("%T, %d: whom to ask", page, stopped)
			}
		}
	}
}

// A page that is an error names whom to ask, as a link where that is an address.
func TestU11ErrorsNameTheContact(t *testing.T) {
	t.Parallel()
	for contact, want := range map[string]string{
		"it@acme.example": `<a href="mailto:it@acme.example"`, "https://acme.example/help?a=1": `<a href="https://acme.example/help?a=1"`,
		"Jörg, room 4": "<bdi>Jörg, room 4</bdi>", "http://acme.example/": "<bdi>http://acme.example/</bdi>", "javascript:alert(1)": "<bdi>javascript:alert(1)</bdi>",
		"<b>it@acme.example": "<bdi>&lt;b&gt;it@acme.example</bdi>", "a@b.example?cc=x@y.example": "<bdi>a@b.example?cc=x@y.example</bdi>",
	} {
		if html := renderedBy(t, Site{Contact: contact}, http.StatusForbidden, MessagePage{Title: "x"}); !strings.Contains(html, "ask "+want) {
			t.Errorf("%q: want %s in %s", contact, want, html)
		}
		if html := renderedBy(t, Site{Contact: contact}, http.StatusOK, MessagePage{Title: "x"}); strings.Contains(html, "acme") {
			t.Errorf("%q: shown on a page that is no error", contact)
		}
	}
}

func renderedBy(t *testing.T, s Site, status int, page Page) string {
	t.Helper()
	w := httptest.NewRecorder()
	if err := s.Render(t.Context(), w, status, page); err != nil {
		t.Fatal(err)
	}
	return w.Body.String()
}
