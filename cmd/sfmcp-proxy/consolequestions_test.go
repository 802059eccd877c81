package main

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"sfmcp-proxy/authproxy/db/dbtest/rounds"
	"sfmcp-proxy/examples/salesforcesim"
	"sfmcp-proxy/examples/salesforcesim/companysim"
)

// asker is an engineer who looks for an answer in the console: only what they see leads on.
type asker struct {
	*chrome
	clicks int
}

// follow clicks the first link or button in view that says a text. It finds and clicks it in one step:
// the overview replaces its live parts at any time.
func (a *asker) follow(text string) view {
	a.t.Helper()
	a.clicks++
	script := `(() => { const e = [...document.querySelectorAll("a, button")].find(e => e.checkVisibility() && e.innerText.trim().startsWith(` + strconv.Quote(text) + `)); if (e) e.click(); return Boolean(e) })()`
	return a.goes(func(ctx context.Context, window *chromedp.Target) (none chromedp.Void, err error) {
		found, err := chromedp.Evaluate[bool](script)(ctx, window)
		if err == nil && !found {
			err = fmt.Errorf("nothing in view says %q", text)
		}
		return none, err
	})
}

// fill types into the first visible field of a name.
func (a *asker) fill(name, text string) {
	a.t.Helper()
	a.do(chromedp.SendKeys(chromedp.CSS(`main input[name="`+name+`"]`), text))
}

// An engineer who was never there before finds out, beginning at the overview and following what is
// in view: who used a tool on an object last week, why a call was refused, which definitions changed, whether
// the log is whole; and ends everything of a program. Each takes at most three clicks.
func TestConsoleAnswersFiveQuestions(t *testing.T) {
	t.Parallel()
	rounds.Thorough(t)
	d := startCompany(t)
	c := d.lookAround()
	d.control("PUT", "/definitions", salesforcesim.Definitions{Changes: []salesforcesim.DefinitionChange{
		{Name: "getUserInfo", Merge: map[string]any{"description": "Says who you are, and more."}}}}, nil)
	c.send("tools/list", map[string]any{})
	a := &asker{chrome: startChrome(t)}
	a.shows(d.signInIn(a.chrome, companysim.DefaultUsers()[1]), http.StatusOK, "1\ntools changed and hidden")
	for _, tt := range []struct {
		question string
		ask      func() view
		clicks   int
		answer   []string
	}{
		{"who used soqlQuery on Account last week?", func() view {
			a.follow("Audit log")
			a.fill("tool", "soqlQuery")
			a.fill("since", "7d")
			a.fill("text", "Account")
			return a.follow("Search")
		}, 2, []string{rep, "tool.call soqlQuery, Account", "ok"}},
		{"why was the deletion refused?", func() view {
			a.follow("Denials")
			return a.follow("no rule matches")
		}, 2, []string{"deleteSobjectRecord", "no rule matches", rep}},
		{"which definitions changed?", func() view {
			if v := a.follow("1\ntools changed and hidden"); !strings.Contains(v.Text, "getUserInfo") {
				t.Errorf("what waits: %s", v.Text)
			}
			return a.follow("getUserInfo")
		}, 2, []string{"Says who you are, and more.", "ACCEPT EXACTLY THIS"}},
		{"is the log whole?", func() view {
			a.follow("Audit log")
			return a.follow("Verify the log")
		}, 2, []string{"It is whole: entries 1 to"}},
		{"end everything of the demo client", func() view {
			a.follow("Clients")
			a.follow("Block, or end everything")
			a.do(chromedp.SendKeys(chromedp.CSS(`form[action="/console/clients/revoke"] input[name="reason"]`), "laptop stolen"))
			return a.follow("Revoke this client")
		}, 3, []string{"1 connection of the client " + d.ClientID + " ended"}},
	} {
		a.open(d.PublicURL + "/console")
		a.clicks = 0
		v := tt.ask()
		if a.clicks > tt.clicks {
			t.Errorf("%s %d clicks", tt.question, a.clicks)
		}
		text := strings.ToUpper(v.Text)
		for _, want := range tt.answer {
			if v.Status != http.StatusOK || !strings.Contains(text, strings.ToUpper(want)) {
				t.Errorf("%s Status %d, no %q:\n%s", tt.question, v.Status, want, v.Text)
			}
		}
	}
	if r := c.send("tools/list", nil); r.Status != http.StatusUnauthorized {
		t.Errorf("the next call of the program: status %d", r.Status)
	}
}
