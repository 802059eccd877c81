package mcpforward

import (
	"testing"
	"time"

	"sfmcp-proxy/authproxy/link"
	"sfmcp-proxy/mcpforward/upstream"
)

func TestWhenToTryAgain(t *testing.T) {
	t.Parallel()
	for want, e := range map[string]*upstream.Error{
		"":                          {Kind: upstream.Unavailable},
		" Try again in 2 seconds.":  {Kind: upstream.Unavailable, RetryAfter: 1100 * time.Millisecond},
		" Try again in 60 seconds.": {Kind: upstream.Limited, RetryAfter: time.Minute},
		" Try again in 10 seconds.": {Kind: upstream.Unavailable, Err: &link.UnavailableError{RetryAfter: 10 * time.Second}},
	} {
		if got := when(e); got != want {
			t.Errorf("%+v: %q, want %q", e, got, want)
		}
	}
}
