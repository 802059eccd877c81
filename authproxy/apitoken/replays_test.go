package apitoken

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/db/dbtest"
)

func newReplays(t *testing.T) (*Replays, *clock) {
	t.Helper()
	c := &clock{at: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	url := dbtest.URL(t)
	return &Replays{DB: dbtest.OpenURL(t, url), Ring: dbtest.Ring(t, url), Now: c.now}, c
}

// AD-21: what comes again gets the same answer, for a day; another request under the same key is
// refused, and one whose answer is not known is not done again.
func TestAD21ReplayedRequests(t *testing.T) {
	t.Parallel()
	s, c := newReplays(t)
	a := Attempt{Token: "apt_a", Key: "k", Digest: "d"}
	if answer, err := s.Begin(t.Context(), a); answer != nil || err != nil {
		t.Fatal(answer, err)
	}
	if _, err := s.Begin(t.Context(), a); !errors.Is(err, ErrUnderWay) {
		t.Errorf("not answered yet: %v", err)
	}
	if err := s.Finish(t.Context(), a, Answer{201, []byte(`{"name":"secret person"}`)}); err != nil {
		t.Fatal(err)
	}
	if answer, err := s.Begin(t.Context(), a); err != nil || answer.Status != 201 || string(answer.Body) != `{"name":"secret person"}` {
		t.Errorf("again: %+v, %v", answer, err)
	}
	other := a
	other.Digest = "e"
	if _, err := s.Begin(t.Context(), other); !errors.Is(err, ErrOtherRequest) {
		t.Errorf("another request: %v", err)
	}
	for _, different := range []Attempt{{"apt_b", "k", "d"}, {"apt_a", "l", "d"}} {
		if answer, err := s.Begin(t.Context(), different); answer != nil || err != nil {
			t.Errorf("%+v: %v, %v", different, answer, err)
		}
	}
	var stored string
	if err := s.DB.Reads.QueryRow(`SELECT sealed_answer FROM api_replays WHERE sealed_answer <> ''`).Scan(&stored); err != nil || len(stored) < 20 {
		t.Errorf("stored: %q, %v", stored, err)
	}
	c.at = c.at.Add(AnswerKept)
	if answer, err := s.Begin(t.Context(), a); answer != nil || err != nil {
		t.Errorf("a day later: %v, %v", answer, err)
	}
}

// Of several that begin the same at once, one does it.
func TestAD21OneOfManyDoesIt(t *testing.T) {
	t.Parallel()
	s, _ := newReplays(t)
	var did atomic.Int64
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			answer, err := s.Begin(t.Context(), Attempt{Token: "apt_a", Key: "k", Digest: "d"})
			switch {
			case err == nil && answer == nil:
				did.Add(1)
			case !errors.Is(err, ErrUnderWay):
				t.Error(answer, err)
			}
		})
	}
	all.Wait()
	if did.Load() != 1 {
		t.Errorf("%d did it", did.Load())
	}
}

// D15: what is kept of one token is bounded, and goes after a day.
func TestD15AnswersAreBounded(t *testing.T) {
	t.Parallel()
	s, c := newReplays(t)
	if _, err := s.DB.Writes.Exec(manyAnswers(MaxAnswers, c.at)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Begin(t.Context(), Attempt{Token: "apt_a", Key: "one more", Digest: "d"}); !errors.Is(err, ErrTooManyKeys) {
		t.Errorf("one more: %v", err)
	}
	if _, err := s.Begin(t.Context(), Attempt{Token: "apt_b", Key: "k", Digest: "d"}); err != nil {
		t.Errorf("another token: %v", err)
	}
	c.at = c.at.Add(AnswerKept)
	if _, err := s.Begin(t.Context(), Attempt{Token: "apt_a", Key: "one more", Digest: "d"}); err != nil {
		t.Errorf("a day later: %v", err)
	}
}

// manyAnswers is a statement that stores so many answers of one token.
func manyAnswers(n int, at time.Time) string {
	text := `INSERT INTO api_replays (token_id, key_hash, request_digest, sealed_answer, created_at) VALUES `
	for i := range n {
		if i > 0 {
			text += ", "
		}
		text += fmt.Sprintf(`('apt_a', 'k%d', 'd', 'x', %d)`, i, at.UnixMilli())
	}
	return text
}
