package approval

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/policy"
)

const columns = `id, state, org, subject, grant_id, client_id, server, tool, class, policy_version, definition_hash,
	arguments_digest, sealed_arguments, approvers, created_at, expires_at, decided_at, decided_by,
	decided_by_kind, decided_by_id, decided_by_as, spent_at, outcome, sealed_result, why, binding_hash, mac, state_mac,
	terms, author, counter_of, decisions, spent_grant, sealed_reason, reopened, undo_of, rule, reopenings`

const decisionColumns = `human, factor, role, by_kind, by_id, by_as, org, decided_at, auth_time, acr, shown, mac`

// Purposes of what is sealed, see package seal.
const (
	argumentsPurpose = "approval arguments"
	resultPurpose    = "approval result"
	reasonPurpose    = "reason of a denial"
	// In approval_checks:
	imagesPurpose     = "record before and after"
	resolutionPurpose = "resolution of an outcome"
)

// MostListed is how many requests one list has. Whoever shows it says so, or goes on behind it.
const MostListed = 10_000

// Filter selects requests; an empty field selects all.
type Filter struct {
	Org, Subject string
	GrantID      string
	State        State
	Limit        int // 0, and more than that: [MostListed]
	// OldestFirst lists the oldest first, and no newer ones than fit; without it the newest are.
	OldestFirst bool
	// Behind, of a list with the oldest first, is the request that it goes on behind; empty: none.
	Behind Place
}

// Place is where a request stands in a list.
type Place struct {
	At time.Time
	ID string
}

// Count is how many requests match, however many a list has.
func (s *Store) Count(ctx context.Context, f Filter) (n int, err error) {
	f.Behind = Place{}
	where, args := f.where(db.Millis(s.now()))
	// $1 is the limit of a list.
	err = s.db.Reads.QueryRowContext(ctx, `SELECT COUNT(*) FROM (SELECT 1 FROM approvals`+where+` LIMIT $1) AS matching`, append([]any{math.MaxInt32}, args...)...).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("counting approval requests: %w", err)
	}
	return n, nil
}

// Get returns a request with its arguments and result, or [ErrNotFound].
func (s *Store) Get(ctx context.Context, id string) (*Request, error) {
	r, err := s.one(ctx, s.db.Reads, `WHERE id = $1`, id)
	if err == nil {
		err = s.addWhatFollowed(ctx, s.db.Reads, r)
	}
	if err != nil {
		return nil, fmt.Errorf("reading approval request: %w", err)
	}
	return &r.Request, nil
}

// where is the condition of f with its arguments from $2 on. Conditions that select all are left out, so that
// an index serves the others.
func (f Filter) where(now int64) (condition string, args []any) {
	var all []string
	add := func(text string, values ...any) {
		for _, v := range values {
			args = append(args, v)
			text = strings.Replace(text, "?", "$"+strconv.Itoa(len(args)+1), 1)
		}
		all = append(all, text)
	}
	for _, is := range [][2]string{{"org", f.Org}, {"subject", f.Subject}, {"grant_id", f.GrantID}} {
		if is[1] != "" {
			add(is[0]+" = ?", is[1])
		}
	}
	switch f.State {
	case "":
	case Expired: // also those that no sweep has found yet
		add("(state = ? OR state IN ('pending', 'approved') AND expires_at <= ?)", string(Expired), now)
	case Pending, Approved:
		add("state = ? AND expires_at > ?", string(f.State), now)
	default:
		add("state = ?", string(f.State))
	}
	if f.Behind.ID != "" {
		add("(created_at > ? OR created_at = ? AND id > ?)", db.Millis(f.Behind.At), db.Millis(f.Behind.At), f.Behind.ID)
	}
	if len(all) == 0 {
		return "", nil
	}
	return " WHERE " + strings.Join(all, " AND "), args
}

// List returns the requests that match, without arguments and results.
func (s *Store) List(ctx context.Context, f Filter) ([]Request, error) {
	if f.Limit <= 0 || f.Limit > MostListed {
		f.Limit = MostListed
	}
	order := ` ORDER BY created_at DESC, id`
	if f.OldestFirst {
		order = ` ORDER BY created_at, id`
	}
	where, args := f.where(db.Millis(s.now()))
	rows, err := s.db.Reads.QueryContext(ctx, `SELECT `+columns+` FROM approvals`+where+order+` LIMIT $1`, append([]any{f.Limit}, args...)...)
	if err != nil {
		return nil, fmt.Errorf("listing approval requests: %w", err)
	}
	all, err := s.scanAll(rows)
	if err != nil {
		return nil, fmt.Errorf("listing approval requests: %w", err)
	}
	list := make([]Request, len(all))
	for i, r := range all {
		if r.gives() {
			if err := s.addDecisions(ctx, s.db.Reads, r); err != nil {
				return nil, fmt.Errorf("listing approval requests: %w", err)
			}
		}
		list[i] = r.Request
	}
	return list, nil
}

