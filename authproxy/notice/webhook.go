package notice

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"sfmcp-proxy/authproxy/tunnel"
)

// Format is how a webhook wants its messages.
type Format string

// The formats: JSON of our own; an incoming webhook of Slack; one of Teams (Workflows), as an
// Adaptive Card.
const (
	JSON  Format = "webhook"
	Slack Format = "slack"
	Teams Format = "teams"
)

// WebhookConfig says where a webhook is.
type WebhookConfig struct {
	URL    string // a secret, as those of chat services are
	Format Format
	// Secrets sign what is sent in JSON; the first is the current one, others are on their way
	// out. Empty: nothing is signed.
	Secrets []string
	// Allow are special-use networks that may be connected to.
	Allow []netip.Prefix
	Roots *x509.CertPool // nil: the system's
	Via   *tunnel.Dialer // nil: no forward proxy
	Now   func() time.Time
}

// Webhook posts messages.
type Webhook struct {
	config WebhookConfig
	http   *http.Client
}

// answerLimit is how much of an answer is read, to use its connection again.
const answerLimit = 64 << 10

// NewWebhook makes no connection yet.
func NewWebhook(c WebhookConfig) *Webhook {
	guard := tunnel.NewGuard(tunnel.GuardConfig{Allow: c.Allow, Via: c.Via, Timeout: 10 * time.Second})
	return &Webhook{config: c, http: &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Proxy:                  nil,
			DialContext:            guard.DialContext,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: c.Roots},
			TLSHandshakeTimeout:    10 * time.Second,
			ResponseHeaderTimeout:  attemptTime,
			MaxResponseHeaderBytes: 16 << 10,
			MaxIdleConnsPerHost:    1,
			IdleConnTimeout:        time.Minute,
		},
	}}
}

// Send posts m. 2xx is success; 408, 425, 429 and 5xx may pass; every other status is for
// good, a redirect as well.
func (w *Webhook) Send(ctx context.Context, m *Message) error {
	body, err := w.body(m)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.config.URL, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("%w: the address cannot be used", ErrRefused)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "sfmcp-proxy")
	if w.config.Format == JSON {
		w.sign(req.Header, m.ID, body)
	}
	res, err := w.http.Do(req)
	if err != nil {
		return withoutAddress(err)
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, answerLimit))
	switch {
	case res.StatusCode/100 == 2:
		return nil
	case res.StatusCode == http.StatusRequestTimeout, res.StatusCode == http.StatusTooEarly, res.StatusCode == http.StatusTooManyRequests, res.StatusCode >= 500:
		err := fmt.Errorf("answered with status %d", res.StatusCode)
		if after, ok := retryAfter(res.Header.Get("Retry-After"), w.config.Now()); ok {
			return &RetryAfter{after, err}
		}
		return err
	}
	return fmt.Errorf("%w: answered with status %d", ErrRefused, res.StatusCode)
}

// withoutAddress takes the address out of an error of net/http.
func withoutAddress(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err
	}
	if errors.Is(err, tunnel.ErrBlocked) {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	return err
}

// retryAfter reads Retry-After (RFC 9110 10.2.3).
func retryAfter(header string, now time.Time) (time.Duration, bool) {
	if seconds, err := strconv.ParseUint(header, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second, true
	}
	if at, err := http.ParseTime(header); err == nil && at.After(now) {
		return at.Sub(now), true
	}
	return 0, false
}

// sign adds the headers of Standard Webhooks 1.0.0: an id, which is the same in every attempt,
// the time of the attempt, and for every secret HMAC-SHA-256 over "id.time.body".
func (w *Webhook) sign(h http.Header, id string, body []byte) {
	at := strconv.FormatInt(w.config.Now().Unix(), 10)
	h.Set("Webhook-Id", id)
	h.Set("Webhook-Timestamp", at)
	var all []string
	for _, secret := range w.config.Secrets {
		mac := hmac.New(sha256.New, []byte(secret))
		fmt.Fprintf(mac, "%s.%s.", id, at)
		mac.Write(body)
		all = append(all, "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	}
	if len(all) > 0 {
		h.Set("Webhook-Signature", strings.Join(all, " "))
	}
}

// payload is a message in JSON of our own. What is empty is left out.
type payload struct {
	Type     Event            `json:"type"`
	ID       string           `json:"id"`
	Time     time.Time        `json:"timestamp"`
	Title    string           `json:"title"`
	Approval *approvalPayload `json:"approval,omitempty"`
	Budget   string           `json:"budget,omitempty"`
}

type approvalPayload struct {
	ID        string     `json:"id"`
	URL       string     `json:"url"`
	State     string     `json:"state"`
	Org       string     `json:"org"`
	OrgKind   string     `json:"org_kind,omitempty"`
	Server    string     `json:"server"`
	Tool      string     `json:"tool"`
	Class     string     `json:"class"`
	Object    string     `json:"object,omitempty"`
	User      string     `json:"user"`
	Client    string     `json:"client"`
	Roles     []string   `json:"roles,omitempty"`
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
	DecidedBy string     `json:"decided_by,omitempty"`
}

func (w *Webhook) body(m *Message) ([]byte, error) {
	switch w.config.Format {
	case Slack:
		return json.Marshal(slack(m))
	case Teams:
		return json.Marshal(teams(m))
	}
	p := payload{Type: m.Event, ID: m.ID, Time: m.At.UTC(), Title: m.Title(), Budget: m.Budget}
	if m.Event != Alarm {
		p.Approval = &approvalPayload{ID: m.Approval, URL: m.URL, State: m.State, Org: m.Org, OrgKind: m.Kind, Server: m.Server, Tool: m.Tool,
			Class: string(m.Class), Object: m.Object, User: m.User, Client: m.Client, Roles: m.Roles, DecidedBy: m.By}
		if at := m.Expires.UTC(); m.Event == Requested {
			p.Approval.ExpiresAt = &at
		}
	}
	return json.Marshal(p)
}
