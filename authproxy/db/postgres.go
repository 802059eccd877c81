package db

import (
	"cmp"
	"context"
	"crypto/x509"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
)

// writers is how many transactions one process has open on PostgreSQL at a time, and urgentWriters how many
// more there may be of those that are urgent.
const writers, urgentWriters = 8, 4

// postgres keeps everything in the schema that is first in the search_path, which must
// have nothing else in it.
//
// Transactions are READ COMMITTED: each statement sees what was committed when it began,
// and one that changes a row that another transaction has changed waits for its end and
// looks at its WHERE again. So a conditional statement decides a race by itself; what is
// read first and written then is read FOR UPDATE, or under [DB.Lock].
//
// Nothing is kept in a session of the server: locks end with their transaction, leases are
// rows, nobody listens. So a pooler may give each transaction another session
// (PgBouncer's pool_mode transaction). What a session is told at its beginning then holds for
// nobody in particular: see pooled.
type postgres struct {
	// pooled: something between us and the server does not pass settings of a session on. Each
	// transaction brings them then, and no statement is prepared under a name.
	pooled bool
}

// IsPostgres reports whether the URL is one of PostgreSQL's.
func (c Config) IsPostgres() bool { return isPostgres(c.URL) }

func isPostgres(url string) bool {
	return strings.HasPrefix(url, "postgres://") || strings.HasPrefix(url, "postgresql://")
}

// parsePostgres hides why a URL is wrong where the reason could show its password.
func parsePostgres(url string) (*pgx.ConnConfig, error) {
	c, err := pgx.ParseConfig(url)
	if err != nil {
		found, want := wrongInURL(url)
		return nil, fmt.Errorf("database URL: found %s, expected %s", found, want)
	}
	return c, nil
}

// Wrong says what is wrong with the URL of a PostgreSQL that no connection can be made by, and what is expected.
// Nothing of it can be the password.
func (c Config) Wrong() (found, want string) { return wrongInURL(c.URL) }

// sslModes are the values of sslmode.
var sslModes = []string{"disable", "allow", "prefer", "require", "verify-ca", "verify-full"}

func wrongInURL(text string) (found, want string) {
	const form = "sqlite:PATH or postgres://USER@HOST/DATABASE?sslmode=verify-full"
	scheme, _, _ := strings.Cut(text, ":")
	found, want = fmt.Sprintf("%q", scheme+":…"), form
	u, err := url.Parse(text)
	if err != nil || strings.Contains(u.RawQuery, "@") { // where a password has signs of its own, the parts are not what they seem
		return found, want
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
			return "a port that is none", "1 to 65535"
		}
	}
	values := u.Query()
	if mode := values.Get("sslmode"); mode != "" && !slices.Contains(sslModes, mode) {
		return fmt.Sprintf("sslmode=%q", mode), strings.Join(sslModes, ", ")
	}
	if (values.Get("sslcert") == "") != (values.Get("sslkey") == "") {
		return "one of sslcert and sslkey", "both or none"
	}
	for _, name := range []string{"sslrootcert", "sslcert", "sslkey"} {
		file := values.Get(name)
		if file == "" || file == "system" && name == "sslrootcert" {
			continue
		}
		pem, err := os.ReadFile(file)
		if err != nil {
			return name + ": " + err.Error(), "a readable file"
		}
		if name == "sslrootcert" && !x509.NewCertPool().AppendCertsFromPEM(pem) {
			return name + ": no certificate in " + file, "PEM certificates"
		}
	}
	return found, want
}

