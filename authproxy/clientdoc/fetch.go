package clientdoc

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/singleflight"

	"sfmcp-proxy/authproxy/party"
	"sfmcp-proxy/authproxy/tunnel"
)

// Errors of a fetch; callers tell them apart for the audit log.
var (
	// ErrBlocked: the URL is none that documents are fetched from: malformed, a host
	// that is not allowed, or an address in a special-use network.
	ErrBlocked = errors.New("not an address that client documents are fetched from")
	// ErrUnavailable: there was no good answer: no connection, no 200, too slow.
	ErrUnavailable = errors.New("client document could not be fetched")
	// ErrInvalid: what was answered is not a valid document of that client.
	ErrInvalid = errors.New("client document is not valid")
)

const (
	fetchTime     = 5 * time.Second // for all of it, name resolution to last byte
	documentLimit = 5 << 10
	// keysLimit is larger than documentLimit because key sets carry certificates.
	keysLimit = 16 << 10
	// failureTime is how long a failure stands for its URL.
	failureTime  = time.Minute
	maxFailures  = 4096
	maxFetches   = 8 // at a time, of all hosts
	partyFetches = 2 // of them for one party that asks, so that none can use up all
	freshMin     = time.Minute
	freshDefault = time.Hour
	freshMax     = 24 * time.Hour
)

// Config says where documents may be fetched from.
type Config struct {
	// AllowHosts are the hosts that documents and key sets may come from. Empty: none.
	AllowHosts []string
	// AllowAddresses are networks that may be dialed though they are special-use, and
	// on other ports than 443: for clients of the company, and for tests.
	AllowAddresses []netip.Prefix
	// Resolver is the host:port of the DNS server to ask; "" means the system's.
	Resolver string
	// Via connects through the company's forward proxy, but for its exceptions; nil: nothing
	// does. See [tunnel.Guard] for what of the guard is then left to the forward proxy.
	Via *tunnel.Dialer
	// Roots verify TLS; nil means the system's.
	Roots *x509.CertPool
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Fetcher gets documents. It is safe for concurrent use.
type Fetcher struct {
	config   Config
	time     time.Duration // that one fetch has: fetchTime, except in tests
	http     *http.Client
	shared   singleflight.Group // fetches under way, by address
	slots    chan struct{}
	turns    *party.Turns[netip.Prefix]
	failures *lru.Cache[string, failure]
}

type failure struct {
	err   error
	until time.Time
}

// answer is a body that was checked and how long it may be taken for current.
type answer struct {
	body  []byte
	fresh time.Duration
}

// New makes a fetcher.
func New(c Config) *Fetcher { return newWithTime(c, fetchTime) }

func newWithTime(c Config, each time.Duration) *Fetcher {
	if c.Now == nil {
		c.Now = time.Now
	}
	failures, err := lru.New[string, failure](maxFailures)
	if err != nil {
		panic(err) // the size is a positive constant
	}
	f := &Fetcher{config: c, time: each, slots: make(chan struct{}, maxFetches), turns: party.NewTurns[netip.Prefix](partyFetches), failures: failures}
	guard := tunnel.NewGuard(tunnel.GuardConfig{Allow: c.AllowAddresses, Via: c.Via, Resolver: c.Resolver, Timeout: each})
	f.http = &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Proxy:                  nil,
			DialContext:            guard.DialContext,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: c.Roots},
			TLSHandshakeTimeout:    each,
			DisableKeepAlives:      true, // every fetch dials, and every dial is checked
			DisableCompression:     true, // what is read is what was sent
			MaxResponseHeaderBytes: 16 << 10,
		},
	}
	return f
}

// Allowed returns, without asking anyone, what keeps a URL from being fetched: ErrBlocked.
func (f *Fetcher) Allowed(address string) error {
	u, err := parseURL(address)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrBlocked, err)
	}
	if !f.AllowsHost(u.Hostname()) {
		return fmt.Errorf("%w: host %s is not allowed", ErrBlocked, u.Hostname())
	}
	return nil
}

// AllowsHost reports whether documents may come from a host.
func (f *Fetcher) AllowsHost(host string) bool { return slices.Contains(f.config.AllowHosts, host) }

// Document fetches and checks the document of a client. fresh is how long it may be
// used before it is asked for again: what its Cache-Control allows, within 1 min and
// 24 h.
func (f *Fetcher) Document(ctx context.Context, id string) (body []byte, fresh time.Duration, err error) {
	a, err := f.get(ctx, id, documentLimit, func(body []byte) error {
		m, err := ParseDocument(id, body)
		if err == nil && m.JWKSURI != "" {
			err = f.Allowed(m.JWKSURI)
		}
		return err
	})
	return a.body, a.fresh, err
}

