package salesforcesim

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLogIn(t *testing.T) {
	t.Parallel()
	s := start(t, Config{})
	callback, err := LogIn(t.Context(), nil, authorizeURL(s.BaseURL()), RepUsername, RepPassword)
	if err != nil {
		t.Fatal(err)
	}
	if q := queryOf(t, callback); !strings.HasPrefix(callback, testCallback+"?") || q.Get("code") == "" || q.Get("state") != "s1" {
		t.Errorf("callback %s", callback)
	}
	for name, try := range map[string][3]string{
		"wrong password":     {authorizeURL(s.BaseURL()), RepUsername, "wrong"},
		"no redirect_uri":    {s.BaseURL() + "/services/oauth2/authorize", RepUsername, RepPassword},
		"page without forms": {authorizeURL(s.BaseURL(), "client_id", "unknown"), RepUsername, RepPassword},
	} {
		if callback, err := LogIn(t.Context(), nil, try[0], try[1], try[2]); err == nil {
			t.Errorf("%s: came to %s", name, callback)
		}
	}
}

// TestBrowserForms walks a page that is not the simulator's own.
func TestBrowserForms(t *testing.T) {
	t.Parallel()
	var posted http.Header
	var form map[string][]string
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			r.ParseForm()
			posted, form = r.Header, r.PostForm
			http.Redirect(w, r, "https://client.example/cb?x=1", http.StatusSeeOther)
			return
		}
		http.SetCookie(w, &http.Cookie{Name: "c", Value: "1", Path: "/"})
		w.Write([]byte(`<form action="/other"><input name="q"></form>
			<FORM method="post" action="?next=a&amp;b=c"><input type="hidden" name="csrf" value="a&#34;b">
			<textarea name="why"></textarea>
			<input type="checkbox" name="off" value="is checked "><input type="checkbox" name="on" value="yes" checked>
			<button name="decision" value="allow">Allow</button><input type="submit" name="decision" value="deny"></FORM>`))
	}))
	defer site.Close()
	b := NewBrowser(nil, "https://client.example/cb")
	page, err := b.Get(t.Context(), site.URL+"/consent")
	if err != nil || len(page.Forms) != 2 || page.Forms[0].Method != "GET" {
		t.Fatalf("%v %+v", err, page)
	}
	if got := page.Forms[1]; got.Action != site.URL+"/consent?next=a&b=c" || !cmp.Equal(got.Buttons["decision"], []string{"allow", "deny"}) {
		t.Errorf("%+v", got)
	}
	if _, err := b.Choose(t.Context(), page, "decision", "maybe"); err == nil {
		t.Error("clicked a button that is not there")
	}
	done, err := b.Choose(t.Context(), page, "decision", "deny")
	if err != nil || done.Location != "https://client.example/cb?x=1" {
		t.Fatalf("%v %+v", err, done)
	}
	if diff := cmp.Diff(map[string][]string{"csrf": {`a"b`}, "why": {""}, "on": {"yes"}, "decision": {"deny"}}, form); diff != "" {
		t.Error(diff)
	}
	if posted.Get("Origin") != site.URL || posted.Get("Sec-Fetch-Site") != "same-origin" || posted.Get("Cookie") != "c=1" {
		t.Errorf("%v", posted)
	}
}
