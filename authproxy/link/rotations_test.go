package link_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/link"
	"sfmcp-proxy/authproxy/salesforce"
	"sfmcp-proxy/authproxy/seal"
	"sfmcp-proxy/examples/salesforcesim"
)

const (
	rotatingUsers    = 1000
	rotatingReplicas = 4
)

// BenchmarkRotations rotates refresh tokens at a Salesforce that ends a login when a
// spent one comes back, that is slow, that fails, and whose requests and answers get lost
// on the way; a thousand users at a time, through four stores on one database, which stand
// for replicas. It fails if a login is lost but by an answer that was lost.
//
//	go test ./authproxy/link -run '^$' -bench Rotations -benchtime 100000x
func BenchmarkRotations(b *testing.B) {
	l := newLossy(b, min(rotatingUsers, b.N), &clock{now: time.Date(2026, 9, 30, 12, 0, 0, 0, time.UTC)})
	replicas := make([]*link.Store, rotatingReplicas)
	dir := b.TempDir()
	for i := range replicas {
		replicas[i] = l.replica(b, dir, "sqlite:"+filepath.Join(dir, "proxy.db"))
	}
	for _, u := range l.users {
		l.signIn(b, replicas[0], u)
	}
	b.ResetTimer()
	begin := time.Now()
	for round := 0; l.rotations() < b.N; round++ {
		l.clock.pass(time.Hour) // every token has expired, every pause is over
		var callers sync.WaitGroup
		for i, u := range l.users {
			for replica := range 1 + (i+round)%10/9 { // of one in ten, two replicas find out at once
				s := replicas[(i+round+replica)%len(replicas)]
				callers.Go(func() { l.call(b, s, u) })
			}
		}
		callers.Wait()
		for _, u := range l.lostNow() {
			l.signIn(b, replicas[0], u)
		}
	}
	took := time.Since(begin)
	b.StopTimer()
	for _, s := range replicas {
		if err := s.Close(b.Context()); err != nil {
			b.Error(err)
		}
	}
	l.settle(b, replicas[0], rotatingReplicas, took)
}

// rotating is a user and what happened to the logins of theirs.
type rotating struct {
	id, username   string
	answersLost    int
	lost           int // logins
	signInRequired bool
}

// lossy is a simulated Salesforce behind a network that loses and delays.
type lossy struct {
	sim    *salesforcesim.Sim
	client *salesforce.Client
	clock  *clock
	now    func() time.Time
	users  []*rotating
	*trace
	replicas int

	mu                               sync.Mutex
	byID                             map[string]*rotating
	presented                        map[string]bool   // refresh tokens that came at least once
	owners                           map[string]string // of refresh tokens
	requests, rotated                int
	delayed, requestsLost, refused   int
	answersLost, unavailable, busied int
}

// newLossy is one with so many users, whose clock is c; nil: that of the machine.
func newLossy(b *testing.B, users int, c *clock) *lossy {
	b.Helper()
	l := &lossy{clock: c, now: time.Now, trace: newTrace(), byID: map[string]*rotating{}, presented: map[string]bool{}, owners: map[string]string{}}
	if c != nil {
		l.now = c.Now
	}
	var simulated []salesforcesim.User
	for i := range users {
		id, err := salesforce.NormalizeID(fmt.Sprintf("005xx%010d", i))
		if err != nil {
			b.Fatal(err)
		}
		u := &rotating{id: id, username: fmt.Sprintf("user%d@acme.example", i)}
		l.users, l.byID[id] = append(l.users, u), u
		simulated = append(simulated, salesforcesim.User{ID: id, Username: u.username, Password: "x", Name: u.username})
	}
	server := httptest.NewServer(http.HandlerFunc(l.serve))
	b.Cleanup(server.Close)
	var err error
	l.sim, err = salesforcesim.New(salesforcesim.Config{BaseURL: server.URL, Now: l.now, Users: simulated,
		Switches: salesforcesim.Switches{RefreshReuse: "revoke_family"}})
	if err != nil {
		b.Fatal(err)
	}
	l.client, err = salesforce.New(salesforce.Config{Now: l.now, Log: slog.New(slog.DiscardHandler), Orgs: []salesforce.Org{{Name: "acme",
		LoginURL: server.URL, OrgID: salesforcesim.OrgID, ClientID: salesforcesim.PublicClientID, InsecureHTTP: true}}})
	if err != nil {
		b.Fatal(err)
	}
	return l
}