// Keys fetches and checks a key set, under the same guard.
func (f *Fetcher) Keys(ctx context.Context, uri string) (body []byte, fresh time.Duration, err error) {
	a, err := f.get(ctx, uri, keysLimit, func(body []byte) error {
		_, err := ParseKeys(body)
		return err
	})
	return a.body, a.fresh, err
}

type partyKey struct{}

// For returns a context in which documents are fetched for a network address, in its text
// form. Whatever is none is one party.
func For(ctx context.Context, source string) context.Context {
	address, _ := netip.ParseAddr(source)
	return context.WithValue(ctx, partyKey{}, party.Of(address))
}

// slot waits until a fetch may begin, for its party, if there is one, and for all. A party
// waits for its own turn first, so that its waiting takes no place from others.
func (f *Fetcher) slot(ctx context.Context) (done func(), err error) {
	turn := func() {}
	if of, ok := ctx.Value(partyKey{}).(netip.Prefix); ok {
		if turn, err = f.turns.Take(ctx, of); err != nil {
			return nil, err
		}
	}
	select {
	case f.slots <- struct{}{}:
		return func() { <-f.slots; turn() }, nil
	case <-ctx.Done():
		turn()
		return nil, ctx.Err()
	}
}

// get fetches a URL once for all who ask at the same time: it is the party's who asked first.
// A caller who leaves does not end it for the others.
func (f *Fetcher) get(ctx context.Context, address string, limit int, check func([]byte) error) (answer, error) {
	if err := f.Allowed(address); err != nil {
		return answer{}, err
	}
	done := f.shared.DoChan(address, func() (any, error) {
		if last, ok := f.failures.Get(address); ok && f.config.Now().Before(last.until) {
			return answer{}, last.err
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), f.time)
		defer cancel()
		done, err := f.slot(ctx)
		if err != nil {
			return answer{}, fmt.Errorf("%w: too many fetches are under way", ErrUnavailable)
		}
		defer done()
		a, err := f.fetch(ctx, address, limit)
		if err == nil {
			if bad := check(a.body); bad != nil {
				err = fmt.Errorf("%w: %w", ErrInvalid, bad)
			}
		}
		if err != nil {
			f.failures.Add(address, failure{err, f.config.Now().Add(failureTime)})
			return answer{}, err
		}
		f.failures.Remove(address)
		return a, nil
	})
	select {
	case <-ctx.Done():
		return answer{}, fmt.Errorf("%w: %w", ErrUnavailable, ctx.Err())
	case res := <-done:
		a, _ := res.Val.(answer)
		return a, res.Err
	}
}

func (f *Fetcher) fetch(ctx context.Context, address string, limit int) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return answer{}, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "sfmcp-proxy")
	res, err := f.http.Do(req)
	if errors.Is(err, tunnel.ErrBlocked) {
		return answer{}, fmt.Errorf("%w: %w", ErrBlocked, err)
	}
	if err != nil {
		return answer{}, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	defer res.Body.Close()
	switch {
	case res.StatusCode != http.StatusOK: // a redirect is no success either
		return answer{}, fmt.Errorf("%w: status %d", ErrUnavailable, res.StatusCode)
	case !isJSON(res.Header.Get("Content-Type")) || res.Header.Get("Content-Encoding") != "":
		return answer{}, fmt.Errorf("%w: not plain JSON", ErrInvalid)
	case res.ContentLength > int64(limit):
		return answer{}, fmt.Errorf("%w: larger than %d bytes", ErrInvalid, limit)
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, int64(limit)+1))
	switch {
	case err != nil:
		return answer{}, fmt.Errorf("%w: %w", ErrUnavailable, err)
	case len(body) > limit:
		return answer{}, fmt.Errorf("%w: larger than %d bytes", ErrInvalid, limit)
	}
	return answer{body, freshness(res.Header)}, nil
}

// isJSON: application/json or application/*+json (CIMD, "Client Information Discovery").
func isJSON(contentType string) bool {
	kind, _, err := mime.ParseMediaType(contentType)
	return err == nil && (kind == "application/json" || strings.HasPrefix(kind, "application/") && strings.HasSuffix(kind, "+json"))
}

// freshness reads Cache-Control (RFC 9111 5.2.2) within bounds of our own: a document
// that forbids keeping it is still not asked for at every request.
func freshness(h http.Header) time.Duration {
	fresh := freshDefault
	for _, directive := range strings.Split(strings.ToLower(strings.Join(h.Values("Cache-Control"), ",")), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(directive), "=")
		switch name {
		case "no-store", "no-cache":
			return freshMin
		case "max-age":
			if seconds, err := strconv.ParseUint(strings.Trim(value, `"`), 10, 31); err == nil {
				fresh = time.Duration(seconds) * time.Second
			}
		}
	}
	if age, err := strconv.ParseUint(h.Get("Age"), 10, 31); err == nil {
		fresh -= time.Duration(age) * time.Second
	}
	return max(freshMin, min(fresh, freshMax))
}