// WaitingVersion is a word that changes with the requests that wait: when one comes, when one is
// decided, ends or is over, and when somebody agrees to one. It is cheap to ask for again and again.
func (s *Store) WaitingVersion(ctx context.Context) (string, error) {
	var waiting, newest, decisions, latest int64
	err := s.db.Reads.QueryRowContext(ctx, `
		SELECT COUNT(DISTINCT a.id), COALESCE(MAX(a.created_at), 0), COUNT(d.request_id), COALESCE(MAX(d.decided_at), 0)
		FROM approvals a LEFT JOIN approval_decisions d ON d.request_id = a.id
		WHERE a.state = 'pending' AND a.expires_at > $1`, db.Millis(s.now())).Scan(&waiting, &newest, &decisions, &latest)
	if err != nil {
		return "", fmt.Errorf("looking at what waits: %w", err)
	}
	return fmt.Sprint(waiting, newest, decisions, latest), nil
}

// scanAll reads the rows that are authentic.
func (s *Store) scanAll(rows *sql.Rows) (all []*stored, err error) {
	defer rows.Close()
	for rows.Next() {
		r, err := s.scan(rows)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	return all, rows.Err()
}

// querier is a transaction or a handle.
type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// one reads the request that where selects and opens what is sealed of it.
func (s *Store) one(ctx context.Context, q querier, where string, args ...any) (*stored, error) {
	r, err := s.scan(q.QueryRowContext(ctx, `SELECT `+columns+` FROM approvals `+where, args...))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	if err := s.addDecisions(ctx, q, r); err != nil {
		return nil, err
	}
	if err := s.open(r); err != nil {
		return nil, err
	}
	return r, s.addCheck(ctx, q, r)
}

// open opens what is sealed of a request.
func (s *Store) open(r *stored) (err error) {
	// Of a call that may still be made they are never erased by us.
	if r.sealedArguments != "" || r.State == Pending || r.State == Approved {
		if r.Arguments, err = s.ring.Open(r.place(argumentsPurpose), r.sealedArguments); err != nil {
			return fmt.Errorf("arguments of %s: %w", r.ID, err)
		}
	}
	if r.sealedResult != "" {
		if r.Result, err = s.ring.Open(r.place(resultPurpose), r.sealedResult); err != nil {
			return fmt.Errorf("result of %s: %w", r.ID, err)
		}
	}
	if r.sealedReason != "" {
		reason, err := s.ring.Open(r.place(reasonPurpose), r.sealedReason)
		if err != nil {
			return fmt.Errorf("reason of %s: %w", r.ID, err)
		}
		r.Reason = string(reason)
	}
	return nil
}

// addDecisions reads who agreed. A request that gives something, and of whose decisions
// somebody changed any, is void.
func (s *Store) addDecisions(ctx context.Context, q querier, r *stored) error {
	if r.decisions == "" || r.Why == Altered {
		return nil
	}
	rows, err := q.QueryContext(ctx, `SELECT `+decisionColumns+` FROM approval_decisions WHERE request_id = $1 ORDER BY decided_at, human`, r.ID)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var d Decision
		var at, authTime int64
		var mac string
		if err := rows.Scan(&d.Human, &d.Factor, &d.Role, &d.By.Kind, &d.By.ID, &d.By.As, &d.Org, &at, &authTime, &d.ACR, &d.Shown, &mac); err != nil {
			return err
		}
		d.At, d.AuthTime = db.Time(at), db.Time(authTime)
		if s.db.Authentic(db.ApprovalDecisions, mac, d.covered(r.ID)...) {
			r.Decisions, r.decisionMACs = append(r.Decisions, d), append(r.decisionMACs, mac)
		}
	}
	if r.gives() && digestOf(r.decisionMACs) != r.decisions {
		r.forged()
	}
	return rows.Err()
}