// mayNotMigrate adds to an error of PostgreSQL's that a role may not do what a migration does what to run as whom.
func (c Config) mayNotMigrate(err error) error {
	refused, is := errors.AsType[*pgconn.PgError](err)
	if !is || refused.Code != "42501" { // insufficient_privilege
		return err
	}
	parsed, parseErr := parsePostgres(c.URL)
	u, urlErr := url.Parse(c.URL)
	if parseErr != nil || urlErr != nil {
		return err // it would not have been opened
	}
	role, owner := parsed.User, "OWNER"
	if role == "proxy" { // as roles.sql has it
		owner = "proxy_owner"
	}
	u.User = url.User(owner)
	return fmt.Errorf("%w. The role %s may not change the schema, which the first start and a new version do. Run one command as the role that owns the schema, then start again: "+
		"SFMCP_DATABASE='%s' sfmcp-proxy stop status, with the owner's password in PGPASSWORD or in the passfile of the URL. "+
		"If there are no two roles yet, an administrator makes them in this database by examples/postgres/roles.sql; if %[2]s is to own the schema itself: ALTER DATABASE %[4]s OWNER TO %[2]s",
		err, pgx.Identifier{role}.Sanitize(), Config{URL: u.String()}.Redacted(), pgx.Identifier{parsed.Database}.Sanitize())
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
func (*postgres) absent(string) string { return "" }

func (d *postgres) claimed(ctx context.Context, url string) bool {
	ctx, cancel := context.WithTimeout(ctx, claimedTimeout)
	defer cancel()
	opened, err := d.open(ctx, url)
	if err != nil {
		return false
	}
	defer opened.close()
	var one int
	return opened.reads.QueryRowContext(ctx, `SELECT 1 FROM meta WHERE name = 'ring'`).Scan(&one) == nil
}

// claimedTimeout is how long a server may take to say what is in it, before a first start.
const claimedTimeout = 5 * time.Second

func (d *postgres) open(ctx context.Context, url string) (pools, error) {
	c, err := parsePostgres(url)
	if err != nil {
		return pools{}, err
	}
	if c.ConnectTimeout == 0 || c.ConnectTimeout > connectTimeout {
		c.ConnectTimeout = connectTimeout
	}
	c.DialFunc = dialer.DialContext
	c.RuntimeParams["client_encoding"] = "UTF8" // else a database of another encoding cannot be asked which
	c.RuntimeParams["application_name"] = cmp.Or(c.RuntimeParams["application_name"], "sfmcp-proxy")
	opened := d.pools(c)
	err = checkSettings(ctx, opened.reads, !d.pooled)
	if errors.Is(err, errPooled) {
		d.pooled = true
		_ = opened.close()
		opened = d.pools(c)
		err = checkSettings(ctx, opened.reads, false)
	}
	if err != nil {
		return pools{}, errors.Join(unverified(err), opened.close())
	}
	return opened, nil
}

const (
	// connectTimeout is how long a server may take to let us in.
	connectTimeout = 5 * time.Second
	// silence is how long what was sent to the server may stay without its system's receipt,
	// before the connection counts as lost: a network that swallows everything says nothing.
	silence = 5 * time.Second
)

// dialer makes the connections to the server. Their system asks an idle one whether it is
// still there, and gives up one that does not answer.
var dialer = &net.Dialer{
	Timeout:         connectTimeout,
	KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: silence, Interval: time.Second, Count: 3},
	Control:         boundSilence,
}

// What each transaction goes by: lock_timeout as SQLite's busy timeout, a statement fails
// rather than waits for ever; and nobody waits long for the locks of a replica that has
// vanished in the middle.
const (
	lockTimeout = "5s"
	idleTimeout = "15s"
)

// pools are those of connections that tell the server at their beginning what we want of it,
// where that reaches it.
func (d *postgres) pools(c *pgx.ConnConfig) pools {
	own := c.Copy()
	if d.pooled {
		if own.DefaultQueryExecMode == pgx.QueryExecModeCacheStatement { // else the URL says it
			own.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
		}
	} else {
		own.RuntimeParams["default_transaction_isolation"] = "read committed"
		own.RuntimeParams["lock_timeout"] = lockTimeout
		own.RuntimeParams["idle_in_transaction_session_timeout"] = idleTimeout
	}
	readOnly := own.Copy()
	if !d.pooled {
		readOnly.RuntimeParams["default_transaction_read_only"] = "on"
	}
	return pools{pool(own, writers), pool(own, urgentWriters), pool(readOnly, readers)}
}

// pool is one of at most so many connections, which it makes when they are needed and keeps.
func pool(c *pgx.ConnConfig, size int) *sql.DB {
	p := stdlib.OpenDB(*c)
	p.SetMaxOpenConns(size)
	p.SetMaxIdleConns(size)
	return p
}

