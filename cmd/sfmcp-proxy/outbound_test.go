package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sfmcp-proxy/authproxy/tunnel/tunneltest"
	"sfmcp-proxy/cmd/sfmcp-proxy/doctor"
)

// through is the edit that adds a forward proxy, whose password lies in a file.
func through(t *testing.T, user, address, password, more string) func(string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte(password+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return func(text string) string {
		if user == "" {
			return text + fmt.Sprintf("\noutbound_proxy: http://%s\n%s", address, more)
		}
		return text + fmt.Sprintf("\noutbound_proxy: http://%s@%s\noutbound_proxy_password_file: %s\n%s", user, address, file, more)
	}
}

// tinyproxy runs Debian's, which asks for a user and password, and returns its address and
// its log.
func tinyproxy(t *testing.T, user, password string) (address string, log func() string) {
	t.Helper()
	program, err := exec.LookPath("tinyproxy")
	need(t, "proxy", err == nil, "install tinyproxy (Debian: apt-get install tinyproxy)")
	address = freePort(t)
	dir := t.TempDir()
	file, logFile := filepath.Join(dir, "tinyproxy.conf"), filepath.Join(dir, "log")
	text := fmt.Sprintf("Port %s\nListen 127.0.0.1\nTimeout 60\nMaxClients 50\nAllow 127.0.0.1\nLogFile %q\nLogLevel Connect\nPidFile %q\nBasicAuth %s %s\n",
		portOf(address), logFile, filepath.Join(dir, "pid"), user, password)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	process := exec.Command(program, "-d", "-c", file)
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		process.Process.Kill()
		process.Wait()
	})
	eventually(t, plenty, "tinyproxy answers", func() bool {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
	return address, func() string {
		text, _ := os.ReadFile(logFile)
		return string(text)
	}
}

// With a real forward proxy: sign-in, list, call and doctor go through it, and its password is
// in nothing that is written.
func TestU19ThroughTinyproxy(t *testing.T) {
	t.Parallel()
	const password = "hunter2Qx7"
	address, log := tinyproxy(t, "person", password)
	d := startEdited(t, through(t, "person", address, password, ""))
	c := d.connect("sobject-all", rep)
	if list := c.send("tools/list", nil); list.Error != nil {
		t.Errorf("list: %+v", list.Error)
	}
	if call := c.call("soqlQuery", map[string]any{"q": "SELECT Id FROM Account LIMIT 1"}); call.Error != nil {
		t.Errorf("call: %+v", call.Error)
	}
	if got, status := d.findings(); status != exitDone {
		t.Errorf("doctor: status %d\n%s", status, showFindings(got))
	}
	requests, connects := len(d.recorded("")), strings.Count(log(), "CONNECT ")
	if requests == 0 || connects == 0 {
		t.Errorf("%d requests at Salesforce, %d connections through the forward proxy:\n%s", requests, connects, log())
	}
	out := d.must("check")
	for what, text := range map[string]string{"check": out, "the log": d.log.String()} {
		if strings.Contains(text, password) {
			t.Errorf("%s shows the password", what)
		}
	}
}

// doctor says that it was the forward proxy, what it did, and which key to look at, never
// as if Salesforce had refused; what is excepted is reached all the same.
func TestU19DoctorNamesTheForwardProxy(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		proxy    tunneltest.Config
		absent   bool
		user     string
		password string
		found    string
	}{
		"no credentials":    {proxy: tunneltest.Config{User: "person", Password: "right"}, found: "outbound proxy asks for a user and password, HTTP 407"},
		"wrong credentials": {proxy: tunneltest.Config{User: "person", Password: "right"}, user: "person", password: "hunter2", found: "outbound proxy refused the user or password, HTTP 407"},
		"forbidden":         {proxy: tunneltest.Config{Answer: "HTTP/1.1 403 Filtered\r\n\r\n"}, found: "outbound proxy refused to connect to this host, HTTP 403"},
		"garbage":           {proxy: tunneltest.Config{Answer: "220 mail.example ESMTP\r\n"}, found: "does not answer as a proxy"},
		"closes":            {proxy: tunneltest.Config{Close: true}, found: "outbound proxy closed the connection"},
		"nobody there":      {absent: true, found: "outbound proxy cannot be reached"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address := nobodyListens
			if !tt.absent {
				address = tunneltest.Start(t, tt.proxy).Address
			}
			d := startEdited(t, through(t, tt.user, address, tt.password, ""))
			out, status := d.command("doctor", "--json")
			got := parseFindings(t, out)
			for _, want := range []expected{{"acme", "", "host", doctor.Fail, []string{"outbound_proxy", "not Salesforce's answer"}},
				{"acme", "sobject-all", "gateway", doctor.Fail, []string{"outbound_proxy", "not Salesforce's answer"}}} {
				if status != exitFailed || !want.in(got) {
					t.Errorf("status %d, want %+v among\n%s", status, want, showFindings(got))
				}
			}
			if !strings.Contains(out, tt.found) || strings.Contains(out, "hunter2") || strings.Contains(d.log.String(), "hunter2") {
				t.Errorf("want %q and no password:\n%s", tt.found, out)
			}
		})
	}
	t.Run("excepted", func(t *testing.T) {
		t.Parallel()
		d := startEdited(t, through(t, "", nobodyListens, "", "outbound_proxy_except: [127.0.0.1]\n"))
		if got, status := d.findings(); status != exitDone {
			t.Errorf("status %d\n%s", status, showFindings(got))
		}
	})
}