// addWhatFollowed reads the request of the call that was proposed in the place of that of r, and
// of those that take it back the one that did, or else the last.
func (s *Store) addWhatFollowed(ctx context.Context, q querier, r *stored) (err error) {
	switch r.State {
	case Countered:
		r.Counter, err = s.following(ctx, q, `WHERE counter_of = $1`, r.ID)
	case Spent:
		r.Undo, err = s.following(ctx, q, `WHERE undo_of = $1
			ORDER BY CASE WHEN state = 'spent' AND outcome <> 'failed' THEN 0 ELSE 1 END, created_at DESC, id LIMIT 1`, r.ID)
	}
	return err
}

// following reads a request that came of another one; nil: there is none.
func (s *Store) following(ctx context.Context, q querier, where, of string) (*Request, error) {
	r, err := s.one(ctx, q, where, of)
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	return requestOf(r), err
}

// stored is a request as its row has it.
type stored struct {
	Request
	bindingHash, terms            string
	sealedArguments, sealedResult string
	sealedReason                  string
	mac, stateMAC                 string
	decisions                     string   // digest of decisionMACs
	decisionMACs                  []string // of Decisions
}

// covered are the columns of [db.Approvals]: what the call is.
func (r *stored) covered() []any {
	return []any{r.ID, r.bindingHash, r.Org, r.Subject, r.GrantID, r.ClientID, r.Server, r.Tool, r.Class, r.PolicyVersion, r.DefinitionHash,
		r.ArgumentsDigest, string(r.Confirmation.Approvers), db.Millis(r.CreatedAt), db.Millis(r.ExpiresAt), r.terms, r.Author, r.CounterOf, r.UndoOf}
}

// standing are the columns of [db.ApprovalStates]: that it waits for a person, may be made
// once, or is being made.
func (r *stored) standing() []any {
	return []any{r.ID, r.mac, r.State, db.Millis(r.DecidedAt), string(r.DecidedBy.Kind), r.DecidedBy.ID, r.DecidedBy.As, db.Millis(r.SpentAt), r.decisions, r.SpentBy}
}

// gives says whether a state lets somebody do something.
func (r *stored) gives() bool {
	return r.State == Pending || r.State == Approved || r.State == Spent && r.Outcome == ""
}

// Altered is why a request is void whose state somebody changed.
const Altered = "what is stored of it was changed by something else than the proxy"

// forged makes r one whose state somebody else wrote. Who decided may be a lie.
func (r *stored) forged() {
	r.State, r.Why = Void, Altered
	r.DecidedAt, r.DecidedBy, r.Decisions = time.Time{}, actor.Actor{}, nil
}

// scan reads a row. One whose call somebody changed is not there: [ErrNotFound]; one whose
// state somebody changed to one that gives something is void.
func (s *Store) scan(row interface{ Scan(...any) error }) (*stored, error) {
	var r stored
	var created, expires, decided, spent int64
	var untyped string
	err := row.Scan(&r.ID, &r.State, &r.Org, &r.Subject, &r.GrantID, &r.ClientID, &r.Server, &r.Tool, &r.Class,
		&r.PolicyVersion, &r.DefinitionHash, &r.ArgumentsDigest, &r.sealedArguments, &r.Confirmation.Approvers,
		&created, &expires, &decided, &untyped, &r.DecidedBy.Kind, &r.DecidedBy.ID, &r.DecidedBy.As, &spent, &r.Outcome, &r.sealedResult, &r.Why,
		&r.bindingHash, &r.mac, &r.stateMAC, &r.terms, &r.Author, &r.CounterOf, &r.decisions, &r.SpentBy, &r.sealedReason, &r.Reopened, &r.UndoOf, &r.Rule, &r.Reopenings)
	if err != nil {
		return nil, err
	}
	r.CreatedAt, r.ExpiresAt, r.DecidedAt, r.SpentAt = db.Time(created), db.Time(expires), db.Time(decided), db.Time(spent)
	if !s.db.Authentic(db.Approvals, r.mac, r.covered()...) {
		return nil, ErrNotFound
	}
	if r.Confirmation, err = policy.ParseTerms(r.Confirmation.Approvers, r.terms); err != nil { // of a later version
		return nil, ErrNotFound
	}
	if r.gives() && !s.db.Authentic(db.ApprovalStates, r.stateMAC, r.standing()...) {
		r.forged()
		untyped = ""
	}
	if r.DecidedBy.Kind == "" {
		r.DecidedBy.ID = untyped
	}
	if (r.State == Pending || r.State == Approved) && expires <= db.Millis(s.now()) {
		r.State = Expired
	}
	if r.State == Denied || r.State == Countered {
		r.DeniedUntil = r.DecidedAt.Add(s.lifetime)
	}
	return &r, nil
}
