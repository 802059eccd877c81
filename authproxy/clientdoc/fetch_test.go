package clientdoc

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/clientdoc/clientdoctest"
)

// fetcher has a minute for a fetch, so that a busy machine cuts none short.
func fetcher(site *clientdoctest.Site, hosts ...string) *Fetcher {
	return fetcherFor(site, time.Minute, hosts...)
}

func fetcherFor(site *clientdoctest.Site, each time.Duration, hosts ...string) *Fetcher {
	return newWithTime(Config{AllowHosts: append(hosts, clientdoctest.Address), AllowAddresses: []netip.Prefix{netip.MustParsePrefix(clientdoctest.AddressNetwork)},
		Resolver: site.Resolver, Roots: site.Roots}, each)
}

func document(id string) string {
	return `{"client_id":"` + id + `",` + plainTail + `}`
}

func TestDocumentIsFetched(t *testing.T) {
	t.Parallel()
	site := clientdoctest.Start(t, "client.example")
	f := fetcher(site, "client.example")
	id := site.URL("client.example", "/c")
	for control, want := range map[string]time.Duration{
		"": time.Hour, "max-age=600": 10 * time.Minute, "public, max-age=31536000": 24 * time.Hour, "no-store": time.Minute, "max-age=0": time.Minute,
		"max-age=x": time.Hour, "No-Cache, max-age=600": time.Minute,
	} {
		site.Publish("/c", document(id), "Cache-Control", control, "Content-Type", "application/oauth-client+json; charset=utf-8")
		body, fresh, err := f.Document(t.Context(), id)
		if err != nil || string(body) != document(id) || fresh != want {
			t.Errorf("Cache-Control %q: %v fresh, want %v; %v", control, fresh, want, err)
		}
	}
	site.Publish("/c", document(id), "Cache-Control", "max-age=600", "Age", "500")
	if _, fresh, err := f.Document(t.Context(), id); err != nil || fresh != 100*time.Second {
		t.Errorf("an answer that is 500 s old: %v fresh, %v", fresh, err)
	}
}

// No connection is made, whatever the name resolves to: the listener sees nobody.
func TestAS38NoConnectionToSpecialAddresses(t *testing.T) {
	t.Parallel()
	site := clientdoctest.Start(t, "client.example", "localhost")
	site.Publish("/c", "{}")
	allowed := fetcher(site, "client.example", "localhost", "127.0.0.1", "169.254.169.254", "::1").config
	allowed.AllowAddresses = nil
	f := New(allowed)
	dialed := make(chan struct{}, 8)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			c.Close()
			dialed <- struct{}{}
		}
	}()
	port := listener.Addr().(*net.TCPAddr).Port
	for _, id := range []string{
		site.URL("client.example", "/c"), site.URL(clientdoctest.Address, "/c"), // the name server leads inside
		fmt.Sprintf("https://localhost:%d/c", port), fmt.Sprintf("https://127.0.0.1:%d/c", port), "https://169.254.169.254/c", "https://[::1]/c",
	} {
		if _, _, err := f.Document(t.Context(), id); !errors.Is(err, ErrBlocked) {
			t.Errorf("%s: %v, want it blocked", id, err)
		}
	}
	if site.Hits("/c") != 0 || len(dialed) != 0 {
		t.Error("somebody was asked")
	}
}

func TestAS39OnlyAPlainAnswerCounts(t *testing.T) {
	t.Parallel()
	site := clientdoctest.Start(t)
	f := fetcher(site)
	site.Publish("/elsewhere", "{}")
	for name, handler := range map[string]http.HandlerFunc{
		"301": redirectTo(301), "302": redirectTo(302), "307": redirectTo(307), "308": redirectTo(308),
		"204": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) },
		"206": func(w http.ResponseWriter, r *http.Request) {
			jsonStatus(w, 206, document(site.URL(clientdoctest.Address, r.URL.Path)))
		},
		"201": func(w http.ResponseWriter, r *http.Request) {
			jsonStatus(w, 201, document(site.URL(clientdoctest.Address, r.URL.Path)))
		},
		"404": http.NotFound,
		"500": func(w http.ResponseWriter, r *http.Request) {
			jsonStatus(w, 500, document(site.URL(clientdoctest.Address, r.URL.Path)))
		},
		"html": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			w.Write([]byte(document(site.URL(clientdoctest.Address, r.URL.Path))))
		},
		"no type": func(w http.ResponseWriter, r *http.Request) {
			w.Header()["Content-Type"] = nil
			w.Write([]byte(document(site.URL(clientdoctest.Address, r.URL.Path))))
		},
	} {
		path := "/" + strings.ReplaceAll(name, " ", "-")
		site.Handle(path, handler)
		id := site.URL(clientdoctest.Address, path)
		for range 3 {
			if _, _, err := f.Document(t.Context(), id); err == nil {
				t.Errorf("%s: accepted", name)
			}
		}
		if n := site.Hits(path); n != 1 {
			t.Errorf("%s: asked %d times within a minute", name, n)
		}
		f.config.Now = func() time.Time { return time.Now().Add(failureTime) }
		site.Publish(path, document(id))
		if _, _, err := f.Document(t.Context(), id); err != nil {
			t.Errorf("%s: the failure stands after a minute: %v", name, err)
		}
		f.config.Now = time.Now
	}
	if site.Hits("/elsewhere") != 0 {
		t.Error("a redirect was followed")
	}
}

