package mcpforward

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/seal"
	"sfmcp-proxy/mcpforward/jsonrpc"
)

const (
	sessionHeader = "Mcp-Session-Id"
	// sessionLifetime is how long a session is good after its last use. A client whose
	// session is over gets 404 and begins anew, which some do not do while they run.
	sessionLifetime = 24 * time.Hour
	// prolongAfter is how much of it is gone before a use prolongs it: a use a minute need not
	// be a write a minute.
	prolongAfter = 10 * time.Minute
	// sessionsPerGrant bounds what a client that never reuses a session leaves behind; what
	// was unused longest goes. No client is known to keep more than a few dozen.
	sessionsPerGrant = 200
)

// session is what a client declared at initialize.
type session struct {
	hash    string // of its id
	version string // negotiated protocol version
	client  declared
}

// findSession finds the session that the request names, unless it needs none. It must be
// the grant's own; there is no "only session" to fall back to (RS-13).
func (r *request) findSession() error {
	if r.stateless || r.msg != nil && r.msg.Method == "initialize" {
		return nil
	}
	ids := r.http.Header.Values(sessionHeader)
	if len(ids) != 1 || ids[0] == "" {
		return badRequest(jsonrpc.InvalidRequest, sessionHeader+" is missing: begin with initialize")
	}
	s, err := r.sessions.find(r.http.Context(), ids[0], r.grant.ID)
	if err != nil {
		return sessionError(err)
	}
	r.session, r.client = s, s.client
	return nil
}

// sessionError is the error when a session is not there or cannot be known.
func sessionError(err error) error {
	if errors.Is(err, errNoSession) {
		return &refusal{status: http.StatusNotFound, code: jsonrpc.InvalidRequest, message: "the session is over: begin with initialize"}
	}
	return unavailable("the session could not be read or changed", err)
}

// closeSession ends the session that the request names, and its calls (DELETE). It counts
// against the limits of the user, as opening one does: each makes every process read anew
// whom it lets in.
func (r *request) closeSession() (result, error) {
	if err := r.findSession(); err != nil {
		return result{}, err
	}
	if !r.allowances.Of(r.user()).Allow() {
		return result{}, r.overLimit()
	}
	if err := r.sessions.close(r.http.Context(), r.session.hash, r.grant.ID); err != nil {
		return result{}, unavailable("the session could not be closed", err)
	}
	r.calls.endSession(r.grant.ID, r.session.hash)
	return result{status: http.StatusNoContent}, nil
}

// sessionStore keeps the sessions in the table mcp_sessions.
type sessionStore struct {
	db    *db.DB
	now   func() time.Time
	known *db.Cache[sessionKey, knownSession]
}

// sessionKey binds a session to its grant.
type sessionKey struct{ hash, grantID string }

type knownSession struct {
	session
	until int64 // milliseconds
}

// knownSessions bounds how many are kept in memory; one has about 300 bytes.
const knownSessions = 10_000

func newSessionStore(d *db.DB, now func() time.Time) sessionStore {
	return sessionStore{db: d, now: now, known: db.NewCache[sessionKey, knownSession](d, knownSessions)}
}

var errNoSession = errors.New("no such session")

