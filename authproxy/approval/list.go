package approval

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"time"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/policy"
)

const columns = `id, state, org, subject, grant_id, client_id, server, tool, class, policy_version, definition_hash,
	arguments_digest, sealed_arguments, approvers, created_at, expires_at, decided_at, decided_by,
	decided_by_kind, decided_by_id, decided_by_as, spent_at, outcome, sealed_result, why, binding_hash, mac, state_mac,
	terms, author, counter_of, decisions, spent_grant, sealed_reason, reopened, undo_of, rule, reopenings, spending, altered`

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
	// OfOthers selects those about which others than the requester decide.
	OfOthers bool
	// Behind is the request that a list goes on behind; empty: none.
	Behind Place

	over *condition // selects what waits for nobody any more, of which this holds
}

// Place is where a request stands in a list.
type Place struct {
	At time.Time
	ID string
}

// Count is how many rows match, however many a list has. Unlike [Store.List] it opens none, so that rows
// which are not authentic count, too: nothing may be decided by it.
func (s *Store) Count(ctx context.Context, f Filter) (n int, err error) {
	c := f.conditions(db.Millis(s.now()))
	err = s.db.Reads.QueryRowContext(ctx, `SELECT COUNT(*) FROM approvals`+c.Where(), c.Args...).Scan(&n)
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

// conditions are those of f, but for Behind.
func (f Filter) conditions(now int64) (c db.Conditions) {
	for _, is := range [][2]string{{"org", f.Org}, {"subject", f.Subject}, {"grant_id", f.GrantID}} {
		if is[1] != "" {
			c.Add(is[0]+" = ?", is[1])
		}
	}
	if f.over != nil {
		c.Add("(state <> 'pending' OR expires_at <= ?)", now)
		c.Add(f.over.text, f.over.values...)
	}
	if f.OfOthers {
		c.Add("approvers <> ?", string(policy.Requester))
	}
	switch f.State {
	case "":
	case Expired: // also those that no sweep has found yet
		c.Add("(state = ? OR state IN ('pending', 'approved') AND expires_at <= ?)", string(Expired), now)
	case Pending, Approved:
		c.Add("state = ? AND expires_at > ?", string(f.State), now)
	default:
		c.Add("state = ?", string(f.State))
	}
	return c
}

// List returns the requests that match, without arguments and results. Rows that are not authentic
// leave no gap: others are read in their place, unless they are more than [MostListed].
func (s *Store) List(ctx context.Context, f Filter) ([]Request, error) {
	if f.Limit <= 0 || f.Limit > MostListed {
		f.Limit = MostListed
	}
	list := make([]Request, 0, min(f.Limit, 100))
	last := position{millis: db.Millis(f.Behind.At), id: f.Behind.ID}
	for seen, size := 0, f.Limit; len(list) < f.Limit && seen < f.Limit+MostListed; seen, size = seen+size, 2*size {
		some, read, err := s.behind(ctx, f, &last, size)
		if err != nil {
			return nil, fmt.Errorf("listing approval requests: %w", err)
		}
		for _, r := range some[:min(len(some), f.Limit-len(list))] {
			if r.gives() {
				if err := s.addDecisions(ctx, s.db.Reads, r); err != nil {
					return nil, fmt.Errorf("listing approval requests: %w", err)
				}
			}
			list = append(list, r.Request)
		}
		if read < size {
			break
		}
	}
	return list, nil
}

// position is where a row stands, whether or not it is authentic.
type position struct {
	millis int64
	id     string
}

// behind reads the next rows behind last, which it moves on, and returns those that are authentic and
// how many it read.
func (s *Store) behind(ctx context.Context, f Filter, last *position, size int) (all []*stored, read int, err error) {
	c, order, after := f.conditions(db.Millis(s.now())), `created_at DESC, id`, `created_at <= ?`
	if f.OldestFirst {
		order, after = `created_at, id`, `created_at >= ?`
	}
	if last.id != "" {
		c.Add(after, last.millis) // by an index
		c.Add(`(created_at <> ? OR id > ?)`, last.millis, last.id)
	}
	rows, err := s.db.Reads.QueryContext(ctx, `SELECT `+columns+` FROM approvals`+c.Where()+` ORDER BY `+order+` LIMIT `+strconv.Itoa(size), c.Args...)
	if err != nil {
		return nil, 0, err
	}
	defer rows.Close()
	for ; rows.Next(); read++ {
		r, err := s.scan(rows)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return nil, 0, err
		}
		last.millis, last.id = db.Millis(r.CreatedAt), r.ID
		if err == nil {
			all = append(all, r)
		}
	}
	return all, read, rows.Err()
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
	if r.decisions == "" || r.Altered {
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
		authentic, err := s.db.Verify(db.ApprovalDecisions, mac, d.covered(r.ID)...)
		if err != nil {
			return err
		}
		if authentic {
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
	spending                      string   // name of the last spending, see [Store.take]
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

// whyAltered says of a request that is [Request.Altered] why it is void.
const whyAltered = "what is stored of it was changed by something else than the proxy"

// forged makes r one whose state somebody else wrote. Who decided may be a lie.
func (r *stored) forged() {
	r.State, r.Why, r.Altered = Void, whyAltered, true
	r.DecidedAt, r.DecidedBy, r.Decisions = time.Time{}, actor.Actor{}, nil
}

// scan reads a row. One whose call somebody changed is not there: [ErrNotFound], with what the row says;
// one whose state somebody changed to one that gives something is void.
func (s *Store) scan(row interface{ Scan(...any) error }) (*stored, error) {
	var r stored
	var created, expires, decided, spent int64
	var untyped string
	err := row.Scan(&r.ID, &r.State, &r.Org, &r.Subject, &r.GrantID, &r.ClientID, &r.Server, &r.Tool, &r.Class,
		&r.PolicyVersion, &r.DefinitionHash, &r.ArgumentsDigest, &r.sealedArguments, &r.Confirmation.Approvers,
		&created, &expires, &decided, &untyped, &r.DecidedBy.Kind, &r.DecidedBy.ID, &r.DecidedBy.As, &spent, &r.Outcome, &r.sealedResult, &r.Why,
		&r.bindingHash, &r.mac, &r.stateMAC, &r.terms, &r.Author, &r.CounterOf, &r.decisions, &r.SpentBy, &r.sealedReason, &r.Reopened, &r.UndoOf, &r.Rule, &r.Reopenings, &r.spending, &r.Altered)
	if err != nil {
		return nil, err
	}
	r.CreatedAt, r.ExpiresAt, r.DecidedAt, r.SpentAt = db.Time(created), db.Time(expires), db.Time(decided), db.Time(spent)
	authentic, err := s.db.Verify(db.Approvals, r.mac, r.covered()...)
	if err != nil {
		return nil, err
	}
	if !authentic {
		return &r, ErrNotFound
	}
	if r.Confirmation, err = policy.ParseTerms(r.Confirmation.Approvers, r.terms); err != nil { // of a later version
		return &r, ErrNotFound
	}
	r.Altered = r.Altered && r.State == Void // of one that gives something the MAC of its state tells
	if r.gives() {
		if authentic, err = s.db.Verify(db.ApprovalStates, r.stateMAC, r.standing()...); err != nil {
			return nil, err
		}
		if !authentic {
			r.forged()
			untyped = ""
		}
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
