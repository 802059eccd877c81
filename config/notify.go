package config

import (
	"crypto/x509"
	"fmt"
	"net"
	"net/mail"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"sfmcp-proxy/authproxy/audit/publish"
	"sfmcp-proxy/authproxy/notice"
	"sfmcp-proxy/authproxy/tunnel"
)

// maxTargets is how many targets notices may go to, and maxRecipients how many addresses one
// mail has.
const (
	maxTargets    = 16
	maxRecipients = 20
)

// Notify is one target of notices about what waits for people.
type Notify struct {
	Name string `mapstructure:"name" need:"value"`
	Kind string `mapstructure:"kind" need:"value"` // webhook, slack, teams, mail
	// URL or URLFile is where a webhook is; those of chats are secrets.
	URL     string `mapstructure:"url" need:"value" secret:"yes"`
	URLFile string `mapstructure:"url_file" need:"value"`
	// SecretFile signs what a webhook gets; PreviousSecretFile signs it as well while receivers
	// change from one to the other.
	SecretFile         string   `mapstructure:"secret_file" need:"value"`
	PreviousSecretFile string   `mapstructure:"previous_secret_file" need:"value"`
	AllowAddresses     []string `mapstructure:"allow_addresses"`
	To                 []string `mapstructure:"to"`     // of mail
	Events             []string `mapstructure:"events"` // requested, decided, alarms; empty: requested
	Roles              []string `mapstructure:"roles"`  // whose requests; empty: those of every role
}

// Mail is the server that takes mail.
type Mail struct {
	Address      string `mapstructure:"address"`          // host:port
	TLS          string `mapstructure:"tls" need:"value"` // starttls, implicit, none
	Username     string `mapstructure:"username"`
	PasswordFile string `mapstructure:"password_file"`
	From         string `mapstructure:"from"`
}

// noticeEvents are the events by the words of the configuration.
var noticeEvents = map[string]notice.Event{"requested": notice.Requested, "decided": notice.Decided, "alarms": notice.Alarm}

// completeNotify has paths seen from the folder of the configuration's file.
func (c *Config) completeNotify(dir string) {
	for i := range c.Approvals.Notify {
		n := &c.Approvals.Notify[i]
		for _, path := range []*string{&n.URLFile, &n.SecretFile, &n.PreviousSecretFile} {
			*path = under(dir, *path)
		}
	}
	c.Approvals.Mail.PasswordFile = under(dir, c.Approvals.Mail.PasswordFile)
}

// noticeCheck checks what belongs to one target of notices, or to the mail server.
type noticeCheck struct{ *validator }

func (v *validator) notify() {
	check := noticeCheck{v}
	targets := v.c.Approvals.Notify
	if n := len(targets); n > maxTargets {
		v.add("approvals.notify", fmt.Sprintf("%d targets", n), fmt.Sprintf("at most %d", maxTargets))
	}
	mails := false
	for i, t := range targets {
		key := fmt.Sprintf("approvals.notify[%d]", i)
		if t.Name == "" || slices.IndexFunc(targets, func(o Notify) bool { return o.Name == t.Name }) < i {
			v.add(key+".name", quote(t.Name), "a name of its own")
		}
		switch t.Kind {
		case "webhook", "slack", "teams":
			check.webhook(key, t)
		case "mail":
			mails = true
			check.recipients(key, t)
		default:
			v.add(key+".kind", quote(t.Kind), "webhook, slack, teams or mail")
		}
		for j, e := range t.Events {
			if noticeEvents[e] == "" || slices.Index(t.Events, e) < j {
				v.add(fmt.Sprintf("%s.events[%d]", key, j), quote(e), "requested, decided or alarms, each once")
			}
		}
		for j, role := range t.Roles {
			if role == "" || strings.HasPrefix(role, "role:") {
				v.add(fmt.Sprintf("%s.roles[%d]", key, j), quote(role), "the name of a role without role:, or requester")
			}
		}
	}
	if mails || v.c.Approvals.Mail != defaultMail {
		check.mailServer()
	}
}

// webhook checks a target that is posted to.
func (v noticeCheck) webhook(key string, t Notify) {
	switch {
	case (t.URL == "") == (t.URLFile == ""):
		v.add(key+".url", "both of url and url_file, or none", "one of the two")
	case t.URL != "":
		v.webhookURL(key+".url", t.URL)
	default:
		v.secretFile(key+".url_file", t.URLFile)
		if text := secretIn(t.URLFile); text != "" {
			v.webhookURL(key+".url_file", text)
		}
	}
	if len(t.To) > 0 {
		v.add(key+".to", "recipients of a "+t.Kind, "kind: mail, or no such key")
	}
	if t.Kind != "webhook" && t.SecretFile+t.PreviousSecretFile != "" {
		v.add(key+".secret_file", "a secret for "+t.Kind, "no such key: only kind: webhook is signed")
	}
	if t.PreviousSecretFile != "" && t.SecretFile == "" {
		v.add(key+".secret_file", "nothing", "the present secret beside previous_secret_file")
	}
	v.secretFile(key+".secret_file", t.SecretFile)
	v.secretFile(key+".previous_secret_file", t.PreviousSecretFile)
	for j, text := range t.AllowAddresses {
		if _, err := netip.ParsePrefix(text); err != nil {
			v.add(fmt.Sprintf("%s.allow_addresses[%d]", key, j), quote(text), "a network, such as 10.0.0.0/8")
		}
	}
}

