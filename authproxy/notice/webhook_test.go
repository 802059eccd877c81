package notice

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/receiver"
)

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

// hook is a webhook at a server of the test's own.
func hook(t *testing.T, c WebhookConfig, h http.HandlerFunc) *Webhook {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	c.URL = server.URL + "/services/secret-part"
	if c.Format == "" {
		c.Format = JSON
	}
	if c.Allow == nil {
		c.Allow = loopback
	}
	c.Now = func() time.Time { return time.Unix(1_800_000_000, 0) }
	return NewWebhook(c)
}

var someMessage = &Message{ID: "ntc_1", Event: Requested, Approval: "apr_1"}

// TestSignedBothWays: while a secret is exchanged, who knows either accepts what is sent.
func TestSignedBothWays(t *testing.T) {
	t.Parallel()
	var header http.Header
	var body []byte
	w := hook(t, WebhookConfig{Secrets: []string{"new", "old"}}, func(_ http.ResponseWriter, r *http.Request) {
		header = r.Header
		body, _ = io.ReadAll(r.Body)
	})
	if err := w.Send(t.Context(), someMessage); err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, secret := range []string{"new", "old"} {
		mac := hmac.New(sha256.New, []byte(secret))
		fmt.Fprintf(mac, "ntc_1.1800000000.%s", body)
		want = append(want, "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	}
	if header.Get("Webhook-Id") != "ntc_1" || header.Get("Webhook-Timestamp") != "1800000000" || header.Get("Webhook-Signature") != strings.Join(want, " ") {
		t.Errorf("%v", header)
	}
	chat := hook(t, WebhookConfig{Format: Slack, Secrets: []string{"x"}}, func(_ http.ResponseWriter, r *http.Request) { header = r.Header })
	if err := chat.Send(t.Context(), someMessage); err != nil || header.Get("Webhook-Signature") != "" {
		t.Errorf("a chat gets a signature that it does not check: %v, %v", header, err)
	}
}

func TestWebhookAnswers(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		status  int
		after   string
		refused bool
		ok      bool
		again   time.Duration
	}{
		{status: 200, ok: true}, {status: 202, ok: true}, {status: 204, ok: true},
		{status: 301, refused: true}, {status: 307, refused: true}, {status: 400, refused: true}, {status: 401, refused: true}, {status: 404, refused: true}, {status: 410, refused: true},
		{status: 408}, {status: 425}, {status: 500}, {status: 503, after: "120", again: 2 * time.Minute},
		{status: 429, after: "Fri, 15 Jan 2027 08:01:00 GMT", again: time.Minute}, {status: 429, after: "soon"},
	} {
		hits := 0
		w := hook(t, WebhookConfig{}, func(w http.ResponseWriter, r *http.Request) {
			hits++
			w.Header().Set("Retry-After", tt.after)
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(tt.status)
			fmt.Fprint(w, "text of theirs")
		})
		err := w.Send(t.Context(), someMessage)
		if (err == nil) != tt.ok || errors.Is(err, receiver.ErrRefused) != tt.refused || hits != 1 {
			t.Errorf("%d: %v after %d requests", tt.status, err, hits)
		}
		r, _ := errors.AsType[*receiver.RetryAfter](err)
		if r == nil && tt.again != 0 || r != nil && r.After != tt.again {
			t.Errorf("%d with %q: %+v", tt.status, tt.after, r)
		}
		if err != nil && (strings.Contains(err.Error(), "theirs") || strings.Contains(err.Error(), "secret-part")) {
			t.Errorf("%d: %v", tt.status, err)
		}
	}
}

// TestAD07WebhookAddresses: what lies inside is reached only where the target says so, and an
// error never has the address, which may be a secret.
func TestAD07WebhookAddresses(t *testing.T) {
	t.Parallel()
	reached := false
	w := hook(t, WebhookConfig{Allow: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}, func(http.ResponseWriter, *http.Request) { reached = true })
	err := w.Send(t.Context(), someMessage)
	if !errors.Is(err, receiver.ErrRefused) || reached || strings.Contains(err.Error(), "secret-part") {
		t.Errorf("%v, reached %t", err, reached)
	}
	ctx, cancel := context.WithCancel(t.Context())
	slow := hook(t, WebhookConfig{}, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // else the server does not see that the other end goes
		cancel()
		<-r.Context().Done()
	})
	if err := slow.Send(ctx, someMessage); err == nil || errors.Is(err, receiver.ErrRefused) || strings.Contains(err.Error(), "secret-part") {
		t.Errorf("an attempt that ends: %v", err)
	}
}