// replica opens the database as one more process would.
func (l *lossy) replica(b *testing.B, dir, database string) *link.Store {
	b.Helper()
	d, err := db.Open(b.Context(), db.Config{URL: database})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { d.Close() })
	keys := filepath.Join(dir, "keys")
	ring, err := seal.LoadKeyRing(keys)
	if err != nil {
		if err := seal.CreateKeyFile(keys); err != nil {
			b.Fatal(err)
		}
		if ring, err = seal.LoadKeyRing(keys); err != nil {
			b.Fatal(err)
		}
	}
	n := l.replicas
	l.replicas++
	return link.New(link.Config{DB: d, Ring: ring, Salesforce: tracedSalesforce{l.client, l, n}, Now: l.now, Log: slog.New(tracedLog{l.trace, n}),
		RetryDelay: 20 * time.Millisecond, OnEvent: l.notice})
}

// serve is the network. What goes wrong depends on the number of the request alone. The
// second sending of a token always arrives: two losses in a row end a login by design.
func (l *lossy) serve(w http.ResponseWriter, r *http.Request) {
	token := r.PostFormValue("refresh_token")
	if token == "" {
		l.sim.Handler().ServeHTTP(w, r)
		return
	}
	l.mu.Lock()
	l.requests++
	n, again, owner := l.requests, l.presented[token], l.owners[token]
	l.presented[token] = true
	l.mu.Unlock()
	count := func(which *int) {
		l.mu.Lock()
		defer l.mu.Unlock()
		*which++
	}
	switch {
	case n%97 == 0:
		count(&l.delayed)
		time.Sleep(time.Duration(n%400) * time.Millisecond)
	case n%499 == 0:
		count(&l.refused)
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	case n%991 == 0 && !again:
		count(&l.requestsLost)
		panic(http.ErrAbortHandler)
	}
	answer := httptest.NewRecorder()
	r.Body = http.NoBody // read; the form is parsed
	l.sim.Handler().ServeHTTP(answer, withForm(r))
	if answer.Code == http.StatusOK {
		count(&l.rotated)
		if n%1009 == 0 && !again {
			l.loseAnswer(answer.Body.Bytes())
			l.note(owner, "Salesforce: the answer to …%s is lost", last(token))
			panic(http.ErrAbortHandler)
		}
	}
	l.note(owner, "Salesforce: answers %d to …%s", answer.Code, last(token))
	w.Header().Set("Content-Type", answer.Header().Get("Content-Type"))
	w.WriteHeader(answer.Code)
	w.Write(answer.Body.Bytes())
}

// withForm gives a request whose form was read its body back.
func withForm(r *http.Request) *http.Request {
	fresh := httptest.NewRequest(r.Method, r.URL.String(), strings.NewReader(r.PostForm.Encode()))
	fresh.Header = r.Header.Clone()
	return fresh.WithContext(r.Context())
}

