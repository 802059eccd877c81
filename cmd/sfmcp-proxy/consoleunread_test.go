package main

import (
	"bytes"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sfmcp-proxy/examples/salesforcesim"
	"sfmcp-proxy/examples/salesforcesim/companysim"
)

// SR-AD-2: where the audit log cannot be read, because its disk fails or somebody damaged it, pages say which part of them
// that is, and everything that takes access away can be done on them.
func TestConsoleActsWhileTheLogCannotBeRead(t *testing.T) {
	t.Parallel()
	d := startCompany(t)
	d.lookAround()
	b := d.member(companysim.DefaultUsers()[1])
	for _, to := range []string{"writes", "off"} {
		d.act(b, d.look(b, "/console"), "/console/stop", url.Values{"to": {to}}, url.Values{"reason": {"a drill"}})
	}
	d.damageLog()

	const unread = "cannot be read"
	for path, wants := range map[string][]string{
		"/console": {"Stop everything", "Stop all changes", "call waiting for a person", unread},
		"/console/people/acme/" + salesforcesim.RepID:               {">Block<", ">Revoke<", unread},
		"/console/incident?org=acme&subject=" + salesforcesim.RepID: {"Contain ", unread},
		"/console/clients?id=" + url.QueryEscape(d.ClientID):        {"Block this client"},
		"/console/connections?person=" + url.QueryEscape(rep):       {"End all of these"},
		"/console/tools":                       {"soqlQuery", unread},
		"/console/tools/sobject-all/soqlQuery": {">Reject<", unread},
	} {
		page := d.look(b, path)
		for _, want := range wants {
			if page.Status != http.StatusOK || !strings.Contains(page.Body, want) {
				t.Errorf("%s lacks %q: status %d %s", path, want, page.Status, page.Body)
			}
		}
	}
	d.act(b, d.look(b, "/console"), "/console/stop", url.Values{"to": {"all"}}, url.Values{"reason": {"the log is damaged"}})
	if out := d.printed("stop", "status"); out != "all\n" {
		t.Errorf("stop status: %s", out)
	}
	d.act(b, d.look(b, "/console/people/acme/"+salesforcesim.RepID), "/console/people/acme/"+salesforcesim.RepID+"/block", nil, url.Values{"reason": {"the log is damaged"}})
	if !d.isBlocked(rep) {
		t.Error("they are not blocked")
	}
}

// damageLog makes every entry of the audit log unreadable, under the running proxy.
func (d *demo) damageLog() {
	d.t.Helper()
	segments, err := filepath.Glob(filepath.Join(d.dir, "audit", "*.log"))
	if err != nil || len(segments) == 0 {
		d.t.Fatal(segments, err)
	}
	for _, segment := range segments {
		text, err := os.ReadFile(segment)
		if err != nil {
			d.t.Fatal(err)
		}
		file, err := os.OpenFile(segment, os.O_WRONLY, 0)
		if err != nil {
			d.t.Fatal(err)
		}
		for at := bytes.Index(text, []byte("\n{")); at >= 0; at = next(text, at) {
			if _, err := file.WriteAt([]byte("x"), int64(at+1)); err != nil {
				d.t.Fatal(err)
			}
		}
		if err := file.Close(); err != nil {
			d.t.Fatal(err)
		}
	}
}

// next is where the next entry behind that begins; -1: there is none.
func next(text []byte, at int) int {
	n := bytes.Index(text[at+1:], []byte("\n{"))
	if n < 0 {
		return -1
	}
	return at + 1 + n
}
