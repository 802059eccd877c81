package api

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/grant"
)

// A cursor of connections goes on behind the one it names, and only one of ours is read.
func TestCursorOfConnections(t *testing.T) {
	t.Parallel()
	read := func(cursor string) (*grant.Grant, error) {
		at, id, err := (&call{Request: &http.Request{}, query: url.Values{"cursor": {cursor}}}).behind()
		if err != nil {
			return nil, err
		}
		return connectionAt(at, id)
	}
	at := time.UnixMilli(1_772_366_400_123)
	text := newestFirst(at, "grt_x y")
	got, err := read(base64.RawURLEncoding.EncodeToString([]byte(text)))
	if err != nil || got.ID != "grt_x y" || !got.CreatedAt.Equal(at) {
		t.Errorf("%+v, %v", got, err)
	}
	for _, wrong := range []string{"x", "zz grt", "-1 grt", "ffffffffffffffff grt", "7fffffffffffffff grt", "1 \xff", "1\tgrt", "1 \x00", " grt"} {
		if got, err := read(base64.RawURLEncoding.EncodeToString([]byte(wrong))); err == nil {
			t.Errorf("%q is %+v", wrong, got)
		}
	}
	if _, err := read("!"); err == nil {
		t.Error("no base64 is a cursor")
	}
}
