package link

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/salesforce"
	"sfmcp-proxy/authproxy/seal"
)

// State of a link.
type State string

const (
	// Active: has tokens and may be used.
	Active State = "active"
	// NeedsReauth: Salesforce took the login back, or it was lost; the user signs in again.
	NeedsReauth State = "needs_reauth"
	// Revoked: ended here.
	Revoked State = "revoked"
)

// ErrNeedsReauth says that there is no Salesforce login to use: none yet, revoked here,
// or gone at Salesforce. Only a new sign-in helps.
var ErrNeedsReauth = errors.New("salesforce login needs to be renewed")

// ErrUnavailable says that the access token has expired and Salesforce gives no new one
// now. Errors that match it are [*UnavailableError].
var ErrUnavailable = errors.New("salesforce gives no access token now")

// UnavailableError matches [ErrUnavailable] and says when to come back.
type UnavailableError struct {
	// RetryAfter is at least 1 s.
	RetryAfter time.Duration
	cause      error
}

// Error says what [ErrUnavailable] says, and why.
func (e *UnavailableError) Error() string {
	if e.cause == nil {
		return ErrUnavailable.Error()
	}
	return ErrUnavailable.Error() + ": " + e.cause.Error()
}

// Is makes errors.Is(err, ErrUnavailable) true.
func (e *UnavailableError) Is(target error) bool { return target == ErrUnavailable }

// Unwrap gives Salesforce's error, if one is known.
func (e *UnavailableError) Unwrap() error { return e.cause }

func unavailable(after time.Duration, cause error) error {
	return &UnavailableError{RetryAfter: max(after, time.Second), cause: cause}
}

// Salesforce is what a link needs of Salesforce's login host: [salesforce.Client].
type Salesforce interface {
	Refresh(ctx context.Context, org, refreshToken string) (*salesforce.Token, error)
	Revoke(ctx context.Context, org, token string) error
}

// EventKind says what happened to a link.
type EventKind string

const (
	// Refreshed: new tokens are stored.
	Refreshed EventKind = "refreshed"
	// NotRotated: likewise, but the refresh token stays as it was: Salesforce does not
	// rotate refresh tokens of the app.
	NotRotated EventKind = "refreshed_not_rotated"
	// LoginLost: the link became needs_reauth; Err says why.
	LoginLost EventKind = "needs_reauth"
	// RevokedUpstream: Salesforce confirmed that a refresh token is revoked.
	RevokedUpstream EventKind = "revoked_upstream"
	// RevokeFailed: an attempt to revoke at Salesforce failed and will be repeated; Err says why.
	RevokeFailed EventKind = "revoke_failed"
)

// Event tells of something that happened without a caller to return it to.
type Event struct {
	Org, Subject string
	Kind         EventKind
	Err          error
}

// Config is what [New] needs. DB, Ring and Salesforce must be set.
type Config struct {
	DB         *db.DB
	Ring       *seal.KeyRing
	Salesforce Salesforce
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Log; nil means slog.Default().
	Log *slog.Logger
	// OnEvent is called after an event is durable, from the goroutine that caused it;
	// nil means nobody listens.
	OnEvent func(Event)
	// RefreshAhead is how long before expiry a refresh begins, at most a quarter of a
	// token's lifetime; 0 means 60 s.
	RefreshAhead time.Duration
	// RetryDelay is how long to wait before a refresh token whose answer was lost is
	// sent once more; 0 means 2 s.
	RetryDelay time.Duration
	// Lease is how long after its last sign of life a refresh of another process is
	// taken over; 0 means 8 s.
	Lease time.Duration
	// Watch is how long a lease that has ended is watched before its refresh is taken over: its
	// holder may be there again; 0 means 1.5 s.
	Watch time.Duration
	// PersistFor is how long a write is tried whose loss would lose a refresh token; 0 means
	// 5 min.
	PersistFor time.Duration
}

// remembered bounds how many access tokens are kept unsealed in memory; Salesforce's
// have about 1 KiB.
const remembered = 10_000

// Store keeps links. It is safe for concurrent use, also by several processes on one
// database.
type Store struct {
	Config
	*revocationQueue
	holder string                // this process, in leases
	held   *db.Cache[user, held] // unsealed, for the next calls

	mu       sync.Mutex
	inFlight map[linkVersion]*sharedRefresh
	underWay map[string]chan struct{} // by org, see enter
	closed   bool
}

