package db

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"errors"
	"strings"
	"sync"
	"time"

	driver "modernc.org/sqlite"
)

// busyTimeout is how long a statement waits for a lock that another process holds.
const busyTimeout = 5 * time.Second

// busy is what the writers of one process know of another process that holds their SQLite file. They
// queue for one connection: if each of them waited for the file in its turn, the tenth would wait ten
// times as long as the first. So once one has waited in vain, those behind it have its error, and so
// has whoever comes within a fifth of that time.
type busy struct {
	timeout time.Duration // how long one waits

	mu  sync.Mutex
	at  time.Time // when one had waited in vain
	why error
}

func (b *busy) refused() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.why != nil && time.Since(b.at) < b.timeout/5 {
		return b.why
	}
	return nil
}

// seen notes how what waits for the file has ended.
func (b *busy) seen(err error) {
	const sqliteBusy = 5
	if failed, ok := errors.AsType[*driver.Error](err); !ok || failed.Code()&0xff != sqliteBusy {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.at, b.why = time.Now(), err
}

// busyConnector makes the connections of writers.
type busyConnector struct {
	sqldriver.Connector
	busy *busy
}

// openBusy opens a file of SQLite for writers that share what they know of who holds it.
func openBusy(connector sqldriver.Connector, timeout time.Duration) *sql.DB {
	return sql.OpenDB(busyConnector{connector, &busy{timeout: timeout}})
}

// Connect implements [sqldriver.Connector].
func (c busyConnector) Connect(ctx context.Context) (sqldriver.Conn, error) {
	made, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	conn, ok := made.(sqliteConn)
	if !ok {
		return nil, errors.Join(errors.New("SQLite's driver does not have what is used of it"), made.Close())
	}
	return busyConn{conn, c.busy}, nil
}

// sqliteConn is what database/sql uses of the driver's connection.
type sqliteConn interface {
	sqldriver.Conn
	sqldriver.ConnBeginTx
	sqldriver.ConnPrepareContext
	sqldriver.ExecerContext
	sqldriver.QueryerContext
	sqldriver.Pinger
	sqldriver.SessionResetter
	sqldriver.Validator
}

type busyConn struct {
	sqliteConn
	busy *busy
}

// BeginTx implements [sqldriver.ConnBeginTx].
func (c busyConn) BeginTx(ctx context.Context, opts sqldriver.TxOptions) (sqldriver.Tx, error) {
	return unlessBusy(c.busy, "BEGIN", func() (sqldriver.Tx, error) { return c.sqliteConn.BeginTx(ctx, opts) })
}

// ExecContext implements [sqldriver.ExecerContext].
func (c busyConn) ExecContext(ctx context.Context, query string, args []sqldriver.NamedValue) (sqldriver.Result, error) {
	return unlessBusy(c.busy, query, func() (sqldriver.Result, error) { return c.sqliteConn.ExecContext(ctx, query, args) })
}

// QueryContext implements [sqldriver.QueryerContext].
func (c busyConn) QueryContext(ctx context.Context, query string, args []sqldriver.NamedValue) (sqldriver.Rows, error) {
	return unlessBusy(c.busy, query, func() (sqldriver.Rows, error) { return c.sqliteConn.QueryContext(ctx, query, args) })
}

// unlessBusy does what may wait for the file. Settings of the connection do not.
func unlessBusy[T any](b *busy, query string, do func() (T, error)) (done T, err error) {
	if strings.HasPrefix(query, "PRAGMA") {
		return do()
	}
	if err := b.refused(); err != nil {
		return done, err
	}
	done, err = do()
	b.seen(err)
	return done, err
}
