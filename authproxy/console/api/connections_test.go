package api

import (
	"encoding/base64"
	"testing"
	"time"
)

// A cursor of connections goes on behind the one it names, and only one of ours is read.
func TestCursorOfConnections(t *testing.T) {
	t.Parallel()
	at := time.UnixMilli(1_772_366_400_123)
	text := newestFirst(at, "grt_x y")
	got, err := connectionAt(base64.RawURLEncoding.EncodeToString([]byte(text)))
	if err != nil || got.ID != "grt_x y" || !got.CreatedAt.Equal(at) {
		t.Errorf("%+v, %v", got, err)
	}
	for _, wrong := range []string{"", "x", "zz grt", "-1 grt", "ffffffffffffffff grt", "7fffffffffffffff grt", "1 \xff", "1\tgrt", "1 \x00"} {
		if got, err := connectionAt(base64.RawURLEncoding.EncodeToString([]byte(wrong))); err == nil {
			t.Errorf("%q is %+v", wrong, got)
		}
	}
	if _, err := connectionAt("!"); err == nil {
		t.Error("no base64 is a cursor")
	}
}
