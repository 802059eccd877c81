package console

import (
	"bufio"
	"context"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/access"
	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/policy"
)

// beats is a clock of streams that goes on when a test says so.
type beats struct {
	*Streams
	mu    sync.Mutex
	at    time.Time
	ticks []chan time.Time
	lates []chan time.Time
}

// byBeats has the streams of the site go by beats, from now on.
func (s *site) byBeats() *beats {
	b := &beats{Streams: s.console.Streams, at: s.now}
	channel := func(all *[]chan time.Time) func(time.Duration) (<-chan time.Time, func()) {
		return func(time.Duration) (<-chan time.Time, func()) {
			b.mu.Lock()
			defer b.mu.Unlock()
			c := make(chan time.Time, 1)
			*all = append(*all, c)
			return c, func() {}
		}
	}
	b.clock = clock{b.time, channel(&b.lates), channel(&b.ticks)}
	return b
}

func (b *beats) time() time.Time { b.mu.Lock(); defer b.mu.Unlock(); return b.at }

// beat has a pause pass, and every stream look again.
func (b *beats) beat() { b.pass(b.pause, &b.ticks) }

// late has the longest time pass that a stream lasts.
func (b *beats) late() { b.pass(b.lifetime, &b.lates) }

func (b *beats) pass(d time.Duration, to *[]chan time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.at = b.at.Add(d)
	for _, c := range *to {
		select {
		case c <- b.at:
		default: // it was told already, and has not looked
		}
	}
}

// streamed is an inbox in view.
type streamed struct {
	t     *testing.T
	lines *bufio.Reader
	close func()
}

// watch opens the stream of the person's inbox.
func (p *person) watch() *streamed {
	p.t.Helper()
	ctx, cancel := context.WithCancel(p.t.Context())
	r := must[*http.Request](p.t)(http.NewRequestWithContext(ctx, "GET", p.url+"/approvals/events", nil))
	r.Header = p.header()
	resp := must[*http.Response](p.t)(http.DefaultTransport.RoundTrip(r))
	p.t.Cleanup(func() { cancel(); resp.Body.Close() })
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/event-stream" || resp.Header.Get("Cache-Control") != "no-store" {
		p.t.Fatalf("status %d, %v", resp.StatusCode, resp.Header)
	}
	return &streamed{p.t, bufio.NewReader(resp.Body), cancel}
}

// next is the next event with its data, "" at the end of the stream.
func (s *streamed) next() string {
	s.t.Helper()
	event := ""
	for {
		line, err := s.lines.ReadString('\n')
		if err != nil {
			return ""
		}
		if name, ok := strings.CutPrefix(line, "event: "); ok {
			event = strings.TrimSpace(name)
		}
		if data, ok := strings.CutPrefix(line, "data: "); ok {
			return strings.TrimSpace(event + " " + strings.TrimSpace(data))
		}
	}
}

// The list that a browser shows and the one that its stream speaks of have one word; a call that
// comes, and one that is decided, change it. The stream has nothing else to say.
func TestInboxIsLive(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	beats := s.byBeats()
	alice, bob := s.signIn("acme", "005A"), s.signIn("acme", "005B")
	word := func() string {
		_, after, _ := strings.Cut(alice.get("/approvals").body, `data-listed="`)
		word, _, _ := strings.Cut(after, `"`)
		return "list " + word
	}
	empty := word()
	events := alice.watch()
	if got := events.next(); got != empty || len(got) < 16 {
		t.Fatalf("first %q, the page has %q", got, empty)
	}
	bob.ask(`{"secret":"of somebody else"}`, policy.Requester)
	first := alice.ask(`{"secret":"mine"}`, policy.Requester)
	beats.beat()
	got := events.next()
	if got == empty || got != word() || strings.Contains(got, first.ID) {
		t.Errorf("after a call: %q, the page has %q", got, word())
	}
	if _, err := s.approvals.Approve(t.Context(), first.ID, approval.Decision{By: actor.User("005A"), Org: "acme", Human: approval.SalesforceHuman("acme", "005A")}); err != nil {
		t.Fatal(err)
	}
	beats.beat()
	if got := events.next(); got != empty || got != word() {
		t.Errorf("after the decision: %q, the page has %q", got, word())
	}
}

