package notice

import (
	"bufio"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/authproxy/receiver"
)

// mailServer prints every mail that it takes, and refuses recipients by their names.
const mailServer = `
import asyncio, sys
from aiosmtpd.controller import Controller
class Handler:
    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith('nobody@'): return '550 no such user here'
        if address.startswith('later@'): return '451 try again later'
        envelope.rcpt_tos.append(address)
        return '250 OK'
    async def handle_DATA(self, server, session, envelope):
        print('MAIL', ' '.join(envelope.rcpt_tos))
        print(envelope.content.decode('ascii'))
        print('END', flush=True)
        return '250 OK'
c = Controller(Handler(), hostname='127.0.0.1', port=int(sys.argv[1]))
c.start()
print('READY', flush=True)
asyncio.new_event_loop().run_forever()
`

// startMailServer starts a mail server that nobody here wrote.
func startMailServer(t *testing.T) (address string, out *bufio.Scanner) {
	t.Helper()
	python, err := filepath.Abs("../../.ci/cache/python/smtp/bin/python")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(python); err != nil {
		if slices.Contains(strings.Split(os.Getenv("SFMCP_TEST_REQUIRE"), ","), "python") {
			t.Fatal("aiosmtpd is required and missing: run .ci/python-clients")
		}
		t.Skip("no aiosmtpd here: run .ci/python-clients")
	}
	free, err := net.Listen("tcp", "127.0.0.1:0") // aiosmtpd does not say which port 0 became
	if err != nil {
		t.Fatal(err)
	}
	address = free.Addr().String()
	free.Close()
	_, port, _ := net.SplitHostPort(address)
	cmd := exec.CommandContext(t.Context(), python, "-c", mailServer, port)
	stdout, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); io.Copy(io.Discard, stdout); cmd.Wait() })
	out = bufio.NewScanner(stdout)
	if !out.Scan() || out.Text() != "READY" {
		t.Fatalf("the mail server says %q, %v", out.Text(), out.Err())
	}
	return address, out
}

func TestMailToARealServer(t *testing.T) {
	address, out := startMailServer(t)
	config := MailConfig{Address: address, TLS: Plain, From: "proxy@example.com", To: []string{"a@example.com", "b@example.com"}}
	m := &Message{ID: "ntc_1", Event: Requested, At: time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC), Class: policy.Update, Object: "Account\r\nBcc: evil@example.com",
		User: "zoë@acme.example", Client: "ChatGPT", Tool: "updateSobjectRecord", URL: "https://proxy.example/approvals/apr_1", Expires: time.Unix(1_800_000_000, 0)}
	if err := NewMail(config).Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	var lines []string
	for out.Scan() && out.Text() != "END" {
		lines = append(lines, out.Text())
	}
	if len(lines) == 0 || lines[0] != "MAIL a@example.com b@example.com" {
		t.Fatalf("%q", lines)
	}
	text := strings.Join(lines[1:], "\n")
	for _, want := range []string{"From: <proxy@example.com>", "To: <a@example.com>, <b@example.com>", "Message-ID: <ntc_1@sfmcp-proxy>", "Auto-Submitted: auto-generated",
		"Date: Tue, 10 Mar 2026 12:00:00 +0000", "https://proxy.example/approvals/apr_1"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	head, _, _ := strings.Cut(text, "\n\n")
	if strings.Contains(head, "\nBcc:") {
		t.Errorf("a header of others:\n%s", head)
	}
	for to, refused := range map[string]bool{"nobody@example.com": true, "later@example.com": false, "not an address": true} {
		c := config
		c.To = []string{to}
		if err := NewMail(c).Send(t.Context(), m); err == nil || errors.Is(err, receiver.ErrRefused) != refused || strings.Contains(err.Error(), "user here") {
			t.Errorf("%s: %v", to, err)
		}
	}
	// Without TLS nothing is sent unless the settings say so.
	c := config
	c.TLS = StartTLS
	if err := NewMail(c).Send(t.Context(), m); err == nil || errors.Is(err, receiver.ErrRefused) {
		t.Errorf("without TLS: %v", err)
	}
}

func TestMailServerDown(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	m := NewMail(MailConfig{Address: l.Addr().String(), TLS: Plain, From: "a@example.com", To: []string{"b@example.com"}})
	if err := m.Send(t.Context(), someMessage); err == nil || errors.Is(err, receiver.ErrRefused) {
		t.Error(err)
	}
}
