package grant

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"time"

	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/seal"
)

// Errors that callers branch on. The token endpoint answers the first three with the
// error codes of RFC 6749 5.2 and RFC 8707 2.
var (
	// ErrInvalidGrant: the code or refresh token is unknown, expired, spent, revoked,
	// another client's, or came with the wrong verifier or redirect URI.
	ErrInvalidGrant = errors.New("invalid grant")
	// ErrInvalidTarget: the resource is not the one that was granted.
	ErrInvalidTarget = errors.New("resource was not granted")
	// ErrInvalidScope: a refresh asked for more than was granted.
	ErrInvalidScope = errors.New("scope was not granted")
	// ErrNoLogin: the user's Salesforce login is over; the refresh token is good.
	ErrNoLogin = errors.New("no Salesforce login")
	// ErrTooOften: the grant has had more tokens in a short time than any client needs; the
	// refresh token is good.
	ErrTooOften = errors.New("refreshed too often")
	// ErrInvalidToken: the access token does not open this server now.
	ErrInvalidToken = errors.New("invalid access token")
	// ErrReplayed matches every [*ReplayError].
	ErrReplayed = errors.New("spent credential presented again")
	// ErrNoRequest: no such authorization request for this browser in this state.
	ErrNoRequest = errors.New("no such authorization request")
	// ErrOtherBrowser: the request was sent to Salesforce by another browser.
	ErrOtherBrowser = errors.New("authorization request of another browser")
	// ErrBlocked: the user is blocked.
	ErrBlocked = errors.New("user is blocked")
	// ErrNotFound: no such grant or user, or no live one.
	ErrNotFound = errors.New("not found")
)

// ReplayError says that a spent code or refresh token was presented again and that
// its grant was revoked for it.
type ReplayError struct {
	// Grant is the revoked grant.
	Grant Grant
	// Revoked is false when the grant had ended before.
	Revoked bool
	// What is "code" or "refresh token".
	What string
}

func (e *ReplayError) Error() string { return "spent " + e.What + " presented again" }

// Is makes a replay match [ErrReplayed] and, as clients see it, [ErrInvalidGrant].
func (e *ReplayError) Is(target error) bool {
	return target == ErrReplayed || target == ErrInvalidGrant
}

// RefusedError says that a code or refresh token of a grant was refused; errors.Is finds out
// why. It is for the log: the client is told no more than of one that never was.
type RefusedError struct {
	Grant Grant
	why   error
}

func (e *RefusedError) Error() string { return e.why.Error() }

func (e *RefusedError) Unwrap() error { return e.why }

// Lifetimes are how long things stay good.
type Lifetimes struct {
	// Code: from its issue to its redemption; at most 60s (SR-AS-2).
	Code time.Duration
	// AccessToken: at most 15m (SR-AS-7).
	AccessToken time.Duration
	// RefreshIdle: a refresh token that is not used for so long is dead.
	RefreshIdle time.Duration
	// RefreshAbsolute: from redemption; then the user must consent again.
	RefreshAbsolute time.Duration
	// RefreshGrace: how long after a rotation the predecessor still gets the
	// successor; 0 turns that off.
	RefreshGrace time.Duration
	// Consent: from /oauth/authorize to the decision, and again from the decision to
	// the return from Salesforce.
	Consent time.Duration
}

// Validate reports every lifetime that is missing or beyond its limit.
func (l Lifetimes) Validate() error {
	var wrong []error
	check := func(name string, have, most time.Duration) {
		switch {
		case have <= 0:
			wrong = append(wrong, fmt.Errorf("%s: expected a positive duration, found %s", name, have))
		case most > 0 && have > most:
			wrong = append(wrong, fmt.Errorf("%s: expected at most %s, found %s", name, most, have))
		}
	}
	check("code", l.Code, time.Minute)
	check("access_token", l.AccessToken, 15*time.Minute)
	check("refresh_idle", l.RefreshIdle, 0)
	check("refresh_absolute", l.RefreshAbsolute, 0)
	check("consent", l.Consent, time.Hour)
	if l.RefreshGrace < 0 || l.RefreshGrace > 10*time.Minute {
		wrong = append(wrong, fmt.Errorf("refresh_grace: expected 0 to 10m, found %s", l.RefreshGrace))
	}
	if l.RefreshAbsolute < l.RefreshIdle {
		wrong = append(wrong, fmt.Errorf("refresh_absolute: expected at least refresh_idle (%s), found %s", l.RefreshIdle, l.RefreshAbsolute))
	}
	return errors.Join(wrong...)
}

// Clients says which clients may exist: package client's store.
type Clients interface {
	// Knows says whether clients of that id may exist under the configuration. It is asked
	// at every use of a token, and must ask neither the database nor the network.
	Knows(id string) bool
}

// Config is what a [Store] needs. Now may be left out.
type Config struct {
	DB        *db.DB
	Ring      *seal.KeyRing
	Clients   Clients
	Lifetimes Lifetimes
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Store is safe for concurrent use, also by several processes on one database.
type Store struct {
	// Requests are the authorization requests that are under way.
	Requests *Requests

	db        *db.DB
	clients   Clients
	lifetimes Lifetimes
	now       func() time.Time
	users     *userRows

	authenticated *db.Cache[credential, access]
	live          *db.Cache[string, liveGrant] // by grant id

	mu    sync.Mutex
	used  map[string]int64 // grant id → last use, since the last Sweep
	swept int64            // when the last Sweep began, if it succeeded; 0: it did not
}

// remembered bounds how many tokens, and how many grants, are kept in memory: about
// 10 MiB.
const remembered = 10_000

// New checks the lifetimes.
func New(c Config) (*Store, error) {
	if c.DB == nil || c.Ring == nil || c.Clients == nil {
		return nil, errors.New("grant store: database, key ring and clients are required")
	}
	if err := c.Lifetimes.Validate(); err != nil {
		return nil, fmt.Errorf("grant store: %w", err)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Store{
		Requests: &Requests{db: c.DB, ring: c.Ring, life: c.Lifetimes.Consent, now: c.Now},
		db:       c.DB, clients: c.Clients, lifetimes: c.Lifetimes, now: c.Now,
		users:         &userRows{c.DB, db.NewCache[struct{}, db.Blocked](c.DB, 1)},
		used:          map[string]int64{},
		authenticated: db.NewCache[credential, access](c.DB, remembered),
		live:          db.NewCache[string, liveGrant](c.DB, remembered),
	}, nil
}

// Lifetimes returns the configured lifetimes, for the pages that show them.
func (s *Store) Lifetimes() Lifetimes { return s.lifetimes }

func (s *Store) millis() int64 { return db.Millis(s.now()) }

// By the prefixes secret scanners and people know what they found.
const (
	codePrefix    = "sfc_"
	accessPrefix  = "sfa_"
	refreshPrefix = "sfr_"
)

// judge runs f in a transaction. What f changed is kept also when it refuses
// (counted failures, a revocation), and undone only when it fails.
func (s *Store) judge(ctx context.Context, f func(*sql.Tx) (refused, failed error)) error {
	var refused error
	err := s.db.Tx(ctx, func(tx *sql.Tx) (failed error) {
		refused, failed = f(tx)
		return failed
	})
	if err != nil {
		return err
	}
	return refused
}