// webhookURL checks an address that is not shown: it may be a secret.
func (v noticeCheck) webhookURL(key, text string) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Opaque != "" || u.User != nil || strings.Contains(text, "#"):
		v.add(key, "no URL of a webhook (not shown)", "https://HOST/PATH")
	case u.Scheme != "https" && !(u.Scheme == "http" && loopback(u.Hostname())):
		v.add(key, "a URL of scheme "+quote(u.Scheme), "https, or http on a loopback address")
	}
}

// recipients checks a target that mail goes to.
func (v noticeCheck) recipients(key string, t Notify) {
	if n := len(t.To); n == 0 || n > maxRecipients {
		v.add(key+".to", fmt.Sprintf("%d recipients", n), fmt.Sprintf("1 to %d", maxRecipients))
	}
	for j, to := range t.To {
		v.mailbox(fmt.Sprintf("%s.to[%d]", key, j), to)
	}
	if t.URL+t.URLFile+t.SecretFile+t.PreviousSecretFile != "" || len(t.AllowAddresses) > 0 {
		v.add(key, "url, secret_file or allow_addresses of a mail target", "kind: webhook, or no such keys")
	}
}

func (v noticeCheck) mailbox(key, text string) {
	if a, err := mail.ParseAddress(text); err != nil || a.Address != text {
		v.add(key, quote(text), "a mail address, such as team@example.com")
	}
}

// defaultMail is what the mail server is if nothing is said of it.
var defaultMail = Mail{TLS: string(notice.StartTLS)}

func (v noticeCheck) mailServer() {
	m, key := v.c.Approvals.Mail, "approvals.mail"
	host, _, err := net.SplitHostPort(m.Address)
	if err != nil || host == "" {
		v.add(key+".address", quote(m.Address), "the mail server's HOST:PORT, such as smtp.example.com:587")
	}
	switch notice.TLS(m.TLS) {
	case notice.StartTLS, notice.Implicit:
	case notice.Plain:
		if !loopback(host) {
			v.add(key+".tls", "none", "starttls or implicit: none is for a server on a loopback address")
		}
	default:
		v.add(key+".tls", quote(m.TLS), "starttls, implicit or none")
	}
	v.mailbox(key+".from", m.From)
	if (m.Username == "") != (m.PasswordFile == "") {
		v.add(key+".username", "one of username and password_file", "both or none")
	}
	v.secretFile(key+".password_file", m.PasswordFile)
}

// secretIn reads a file that was checked; what has gone since is found out when it is used.
func secretIn(file string) string {
	if file == "" {
		return ""
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	return publish.SecretOf(text)
}

// NoticeTargets are the targets of notices, which send over connections like these.
func (a Approvals) NoticeTargets(roots *x509.CertPool, via *tunnel.Dialer, now func() time.Time) (targets []notice.Target) {
	for _, n := range a.Notify {
		t := notice.Target{Name: n.Name, Roles: n.Roles}
		for _, e := range n.Events {
			t.Events = append(t.Events, noticeEvents[e])
		}
		if len(t.Events) == 0 {
			t.Events = []notice.Event{notice.Requested}
		}
		if n.Kind == "mail" {
			t.Send = notice.NewMail(notice.MailConfig{Address: a.Mail.Address, TLS: notice.TLS(a.Mail.TLS), From: a.Mail.From, To: n.To,
				Username: a.Mail.Username, Password: secretIn(a.Mail.PasswordFile), Roots: roots})
		} else {
			t.Send = n.sender(roots, via, now)
		}
		targets = append(targets, t)
	}
	return targets
}

func (n Notify) sender(roots *x509.CertPool, via *tunnel.Dialer, now func() time.Time) notice.Sender {
	c := notice.WebhookConfig{URL: n.URL, Format: notice.Format(n.Kind), Roots: roots, Via: via, Now: now}
	if n.URLFile != "" {
		c.URL = secretIn(n.URLFile)
	}
	for _, file := range []string{n.SecretFile, n.PreviousSecretFile} {
		if secret := secretIn(file); secret != "" {
			c.Secrets = append(c.Secrets, secret)
		}
	}
	for _, text := range n.AllowAddresses {
		if network, err := netip.ParsePrefix(text); err == nil { // Validate read it, if the configuration is whole
			c.Allow = append(c.Allow, network)
		}
	}
	return notice.NewWebhook(c)
}
