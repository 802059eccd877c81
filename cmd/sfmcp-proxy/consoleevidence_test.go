package main

import (
	"archive/tar"
	"bytes"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sfmcp-proxy/authproxy/pack"
	"sfmcp-proxy/authproxy/packing"
	"sfmcp-proxy/examples/salesforcesim"
	"sfmcp-proxy/examples/salesforcesim/companysim"
)

// packed holds a pack that was downloaded, which must verify with the public key alone.
func (d *companyDemo) packed(name, body string) (path string, v pack.Verified) {
	d.t.Helper()
	path = filepath.Join(d.t.TempDir(), name)
	if err := os.WriteFile(path, []byte(body), 0o600); err != nil {
		d.t.Fatal(err)
	}
	v, err := pack.Verify(path, d.must("audit", "key"))
	if err != nil {
		d.t.Fatalf("%s: %v", name, err)
	}
	return path, v
}

// An auditor takes packs of a person, a call, a control and a time from the pages: it is said before
// what is in them, they verify, and who took what is on record. They hold what the command packs.
func TestConsoleHandsOverEvidence(t *testing.T) {
	t.Parallel()
	d := startCompany(t)
	d.lookAround()
	id := regexp.MustCompile(`apr_[A-Za-z0-9_-]+`).FindString(d.must("approval", "list", "--json"))
	b := d.member(companysim.DefaultUsers()[2])
	person := d.look(b, "/console/people/acme/"+salesforcesim.RepID)
	call := d.look(b, "/approvals/"+id+"/evidence")
	for _, tt := range []struct {
		page *salesforcesim.Page // that leads there; nil: the page of packs
		path string
		says string
		name string
	}{
		{person, "/console/evidence?user=" + salesforcesim.RepID, "their connections and their calls that waited", "user.tar"},
		{call, "/console/evidence?approval=" + id, "the record of the call", "approval.tar"},
		{nil, "/console/evidence?control=access&since=90d", "a table of each connection and block", "access.tar"},
		{d.look(b, "/console/audit?since=1h"), "/console/evidence?since=1h", "every entry of the time", "period.tar"},
		{d.look(b, "/console/audit?since=1h&approval="+id), "/console/evidence?approval=" + id, "the record of the call", "searched.tar"},
	} {
		if tt.page == nil {
			tt.page = d.look(b, "/console/evidence")
		}
		if !strings.Contains(tt.page.Body, strings.ReplaceAll(tt.path, "&", "&amp;")) {
			t.Errorf("no link to %s: %s", tt.path, tt.page.Body)
		}
		page := d.look(b, tt.path)
		if !strings.Contains(page.Body, `href="/console/audit" aria-current="page"`) {
			t.Errorf("%s does not stand under the audit log: %s", tt.path, page.Body)
		}
		if !strings.Contains(page.Body, tt.says) || !strings.Contains(page.Body, "Download this pack") {
			t.Errorf("%s: status %d, no %q: %s", tt.path, page.Status, tt.says, page.Body)
		}
		file := d.act(b, page, "/console/evidence/make", nil, nil)
		if file.Status != http.StatusOK {
			t.Fatalf("%s: status %d %s", tt.name, file.Status, file.Body)
		}
		if _, v := d.packed(tt.name, file.Body); v.Manifest.Entries.Count == 0 || len(v.Manifest.Missing) > 0 || !strings.Contains(v.Manifest.By, "00u-auditor") {
			t.Errorf("%s: %+v", tt.name, v.Manifest)
		}
	}
	log := d.must("audit", "export", "--action", "evidence.make")
	if strings.Count(log, "00u-auditor") < 10 || strings.Count(log, `"outcome":"ok"`) != 5 || strings.Count(log, "manifest sha256 ") != 5 {
		t.Errorf("on record: %s", log)
	}
	if read := d.must("audit", "export", "--action", "approval.read"); strings.Count(read, "00u-auditor") < 3 { // the page, and two packs
		t.Errorf("who read the arguments: %s", read)
	}
	sameAsTheCommand(t, d, b)

	for path, want := range map[string]string{"?user=nobody@example.com": "nobody@example.com", "?approval=apr_none": "has no entry of that id", "?since=yesterweek": "is no time", "?user=a&control=access": "exclude each other"} {
		if page := d.look(b, "/console/evidence"+path); page.Status != http.StatusOK || !strings.Contains(page.Body, want) || strings.Contains(page.Body, "Download this pack") {
			t.Errorf("%s: status %d, no %q: %s", path, page.Status, want, page.Body)
		}
	}
	page := d.look(b, "/console/evidence?control=policy")
	if refused := d.act(b, page, "/console/evidence/make", nil, url.Values{"user": {rep}}); refused.Status != http.StatusBadRequest {
		t.Errorf("two things at once: status %d", refused.Status)
	}
}

