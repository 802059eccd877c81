package db

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/seal"
)

// FT-46: a row under a key that the file lacks gives nothing, and is no alarm while another process may have the
// key: for a moment after it is met, and for as long as the database is sealed with a key that is missing. A
// key that rows alone name silences the alarm no longer than that; a MAC that is wrong under a known key is told at once.
func TestFaultFT46RowsUnderAKeyThatIsMissing(t *testing.T) {
	t.Parallel()
	now := time.Now()
	d, err := Open(t.Context(), Config{URL: "sqlite:" + filepath.Join(t.TempDir(), "p.db"), Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	mine := ring(t)
	if err := d.Claim(t.Context(), mine); err != nil {
		t.Fatal(err)
	}
	var altered []Altered
	var missing []string
	d.OnAltered(func(a Altered) { altered = append(altered, a) })
	d.OnKeyMissing(func(e *KeyMissingError) { missing = append(missing, e.ID) })
	fields := []any{"acme", "005A", "", "", int64(0)}
	good := d.MAC(Users, fields...)
	forged := "kforged" + good[strings.IndexByte(good, ':'):]
	verify := func(when, mac string, authentic, doubt bool, alarms int) {
		t.Helper()
		is, err := d.Verify(Users, mac, fields...)
		if is != authentic || (err != nil) != doubt || doubt && (!errors.Is(err, ErrKeyMissing) || !Passes(err)) || len(altered) != alarms {
			t.Errorf("%s: authentic %t, %v, alarms %v", when, is, err, altered)
		}
		if d.Authentic(Users, mac, fields...) != authentic {
			t.Errorf("%s: it gives something", when)
		}
	}
	verify("as it was written", good, true, false, 0)
	verify("met first", forged, false, true, 0)
	now = now.Add(keySettles - 1)
	verify("a moment later", forged, false, true, 0)

	// Another process marks the database with its own newest key.
	text, err := os.ReadFile(mine.Path())
	if err != nil {
		t.Fatal(err)
	}
	if err := seal.RotateKeyFile(mine.Path()); err != nil {
		t.Fatal(err)
	}
	ahead, err := seal.LoadKeyRing(mine.Path())
	if err != nil {
		t.Fatal(err)
	}
	both, err := os.ReadFile(mine.Path())
	if err == nil {
		err = os.WriteFile(mine.Path(), text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	other := &DB{dialect: d.dialect, access: newAccessEpoch(nil), Writes: d.Writes, Urgent: d.Urgent, Reads: d.Reads}
	if err := other.Claim(t.Context(), ahead); err != nil {
		t.Fatal(err)
	}
	if err := d.LookAtKeys(t.Context()); err != nil {
		t.Fatal(err)
	}
	err = d.CheckKeys()
	if e, ok := errors.AsType[*KeyMissingError](err); !ok || e.ID != ahead.IDs()[0] || !strings.Contains(err.Error(), "copy the key file from the machine that rotated") {
		t.Errorf("the database is sealed with a key that is missing: %v", err)
	}
	if err := (&DB{dialect: d.dialect, access: d.access, Writes: d.Writes, Urgent: d.Urgent, Reads: d.Reads}).Claim(t.Context(), mine); err == nil ||
		!strings.Contains(err.Error(), "lacks key \""+ahead.IDs()[0]) {
		t.Errorf("a command says: %v", err)
	}
	now = now.Add(time.Hour)
	verify("while a key is missing", forged, false, true, 0)
	verify("of the other process", other.MAC(Users, fields...), false, true, 0)

	if err := os.WriteFile(mine.Path(), both, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(d.LookAtKeys(t.Context()), d.CheckKeys()); err != nil {
		t.Errorf("the key is there: %v", err)
	}
	verify("of the other process, with its key", other.MAC(Users, fields...), true, false, 0)
	verify("forged, and no key is missing", forged, false, false, 1)
	if why := altered[0].Why; !strings.Contains(why, `names key "kforged"`) {
		t.Errorf("the alarm says %q", why)
	}
	if len(missing) != 2 || missing[0] != "kforged" || missing[1] != ahead.IDs()[0] {
		t.Errorf("keys that were told as missing: %v", missing)
	}
	for range maxMet {
		_, _ = d.Verify(Users, seal.Secret("k")[:20]+":AAAA", fields...)
	}
	if len(missing) != maxMet {
		t.Errorf("%d names of keys were told, at most %d are", len(missing), maxMet)
	}
	altered, d.altered.seen = nil, nil
	verify("changed under a key that is known", good[:len(good)-1]+"!", false, false, 1)
}
