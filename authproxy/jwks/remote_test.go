package jwks

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
)

var _ oidc.KeySet = (*Remote)(nil)
var _ oidc.KeySet = Set{}

// host publishes what a test tells it to, and counts who asks.
type host struct {
	*httptest.Server
	mu      sync.Mutex
	now     time.Time
	handler http.HandlerFunc
	fetches atomic.Int32
}

func newHost(t *testing.T, document string) (*host, *Remote) {
	h := &host{now: time.Date(2026, 9, 30, 12, 0, 0, 0, time.UTC)}
	h.publish(document)
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.fetches.Add(1)
		h.mu.Lock()
		handler := h.handler
		h.mu.Unlock()
		handler(w, r)
	}))
	t.Cleanup(h.Close)
	client := &http.Client{Transport: &http.Transport{}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return h, NewRemote(Config{URL: h.URL, HTTP: client, Rules: Rules{Algorithms: []string{RS256}, MaxKeys: 8, NeedKeyID: true},
		Now: h.clock, Log: slog.New(slog.DiscardHandler)})
}

func (h *host) answer(handler http.HandlerFunc) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.handler = handler
}

func (h *host) publish(document string) {
	h.answer(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, document) })
}

func (h *host) clock() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.now
}

func (h *host) pass(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now = h.now.Add(d)
}

// FT-27: a rotation costs one fetch, an unknown key at most one in 30 s, an outage is
// bridged for 12 h, and a set is replaced, not merged.
func TestFaultFT27RemoteRotates(t *testing.T) {
	t.Parallel()
	k := testKeys()
	first, second := documentOf(published(&k.rsa.PublicKey, "1", nil)), documentOf(published(&k.other.PublicKey, "2", nil))
	h, r := newHost(t, first)
	expect := func(step, token string, want error, fetches int32) {
		t.Helper()
		if _, err := r.VerifySignature(t.Context(), token); !errors.Is(err, want) || h.fetches.Load() != fetches {
			t.Errorf("%s: %v after %d fetches; want %v after %d", step, err, h.fetches.Load(), want, fetches)
		}
	}
	old, next := compact(t, jose.RS256, k.rsa, "1"), compact(t, jose.RS256, k.other, "2")
	expect("first", old, nil, 1)
	expect("kept", old, nil, 1)
	expect("a signature that does not fit", compact(t, jose.RS256, k.other, "1"), ErrSignature, 1)
	h.publish(second)
	expect("a new key", next, nil, 2)
	for range 100 {
		expect("the removed key, asked just now", old, ErrUnavailable, 2)
	}
	h.pass(31 * time.Second)
	expect("the removed key", old, ErrUnknownKey, 3)
	h.pass(15 * time.Minute)
	h.answer(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
	expect("host down", next, nil, 4)
	h.pass(12 * time.Hour)
	expect("host down for too long", next, ErrUnavailable, 5)
	if err := r.Ready(t.Context()); !errors.Is(err, ErrUnavailable) {
		t.Errorf("ready without keys: %v", err)
	}
	h.publish(first)
	h.pass(31 * time.Second)
	expect("host back", old, nil, 6)
}

// RS-08: what is no key set of a bearable size is not kept.
func TestRS08RemoteAnswers(t *testing.T) {
	t.Parallel()
	good := documentOf(published(&testKeys().rsa.PublicKey, "1", nil))
	for what, handler := range map[string]http.HandlerFunc{
		"too large": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, strings.Repeat(" ", maxDocument), good) },
		"redirect": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(http.StatusFound)
			fmt.Fprint(w, good)
		},
		"error with keys": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusBadGateway)
			fmt.Fprint(w, good)
		},
		"cut short": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100000")
			fmt.Fprint(w, good)
		},
		"a page": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") },
	} {
		h, r := newHost(t, "")
		h.answer(handler)
		if err := r.Ready(t.Context()); !errors.Is(err, ErrUnavailable) {
			t.Errorf("%s: %v", what, err)
		}
		if set, err := r.Fetch(t.Context()); err == nil {
			t.Errorf("%s: fetched %d keys", what, set.Len())
		}
	}
}

// All who need keys at the same time share one fetch, and one who leaves does not end it.
// Whoever looked before a fetch, and comes to ask for one when it has ended, has what it brought:
// another one would be too soon, and is not needed.
func TestWhoComesJustAfterAFetch(t *testing.T) {
	t.Parallel()
	h, r := newHost(t, documentOf(published(&testKeys().rsa.PublicKey, "1", nil)))
	if err := r.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, forKey := range []bool{false, true} {
		if err := r.refresh(t.Context(), time.Time{}, forKey); err != nil {
			t.Errorf("for a key %v: %v", forKey, err)
		}
	}
	if n := h.fetches.Load(); n != 1 {
		t.Errorf("%d fetches", n)
	}
}

func TestOneFetchForAll(t *testing.T) {
	t.Parallel()
	h, r := newHost(t, "")
	began, proceed := make(chan struct{}), make(chan struct{})
	h.answer(func(w http.ResponseWriter, _ *http.Request) {
		close(began)
		<-proceed
		fmt.Fprint(w, documentOf(published(&testKeys().rsa.PublicKey, "1", nil)))
	})
	token := compact(t, jose.RS256, testKeys().rsa, "1")
	ctx, leave := context.WithCancel(t.Context())
	first := make(chan error, 1)
	go func() { first <- r.Ready(ctx) }()
	<-began
	leave()
	if err := <-first; !errors.Is(err, ErrUnavailable) {
		t.Errorf("who left: %v", err)
	}
	results := make(chan error, 20)
	for range cap(results) {
		go func() {
			_, err := r.VerifySignature(t.Context(), token)
			results <- err
		}()
	}
	close(proceed)
	for range cap(results) {
		if err := <-results; err != nil {
			t.Errorf("who waited: %v", err)
		}
	}
	if n := h.fetches.Load(); n != 1 {
		t.Errorf("%d fetches", n)
	}
}
