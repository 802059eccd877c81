package notice

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"time"

	"sfmcp-proxy/authproxy/receiver"
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
	client *receiver.Client
}

// NewWebhook makes no connection yet.
func NewWebhook(c WebhookConfig) *Webhook {
	return &Webhook{c, receiver.New(receiver.Config{Allow: c.Allow, Roots: c.Roots, Via: c.Via, HeadTime: attemptTime, Now: c.Now})}
}

// Send posts m. Which answers are success, and which are for good: [receiver.Client.Do].
func (w *Webhook) Send(ctx context.Context, m *Message) error {
	body, err := w.body(m)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.config.URL, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("%w: the address cannot be used", receiver.ErrRefused)
	}
	req.Header.Set("Content-Type", "application/json")
	if w.config.Format == JSON {
		w.client.Sign(req.Header, receiver.Message{ID: m.ID, Body: body}, w.config.Secrets)
	}
	_, err = w.client.Do(req)
	return err
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
	Reopened  string     `json:"reopened,omitempty"`
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
			p.Approval.ExpiresAt, p.Approval.Reopened = &at, m.Reopened
		}
	}
	return json.Marshal(p)
}
