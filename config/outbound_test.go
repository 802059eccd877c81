package config

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Every way to write outbound_proxy wrongly is refused with what would be right, and no
// way shows a password.
func TestU19OutboundProxyIsRefused(t *testing.T) {
	t.Parallel()
	const use = "\nregistration: {metadata_documents: {use_outbound_proxy: true}}"
	for text, key := range map[string]string{
		"outbound_proxy: http://person:hunter2@proxy.example:3128":                                                                 "outbound_proxy",
		"outbound_proxy: http://person:hunter2@proxy.example:x":                                                                    "outbound_proxy",
		"outbound_proxy: http://person:hunter2@[proxy":                                                                             "outbound_proxy",
		"outbound_proxy: hunter2@proxy.example:3128":                                                                               "outbound_proxy",
		"outbound_proxy: https://hunter2@proxy.example:3128":                                                                       "outbound_proxy",
		"outbound_proxy: socks5://hunter2@proxy.example:1080":                                                                      "outbound_proxy",
		"outbound_proxy: proxy.example:3128":                                                                                       "outbound_proxy",
		"outbound_proxy: http://proxy.example":                                                                                     "outbound_proxy",
		"outbound_proxy: http://:3128":                                                                                             "outbound_proxy",
		"outbound_proxy: http://proxy.example:0":                                                                                   "outbound_proxy",
		"outbound_proxy: http://proxy.example:70000":                                                                               "outbound_proxy",
		"outbound_proxy: http://proxy.example:3128/hunter2":                                                                        "outbound_proxy",
		"outbound_proxy: http://proxy.example:3128?hunter2":                                                                        "outbound_proxy",
		"outbound_proxy: \"http://proxy.example:3128#hunter2\"":                                                                    "outbound_proxy",
		"outbound_proxy: http://a%3Ahunter2@proxy.example:3128":                                                                    "outbound_proxy",
		"outbound_proxy: [\"http://person:hunter2@proxy.example:3128\"]":                                                           "outbound_proxy",
		"outbound_proxy: http://person@proxy.example:3128":                                                                         "outbound_proxy_password_file",
		"outbound_proxy: http://proxy.example:3128\noutbound_proxy_password: hunter2":                                              "outbound_proxy",
		"outbound_proxy: http://person@proxy.example:3128\noutbound_proxy_password: 12":                                            "outbound_proxy_password",
		"outbound_proxy_password: hunter2":                                                                                         "outbound_proxy_password",
		"outbound_proxy_except: [a.example]":                                                                                       "outbound_proxy_except",
		strings.TrimSpace(use):                                                                                                     "registration.metadata_documents.use_outbound_proxy",
		"outbound_proxy: http://proxy.example:3128\noutbound_proxy_except: [\"*.example\"]":                                        "outbound_proxy_except[0]",
		"outbound_proxy: http://proxy.example:3128\noutbound_proxy_except: [\"https://a.example\"]":                                "outbound_proxy_except[0]",
		"outbound_proxy: http://proxy.example:3128\noutbound_proxy_except: [\"A.example\"]":                                        "outbound_proxy_except[0]",
		"outbound_proxy: http://proxy.example:3128\noutbound_proxy_except: [\"a.example:443\"]":                                    "outbound_proxy_except[0]",
		"outbound_proxy: http://proxy.example:3128\noutbound_proxy_except: [\".\"]":                                                "outbound_proxy_except[0]",
		"outbound_proxy: http://p@proxy.example:3128\noutbound_proxy_password_file: missing":                                       "outbound_proxy_password_file",
		"outbound_proxy: http://p@proxy.example:3128\noutbound_proxy_password_file: missing\noutbound_proxy_password: \"hunter2\"": "outbound_proxy_password",
	} {
		_, err := load(t, with("", text))
		if err == nil || !strings.Contains(err.Error(), ": "+key+": ") {
			t.Errorf("%s: want a problem of %s, got %v", text, key, err)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("a password is shown: %v", err)
		}
	}
}

// What is right is shown without the password; the environment's variables for others do
// not count.
func TestU19OutboundProxyIsRead(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte("hunter2: @/\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	text := with("", "outbound_proxy: http://person@proxy.example:3128\noutbound_proxy_password_file: "+file+
		"\noutbound_proxy_except: [login.example, .inside.example, 10.1.2.3, \"::1\"]\nregistration: {metadata_documents: {use_outbound_proxy: true}}")
	c, err := load(t, text, "HTTPS_PROXY=http://127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	if c.OutboundProxyPassword != "hunter2: @/" {
		t.Errorf("password %q", c.OutboundProxyPassword)
	}
	d, err := c.Tunnel()
	if err != nil || d == nil || !d.Excepts("a.inside.example") || !d.Excepts("::1") || d.Excepts("api.salesforce.com") {
		t.Errorf("%+v, %v", d, err)
	}
	var shown bytes.Buffer
	if err := c.Write(&shown); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(shown.String(), "hunter2") || !strings.Contains(shown.String(), "outbound_proxy: http://person@proxy.example:3128\n") ||
		!strings.Contains(shown.String(), "outbound_proxy_password: (set)") {
		t.Errorf("check prints\n%s", &shown)
	}
	none, err := load(t, good, "HTTPS_PROXY=http://127.0.0.1:1", "ALL_PROXY=http://127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	if d, err := none.Tunnel(); d != nil || err != nil {
		t.Errorf("a forward proxy out of nothing: %+v, %v", d, err)
	}
}
