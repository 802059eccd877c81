package destination

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"sfmcp-proxy/authproxy/receiver"
	"sfmcp-proxy/authproxy/tunnel"
)

// SyslogConfig says where a syslog receiver is.
type SyslogConfig struct {
	Address  string // host:port of syslog over TLS (RFC 5425)
	Hostname string // that messages come from
	// CertFile and KeyFile authenticate us, where the receiver asks for that; both or none.
	CertFile, KeyFile string
	Allow             []netip.Prefix // special-use networks that may be connected to
	Roots             *x509.CertPool // nil: the system's
	Via               *tunnel.Dialer // nil: no forward proxy
}

type syslog struct {
	config SyslogConfig
	guard  *tunnel.Guard
}

// NewSyslog is a syslog receiver, by RFC 5424 over TLS.
func NewSyslog(c SyslogConfig) Destination {
	return syslog{c, tunnel.NewGuard(tunnel.GuardConfig{Allow: c.Allow, AnyPort: true, Via: c.Via, Timeout: 10 * time.Second})}
}

// Send gives the batch a connection of its own. Syslog has no answer: what was written into
// a connection may have been read by nobody when that breaks. So we end our side (RFC 5425
// 4.4), and the batch was taken when the receiver, who has then read all of it, ends the other.
func (s syslog) Send(ctx context.Context, b *Batch) error {
	conn, err := s.connect(ctx)
	if err != nil {
		if errors.Is(err, tunnel.ErrBlocked) {
			return fmt.Errorf("%w: %w", receiver.ErrRefused, err)
		}
		return err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.NetConn().Close() })
	defer stop()
	if err := s.send(conn, b); err != nil {
		return errors.Join(ctx.Err(), err)
	}
	return nil
}

func (s syslog) send(conn *tls.Conn, b *Batch) error {
	var all []byte
	for i := range b.Records {
		all = s.appendFramed(all, &b.Records[i])
	}
	if _, err := conn.Write(all); err != nil {
		return fmt.Errorf("writing: %w", err)
	}
	if err := conn.CloseWrite(); err != nil {
		return fmt.Errorf("ending the connection: %w", err)
	}
	// Whatever comes is nothing of syslog's; an end without close_notify is that of many receivers.
	n, err := io.Copy(io.Discard, io.LimitReader(conn, receiver.AnswerLimit))
	if n == receiver.AnswerLimit {
		err = errors.New("it talks instead")
	}
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("the receiver did not end the connection after it had everything: %w", err)
	}
	return nil
}

func (s syslog) connect(ctx context.Context) (*tls.Conn, error) {
	host, _, err := net.SplitHostPort(s.config.Address)
	if err != nil {
		return nil, err
	}
	settings := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: s.config.Roots, ServerName: host}
	if s.config.CertFile != "" { // read each time, so that it can be renewed
		own, err := tls.LoadX509KeyPair(s.config.CertFile, s.config.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("reading the certificate: %w", err)
		}
		settings.Certificates = []tls.Certificate{own}
	}
	raw, err := s.guard.DialContext(ctx, "tcp", s.config.Address)
	if err != nil {
		return nil, err
	}
	conn := tls.Client(raw, settings)
	if err := conn.HandshakeContext(ctx); err != nil {
		return nil, errors.Join(err, raw.Close())
	}
	return conn, nil
}

// facility is "log audit" (RFC 5424 6.2.1).
const facility = 13

// priorities are the severities of RFC 5424 6.2.1.
var priorities = map[Severity]int{Informational: 6, Notice: 5, Warning: 4, Critical: 2}

// appendFramed writes a message of RFC 5424 with its length before it (RFC 5425 4.3.1). The
// record's text is its own, with key and all; MSGID has what happened.
func (s syslog) appendFramed(to []byte, r *Record) []byte {
	head := fmt.Sprintf("<%d>1 %s %s sfmcp-proxy - %s - ", facility*8+priorities[r.Severity], r.At.UTC().Format("2006-01-02T15:04:05.000Z"),
		headerText(s.config.Hostname, 255), headerText(r.Event, 32))
	const bom = "\xEF\xBB\xBF" // the text is UTF-8 (RFC 5424 6.4)
	to = strconv.AppendInt(to, int64(len(head)+len(bom)+len(r.Text)), 10)
	return append(append(append(append(to, ' '), head...), bom...), r.Text...)
}

// headerText is a field of the header: printable ASCII without spaces, "-" if there is nothing.
func headerText(text string, most int) string {
	text = strings.Map(func(r rune) rune {
		if r > ' ' && r < 0x7F {
			return r
		}
		return -1
	}, text)
	return cmp.Or(text[:min(len(text), most)], "-")
}