// sameAsTheCommand compares the files of a pack of the pages with those of one of the command line:
// one place makes them.
func sameAsTheCommand(t *testing.T, d *companyDemo, b *salesforcesim.Browser) {
	page := d.look(b, "/console/evidence?control=access")
	taken, _ := d.packed("pages.tar", d.act(b, page, "/console/evidence/make", nil, nil).Body)
	made := filepath.Join(t.TempDir(), "command.tar")
	d.must("evidence", "--control", "access", "--output", made)
	for _, name := range []string{"entries.jsonl", "readable.jsonl", "access.csv", "access.json"} {
		one, other := unpacked(t, taken, name), unpacked(t, made, name)
		if len(one) == 0 || !bytes.Equal(one, other) {
			t.Errorf("%s of the pages, %d bytes, is not that of the command line, %d bytes", name, len(one), len(other))
		}
	}
}

// unpacked is one file of an archive.
func unpacked(t *testing.T, archive, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(archive)
	if err != nil {
		t.Fatal(err)
	}
	for r := tar.NewReader(bytes.NewReader(text)); ; {
		h, err := r.Next()
		if err != nil {
			t.Fatalf("%s of %s: %v", name, archive, err)
		}
		if h.Name == name {
			text, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			return text
		}
	}
}

// Programs take the same, in the name of their token; a key for a second answer is refused.
func apiEvidence(t *testing.T, d *companyDemo, _ *mcpClient, _, auditor apiCaller) {
	const path = "/console/api/v1/evidence"
	if a := auditor.ask(http.MethodGet, path+"?control=access", nil); a.Status != http.StatusOK || a.member("about") != "control access" || a.member("too_many") != false || a.member("entries").(float64) < 1 {
		t.Errorf("before: %d %s", a.Status, a.Body)
	}
	a := auditor.ask(http.MethodPost, path+"/make", map[string]any{"control": "access"})
	if a.Status != http.StatusOK || a.Header.Get("Content-Type") != packing.MediaType || !strings.HasPrefix(a.Header.Get("Content-Disposition"), `attachment; filename="evidence-`) || a.Header.Get("Cache-Control") != "no-store" {
		t.Fatalf("status %d %v %.500s", a.Status, a.Header, a.Body)
	}
	if _, v := d.packed("api.tar", a.Body); !strings.Contains(v.Manifest.By, "siem:"+auditor.id) || v.Manifest.Entries.Count == 0 {
		t.Errorf("%+v", v.Manifest)
	}
	if log := d.must("audit", "list", "--action", "evidence.make", "--json"); strings.Count(log, "apitoken siem:"+auditor.id) < 2 {
		t.Errorf("who took it: %s", log)
	}
	for body, want := range map[string]string{`{}`: "say what", `{"user":"a","control":"access"}`: "exclude each other", `{"approval":"apr_none"}`: "has no entry of that id", `{"control":"keys"}`: "none of its values", `{"since":"yesterweek"}`: "is no time"} {
		if a := auditor.ask(http.MethodPost, path+"/make", body); a.Status != http.StatusBadRequest || !strings.Contains(a.Body, want) {
			t.Errorf("%s: status %d, no %q: %s", body, a.Status, want, a.Body)
		}
	}
	if a := auditor.ask(http.MethodPost, path+"/make", map[string]any{"control": "access"}, "Idempotency-Key", "once"); a.Status != http.StatusBadRequest || !strings.Contains(a.Body, "Idempotency-Key") {
		t.Errorf("with a key: %d %s", a.Status, a.Body)
	}
}
