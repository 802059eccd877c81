package approval

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/policy"
)

// State of a request.
type State string

const (
	Pending   State = "pending"  // waits for a person
	Approved  State = "approved" // may be spent, once
	Denied    State = "denied"
	Countered State = "countered" // another call was proposed in its place, see [Request.Counter]
	Expired   State = "expired"   // nobody decided, or nobody came back, in time
	Spent     State = "spent"     // the call was forwarded, or is being forwarded
	Void      State = "void"      // what it depends on ended: user, client or connection
)

// Outcome of a spent request. Empty: no outcome is recorded yet, so the call may be
// under way, or was when the proxy stopped.
type Outcome string

const (
	Done    Outcome = "done"
	Failed  Outcome = "failed"  // Salesforce answered that it did not do it
	Unknown Outcome = "unknown" // the answer was lost; it may have happened
)

// Reopening is why a request that was approved waits again. Empty: it never did.
type Reopening string

const (
	Lapsed  Reopening = "lapsed"  // somebody who agreed may no longer do so, as far as is known
	Changed Reopening = "changed" // the record is not any more what those who agreed saw
)

var (
	// ErrNotFound: there is no request of that name.
	ErrNotFound = errors.New("no such approval request")
	// ErrGone: the request can no longer be decided: it is decided, expired or void.
	ErrGone = errors.New("the approval request can no longer be decided")
	// ErrNotApproved: there is no unspent approval of exactly this call.
	ErrNotApproved = errors.New("the call is not approved")
	// ErrLapsed: there was one, and of those who gave it somebody may no longer give it. It is
	// an [ErrNotApproved].
	ErrLapsed = fmt.Errorf("%w any more: somebody who agreed may no longer do so", ErrNotApproved)
	// ErrChanged: there was one, and the record is not any more what those who gave it saw. It is
	// an [ErrNotApproved].
	ErrChanged = fmt.Errorf("%w any more: the record has changed since", ErrNotApproved)
	// ErrInDoubt is [db.ErrInDoubt].
	ErrInDoubt = db.ErrInDoubt
	// ErrUnread: it is not known whether the record is still what those who agreed saw. The
	// approval stays.
	ErrUnread = errors.New("whether the record has changed is not known")
	// ErrAlready: the request was decided so before.
	ErrAlready = errors.New("the approval request was decided so already")
	// ErrNotApprover: the request is decided by somebody else.
	ErrNotApprover = errors.New("somebody else must decide")
	// ErrStepUp: whoever decides must sign in anew, in the way that is configured for it.
	ErrStepUp = errors.New("sign in anew to decide this")
	// ErrTooMany: as many requests are pending as may be; see [TooManyError].
	ErrTooMany = errors.New("too many approval requests are pending")
	// ErrNotSpent: only a request that was spent, and has no outcome yet, can be
	// settled or unspent.
	ErrNotSpent = errors.New("the approval is not being spent")
)

// Binding is what an approval is good for: exactly this call.
type Binding struct {
	Org, Subject   string // requester: Salesforce user id within its org
	ClientID       string
	Server, Tool   string
	DefinitionHash string         // of the tool's definition as Salesforce lists it
	PolicyVersion  string         // of the policy that asked for a person
	Arguments      jsontext.Value // canonical
	// Confirmation is who has to agree, and how. What some agreed to is not approved once
	// others are asked for.
	Confirmation policy.Confirmation

	// GrantID is recorded, so that ending the connection ends the request. It is not
	// part of what must match: a client that refreshed its consent asks for the same.
	GrantID string
	// Rule is that of the policy which asks for a person, in words, for people: nothing follows from
	// it. Like GrantID it is no part of what must match. Empty: recorded by an earlier version.
	Rule string
}

// hash names the binding. Each part's length precedes it, so that no two bindings
// have the same bytes.
func (b Binding) hash() string {
	h := sha256.New()
	parts := []string{"v1", b.Org, b.Subject, b.ClientID, b.Server, b.Tool, b.DefinitionHash, b.PolicyVersion, string(b.Arguments)}
	if asked := b.Confirmation; asked.Approvers != policy.Requester {
		parts = append(parts, strings.TrimPrefix(string(asked.Approvers), "role:"))
	}
	if terms := b.Confirmation.Terms(); terms != "" {
		parts = append(parts, "terms", terms)
	}
	for _, part := range parts {
		fmt.Fprintf(h, "%d:%s", len(part), part)
	}
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

// validate refuses a binding with a missing part: what is not named would match too much.
func (b Binding) validate() error {
	for name, part := range map[string]string{
		"org": b.Org, "subject": b.Subject, "client": b.ClientID, "server": b.Server, "tool": b.Tool,
		"definition": b.DefinitionHash, "policy version": b.PolicyVersion, "arguments": string(b.Arguments),
	} {
		if part == "" {
			return fmt.Errorf("binding has no %s", name)
		}
	}
	if !b.Confirmation.Valid() {
		return fmt.Errorf("nobody may approve (approvers %q)", b.Confirmation.Approvers)
	}
	return nil
}

// OfRequester reports whether the requester is the one who decides.
func (r *Request) OfRequester() bool { return r.Confirmation.Approvers == policy.Requester }

// Digest is the SHA-256 of canonical arguments in hexadecimal: how a person, the
// audit log and a page name them.
func Digest(arguments jsontext.Value) string {
	sum := sha256.Sum256(arguments)
	return hex.EncodeToString(sum[:])
}

// Request is one call that waits, or waited, for a person.
type Request struct {
	ID              string // apr_…
	State           State  // as of the moment it was read; expiry included
	Binding                // Arguments only from Get, Submit, Spend, Approve and Deny; nil: they are no longer kept
	Class           string // effect class by policy
	ArgumentsDigest string // see [Digest]

	CreatedAt, ExpiresAt, DecidedAt, SpentAt time.Time // zero: not yet
	// DeniedUntil, of a denied call, is the end of the time in which it is refused unasked.
	DeniedUntil time.Time

	// Decisions are those that agree and count, the oldest first. Those of a request that is
	// over are not in a list.
	Decisions []Decision
	// DecidedBy is whose decision approved or ended it. It has no kind, and the text of an
	// earlier version as its id, if that decided.
	DecidedBy actor.Actor
	// Author is the human who proposed the call in the place of that of the request CounterOf;
	// both are empty for a call that a client made first.
	Author, CounterOf string
	// UndoOf is the request of the call that this one takes back; it has an Author, too.
	UndoOf string
	// Undo is the last request of a call that takes this one back, and Check what was found out
	// after it was sent; nil: nothing. Only from Get and Submit, of one that is spent.
	Undo  *Request
	Check *Check
	// Counter is the request of the call that was proposed in the place of this one.
	// Only from Get and Submit, of one that is countered.
	Counter *Request

	Outcome Outcome
	// Reopened says why a request that was approved waits again, or last did; Reopenings is how often.
	Reopened   Reopening
	Reopenings int
	Why        string // void: what ended it, in words
	Altered    bool   // void, because what is stored of it was changed without the keys
	// Reason is what the person who denied said of it. Only from Get and Submit.
	Reason string
	// Result is what the client was answered, for an identical repeat; nil if there is
	// none or it was too large to keep. Only from Get and, for the connection that made the
	// call, from Submit.
	Result []byte
	// SpentBy is the connection that made the call.
	SpentBy string
}
