package link_test

import (
	"errors"
	"net/http"
	"sync"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/link"
)

func TestReasonOfAFailure(t *testing.T) {
	t.Parallel()
	for want, f := range map[string]link.Failure{
		"": {}, "invalid_grant": {Code: "invalid_grant"}, "invalid_grant (expired)": {Code: "invalid_grant", Text: "expired"},
	} {
		if got := f.Reason(); got != want {
			t.Errorf("%+v: %q, want %q", f, got, want)
		}
	}
}

// A login that is deleted while a process waits for another's refresh is no login: whoever
// waited is told so.
func TestFaultFT19LoginDeletedWhileItIsWaitedFor(t *testing.T) {
	t.Parallel()
	f := newLogin(t)
	fs := newFiles(t)
	p, waiting := fs.start(t, f, nil), fs.start(t, f, nil)
	p.signIn(t, f)
	asked, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	f.set(func() {
		f.token = func(w http.ResponseWriter, r *http.Request) {
			once.Do(func() { close(asked) })
			<-release
			f.refresh(w, r)
		}
	})
	f.clock.pass(time.Hour)
	var all sync.WaitGroup
	all.Go(func() { p.Token(t.Context(), "acme", alice) })
	<-asked
	result := make(chan error, 1)
	all.Go(func() {
		_, err := waiting.Token(t.Context(), "acme", alice)
		result <- err
	})
	if _, err := p.db.Writes.Exec(`DELETE FROM links`); err != nil {
		t.Fatal(err)
	}
	if err := <-result; !errors.Is(err, link.ErrNeedsReauth) {
		t.Errorf("whoever waited is told %v", err)
	}
	close(release)
	all.Wait()
}

// Of a long queue four revocations are under way at a time: Salesforce counts what one
// address asks for.
func TestRevocationsAtATime(t *testing.T) {
	t.Parallel()
	f := newLogin(t)
	p := newFiles(t).start(t, f, nil)
	for range 20 {
		p.signIn(t, f) // each ends the one before
	}
	var mu sync.Mutex
	now, most := 0, 0
	release := make(chan struct{})
	f.set(func() {
		f.revoke = func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			now++
			most = max(most, now)
			mu.Unlock()
			<-release
			mu.Lock()
			now--
			mu.Unlock()
			f.end(w, r)
		}
	})
	var done sync.WaitGroup
	done.Go(func() { p.RevokePending(t.Context()) })
	eventually(t, "four at a time", func() bool { mu.Lock(); defer mu.Unlock(); return now == 4 })
	time.Sleep(100 * time.Millisecond) // in which a fifth would come
	close(release)
	done.Wait()
	if most != 4 {
		t.Errorf("%d at a time", most)
	}
}