func redirectTo(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", status) }
}

func jsonStatus(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write([]byte(body))
}

// shortTime is the time of the fetches that use it up.
const shortTime = 300 * time.Millisecond

// fetchBound is how long such a fetch may last, on a machine that is slow and busy. Without
// an end of its own it would last for hours.
const fetchBound = 30 * time.Second

func TestAS40SizeAndTime(t *testing.T) {
	t.Parallel()
	if made := New(Config{}); made.time != 5*time.Second {
		t.Errorf("a fetch has %v", made.time)
	}
	site := clientdoctest.Start(t)
	f, short := fetcher(site), fetcherFor(site, shortTime)
	padded := func(id string, size int) string { return document(id) + strings.Repeat(" ", size-len(document(id))) }
	sent := make(chan int, 1)
	var wait sync.WaitGroup
	for path, tt := range map[string]struct {
		handler http.HandlerFunc
		want    error
	}{
		"/5120": {func(w http.ResponseWriter, r *http.Request) {
			jsonStatus(w, 200, padded(site.URL(clientdoctest.Address, r.URL.Path), 5120))
		}, nil},
		"/5121": {func(w http.ResponseWriter, r *http.Request) {
			jsonStatus(w, 200, padded(site.URL(clientdoctest.Address, r.URL.Path), 5121))
		}, ErrInvalid},
		"/stream": {func(w http.ResponseWriter, _ *http.Request) { sent <- endless(w, 0) }, ErrInvalid},
		"/drip":   {func(w http.ResponseWriter, _ *http.Request) { endless(w, shortTime/5) }, ErrUnavailable},
		"/hang":   {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, ErrUnavailable},
		"/lie": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "4000")
			jsonStatus(w, 200, document(site.URL(clientdoctest.Address, r.URL.Path)))
		}, ErrUnavailable},
		"/bomb":       {zipped(site, 1<<20), ErrInvalid},
		"/compressed": {zipped(site, 0), ErrInvalid}, // what is not unpacked needs no bound
	} {
		site.Handle(path, tt.handler)
		from := f
		if path == "/drip" || path == "/hang" {
			from = short
		}
		wait.Go(func() {
			start := time.Now()
			_, _, err := from.Document(t.Context(), site.URL(clientdoctest.Address, path))
			if !errors.Is(err, tt.want) || tt.want == nil && err != nil {
				t.Errorf("%s: %v, want %v", path, err, tt.want)
			}
			if took := time.Since(start); from == short && took > fetchBound {
				t.Errorf("%s took %v", path, took)
			}
		})
	}
	wait.Wait()
	if n := <-sent; n > 4<<20 { // what the sockets hold, not more
		t.Errorf("%d bytes were taken", n)
	}
}

// A host that takes the connection and never finishes the TLS handshake holds a fetch no
// longer than one that does not answer.
func TestAS40SlowHandshake(t *testing.T) {
	t.Parallel()
	site := clientdoctest.Start(t)
	mute, err := net.Listen("tcp", clientdoctest.Address+":0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { mute.Close() })
	start := time.Now()
	_, _, err = fetcherFor(site, shortTime).Document(t.Context(), "https://"+mute.Addr().String()+"/c")
	if took := time.Since(start); !errors.Is(err, ErrUnavailable) || took > fetchBound {
		t.Errorf("%v after %v", err, took)
	}
}

// zipped answers with a good document and so many blanks, compressed.
func zipped(site *clientdoctest.Site, blanks int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		z.Write([]byte(document(site.URL(clientdoctest.Address, r.URL.Path)) + strings.Repeat(" ", blanks)))
		z.Close()
		w.Header().Set("Content-Encoding", "gzip")
		jsonStatus(w, 200, b.String())
	}
}

// endless writes until the reader leaves and returns how much went out.
func endless(w http.ResponseWriter, pause time.Duration) (n int) {
	w.Header().Set("Content-Type", "application/json")
	block := bytes.Repeat([]byte(" "), 1<<10)
	if pause > 0 {
		block = block[:1]
	}
	for n < 64<<20 {
		if _, err := w.Write(block); err != nil {
			break
		}
		if http.NewResponseController(w).Flush() != nil {
			break
		}
		n += len(block)
		time.Sleep(pause)
	}
	return n
}

