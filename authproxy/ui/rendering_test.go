package ui

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// slowPage takes time to render.
type slowPage struct {
	MessagePage
	take func()
}

// Detail is asked for by the template.
func (p slowPage) Detail() string { p.take(); return "" }

// D15: no more pages than there are turns are rendered at a time, whoever asks; who gets none
// in time is told to come again, and who gives up leaves.
func TestD15PagesAtATimeAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		now, most := 0, 0
		var mu sync.Mutex
		count := func(by int) {
			mu.Lock()
			defer mu.Unlock()
			now += by
			most = max(most, now)
		}
		site := Site{turns: make(chan struct{}, 2)}
		page := slowPage{take: func() {
			count(1)
			time.Sleep(time.Second)
			count(-1)
		}}
		var all sync.WaitGroup
		answers := make([]*httptest.ResponseRecorder, 16)
		for i := range answers {
			answers[i] = httptest.NewRecorder()
			all.Go(func() {
				if err := site.Render(t.Context(), answers[i], http.StatusOK, page); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait() // every turn is taken before the one who gives up comes
		gone, leave := context.WithCancel(t.Context())
		all.Go(func() {
			synctest.Wait()
			leave()
		})
		if err := site.Render(gone, httptest.NewRecorder(), http.StatusOK, page); err != nil {
			t.Error(err)
		}
		all.Wait()
		shown := 0
		for _, a := range answers {
			switch {
			case a.Code == http.StatusOK:
				shown++
			case a.Code != http.StatusServiceUnavailable || a.Header().Get("Retry-After") == "" || !strings.Contains(a.Body.String(), "try again"):
				t.Errorf("%d %v %s", a.Code, a.Header(), a.Body)
			}
		}
		if most != 2 || shown < 10 || shown > 12 { // two a second for five seconds, and those that began at its end
			t.Errorf("%d at a time, %d shown", most, shown)
		}
	})
}
