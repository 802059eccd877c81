package db_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/db/dbtest"
)

// ST-09: with sslmode=verify-full, whoever is not the server of the URL, by a certificate of the
// authority that it names, gets nothing, not even the password; and the error says what to change.
func TestST09PostgresIsVerified(t *testing.T) {
	t.Parallel()
	database := dbtest.Postgres(t)
	ours, other := dbtest.NewAuthority(t), dbtest.NewAuthority(t)
	soon := time.Now().Add(time.Hour)
	for _, c := range []struct {
		name  string
		by    *dbtest.Authority
		host  string
		until time.Time
		trust string // sslrootcert
		want  string // empty: it is opened
	}{
		{"the server", ours, "127.0.0.1", soon, ours.File, ""},
		{"another name", ours, "db.example.com", soon, ours.File, "the certificate is not for 127.0.0.1"},
		{"another authority", other, "127.0.0.1", soon, ours.File, "sslrootcert=FILE"},
		{"no authority of ours", ours, "127.0.0.1", soon, "", "sslrootcert=FILE"},
		{"too old", ours, "127.0.0.1", time.Now().Add(-time.Hour), ours.File, "has expired"},
	} {
		at := dbtest.TLS(t, database, c.by.Sign(t, c.host, c.until))
		query := url.Values{"sslmode": {"verify-full"}}
		if c.trust != "" {
			query.Set("sslrootcert", c.trust)
		}
		at.User, at.RawQuery = url.UserPassword("test", "hunter2"), query.Encode()
		d, err := db.Open(t.Context(), db.Config{URL: at.String()})
		if err == nil {
			err = d.Close()
		}
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "hunter2")) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
	plain := dbtest.Between(t, database).URL(database)
	_, err := db.Open(t.Context(), db.Config{URL: strings.Replace(plain, "sslmode=disable", "sslmode=verify-full", 1)})
	if err == nil || !strings.Contains(err.Error(), "ssl = on") {
		t.Errorf("a server without TLS: %v", err)
	}
}
