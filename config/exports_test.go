package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/audit/export"
)

func TestWrongExportKeys(t *testing.T) {
	t.Parallel()
	secret := private(t, 0o600)
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	of := func(members string) string { return "exports: [{name: a, " + members + "}]" }
	const one = "{name: a, kind: file, path: /var/log/a}"
	const bucket = "s3: {bucket: logs, region: eu-central-1, access_key_id: AKIA, secret_key_file: "
	for lines, key := range map[string]string{
		"exports: [{kind: file, path: /var/log/a}]":                                               "exports[0].name",
		"exports: [{name: 'a b', kind: file, path: /var/log/a}]":                                  "exports[0].name",
		"exports: [" + one + ", " + one + "]":                                                     "exports[1].name",
		"exports: [" + one + strings.Repeat(", "+strings.Replace(one, "a,", "a%d,", 1), 16) + "]": "exports",
		of("kind: kafka"): "exports[0].kind",
		of("kind: file"):  "exports[0].path",
		of("kind: file, path: /var/log/a, format: xml"):                   "exports[0].format",
		of("kind: file, path: /var/log/a, arguments: true"):               "exports[0].arguments",
		of("kind: file, path: /var/log/a, every: 1ms"):                    "exports[0].every",
		of("kind: file, path: /var/log/a, max_size: 1KiB"):                "exports[0].max_size",
		of("kind: file, path: /var/log/a, keep_files: 10001"):             "exports[0].keep_files",
		of("kind: file, path: /var/log/a, url: 'https://h.example'"):      "exports[0].url",
		of("kind: file, path: /var/log/a, token_file: " + secret):         "exports[0].token_file",
		of("kind: file, path: /var/log/a, allow_addresses: [10.0.0.0/8]"): "exports[0].allow_addresses",
		of("kind: file, path: data/audit/x"):                              "exports[0].path",
		of("kind: file, path: data/keys"):                                 "exports[0].path",
		of("kind: file, path: data/proxy.db-wal"):                         "exports[0].path",
		of("kind: syslog"): "exports[0].address",
		of("kind: syslog, address: logs.example.com"):                                                        "exports[0].address",
		of("kind: syslog, address: 'logs.example.com:6514', format: csv"):                                    "exports[0].format",
		of("kind: syslog, address: 'logs.example.com:6514', key_file: " + secret):                            "exports[0].cert_file",
		of("kind: syslog, address: 'logs.example.com:6514', cert_file: " + secret + ", key_file: " + secret): "exports[0].cert_file",
		of("kind: syslog, address: '10.1.2.3:6514'"):                                                         "exports[0].allow_addresses",
		of("kind: syslog, address: '10.1.2.3:6514', allow_addresses: [10.1.2.3]"):                            "exports[0].allow_addresses[0]",
		of("kind: otlp"): "exports[0].url",
		of("kind: otlp, url: 'http://h.example/v1/logs'"):                                           "exports[0].url",
		of("kind: otlp, url: 'https://127.0.0.1/v1/logs'"):                                          "exports[0].allow_addresses",
		of("kind: otlp, url: 'https://h.example/v1/logs', token_file: " + empty):                    "exports[0].token_file",
		of("kind: otlp, url: 'https://h.example/v1/logs', index: main"):                             "exports[0].index",
		of("kind: splunk, url: 'https://h.example:8088'"):                                           "exports[0].token_file",
		of("kind: splunk, url: 'https://h.example:8088/services/collector', token_file: " + secret): "exports[0].url",
		of("kind: webhook"): "exports[0].url",
		of("kind: webhook, url: 'https://h.example', url_file: " + secret):             "exports[0].url",
		of("kind: webhook, url: 'https://h.example', ack: true"):                       "exports[0].ack",
		of("kind: webhook, url: 'https://h.example', previous_secret_file: " + secret): "exports[0].secret_file",
		of("kind: s3"): "exports[0].s3",
		of("kind: s3, s3: {bucket: UPPER, region: eu-central-1, access_key_id: AKIA, secret_key_file: " + secret + "}"): "exports[0].s3.bucket",
		of("kind: s3, " + bucket + secret + ", endpoint: 'https://10.0.0.1:9000'}"):                                     "exports[0].allow_addresses",
	} {
		for i := 0; strings.Contains(lines, "%d"); i++ {
			lines = strings.Replace(lines, "%d", fmt.Sprint(i), 1)
		}
		_, err := load(t, good+lines+"\n")
		problems, _ := errors.AsType[Problems](err)
		if !slices.ContainsFunc(problems, func(p Problem) bool { return p.Key == key }) {
			t.Errorf("%s: want a problem of %s: %v", lines, key, err)
		}
	}
}

// What a destination gets if the file says no more than it must; and what is said of one that
// gets more.
func TestDefaultsOfExports(t *testing.T) {
	t.Parallel()
	secret := private(t, 0o600)
	c, err := load(t, good+`
exports:
  - {name: lines, kind: file, path: lines.jsonl}
  - {name: syslog, kind: syslog, address: 'logs.example.com:6514'}
  - {name: otel, kind: otlp, url: 'https://otel.example/v1/logs', personal: true}
  - {name: splunk, kind: splunk, url: 'https://splunk.example:8088', token_file: `+secret+`, ack: true}
  - {name: hook, kind: webhook, url: 'https://h.example/canary', personal: true, arguments: true}
  - {name: bucket, kind: s3, format: csv, s3: {bucket: logs, region: eu-central-1, access_key_id: AKIA, secret_key_file: `+secret+`}}
`)
	if err != nil {
		t.Fatal(err)
	}
	all := c.AuditExports(ExportParts{Now: time.Now})
	for i, want := range []export.Export{
		{Name: "lines", Kind: "file", Format: export.JSON, Every: time.Second}, {Name: "syslog", Kind: "syslog", Format: export.JSON, Every: time.Second},
		{Name: "otel", Kind: "otlp", Format: export.JSON, Every: time.Second, Personal: true}, {Name: "splunk", Kind: "splunk", Format: export.JSON, Every: time.Second},
		{Name: "hook", Kind: "webhook", Format: export.JSON, Every: time.Second, Personal: true, Arguments: true}, {Name: "bucket", Kind: "s3", Format: export.CSV, Every: time.Minute},
	} {
		got := all[i]
		if got.To == nil || got.Entries == 0 || got.Bytes == 0 {
			t.Errorf("%+v", got)
		}
		if got.To, got.Entries, got.Bytes = nil, 0, 0; got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
	}
	if c.Exports[0].MaxSize != 64<<20 || c.Exports[0].KeepFiles != 10 || !filepath.IsAbs(c.Exports[0].Path) {
		t.Errorf("%+v", c.Exports[0])
	}
	notes := strings.Join(c.Notes(), "\n")
	for _, want := range []string{"exports[4] has no secret_file", "exports[2] has no token_file", "exports[2] (otel) gets what entries say", "exports[4] (hook) gets the arguments"} {
		if !strings.Contains(notes, want) {
			t.Errorf("no note %q in\n%s", want, notes)
		}
	}
	var shown strings.Builder
	if err := c.Write(&shown); err != nil || strings.Contains(shown.String(), "canary") || !strings.Contains(shown.String(), "name: bucket") {
		t.Errorf("%v\n%s", err, shown.String())
	}
}
