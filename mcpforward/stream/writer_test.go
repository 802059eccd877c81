package stream

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// An event stream that says nothing for a while gets comments, which begin it if need be.
func TestKeepAlive(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		wrote := make(chan string, 9)
		p := &Writer{w: chanWriter{make(http.Header), wrote}, control: http.NewResponseController(chanWriter{make(http.Header), wrote}), takesEvent: true, takesJSON: true}
		stop := p.KeepAlive(QuietTime)
		for range 3 {
			begun := time.Now()
			if got := <-wrote; got != ": wait\n\n" || time.Since(begun) != QuietTime {
				t.Errorf("wrote %q after %s", got, time.Since(begun))
			}
		}
		stop()
		if !p.Streaming() {
			t.Error("no stream has begun")
		}
		time.Sleep(2 * QuietTime)
		if len(wrote) > 0 {
			t.Errorf("wrote %q after the end", <-wrote)
		}
	})
}

// chanWriter is a response that tells what is written to it.
type chanWriter struct {
	header http.Header
	wrote  chan string
}

func (w chanWriter) Header() http.Header         { return w.header }
func (w chanWriter) WriteHeader(int)             {}
func (w chanWriter) Write(b []byte) (int, error) { w.wrote <- string(b); return len(b), nil }