func TestAS44FetchesAreBounded(t *testing.T) {
	t.Parallel()
	site := clientdoctest.Start(t)
	f := fetcher(site)
	var mu sync.Mutex
	now, most := 0, 0
	release := make(chan struct{})
	var wait sync.WaitGroup
	for i := range 40 {
		path := fmt.Sprintf("/c%d", i%20) // each asked for twice at the same time
		site.Handle(path, func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			now++
			most = max(most, now)
			mu.Unlock()
			<-release
			mu.Lock()
			now--
			mu.Unlock()
			jsonStatus(w, 200, document(site.URL(clientdoctest.Address, r.URL.Path)))
		})
		wait.Go(func() {
			if _, _, err := f.Document(t.Context(), site.URL(clientdoctest.Address, path)); err != nil {
				t.Error(err)
			}
		})
	}
	for full := false; !full; time.Sleep(time.Millisecond) {
		mu.Lock()
		full = now == maxFetches
		mu.Unlock()
	}
	close(release)
	wait.Wait()
	if most != maxFetches {
		t.Errorf("%d fetches at a time, want at most %d", most, maxFetches)
	}
}

// D15: one network, of however many addresses, has two fetches at a time; another one is
// served beside it.
func TestD15FetchesOfANetworkAreBounded(t *testing.T) {
	t.Parallel()
	site := clientdoctest.Start(t)
	f := fetcher(site)
	var now, most atomic.Int64
	release := make(chan struct{})
	var wait sync.WaitGroup
	for i := range 20 {
		path := fmt.Sprintf("/c%d", i)
		site.Handle(path, func(w http.ResponseWriter, r *http.Request) {
			if n := now.Add(1); n > most.Load() {
				most.Store(n)
			}
			<-release
			now.Add(-1)
			jsonStatus(w, 200, document(site.URL(clientdoctest.Address, r.URL.Path)))
		})
		wait.Go(func() {
			_, _, err := f.Document(For(t.Context(), fmt.Sprintf("2001:db8:1:%x::1", i)), site.URL(clientdoctest.Address, path))
			if err != nil {
				t.Error(err)
			}
		})
	}
	for now.Load() < partyFetches {
		time.Sleep(time.Millisecond)
	}
	site.Handle("/other", func(w http.ResponseWriter, r *http.Request) {
		jsonStatus(w, 200, document(site.URL(clientdoctest.Address, r.URL.Path)))
	})
	if _, _, err := f.Document(For(t.Context(), "2001:db8:2::1"), site.URL(clientdoctest.Address, "/other")); err != nil {
		t.Errorf("another network meanwhile: %v", err)
	}
	close(release)
	wait.Wait()
	if most.Load() != partyFetches {
		t.Errorf("%d fetches of one network at a time, want %d", most.Load(), partyFetches)
	}
}

func TestWhoLeavesDoesNotEndTheFetch(t *testing.T) {
	t.Parallel()
	site := clientdoctest.Start(t)
	f := fetcher(site)
	asked, release := make(chan struct{}), make(chan struct{})
	reached := sync.OnceFunc(func() { close(asked) })
	id := site.URL(clientdoctest.Address, "/c")
	site.Handle("/c", func(w http.ResponseWriter, _ *http.Request) {
		reached()
		<-release
		jsonStatus(w, 200, document(id))
	})
	ctx, leave := context.WithCancel(t.Context())
	left := make(chan error)
	go func() { _, _, err := f.Document(ctx, id); left <- err }()
	<-asked
	leave()
	if err := <-left; !errors.Is(err, ErrUnavailable) {
		t.Error(err)
	}
	stayed := make(chan error)
	go func() { _, _, err := f.Document(t.Context(), id); stayed <- err }()
	close(release)
	if err := <-stayed; err != nil {
		t.Error(err)
	}
}

func TestKeySetOfAnotherHost(t *testing.T) {
	t.Parallel()
	site := clientdoctest.Start(t)
	f := fetcher(site)
	id := site.URL(clientdoctest.Address, "/c")
	site.Publish("/c", `{"client_id":"`+id+`",`+plainTail+`,"jwks_uri":"https://other.example/keys"}`)
	if _, _, err := f.Document(t.Context(), id); !errors.Is(err, ErrInvalid) {
		t.Errorf("a document with keys on a host that is not allowed: %v", err)
	}
	if _, _, err := f.Keys(t.Context(), "https://other.example/keys"); !errors.Is(err, ErrBlocked) {
		t.Error(err)
	}
	site.Publish("/keys", `{"keys":[`+rsaKey+`]}`)
	if body, _, err := f.Keys(t.Context(), site.URL(clientdoctest.Address, "/keys")); err != nil || !strings.Contains(string(body), modulus) {
		t.Errorf("%s, %v", body, err)
	}
}

func TestTLSIsVerified(t *testing.T) {
	t.Parallel()
	site := clientdoctest.Start(t, "client.example")
	for name, f := range map[string]*Fetcher{
		"unknown authority": New(Config{AllowHosts: []string{"client.example"}, AllowAddresses: []netip.Prefix{netip.MustParsePrefix(clientdoctest.AddressNetwork)}, Resolver: site.Resolver}),
		"other name":        fetcher(site, "other.example"),
	} {
		host := "client.example"
		if name == "other name" {
			host = "other.example"
		}
		id := site.URL(host, "/c")
		site.Publish("/c", document(id))
		if _, _, err := f.Document(t.Context(), id); !errors.Is(err, ErrUnavailable) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if site.Hits("/c") != 0 {
		t.Error("a request was sent")
	}
}
