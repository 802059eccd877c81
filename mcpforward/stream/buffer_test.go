package stream

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"sfmcp-proxy/mcpforward/jsonrpc"
)

// Messages that are written at the same time do not get into each other.
func TestBuffersAreNotShared(t *testing.T) {
	t.Parallel()
	var writers sync.WaitGroup
	for _, mark := range []string{"a", "b", "c", "d"} {
		writers.Go(func() {
			for range 500 {
				for _, size := range []int{1, 5000, 2 * maxKept} {
					rec := httptest.NewRecorder()
					p := New(rec, httptest.NewRequest(http.MethodPost, "/", nil))
					result := `{"text":"` + strings.Repeat(mark, size) + `"}`
					if err := p.Finish(jsonrpc.Forward(jsontext.Value("7"), jsontext.Value(result))); err != nil || rec.Body.String() != `{"jsonrpc":"2.0","id":7,"result":`+result+`}` {
						t.Errorf("%s of %d: %v %.100s", mark, size, err, rec.Body)
						return
					}
				}
			}
		})
	}
	writers.Wait()
}

// failing keeps what it is given and fails, as an HTTP/2 connection does whose stream was
// reset.
type failing struct {
	*httptest.ResponseRecorder
	kept []byte
}

func (f *failing) Write(b []byte) (int, error) {
	f.kept = b
	return 0, errors.New("stream closed")
}

// What could not be written may still be read by the server.
func TestBufferOfAFailedWriteIsNotUsedAgain(t *testing.T) {
	for range 100 {
		f := &failing{ResponseRecorder: httptest.NewRecorder()}
		p := New(f, httptest.NewRequest(http.MethodPost, "/", nil))
		if p.Finish(jsonrpc.Reply(jsontext.Value("7"), jsontext.Value(`{"a":"kept"}`))) == nil {
			t.Fatal("no error")
		}
		if err := New(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/", nil)).Finish(jsonrpc.Reply(jsontext.Value("7"), jsontext.Value(`{"a":"else"}`))); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(f.kept), "kept") {
			t.Fatalf("overwritten: %s", f.kept)
		}
	}
}