// open stores a new session of a grant and returns its id.
func (s sessionStore) open(ctx context.Context, grantID string, like session) (id string, err error) {
	id = seal.Secret("")
	now := s.now()
	err = s.db.Tx(ctx, func(tx *sql.Tx) error {
		if err := s.db.Lock(ctx, tx, "mcp_sessions of "+grantID); err != nil { // they are counted below
			return err
		}
		row := []any{seal.Hash(id), grantID, like.version, like.client.name, like.client.capabilities.String(), db.Millis(now)}
		if _, err := tx.ExecContext(ctx, `
			INSERT INTO mcp_sessions (session_hash, grant_id, protocol_version, client_info, capabilities, created_at, mac, expires_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
			append(row, s.db.MAC(db.MCPSessions, row...), db.Millis(now.Add(sessionLifetime)))...); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `
			DELETE FROM mcp_sessions WHERE grant_id = $1 AND session_hash NOT IN
			(SELECT session_hash FROM mcp_sessions WHERE grant_id = $1 ORDER BY expires_at DESC, session_hash LIMIT $2)`,
			grantID, sessionsPerGrant)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("opening session: %w", err)
	}
	return id, nil
}

// find returns the grant's session of that id, or errNoSession. It remembers sessions
// for as long as none was closed and no access taken away, see [db.Cache].
func (s sessionStore) find(ctx context.Context, id, grantID string) (*session, error) {
	hash, now := seal.Hash(id), db.Millis(s.now())
	found, err := s.known.Get(sessionKey{hash, grantID}, func(k knownSession) bool { return k.until > now }, func() (knownSession, error) {
		k := knownSession{session: session{hash: hash}}
		var words, mac string
		var created int64
		err := s.db.Reads.QueryRowContext(ctx, `SELECT protocol_version, client_info, capabilities, log_level, created_at, expires_at, mac
			FROM mcp_sessions WHERE session_hash = $1 AND grant_id = $2 AND expires_at > $3`,
			hash, grantID, now).Scan(&k.version, &k.client.name, &words, &k.client.logLevel, &created, &k.until, &mac)
		authentic := err != nil
		if err == nil {
			authentic, err = s.db.Verify(db.MCPSessions, mac, hash, grantID, k.version, k.client.name, words, created)
		}
		if err == nil && !authentic {
			err = sql.ErrNoRows
		}
		k.client.capabilities = strings.Fields(words)
		return k, err
	})
	if errors.Is(err, sql.ErrNoRows) {
		return nil, errNoSession
	}
	if err == nil && found.until-now < (sessionLifetime-prolongAfter).Milliseconds() {
		err = s.prolong(ctx, sessionKey{hash, grantID}, now)
	}
	if err != nil {
		return nil, fmt.Errorf("reading session: %w", err)
	}
	return &found.session, nil
}

// prolong lets a session live on from now.
func (s sessionStore) prolong(ctx context.Context, key sessionKey, now int64) error {
	_, err := s.db.Writes.ExecContext(ctx, `UPDATE mcp_sessions SET expires_at = $1 WHERE session_hash = $2 AND grant_id = $3 AND expires_at > $4`,
		now+sessionLifetime.Milliseconds(), key.hash, key.grantID, now)
	s.known.Forget(key)
	return err
}

// setLogLevel changes what log messages a session wants; errNoSession if it is over.
func (s sessionStore) setLogLevel(ctx context.Context, hash, grantID, level string) error {
	n, err := db.Affected(ctx, s.db.Writes, `UPDATE mcp_sessions SET log_level = $1 WHERE session_hash = $2 AND grant_id = $3 AND expires_at > $4`,
		level, hash, grantID, db.Millis(s.now()))
	s.known.Forget(sessionKey{hash, grantID})
	if err == nil && n == 0 {
		return errNoSession
	}
	if err != nil {
		return fmt.Errorf("changing session: %w", err)
	}
	return nil
}

// close ends a session: for the next request here, within a second on other processes.
func (s sessionStore) close(ctx context.Context, hash, grantID string) error {
	return s.db.Tx(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM mcp_sessions WHERE session_hash = $1 AND grant_id = $2`, hash, grantID); err != nil {
			return err
		}
		return s.db.RaiseAccessEpoch(ctx, tx)
	})
}

func (s sessionStore) sweep(ctx context.Context) error {
	_, err := s.db.Writes.ExecContext(ctx, `DELETE FROM mcp_sessions WHERE expires_at <= $1`, db.Millis(s.now()))
	if err != nil {
		return fmt.Errorf("removing old sessions: %w", err)
	}
	return nil
}
