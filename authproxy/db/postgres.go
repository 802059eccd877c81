package db

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"net"
	"net/netip"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

// writers is how many transactions one process has open on PostgreSQL at a time.
const writers = 8

// postgres keeps everything in the schema that is first in the search_path, which must
// have nothing else in it.
//
// Transactions are READ COMMITTED: each statement sees what was committed when it began,
// and one that changes a row that another transaction has changed waits for its end and
// looks at its WHERE again. So a conditional statement decides a race by itself; what is
// read first and written then is read FOR UPDATE, or under [DB.Lock].
type postgres struct{}

func isPostgres(url string) bool {
	return strings.HasPrefix(url, "postgres://") || strings.HasPrefix(url, "postgresql://")
}

// parsePostgres hides why a URL is wrong where the reason could show its password.
func parsePostgres(url string) (*pgx.ConnConfig, error) {
	c, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, errors.New("database URL is not one that PostgreSQL accepts: postgres://USER@HOST/DATABASE?sslmode=verify-full")
	}
	return c, nil
}

// Unverified returns the hosts of a PostgreSQL URL to which a connection could be made
// without TLS that verifies the server's name (sslmode verify-full), other than this one
// and those of Unix sockets.
func (c Config) Unverified() []string {
	if !isPostgres(c.URL) {
		return nil
	}
	parsed, err := parsePostgres(c.URL)
	if err != nil {
		return nil // Validate tells
	}
	var hosts []string
	ways := append([]*pgconn.FallbackConfig{{Host: parsed.Host, TLSConfig: parsed.TLSConfig}}, parsed.Fallbacks...)
	for _, way := range ways {
		verified := way.TLSConfig != nil && !way.TLSConfig.InsecureSkipVerify
		if !verified && !path.IsAbs(way.Host) && !isLoopback(way.Host) {
			hosts = append(hosts, way.Host)
		}
	}
	return slices.Compact(hosts) // one twice: with TLS that is not verified, else without
}

func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// absent: what is there is known after open.
func (postgres) absent(string) string { return "" }

func (d postgres) claimed(ctx context.Context, url string) bool {
	ctx, cancel := context.WithTimeout(ctx, claimedTimeout)
	defer cancel()
	writes, reads, err := d.open(ctx, url)
	if err != nil {
		return false
	}
	defer writes.Close()
	defer reads.Close()
	var one int
	return reads.QueryRowContext(ctx, `SELECT 1 FROM meta WHERE name = 'ring'`).Scan(&one) == nil
}

// claimedTimeout is how long a server may take to say what is in it, before a first start.
const claimedTimeout = 5 * time.Second

func (postgres) open(ctx context.Context, url string) (writes, reads *sql.DB, err error) {
	c, err := parsePostgres(url)
	if err != nil {
		return nil, nil, err
	}
	for name, value := range map[string]string{
		"application_name":              cmp.Or(c.RuntimeParams["application_name"], "sfmcp-proxy"),
		"default_transaction_isolation": "read committed",
		// As SQLite's busy timeout: a statement fails rather than waits for ever.
		"lock_timeout": "5s",
		// Nobody waits long for the locks of a replica that has vanished in the middle.
		"idle_in_transaction_session_timeout": "15s",
	} {
		c.RuntimeParams[name] = value
	}
	writes = stdlib.OpenDB(*c)
	writes.SetMaxOpenConns(writers)
	writes.SetMaxIdleConns(writers)
	readOnly := c.Copy()
	readOnly.RuntimeParams["default_transaction_read_only"] = "on"
	reads = stdlib.OpenDB(*readOnly)
	reads.SetMaxOpenConns(readers)
	reads.SetMaxIdleConns(readers)
	if err := checkSettings(ctx, reads); err != nil {
		return nil, nil, errors.Join(err, writes.Close(), reads.Close())
	}
	return writes, reads, nil
}

// checkSettings refuses a server on which a commit that returned can be lost, or on which
// two texts that differ can be one.
func checkSettings(ctx context.Context, d *sql.DB) error {
	var schema sql.NullString
	var commit, encoding string
	err := d.QueryRowContext(ctx, `SELECT current_schema(), current_setting('synchronous_commit'), current_setting('server_encoding')`).
		Scan(&schema, &commit, &encoding)
	switch {
	case err != nil:
		return err
	case !schema.Valid:
		return errors.New("no schema of the search_path exists")
	case commit == "off":
		return errors.New("synchronous_commit is off: what is revoked and recorded could be lost")
	case encoding != "UTF8":
		return errors.New("the database has the encoding " + encoding + ", expected UTF8")
	}
	return nil
}

func (postgres) migrator(target *sql.DB) (*goose.Provider, error) {
	// One process migrates, the others look each second whether it is done.
	one, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 60), lock.WithUnlockTimeout(1, 5))
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(goose.DialectPostgres, target, migrationFiles(), goose.WithSessionLocker(one))
}

// hopeless: wrong credentials, no such database, no privilege, or nobody there.
func (postgres) hopeless(err error) bool {
	if refused, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch refused.Code[:2] {
		case "28", "3D", "42":
			return refused.Code != duplicateTable
		}
		return false
	}
	_, network := errors.AsType[net.Error](err)
	return network
}

// The codes of PostgreSQL's that mean something here (Appendix A of its manual).
const (
	serializationFailure = "40001"
	deadlockDetected     = "40P01"
	duplicateTable       = "42P07" // another process has made it
)

func (postgres) undone(err error) bool {
	refused, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (refused.Code == serializationFailure || refused.Code == deadlockDetected)
}

func (postgres) lock(ctx context.Context, tx *sql.Tx, key string) error {
	_, err := tx.ExecContext(ctx, `SELECT pg_advisory_xact_lock(hashtextextended($1, 0))`, key)
	return err
}

func (postgres) shared() bool { return true }

func (postgres) forUpdate(tables string) string { return " FOR UPDATE OF " + tables }

// erase has nothing to do: rows that are gone stay in pages until VACUUM, and in the
// write-ahead log and its archive, as long as the server's administrator has it so.
func (postgres) erase(context.Context, *DB) error { return nil }
