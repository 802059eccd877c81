package authproxy

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"sfmcp-proxy/authproxy/client"
	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/db/reseal"
	"sfmcp-proxy/authproxy/link"
	"sfmcp-proxy/authproxy/salesforce"
	"sfmcp-proxy/authproxy/seal"
)

// sealAnew seals all that is stored with the newest key, as another process does.
func sealAnew(t *testing.T, d *db.DB, ring *seal.KeyRing) {
	t.Helper()
	if _, err := (reseal.Worker{Config: reseal.Config{DB: d, Ring: ring, Log: slog.New(slog.DiscardHandler)}}).Pass(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// FT-46: a process whose key file lacks the key that the list of who is blocked is sealed with neither begins the list
// anew nor lets anybody in, and says which key it lacks; nothing of the list is lost.
func TestFaultFT46BlocksBehindAKey(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	url := "sqlite:" + filepath.Join(dir, "proxy.db")
	files := [2]string{filepath.Join(dir, "keys"), filepath.Join(dir, "other")}
	if err := seal.CreateKeyFile(files[0]); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(files[0])
	if err == nil {
		err = os.WriteFile(files[1], text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	var rings [2]*seal.KeyRing
	var databases [2]*db.DB
	var stores [2]*client.Store
	for i, file := range files {
		if rings[i], err = seal.LoadKeyRing(file); err != nil {
			t.Fatal(err)
		}
		if databases[i], err = db.Open(t.Context(), db.Config{URL: url}); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { databases[i].Close() })
		databases[i].OnAltered(func(a db.Altered) { t.Errorf("told as changed by somebody: %+v", a) })
		if err := databases[i].Claim(t.Context(), rings[i]); err != nil {
			t.Fatal(err)
		}
		if stores[i], err = client.New(client.Config{DB: databases[i], PublicURL: "https://mcp.example.com"}); err != nil {
			t.Fatal(err)
		}
	}
	const evil = "https://evil.example/client"
	if err := stores[0].Block(t.Context(), evil); err != nil {
		t.Fatal(err)
	}
	if err := seal.RotateKeyFile(files[0]); err != nil {
		t.Fatal(err)
	}
	if changed, err := rings[0].Reload(); !changed || err != nil {
		t.Fatal(changed, err)
	}
	sealAnew(t, databases[0], rings[0])
	for name, act := range map[string]func() error{
		"who is blocked": func() error { _, err := stores[1].Blocked(t.Context()); return err },
		"block":          func() error { return stores[1].Block(t.Context(), "https://other.example/client") },
		"unblock":        func() error { return stores[1].Unblock(t.Context(), evil) },
	} {
		missing, ok := errors.AsType[*db.KeyMissingError](act())
		if err := act(); !ok || missing.ID != rings[0].IDs()[0] || !db.Passes(err) || errors.Is(err, db.ErrBlockedLost) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := databases[1].LookAtKeys(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := databases[1].CheckKeys(); !errors.Is(err, db.ErrKeyMissing) {
		t.Errorf("the process is content: %v", err)
	}
	if blocked, err := stores[0].Blocked(t.Context()); err != nil || len(blocked) != 1 || !blocked[evil] {
		t.Errorf("blocked afterwards: %v %v", blocked, err)
	}
	if text, err = os.ReadFile(files[0]); err == nil {
		err = os.WriteFile(files[1], text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := stores[1].Unblock(t.Context(), evil); err != nil {
		t.Errorf("with the key: %v", err)
	}
	if err := errors.Join(databases[1].LookAtKeys(t.Context()), databases[1].CheckKeys()); err != nil {
		t.Errorf("with the key: %v", err)
	}
}

// FT-46, FT-54: while another process seals with a key that the file here lacks, or that cannot be read here for a
// moment, a live login pauses: nothing of it is erased or queued to be revoked, its user need not sign in again,
// and it goes on as soon as the file can be read. A login that somebody changed is told from that.
func TestFaultFT54LoginWhileTheKeyFileCannotBeRead(t *testing.T) {
	t.Parallel()
	const subject = "005xx000001Sv6AAAS"
	f := start(t, change{})
	f.tokens(t, f.codeForm(f.code(t)))
	if _, err := f.Links.Token(t.Context(), "acme", subject); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(f.ring.Path())
	if err != nil {
		t.Fatal(err)
	}
	if err := seal.RotateKeyFile(f.ring.Path()); err != nil {
		t.Fatal(err)
	}
	after, err := os.ReadFile(f.ring.Path())
	if err != nil {
		t.Fatal(err)
	}
	other, err := seal.LoadKeyRing(f.ring.Path())
	if err != nil {
		t.Fatal(err)
	}
	sealAnew(t, f.db, other)
	for name, away := range map[string]func() error{
		"it may be read by others": func() error { return os.Chmod(f.ring.Path(), 0o644) },
		"it is gone":               func() error { return os.Remove(f.ring.Path()) },
		"it is the former one":     func() error { return os.WriteFile(f.ring.Path(), before, 0o600) },
		"it is half a file":        func() error { return os.WriteFile(f.ring.Path(), after[:40], 0o600) },
	} {
		if err := away(); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			_, err := f.Links.Token(t.Context(), "acme", subject)
			wait, ok := errors.AsType[*link.UnavailableError](err)
			if !ok || wait.RetryAfter <= 0 || errors.Is(err, link.ErrNeedsReauth) {
				t.Errorf("%s: a call gets %v", name, err)
			}
			if _, err := f.Links.Refused(t.Context(), "acme", subject, "of another time"); !errors.Is(err, link.ErrUnavailable) {
				t.Errorf("%s: a call whose token was refused gets %v", name, err)
			}
		}
		if s, err := f.Links.Status(t.Context(), "acme", subject); err != nil || s.State != link.Active || s.Failure != (link.Failure{}) {
			t.Errorf("%s: the login is %+v, %v", name, s, err)
		}
		if left, err := f.Links.RevokePending(t.Context()); err != nil || left != 0 || f.liveAtSalesforce("rep@acme.example") != 1 {
			t.Errorf("%s: %d to be revoked, %d live at Salesforce, %v", name, left, f.liveAtSalesforce("rep@acme.example"), err)
		}
		if err := os.RemoveAll(f.ring.Path()); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(f.ring.Path(), before, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(f.ring.Path(), after, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Links.Token(t.Context(), "acme", subject); err != nil {
		t.Fatalf("the file is there again: %v", err)
	}
	// The same texts with one letter changed are somebody's doing: no file helps.
	if _, err := f.db.Writes.ExecContext(t.Context(), `UPDATE links SET sealed_access = substr(sealed_access, 1, 20) || 'AAAA' || substr(sealed_access, 25),
		sealed_refresh = substr(sealed_refresh, 1, 20) || 'AAAA' || substr(sealed_refresh, 25)`); err != nil {
		t.Fatal(err)
	}
	_, err = f.Links.Token(t.Context(), "acme", subject)
	if s, _ := f.Links.Status(t.Context(), "acme", subject); !errors.Is(err, link.ErrNeedsReauth) || s.Failure.Code != salesforce.NotReadable {
		t.Errorf("changed: %v, %+v", err, s)
	}
}
