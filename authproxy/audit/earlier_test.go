package audit

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"sfmcp-proxy/authproxy/audit/logfile"
)

// flip changes one letter in the first record of a segment.
func (s *store) flip(segment logfile.Segment) (back func()) {
	s.t.Helper()
	segment.Path = filepath.Join(s.log(), logfile.SegmentName(segment.First))
	text, err := os.ReadFile(segment.Path)
	if err != nil {
		s.t.Fatal(err)
	}
	changed := bytes.Clone(text)
	changed[bytes.Index(changed, []byte(`"outcome":"ok"`))+11] = 'O'
	if err := os.WriteFile(segment.Path, changed, 0o600); err != nil {
		s.t.Fatal(err)
	}
	s.push()
	return func() {
		if err := os.WriteFile(segment.Path, text, 0o600); err != nil {
			s.t.Fatal(err)
		}
		s.push()
	}
}

// AU-02: what came since the last verification is verified alone, joins on to what was verified then,
// and nobody without the key file can say that something was.
func TestAU02VerifyNew(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	l, segments := s.long()
	if seen, err := l.VerifyNew(t.Context()); err != nil || seen.First != 1 || seen.Before.Size != 0 { // the first one reads everything
		t.Fatalf("%+v, %v", seen, err)
	}
	last := segments[len(segments)-1]
	verified := l.follow.size()
	appendAll(t, l, entry("a.b"), entry("a.c"))
	seen, err := l.VerifyNew(t.Context())
	if err != nil || seen.First != last.First || seen.Last != verified+2 || seen.Before.Size != verified || seen.Signed != verified {
		t.Errorf("%+v, %v", seen, err)
	}
	back := s.flip(last)
	if broken := (*Broken)(nil); !failsAs(l.VerifyNew, t, &broken) || broken.Seq <= segments[len(segments)-2].First {
		t.Errorf("an edit behind: %+v", broken)
	}
	back()
	back = s.flip(segments[0]) // is what it does not look at, and the whole verification finds
	if _, err := l.VerifyNew(t.Context()); err != nil {
		t.Errorf("an edit before: %v", err)
	}
	if broken := (*Broken)(nil); !failsAs(l.Verify, t, &broken) {
		t.Error("the whole verification does not find an edit before")
	}
	back()
	for name, value := range map[string]string{"another row's": "audit_checkpoint", "made up": `{"size":1000000}`} {
		if _, err := l.config.DB.Writes.Exec(`UPDATE meta SET value = $1 WHERE name LIKE 'audit_verified %'`, value); err != nil {
			t.Fatal(err)
		}
		if seen, err := l.VerifyNew(t.Context()); err != nil || seen.Before.Size != 0 || seen.First != 1 {
			t.Errorf("%s: %+v, %v", name, seen, err)
		}
	}
	// A log that was cut back since does not join on.
	if err := os.Truncate(filepath.Join(s.log(), logfile.SegmentName(last.First)), 4096); err != nil {
		t.Fatal(err)
	}
	s.push()
	if _, err := s.open().VerifyNew(t.Context()); err == nil {
		t.Error("a log that was cut back is new")
	}
}

func failsAs(verify func(context.Context) (Verified, error), t *testing.T, as **Broken) bool {
	t.Helper()
	_, err := verify(t.Context())
	return errors.As(err, as)
}
