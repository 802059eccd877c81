package db

import (
	"context"
	"crypto/x509"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	driver "modernc.org/sqlite"

	"sfmcp-proxy/authproxy/seal"
)

// Failure is what an error of the database means, whichever driver said it and however it
// words it. Nobody but this file reads the drivers' codes.
type Failure int

const (
	// OtherFailure is nothing of what follows: of a statement, or no error of the database.
	OtherFailure Failure = iota
	// Undone: the database has undone the whole transaction for the sake of another one, and
	// the same again may well succeed. [DB.Tx] does it again by itself.
	Undone
	// Duplicate: there is a row with this key already.
	Duplicate
	// TooSlow: a lock, or the answer, did not come in time. Of a lock the transaction had no effect; of an answer
	// [InDoubt] tells.
	TooSlow
	// Unavailable: nobody answers, the server is starting or ending, or has no connection free.
	// After a COMMIT it is not known whether that had an effect.
	Unavailable
	// ReadOnly: the database takes no writes: a standby, or a file on a disk that is mounted so.
	ReadOnly
	// Full: there is no room.
	Full
	// Refused: wrong credentials, no such database, no privilege: an administrator has to look.
	Refused
	// Unreadable: what is stored is damaged, or no database.
	Unreadable
)

// FailureOf says what an error means; nil is [OtherFailure].
func FailureOf(err error) Failure {
	if refused, ok := errors.AsType[*pgconn.PgError](err); ok {
		return postgresFailure(refused.Code)
	}
	if failed, ok := errors.AsType[*driver.Error](err); ok {
		return sqliteFailure(failed.Code())
	}
	connecting := isConnecting(err)
	_, network := errors.AsType[net.Error](err)
	switch {
	case errors.Is(err, context.DeadlineExceeded) && !connecting:
		return TooSlow
	case connecting, network, pgconn.SafeToRetry(err), errors.Is(err, pgconn.ErrConnClosed), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, sqldriver.ErrBadConn):
		return Unavailable
	}
	return OtherFailure
}

// Passes reports whether what failed may well succeed in a moment, without anybody changing anything:
// the database was held, slow, away or full, or takes no writes just now, or the key file lacks a key that is on
// its way ([ErrKeyMissing]). Who asked is told to ask again.
func Passes(err error) bool {
	if LacksKey(err) {
		return true
	}
	switch FailureOf(err) {
	case Undone, TooSlow, Unavailable, ReadOnly, Full:
		return true
	}
	return false
}

// LacksKey reports whether something failed for want of a key that is not in the key file ([ErrKeyMissing]): what is sealed with
// another one may well succeed.
func LacksKey(err error) bool {
	return errors.Is(err, ErrKeyMissing) || errors.Is(err, seal.ErrUnknownKey)
}

// InDoubt reports whether a statement that failed may have had its effect: it was sent, and the answer did
// not arrive. A pooler says so of a server that it has lost, and a server that ends while a COMMIT waits for a standby.
// Of what [DB.KnownTx] returns it is so only if nobody could find out.
func InDoubt(err error) bool {
	if errors.Is(err, ErrInDoubt) {
		return true
	}
	if _, is := errors.AsType[*notDoneError](err); err == nil || is || isConnecting(err) {
		return false
	}
	if refused, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch refused.Code {
		case "40003", "57P01", "57P02": // statement_completion_unknown, admin_shutdown, crash_shutdown
			return true
		}
		return strings.HasPrefix(refused.Code, "08")
	}
	_, failed := errors.AsType[*driver.Error](err)
	return !failed && !pgconn.SafeToRetry(err) && !errors.Is(err, sqldriver.ErrBadConn)
}

// unverified adds to an error why the server of PostgreSQL was not the one that the URL asks for, and
// what to change. Others are as they were.
func unverified(err error) error {
	why := ""
	if name, ok := errors.AsType[x509.HostnameError](err); ok {
		why = fmt.Sprintf("the certificate is not for %s: write the host in the database URL as its certificate does, or give it one for that name", name.Host)
	} else if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		why = "no authority that is trusted here has signed its certificate: sslrootcert=FILE in the database URL names the one that has"
	} else if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok && invalid.Reason == x509.Expired {
		why = "its certificate has expired, or is not valid yet"
	} else if _, ok := errors.AsType[*pgconn.ConnectError](err); ok && strings.Contains(err.Error(), "refused TLS") { // the driver has no name for it
		why = "it speaks no TLS: set ssl = on, with a certificate, at the server"
	}
	if why == "" {
		return err
	}
	return fmt.Errorf("the PostgreSQL server is not verified: %s (%w)", why, err)
}

// isConnecting says of an error that no connection to PostgreSQL came about.
func isConnecting(err error) bool {
	_, is := errors.AsType[*pgconn.ConnectError](err)
	return is
}

// duplicateTable is the code of a table that another process has made in between.
const duplicateTable = "42P07"

// postgresFailure reads a code of PostgreSQL's manual, Appendix A: single codes first, then
// classes of them.
func postgresFailure(code string) Failure {
	switch code {
	case "40001", "40P01": // serialization_failure, deadlock_detected
		return Undone
	case "23505": // unique_violation
		return Duplicate
	case "55P03", "57014", "25P03": // lock_not_available, query_canceled, idle_in_transaction_session_timeout
		return TooSlow
	case "25006": // read_only_sql_transaction
		return ReadOnly
	case "53100": // disk_full
		return Full
	case duplicateTable:
		return OtherFailure
	}
	switch code[:min(2, len(code))] {
	case "08", "53", "57": // connection, resources (too many connections), operator (shutdown, starting)
		return Unavailable
	case "28", "3D", "42": // authorization; no such database; no privilege, or a statement that fits no table
		return Refused
	case "58", "XX": // I/O, internal: also a page that is damaged
		return Unreadable
	}
	return OtherFailure
}

// sqliteFailure reads a result code of SQLite's (https://sqlite.org/rescode.html), of which
// the lower byte is the kind.
func sqliteFailure(code int) Failure {
	const uniqueKey, primaryKey, rowID = 2067, 1555, 2579 // SQLITE_CONSTRAINT_…
	switch code {
	case uniqueKey, primaryKey, rowID:
		return Duplicate
	}
	switch code & 0xff {
	case 5, 6: // SQLITE_BUSY, SQLITE_LOCKED: busyTimeout is over
		return TooSlow
	case 8: // SQLITE_READONLY
		return ReadOnly
	case 13: // SQLITE_FULL
		return Full
	case 3, 14, 23: // SQLITE_PERM, SQLITE_CANTOPEN, SQLITE_AUTH
		return Refused
	case 10, 11, 26: // SQLITE_IOERR, SQLITE_CORRUPT, SQLITE_NOTADB
		return Unreadable
	}
	return OtherFailure
}