// begin says with each transaction what a pooler keeps a session from knowing.
func (d *postgres) begin(ctx context.Context, writes *sql.DB) (*sql.Tx, error) {
	tx, err := writes.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelReadCommitted})
	if err != nil || !d.pooled {
		return tx, err
	}
	if _, err := tx.ExecContext(ctx, `SET LOCAL lock_timeout = '`+lockTimeout+`'; SET LOCAL idle_in_transaction_session_timeout = '`+idleTimeout+`'`); err != nil {
		return nil, errors.Join(err, tx.Rollback())
	}
	return tx, nil
}

// errPooled says that the settings of a session do not reach the server.
var errPooled = errors.New("settings of the session are not in force")

// checkSettings refuses a server on which a commit that returned can be lost, or on which
// two texts that differ can be one; and says errPooled where those of the session ought to be
// in force and are not. Poolers that do not know a setting end the connection (08P01); others
// are told to ignore it. The simple protocol, because behind one of these a statement that was
// prepared is another session's.
func checkSettings(ctx context.Context, reads *sql.DB, session bool) error {
	var schema sql.NullString
	var commit, encoding, lock, only, recovery string
	err := reads.QueryRowContext(ctx, `SELECT current_schema(), current_setting('synchronous_commit'), current_setting('server_encoding'),
		current_setting('lock_timeout'), current_setting('default_transaction_read_only'), CAST(pg_is_in_recovery() AS TEXT)`, pgx.QueryExecModeSimpleProtocol).
		Scan(&schema, &commit, &encoding, &lock, &only, &recovery)
	refused, _ := errors.AsType[*pgconn.PgError](err)
	switch {
	case session && refused != nil && refused.Code == "08P01":
		return errPooled
	case err != nil:
		return err
	case session && (lock != lockTimeout || only != "on"):
		return errPooled
	case recovery == "true":
		return errors.New("the server is a standby, which takes no writes: name the primary, or both hosts with target_session_attrs=read-write")
	case !schema.Valid:
		return errors.New("no schema of the search_path exists")
	case commit == "off":
		return errors.New("synchronous_commit is off: what is revoked and recorded could be lost")
	case encoding != "UTF8":
		return errors.New("the database has the encoding " + encoding + ", expected UTF8: make another one, CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0")
	}
	return nil
}

func (*postgres) migrator(target *sql.DB) (*goose.Provider, error) {
	return goose.NewProvider(goose.DialectPostgres, target, migrationFiles())
}

// migrating lets one process migrate while the others wait. The lock is that of a transaction,
// not of a session: a pooler could give the session that holds one to somebody else.
func (d *postgres) migrating(ctx context.Context, writes *sql.DB, f func() error) error {
	tx, err := writes.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(ctx, `SET LOCAL lock_timeout = '60s'; SET LOCAL idle_in_transaction_session_timeout = 0`); err != nil {
		return err
	}
	if err := d.lock(ctx, tx, "migrations"); err != nil {
		return err
	}
	return f()
}

// hopeless: wrong credentials, no such database, no privilege, or nobody there. A server that
// is starting says so, and is waited for.
func (*postgres) hopeless(err error) bool {
	_, answered := errors.AsType[*pgconn.PgError](err)
	failure := FailureOf(err)
	return failure == Refused || failure == Unavailable && !answered
}

func (*postgres) lock(ctx context.Context, tx *sql.Tx, key string) error {
	_, err := tx.ExecContext(ctx, `SELECT pg_advisory_xact_lock(hashtextextended($1, 0))`, key)
	return err
}

func (*postgres) shared() bool { return true }

// sound leaves it to the server what becomes of its files.
func (*postgres) sound() error { return nil }

func (*postgres) looked(context.Context, *DB, error) {}

func (*postgres) forUpdate(tables string) string { return " FOR UPDATE OF " + tables }

// erase has nothing to do: rows that are gone stay in pages until VACUUM, and in the
// write-ahead log and its archive, as long as the server's administrator has it so.
func (*postgres) erase(context.Context, *DB) error { return nil }
