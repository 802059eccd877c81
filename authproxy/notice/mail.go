package notice

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/textproto"
	"strconv"
	"time"

	"github.com/wneessen/go-mail"

	"sfmcp-proxy/authproxy/receiver"
)

// TLS is how a connection to a mail server is secured.
type TLS string

// The ways: STARTTLS, which must succeed; TLS from the first byte; none, for a server on the
// same machine.
const (
	StartTLS TLS = "starttls"
	Implicit TLS = "implicit"
	Plain    TLS = "none"
)

// MailConfig says which server takes mail, and whom it goes to.
type MailConfig struct {
	Address            string // host:port
	TLS                TLS
	Username, Password string // both or none
	From               string
	To                 []string
	Roots              *x509.CertPool // nil: the system's
}

// Mail sends messages as plain text, one mail to all of To. It is connected to directly: a
// forward proxy for HTTP does not carry mail.
type Mail struct{ config MailConfig }

// NewMail makes no connection yet.
func NewMail(c MailConfig) *Mail { return &Mail{c} }

// Send hands m to the mail server. A reply of 5xx is for good, all else may pass.
func (s *Mail) Send(ctx context.Context, m *Message) error {
	client, err := s.client()
	if err != nil {
		return fmt.Errorf("%w: the mail server's settings: %w", receiver.ErrRefused, err)
	}
	letter, err := s.letter(m)
	if err != nil {
		return fmt.Errorf("%w: %w", receiver.ErrRefused, err)
	}
	return smtpError(client.DialAndSendWithContext(ctx, letter))
}

func (s *Mail) client() (*mail.Client, error) {
	host, portText, err := net.SplitHostPort(s.config.Address)
	if err != nil {
		return nil, err
	}
	port, err := strconv.Atoi(portText)
	if err != nil {
		return nil, err
	}
	options := []mail.Option{
		mail.WithPort(port), mail.WithTimeout(15 * time.Second), mail.WithTLSPolicy(mail.TLSMandatory),
		mail.WithTLSConfig(&tls.Config{MinVersion: tls.VersionTLS12, ServerName: host, RootCAs: s.config.Roots}),
	}
	switch s.config.TLS {
	case Implicit:
		options = append(options, mail.WithSSL())
	case Plain:
		options = append(options, mail.WithTLSPolicy(mail.NoTLS))
	}
	if s.config.Username != "" {
		options = append(options, mail.WithSMTPAuth(mail.SMTPAuthAutoDiscover), mail.WithUsername(s.config.Username), mail.WithPassword(s.config.Password))
	}
	return mail.NewClient(host, options...)
}

// letter is the mail. What stands in its headers is encoded there, so that nothing of it is a
// header of its own.
func (s *Mail) letter(m *Message) (*mail.Msg, error) {
	letter := mail.NewMsg(mail.WithNoDefaultUserAgent())
	if err := letter.From(s.config.From); err != nil {
		return nil, err
	}
	if err := letter.To(s.config.To...); err != nil {
		return nil, err
	}
	letter.Subject(cut(m.Title(), 200))
	letter.SetDateWithValue(m.At)
	letter.SetMessageIDWithValue(m.ID + "@sfmcp-proxy")
	letter.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834 5
	letter.SetBodyString(mail.TypeTextPlain, m.Plain())
	return letter, nil
}

// smtpError is what the server did, without what it said, which may name recipients.
func smtpError(err error) error {
	if err == nil {
		return nil
	}
	code := 0
	if e, ok := errors.AsType[*mail.SendError](err); ok {
		code = e.ErrorCode()
	}
	if e, ok := errors.AsType[*textproto.Error](err); ok {
		code = e.Code
	}
	switch {
	case code >= 500 && code/10 != 53: // 53x is about us and the settings: it may pass
		return fmt.Errorf("%w: the mail server answered %d", receiver.ErrRefused, code)
	case code != 0:
		return fmt.Errorf("the mail server answered %d", code)
	}
	return fmt.Errorf("the mail server cannot be used: %w", err)
}
