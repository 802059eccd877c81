package edge

import (
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
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

// Certificate is the public listener's, read anew when its files change. A pair that
// cannot be used leaves the previous one in force.
type Certificate struct {
	certFile, keyFile string
	edge              *Edge

	current atomic.Pointer[tls.Certificate]
	// Only Reload uses these.
	loaded  [sha256.Size]byte // of the files' contents
	refused string            // why the files as they are now are not in force; logged once
	warned  time.Time
}

// Certificate reads the pair for the first time. Without a file there is none, and no
// error.
func (e *Edge) Certificate(certFile, keyFile string) (*Certificate, error) {
	if certFile == "" {
		return nil, nil
	}
	c := &Certificate{certFile: certFile, keyFile: keyFile, edge: e}
	pair, sum, err := c.read()
	if err != nil {
		return nil, fmt.Errorf("tls: %w", err)
	}
	c.use(pair, sum)
	c.alarm()
	return c, nil
}

// Config is what the listener works with: TLS 1.2 at least, and the current certificate.
func (c *Certificate) Config() *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.current.Load(), nil },
	}
}

// Reload puts the files into force if they changed. It is for one goroutine.
func (c *Certificate) Reload() {
	if c == nil {
		return
	}
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
		c.edge.Metrics.Reloaded("certificate", true)
		c.edge.Log.Info("certificate reloaded", "expires", pair.Leaf.NotAfter)
		return
	}
	if why := err.Error(); why != c.refused {
		c.refused = why
		c.edge.Metrics.Reloaded("certificate", false)
		c.edge.Log.Error("certificate files changed and cannot be used: the previous certificate stays in force", "error", err)
	}
}

func (c *Certificate) read() (*tls.Certificate, [sha256.Size]byte, error) {
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
func (c *Certificate) valid(pair *tls.Certificate) error {
	switch now := c.edge.Now(); {
	case now.Before(pair.Leaf.NotBefore):
		return fmt.Errorf("it is not valid before %s", pair.Leaf.NotBefore.UTC().Format(time.RFC3339))
	case now.After(pair.Leaf.NotAfter):
		return errors.New("it has expired")
	}
	return nil
}

func (c *Certificate) use(pair *tls.Certificate, sum [sha256.Size]byte) {
	c.current.Store(pair)
	c.loaded, c.refused, c.warned = sum, "", time.Time{}
	c.edge.Metrics.certificateExpiry.Set(float64(pair.Leaf.NotAfter.Unix()))
}

// alarm warns of a certificate that ends soon.
func (c *Certificate) alarm() {
	now, end := c.edge.Now(), c.current.Load().Leaf.NotAfter
	if left := end.Sub(now); left < expiryAlarm && now.Sub(c.warned) >= alarmEvery {
		c.warned = now
		c.edge.Log.Warn("the certificate of the public listener ends soon", "expires", end, "days_left", int(left/(24*time.Hour)))
	}
}