// loseAnswer notes whose new token nobody will ever see.
func (l *lossy) loseAnswer(body []byte) {
	var answer struct {
		AccessToken string `json:"access_token"`
	}
	var claims struct{ Sub string }
	if json.Unmarshal(body, &answer) == nil {
		if raw, err := base64.RawURLEncoding.DecodeString(strings.Split(answer.AccessToken+"..", ".")[1]); err == nil {
			json.Unmarshal(raw, &claims)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.answersLost++
	l.byID[strings.TrimPrefix(claims.Sub, "uid:")].answersLost++
}

func (l *lossy) notice(e link.Event) {
	if e.Kind != link.LoginLost {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	u := l.byID[e.Subject]
	u.lost++
	u.signInRequired = true
	l.note(u.id, "the login is lost: %v", e.Err)
	if u.lost > u.answersLost {
		l.otherwise(u.id)
	}
}

// own notes whose a refresh token is.
func (l *lossy) own(token, subject string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.owners[token] = subject
}

func (l *lossy) owner(token string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.owners[token]
}

// call is what each call of a user's client begins with. On a slow machine a caller may
// give up before the refresh has ended, and has to come back: the clock must not pass
// while requests are under way, or their leases would end with their holders alive.
func (l *lossy) call(b *testing.B, s *link.Store, u *rotating) {
	const patience = 15 * time.Second // less than a caller has
	begun := time.Now()
	_, err := s.Token(b.Context(), "acme", u.id)
	for err != nil && errors.Is(err, link.ErrUnavailable) && time.Since(begun) > patience {
		begun = time.Now()
		_, err = s.Token(b.Context(), "acme", u.id)
	}
	if err == nil {
		return
	}
	text := err.Error()
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case strings.Contains(text, link.ErrUnavailable.Error()):
		l.unavailable++
	case strings.Contains(text, "SQLITE_BUSY") || l.clock == nil && db.FailureOf(err) != db.OtherFailure:
		l.busied++ // four replicas on one file; the next call finds it free
	case !strings.Contains(text, link.ErrNeedsReauth.Error()):
		b.Errorf("%s: %v", u.username, err)
	}
}

func (l *lossy) signIn(b *testing.B, s *link.Store, u *rotating) {
	b.Helper()
	access, refresh, err := l.sim.IssueTokens(u.username, salesforcesim.PublicClientID)
	if err != nil {
		b.Fatal(err)
	}
	l.own(refresh, u.id)
	l.note(u.id, "signs in with …%s", last(refresh))
	if err := s.Replace(b.Context(), "acme", &salesforce.Token{AccessToken: access, RefreshToken: refresh,
		ExpiresAt: l.now().Add(30 * time.Minute), OrgID: salesforcesim.OrgID, Subject: u.id}); err != nil {
		b.Fatal(err)
	}
}

func (l *lossy) rotations() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.rotated
}

// lostNow are the users who have to sign in again.
func (l *lossy) lostNow() (out []*rotating) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, u := range l.users {
		if u.signInRequired {
			u.signInRequired = false
			out = append(out, u)
		}
	}
	return out
}

// settle counts, prints and judges.
func (l *lossy) settle(b *testing.B, s *link.Store, replicas int, took time.Duration) {
	b.Helper()
	var lost, otherwise, live, reused int
	for _, u := range l.users {
		lost += u.lost
		otherwise += max(u.lost-u.answersLost, 0)
	}
	links, err := s.List(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	for _, status := range links {
		if status.State != link.Active {
			b.Errorf("%s is %s: %s", status.Subject, status.State, status.Why)
		}
	}
	if left, err := s.RevokePending(b.Context()); left != 0 || err != nil {
		b.Errorf("%d revocations left, %v", left, err)
	}
	for _, token := range l.sim.RefreshTokens(salesforcesim.GrantFilter{}) {
		reused += token.Reused
		if token.State == "live" {
			live++
		}
	}
	l.print(b)
	b.Logf("%d rotations for %d users by %d replicas in %s: %d delayed, %d refused (503), %d requests lost, %d answers lost; "+
		"%d links lost, %d lost otherwise; spent tokens presented %d times; calls told to come back %d, database busy %d",
		l.rotated, len(l.users), replicas, took.Round(time.Millisecond), l.delayed, l.refused, l.requestsLost, l.answersLost,
		lost, otherwise, reused, l.unavailable, l.busied)
	b.ReportMetric(float64(l.answersLost), "answers-lost")
	b.ReportMetric(float64(lost), "links-lost")
	b.ReportMetric(float64(otherwise), "lost-otherwise")
	b.ReportMetric(float64(l.rotated)/took.Seconds(), "rotations/s")
	if otherwise != 0 || lost != l.answersLost || reused != l.answersLost || live != len(l.users) {
		b.Errorf("%d links lost by %d answers, %d otherwise; %d spent tokens presented; %d of %d users have a live token at Salesforce",
			lost, l.answersLost, otherwise, reused, live, len(l.users))
	}
}
