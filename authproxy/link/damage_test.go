package link_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/db/dbtest"
	"sfmcp-proxy/authproxy/link"
)

// ST-03: a sealed token that was changed costs its user at most a sign-in and Salesforce
// at most one request. Others do not notice.
func TestST03DamagedTokens(t *testing.T) {
	t.Parallel()
	flipped := func(s string) string {
		i := len(s) / 2
		return s[:i] + string('A'+(s[i]+1)%26) + s[i+1:]
	}
	damages := map[string]func(now, older string) string{
		"its own older text": func(_, older string) string { return older },
		"cut":                func(now, _ string) string { return now[:len(now)/2] },
		"one byte less":      func(now, _ string) string { return now[:len(now)-1] },
		"a bit flipped":      func(now, _ string) string { return flipped(now) },
		"empty":              func(string, string) string { return "" },
		"unknown key":        func(now, _ string) string { return "v1.kunknown" + now[strings.LastIndex(now, "."):] },
		"another version":    func(now, _ string) string { return "v2" + now[2:] },
		"no seal at all":     func(string, string) string { return "5Aep861" },
		"NUL bytes":          func(string, string) string { return "\x00\x00\x00" },
	}
	if dbtest.OnPostgres() {
		delete(damages, "NUL bytes") // no text there
	}
	for what, damage := range damages {
		for _, column := range []string{"sealed_access", "sealed_refresh"} {
			t.Run(column+", "+what, func(t *testing.T) {
				t.Parallel()
				f := newLogin(t)
				p, _ := signedIn(t, f)
				if err := p.Replace(t.Context(), "acme", f.signIn(bob)); err != nil {
					t.Fatal(err)
				}
				read := func() (text string) {
					if err := p.db.Writes.QueryRow(`SELECT ` + column + ` FROM links WHERE subject = '` + alice + `'`).Scan(&text); err != nil {
						t.Fatal(err)
					}
					return text
				}
				older := read()
				f.clock.pass(time.Hour)
				if _, err := p.Token(t.Context(), "acme", alice); err != nil {
					t.Fatal(err)
				}
				if _, err := p.db.Writes.Exec(`UPDATE links SET `+column+` = $1 WHERE subject = $2`, damage(read(), older), alice); err != nil {
					t.Fatal(err)
				}
				before, _ := f.counts()
				if column == "sealed_refresh" {
					f.clock.pass(time.Hour) // so that it is needed
				}
				for range 20 {
					access, err := p.Token(t.Context(), "acme", alice)
					switch {
					case column == "sealed_access" && (err != nil || access == ""):
						t.Fatalf("a new access token would have healed it: %v", err)
					case column == "sealed_refresh" && what == "unknown key": // which somebody may have
						if !errors.Is(err, link.ErrUnavailable) || p.state(t) != link.Active {
							t.Fatalf("the login does not wait for its key: %v, %s", err, p.state(t))
						}
					case column == "sealed_refresh" && !errors.Is(err, link.ErrNeedsReauth):
						t.Fatalf("the user is not asked to sign in again: %v", err)
					}
				}
				if calls, _ := f.counts(); calls > before+1 {
					t.Errorf("%d requests to Salesforce", calls-before)
				}
				if column == "sealed_refresh" {
					p.signIn(t, f)
				}
				if _, err := p.Token(t.Context(), "acme", alice); err != nil {
					t.Errorf("afterwards: %v", err)
				}
				if _, err := p.Token(t.Context(), "acme", bob); err != nil {
					t.Errorf("another user: %v", err)
				}
			})
		}
	}
}