// A stream ends with its session, by whatever that ends, and with the process; it does not begin
// for whoever has none, for programs, or for other sites.
func TestStreamsOfInboxesEnd(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	beats := s.byBeats()
	for _, c := range []struct {
		name string
		end  func(*person) error
	}{
		{"signed out", func(p *person) error { return s.sessions.End(discard{}, must[*http.Request](t)(withCookie(p))) }},
		{"all sessions ended", func(p *person) error { return second(s.sessions.EndUser(t.Context(), "acme", p.subject)) }},
		{"blocked", func(p *person) error { return second(s.grants.BlockUser(t.Context(), "acme", p.subject, "test")) }},
	} {
		p := s.signIn("acme", "005"+c.name[:1])
		events := p.watch()
		events.next()
		if err := c.end(p); err != nil {
			t.Fatal(err)
		}
		beats.beat()
		if got := events.next(); got != "ended" {
			t.Errorf("%s: %q", c.name, got)
		}
		if got := events.next(); got != "" {
			t.Errorf("%s: goes on with %q", c.name, got)
		}
	}
	alice := s.signIn("acme", "005A")
	_, token := alice.connect()
	over := s.signIn("acme", "005Z")
	if err := second(s.sessions.EndUser(t.Context(), "acme", "005Z")); err != nil {
		t.Fatal(err)
	}
	for name, h := range map[string]http.Header{
		"nobody":             {},
		"a program":          {"Authorization": {"Bearer " + token}},
		"an ended session":   over.header(),
		"another site's tab": {"Cookie": alice.header()["Cookie"], "Sec-Fetch-Site": {"cross-site"}},
		"a subdomain":        {"Cookie": alice.header()["Cookie"], "Sec-Fetch-Site": {"same-site"}},
	} {
		if a := s.send("GET", "/approvals/events", "", h); a.status != http.StatusUnauthorized && a.status != http.StatusForbidden {
			t.Errorf("%s: status %d", name, a.status)
		}
	}
	events := alice.watch()
	events.next()
	s.console.Streams.End()
	if got := events.next(); got != "" {
		t.Errorf("after the end: %q", got)
	}
	if a := alice.get("/approvals/events"); a.status != http.StatusTooManyRequests {
		t.Errorf("a stream begins in a process that ends: %d", a.status)
	}
}

// D15: streams of one person, and of all, are bounded, and so is the time of each.
func TestD15StreamsOfInboxesAreBounded(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	beats := s.byBeats()
	alice := s.signIn("acme", "005A")
	var open []*streamed
	for range streamsPerPerson {
		open = append(open, alice.watch())
	}
	if a := s.signIn("acme", "005A").get("/approvals/events"); a.status != http.StatusTooManyRequests {
		t.Errorf("one more of a person: %d", a.status)
	}
	s.signIn("acme", "005B").watch().close()
	open[0].next()
	open[0].close()
	left := func() int {
		s.console.Streams.mu.Lock()
		defer s.console.Streams.mu.Unlock()
		return s.console.Streams.of[access.Person{Org: "acme", Subject: "005A"}]
	}
	for left() == streamsPerPerson { // until the server knows that one is gone
		runtime.Gosched()
	}
	alice.watch()

	all := newStreams(time.Now)
	for i := range streamsAtOnce {
		if _, ok := all.enter(access.Person{Subject: string(rune(i))}); !ok {
			t.Fatalf("%d streams are too many", i)
		}
	}
	if _, ok := all.enter(access.Person{Subject: "late"}); ok {
		t.Error("there is no bound for all")
	}
	short := s.signIn("acme", "005C").watch()
	if got := short.next(); !strings.HasPrefix(got, "list ") {
		t.Errorf("one that begins: %q", got)
	}
	beats.late()
	if got := short.next(); got != "" {
		t.Errorf("after its time: %q", got)
	}
}

// second is the error of two values.
func second[T any](_ T, err error) error { return err }

// discard takes what is answered and forgets it.
type discard struct{}

func (discard) Header() http.Header         { return http.Header{} }
func (discard) Write(b []byte) (int, error) { return len(b), nil }
func (discard) WriteHeader(int)             {}

func withCookie(p *person) (*http.Request, error) {
	r, err := http.NewRequest("GET", p.url, nil)
	if err == nil {
		r.AddCookie(p.cookie)
	}
	return r, err
}
