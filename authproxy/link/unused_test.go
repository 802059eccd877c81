package link_test

import (
	"testing"
	"time"

	"sfmcp-proxy/authproxy/link"
)

// What ends because nothing uses it is the login that was meant, and no other.
func TestEndUnusedEndsOneLogin(t *testing.T) {
	t.Parallel()
	f := newLogin(t)
	p, _ := signedIn(t, f)
	keep := func() *link.Kept {
		t.Helper()
		kept, err := p.Keep(t.Context(), "acme", f.signIn(alice))
		if err != nil {
			t.Fatal(err)
		}
		return &kept
	}
	end := func(what string, u link.Unneeded, ends bool) {
		t.Helper()
		if err := p.EndUnused(t.Context(), "acme", alice, "unused", u); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		if s, err := p.Status(t.Context(), "acme", alice); err != nil || (s.State == link.Revoked) != ends {
			t.Errorf("%s: the login is %s, %v", what, s.State, err)
		}
	}
	end("renewed since", link.Unneeded{By: f.clock.Now().Add(-time.Minute)}, false)
	over := keep()
	end("took the place of a good one", link.Unneeded{Only: over}, false)
	end("whichever", link.Unneeded{}, true)
	own := keep()
	keep()
	end("replaced meanwhile", link.Unneeded{Only: own}, false)
	end("old enough", link.Unneeded{By: f.clock.Now()}, true)
	end("its own", link.Unneeded{Only: keep()}, true)
}