// New returns a store. It starts nothing.
func New(cfg Config) *Store {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.OnEvent == nil {
		cfg.OnEvent = func(Event) {}
	}
	cfg.RefreshAhead = cmp.Or(cfg.RefreshAhead, 60*time.Second)
	cfg.RetryDelay = cmp.Or(cfg.RetryDelay, 2*time.Second)
	cfg.Lease = cmp.Or(cfg.Lease, 8*time.Second)
	cfg.Watch = cmp.Or(cfg.Watch, 1500*time.Millisecond)
	cfg.PersistFor = cmp.Or(cfg.PersistFor, 5*time.Minute)
	return &Store{Config: cfg, holder: seal.Secret("")[:16], revocationQueue: &revocationQueue{cfg: cfg, wake: make(chan struct{}, 1)},
		held: db.NewCache[user, held](cfg.DB, remembered), inFlight: map[linkVersion]*sharedRefresh{},
		underWay: map[string]chan struct{}{}}
}

// record is one row of links.
type record struct {
	org, subject  string
	state         State
	version       int64
	sealedAccess  string
	expiresAt     time.Time
	sealedRefresh string
	leaseUntil    time.Time
	leaseHolder   string
	unanswered    int64
	why           string // what ended it here
	failure       Failure
	createdAt     time.Time
	refreshedAt   time.Time
	before        *record // of one that is claimed: what it was
}

const recordColumns = `org, subject, state, version, sealed_access, access_expires_at, sealed_refresh,
	lease_until, lease_holder, unanswered, why, created_at, refreshed_at, ` + failureColumns

func scanRecord(scan func(...any) error) (*record, error) {
	var l record
	var expires, lease, created, refreshed int64
	err := scan(&l.org, &l.subject, &l.state, &l.version, &l.sealedAccess, &expires, &l.sealedRefresh,
		&lease, &l.leaseHolder, &l.unanswered, &l.why, &created, &refreshed,
		&l.failure.Kind, &l.failure.Code, &l.failure.Text, &l.failure.Hint, &l.failure.Lost)
	l.expiresAt, l.leaseUntil = db.Time(expires), db.Time(lease)
	l.createdAt, l.refreshedAt = db.Time(created), db.Time(refreshed)
	return &l, err
}

// querier is a transaction or [db.DB.Reads].
type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// load returns nil if there is no such link.
func (s *Store) load(ctx context.Context, q querier, org, subject string) (*record, error) {
	l, err := scanRecord(q.QueryRowContext(ctx,
		`SELECT `+recordColumns+` FROM links WHERE org = $1 AND subject = $2`, org, subject).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading link: %w", err)
	}
	return l, nil
}

func place(org, subject, purpose string) seal.Place {
	return seal.Place{Table: "links", Row: org + "/" + subject, Org: org, Subject: subject, Purpose: purpose}
}

// access opens the access token of a link, expired or not.
func (s *Store) access(l *record) (string, error) {
	token, err := s.Ring.Open(place(l.org, l.subject, "access"), l.sealedAccess)
	if err != nil {
		return "", fmt.Errorf("opening access token of link: %w", err)
	}
	return string(token), nil
}

// keyPause is when who met a login that is sealed with a key which the ring lacks may come again: a key file
// that has it takes effect within a second.
const keyPause = 5 * time.Second

// keyMissing makes the error of a token that the ring lacks the key of one that passes; nil: err is no such
// error. The login stays as it is: whoever has the key can use it.
func keyMissing(err error) error {
	if !errors.Is(err, seal.ErrUnknownKey) {
		return nil
	}
	return unavailable(keyPause, fmt.Errorf("the key file lacks a key that this login is sealed with: copy it from the machine that rotated: %w", err))
}

// lacksKey is that error for the refresh token of a link; nil: the ring has its key.
func (s *Store) lacksKey(l *record) error {
	_, err := s.refreshToken(l)
	return keyMissing(err)
}

func (s *Store) refreshToken(l *record) (string, error) {
	token, err := s.Ring.Open(place(l.org, l.subject, "refresh"), l.sealedRefresh)
	if err != nil {
		return "", fmt.Errorf("opening refresh token of link: %w", err)
	}
	return string(token), nil
}
