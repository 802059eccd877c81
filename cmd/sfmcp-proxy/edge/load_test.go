package edge

import (
	"context"
	"net/http"
	"strings"
	"testing"
)

// FT-47: a process that has too much to do, or too little memory left, says so at once,
// and takes requests again when that is over. The private listener answers all the time.
func TestFaultFT47LoadIsShed(t *testing.T) {
	t.Parallel()
	e := serving(t, "", nil)
	watching, end := context.WithCancel(t.Context())
	defer end()
	go e.WatchMemory(watching)
	ask := func() int {
		resp, err := http.Get("http://" + e.address + "/")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode == http.StatusServiceUnavailable && resp.Header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
		return resp.StatusCode
	}
	e.load.n.Add(mostRequests)
	if code := ask(); code != http.StatusServiceUnavailable {
		t.Errorf("with %d requests under way: %d", mostRequests, code)
	}
	e.load.n.Add(-mostRequests)
	var short load
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go short.watchMemory(ctx, 1000) // bytes, of which this test alone uses more
	eventually(t, plenty, "memory is short", short.full)
	eventually(t, plenty, "requests are refused while memory is short", func() bool {
		e.load.short.Store(true) // until the next look finds that it is not
		return ask() == http.StatusServiceUnavailable
	})
	eventually(t, plenty, "memory is found to be enough", func() bool { return ask() == http.StatusOK })
	if m := e.Metrics.text(t); !strings.Contains(m, "sfmcp_http_requests_limited_total{limit=load}") {
		t.Errorf("metrics:\n%s", m)
	}
}
