package main

import (
	"bufio"
	"context"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"sfmcp-proxy/authproxy/db/dbtest/rounds"
	"sfmcp-proxy/examples/salesforcesim"
	"sfmcp-proxy/examples/salesforcesim/companysim"
)

// firstEvent is the first line of the stream of the overview that names an event; empty: there is none.
func (d *companyDemo) firstEvent(b *salesforcesim.Browser) string {
	d.t.Helper()
	ctx, cancel := context.WithCancel(d.t.Context())
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, d.PublicURL+"/console/events", nil)
	if err != nil {
		d.t.Fatal(err)
	}
	for _, c := range b.Cookies(d.PublicURL) {
		r.AddCookie(c)
	}
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		d.t.Fatal(err)
	}
	defer answer.Body.Close()
	lines := bufio.NewScanner(answer.Body)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "event: ") {
			return lines.Text()
		}
	}
	return ""
}

// The overview in view follows what happens, in Chromium, without being loaded again: what waits, what
// is stopped. The form that somebody types into stays as it is, and whoever is signed out is led away.
func TestBrowserOverviewIsLive(t *testing.T) {
	t.Parallel()
	rounds.Thorough(t)
	d := startCompany(t)
	c := d.lookAround()
	i := startChrome(t)
	d.signInIn(i, companysim.DefaultUsers()[1])
	shows := func(what, expression string) {
		t.Helper()
		eventually(t, browserLimit, what, func() bool { return ask[bool](i, expression) })
	}
	shows("the overview", `document.getElementById("live").textContent.includes("1 call waiting")`)
	ask[bool](i, `(document.querySelector('input[name="reason"]').value = "typing") === "typing"`)
	loads := len(i.askedSince(0))
	d.approvalURL(c.call("createSobjectRecord", account("Second")))
	shows("what waits", `document.getElementById("live").textContent.includes("2 calls waiting")`)
	d.must("stop", "writes")
	shows("what is stopped", `document.getElementById("live").textContent.includes("Changes are stopped")`)
	if got := ask[string](i, `document.querySelector('input[name="reason"]').value`); got != "typing" {
		t.Errorf("the form says %q", got)
	}
	if after := i.askedSince(loads); len(after) != 0 {
		t.Errorf("the page was loaded again: %v", after)
	}
	d.must("stop", "off")
	session := regexp.MustCompile(`"id":"([^"]+)"`).FindStringSubmatch(d.must("session", "list", "--json"))
	d.must("session", "end", session[1])
	eventually(t, browserLimit, "the sign-in, once signed out", func() bool { return len(i.askedSince(loads)) > 0 })
}
