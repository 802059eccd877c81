package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// C8: nginx in front. With a bare proxy_pass it writes its own name into Host, and every call
// is answered with both names and not with a riddle; either way of setting it right works.
func TestC8NginxInFront(t *testing.T) {
	t.Parallel()
	program, err := exec.LookPath("nginx")
	need(t, "nginx", err == nil, "install nginx (Debian: apt-get install nginx-light)")
	for name, tt := range map[string]struct {
		headers string
		trusted bool
		want    int
	}{
		"bare":                           {"", false, http.StatusMisdirectedRequest},
		"bare, trusted":                  {"", true, http.StatusMisdirectedRequest},
		"Host":                           {"proxy_set_header Host $http_host;", false, http.StatusUnauthorized},
		"X-Forwarded-Host":               {"proxy_set_header X-Forwarded-Host $http_host;", true, http.StatusUnauthorized},
		"X-Forwarded-Host, not trusted":  {"proxy_set_header X-Forwarded-Host $http_host;", false, http.StatusMisdirectedRequest},
		"X-Forwarded-Host of the client": {"proxy_set_header X-Forwarded-Host evil.example;", true, http.StatusMisdirectedRequest},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			front := "127.0.0.1:" + callbackPort(t)
			d := startEdited(t, func(text string) string {
				text = regexp.MustCompile(`(?m)^public_url: .*$`).ReplaceAllString(text, "public_url: http://"+front)
				if tt.trusted {
					text += "\ntrusted_proxies: [127.0.0.1/32]\n"
				}
				return text
			})
			listen := regexp.MustCompile(`(?m)^listen: "?([^"\s]+)`).FindStringSubmatch(read(t, d.ConfigFile))[1]
			startNginx(t, program, front, listen, tt.headers)
			got, header, body := status(t, http.MethodPost, "http://"+front+"/mcp/sobject-reads", http.Header{"Content-Type": {"application/json"}})
			if got != tt.want {
				t.Fatalf("%d %s, want %d", got, body, tt.want)
			}
			if got == http.StatusMisdirectedRequest && !strings.Contains(body, front) {
				t.Errorf("the answer does not name the host that is expected: %s", body)
			}
			if name == "bare" && (!strings.Contains(body, listen) || !strings.Contains(d.log.String(), "names another host than public_url does")) {
				t.Errorf("the host that came is not named: %s\n%s", body, d.log)
			}
			if got == http.StatusUnauthorized && !strings.Contains(header.Get("WWW-Authenticate"), `resource_metadata="http://`+front+`/.well-known/`) {
				t.Errorf("the challenge is %q", header.Get("WWW-Authenticate"))
			}
		})
	}
}

// startNginx runs nginx in the foreground as a reverse proxy, and returns when it listens.
func startNginx(t *testing.T, program, front, behind, headers string) {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "nginx.conf")
	configuration := fmt.Sprintf(`daemon off; worker_processes 1; pid %[1]s/pid; error_log stderr;
events {}
http {
  access_log off; client_body_temp_path %[1]s/b; proxy_temp_path %[1]s/p; fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;
  server { listen %[2]s; location / { %[4]s proxy_pass http://%[3]s; } }
}
`, dir, front, behind, headers)
	if err := os.WriteFile(file, []byte(configuration), 0o600); err != nil {
		t.Fatal(err)
	}
	said := &lockedBuffer{}
	cmd := exec.Command(program, "-c", file, "-p", dir)
	cmd.Stderr = said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(os.Interrupt)
		cmd.Wait()
		if t.Failed() {
			t.Logf("nginx says: %s", said)
		}
	})
	eventually(t, plenty, "nginx listens", func() bool {
		c, err := net.Dial("tcp", front)
		if err != nil {
			return false
		}
		c.Close()
		return true
	})
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
