package main

import (
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"time"
)

const (
	// expiryAlarm is how long before a certificate's end the log starts to warn, and
	// alarmEvery how often it repeats that.
	expiryAlarm = 21 * 24 * time.Hour
	alarmEvery  = 24 * time.Hour
)

// certificate is the public listener's, read anew when its files change. A pair that
// cannot be used leaves the former one in force.
type certificate struct {
	certFile, keyFile string
	now               func() time.Time
	log               *slog.Logger
	metrics           *metrics

	current atomic.Pointer[tls.Certificate]
	// Only reload uses these.
	loaded  [sha256.Size]byte // of the files' contents
	refused string            // why the files as they are now are not in force; logged once
	warned  time.Time
}

// openCertificate reads the pair for the first time.
func (a *app) openCertificate() (*certificate, error) {
	c := &certificate{certFile: a.config.TLS.CertFile, keyFile: a.config.TLS.KeyFile, now: a.now, log: a.log, metrics: a.metrics}
	pair, sum, err := c.read()
	if err != nil {
		return nil, fmt.Errorf("tls: %w", err)
	}
	c.use(pair, sum)
	c.alarm()
	return c, nil
}

// config is what the listener works with: TLS 1.2 at least, and the certificate of now.
func (c *certificate) config() *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.current.Load(), nil },
	}
}

// reload puts the files into force if they changed.
func (c *certificate) reload() {
	defer c.alarm()
	pair, sum, err := c.read()
	if err == nil && sum == c.loaded {
		c.refused = ""
		return
	}
	if err == nil {
		err = c.valid(pair)
	}
	if err == nil {
		c.use(pair, sum)
		c.metrics.reloads.WithLabelValues("certificate", "ok").Inc()
		c.log.Info("certificate reloaded", "expires", pair.Leaf.NotAfter)
		return
	}
	if why := err.Error(); why != c.refused {
		c.refused = why
		c.metrics.reloads.WithLabelValues("certificate", "failed").Inc()
		c.log.Error("certificate files changed and cannot be used: the former certificate stays in force", "error", err)
	}
}

func (c *certificate) read() (*tls.Certificate, [sha256.Size]byte, error) {
	var sum [sha256.Size]byte
	chain, err := os.ReadFile(c.certFile)
	if err != nil {
		return nil, sum, err
	}
	key, err := os.ReadFile(c.keyFile)
	if err != nil {
		return nil, sum, err
	}
	pair, err := tls.X509KeyPair(chain, key)
	if err != nil {
		return nil, sum, err
	}
	h := sha256.New()
	h.Write(chain)
	h.Write(key)
	return &pair, [sha256.Size]byte(h.Sum(nil)), nil
}

// valid refuses a new certificate that no client would take.
func (c *certificate) valid(pair *tls.Certificate) error {
	switch now := c.now(); {
	case now.Before(pair.Leaf.NotBefore):
		return fmt.Errorf("it is not valid before %s", pair.Leaf.NotBefore.UTC().Format(time.RFC3339))
	case now.After(pair.Leaf.NotAfter):
		return errors.New("it has expired")
	}
	return nil
}

func (c *certificate) use(pair *tls.Certificate, sum [sha256.Size]byte) {
	c.current.Store(pair)
	c.loaded, c.refused, c.warned = sum, "", time.Time{}
	c.metrics.certificateExpiry.Set(float64(pair.Leaf.NotAfter.Unix()))
}

// alarm warns of a certificate that ends soon.
func (c *certificate) alarm() {
	now, end := c.now(), c.current.Load().Leaf.NotAfter
	if left := end.Sub(now); left < expiryAlarm && now.Sub(c.warned) >= alarmEvery {
		c.warned = now
		c.log.Warn("the certificate of the public listener ends soon", "expires", end, "days_left", int(left/(24*time.Hour)))
	}
}
