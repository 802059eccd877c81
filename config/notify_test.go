package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/notice"
)

func TestWrongNoticeKeys(t *testing.T) {
	t.Parallel()
	secret := private(t, 0o600)
	file := filepath.Join(t.TempDir(), "url")
	if err := os.WriteFile(file, []byte("ftp://chat.example/canary\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	const server = "mail: {address: 'smtp.example.com:587', from: a@example.com}"
	target := func(members string) string { return "approvals: {notify: [{name: a, " + members + "}]}" }
	mail := func(members string) string {
		return "approvals: {notify: [{name: a, kind: mail, to: [a@example.com]}], mail: {" + members + "}}"
	}
	const one = "{name: a, kind: slack, url: 'https://h.example/canary'}"
	for lines, key := range map[string]string{
		"approvals: {notify: [{kind: slack, url: 'https://h.example/'}]}":                                               "approvals.notify[0].name",
		"approvals: {notify: [" + one + ", " + one + "]}":                                                               "approvals.notify[1].name",
		"approvals: {notify: [" + one + strings.Repeat(", "+strings.Replace(one, "name: a", "name: a%d", 1), 16) + "]}": "approvals.notify",
		target("kind: chat, url: 'https://h.example/'"):                                                                 "approvals.notify[0].kind",
		target("kind: slack"): "approvals.notify[0].url",
		target("kind: slack, url: 'https://h.example/canary', url_file: " + secret):                           "approvals.notify[0].url",
		target("kind: slack, url: 'http://h.example/canary'"):                                                 "approvals.notify[0].url",
		target("kind: slack, url: 'https://canary@h.example/'"):                                               "approvals.notify[0].url",
		target("kind: slack, url_file: " + file):                                                              "approvals.notify[0].url_file",
		target("kind: slack, url_file: /nowhere/at/all"):                                                      "approvals.notify[0].url_file",
		target("kind: slack, url: 'https://h.example/', secret_file: " + secret):                              "approvals.notify[0].secret_file",
		target("kind: webhook, url: 'https://h.example/', secret_file: /nowhere/at/all"):                      "approvals.notify[0].secret_file",
		target("kind: webhook, url: 'https://h.example/', previous_secret_file: " + secret):                   "approvals.notify[0].secret_file",
		target("kind: webhook, url: 'https://h.example/', allow_addresses: [10.0.0.1]"):                       "approvals.notify[0].allow_addresses[0]",
		target("kind: webhook, url: 'https://h.example/', to: [a@example.com]"):                               "approvals.notify[0].to",
		target("kind: webhook, url: 'https://h.example/', events: [requested, requested]"):                    "approvals.notify[0].events[1]",
		target("kind: webhook, url: 'https://h.example/', events: [approval]"):                                "approvals.notify[0].events[0]",
		target("kind: webhook, url: 'https://h.example/', roles: ['role:security']"):                          "approvals.notify[0].roles[0]",
		"approvals: {notify: [{name: a, kind: mail}], " + server + "}":                                        "approvals.notify[0].to",
		"approvals: {notify: [{name: a, kind: mail, to: ['A <a@example.com>']}], " + server + "}":             "approvals.notify[0].to[0]",
		"approvals: {notify: [{name: a, kind: mail, to: [a@example.com], url: 'https://x'}], " + server + "}": "approvals.notify[0]",
		mail("from: a@example.com"):                                               "approvals.mail.address",
		mail("address: 'smtp.example.com:587'"):                                   "approvals.mail.from",
		mail("address: 'smtp.example.com:587', from: a@example.com, tls: none"):   "approvals.mail.tls",
		mail("address: 'smtp.example.com:587', from: a@example.com, tls: ssl"):    "approvals.mail.tls",
		mail("address: 'smtp.example.com:587', from: a@example.com, username: a"): "approvals.mail.username",
		"approvals: {wait: 26s}":                                                  "approvals.wait",
	} {
		for i := 0; strings.Contains(lines, "%d"); i++ {
			lines = strings.Replace(lines, "%d", fmt.Sprint(i), 1)
		}
		_, err := load(t, good+lines+"\n")
		problems, _ := errors.AsType[Problems](err)
		if len(problems) != 1 || problems[0].Key != key || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v, want a problem of %s", lines, err, key)
		}
	}
}

func TestNoticeTargets(t *testing.T) {
	t.Parallel()
	secret := private(t, 0o600)
	c, err := load(t, good+`
approvals:
  notify:
    - {name: chat, kind: teams, url_file: `+urlFile(t)+`, roles: [security]}
    - {name: hook, kind: webhook, url: 'https://h.example/canary', secret_file: `+secret+`, previous_secret_file: `+secret+`, events: [decided, alarms], allow_addresses: [10.0.0.0/8]}
    - {name: mail, kind: mail, to: [a@example.com, b@example.com]}
  mail: {address: 'localhost:25', tls: none, from: proxy@example.com}
`)
	if err != nil {
		t.Fatal(err)
	}
	targets := c.Approvals.NoticeTargets(nil, nil, time.Now)
	if len(targets) != 3 || targets[0].Events[0] != notice.Requested || len(targets[1].Events) != 2 || targets[0].Roles[0] != "security" {
		t.Errorf("%+v", targets)
	}
	var out strings.Builder
	if err := c.Write(&out); err != nil || strings.Contains(out.String(), "canary") {
		t.Errorf("%v: a secret is printed:\n%s", err, out.String())
	}
}

func urlFile(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "url")
	if err := os.WriteFile(file, []byte("https://chat.example/canary\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
