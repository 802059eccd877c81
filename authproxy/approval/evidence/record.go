package evidence

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/audit"
)

// Record is all that is known of one request. Times are UTC; a zero one is not known, or has
// not come.
type Record struct {
	Approval string           `json:"approval"`
	State    approval.State   `json:"state,omitempty"` // when the record was made; empty: the database does not have it any more
	Outcome  approval.Outcome `json:"outcome,omitempty"`

	Org        string `json:"org,omitempty"`
	Subject    string `json:"subject,omitempty"`  // of whoever asked
	Username   string `json:"username,omitempty"` // theirs
	Client     string `json:"client,omitempty"`
	Connection string `json:"connection,omitempty"`
	Server     string `json:"server,omitempty"`
	Tool       string `json:"tool,omitempty"`
	Class      string `json:"class,omitempty"`
	Rule       string `json:"rule,omitempty"`

	PolicyVersion  string `json:"policy_version,omitempty"`
	DefinitionHash string `json:"definition_hash,omitempty"`
	// ArgumentsDigest is the SHA-256 of the canonical arguments. Arguments are exactly these
	// where they are still kept, else as the audit log has them: without what may be a credential.
	ArgumentsDigest string          `json:"arguments_digest,omitempty"`
	Arguments       json.RawMessage `json:"arguments,omitempty"`

	Asked   time.Time `json:"asked,omitzero"`
	Expires time.Time `json:"expires,omitzero"`
	Decided time.Time `json:"decided,omitzero"` // finally
	Made    time.Time `json:"made,omitzero"`    // when the call was about to leave that did

	Author    string `json:"author,omitempty"`     // the human who proposed it in the place of another
	CounterOf string `json:"counter_of,omitempty"` // that other
	Void      string `json:"void,omitempty"`       // why it ended by itself

	Factors   []Factor   `json:"factors,omitempty"`
	Decisions []Decision `json:"decisions,omitempty"`
	Seen      []Seen     `json:"seen,omitempty"`
	Answer    *Answer    `json:"answer,omitempty"`
	Check     *Check     `json:"check,omitempty"`
	// UndoOf is the request of the call that this one takes back, Undo the one that takes this back.
	UndoOf string `json:"undo_of,omitempty"`
	Undo   string `json:"undo,omitempty"`

	// Entries are those of the log that name the request, all of them; of a short record only
	// their number and the first and last are known.
	Entries    []Entry `json:"entries,omitempty"`
	EntryCount int     `json:"entry_count"`
	FirstEntry int64   `json:"first_entry,omitempty"`
	LastEntry  int64   `json:"last_entry,omitempty"`

	Missing []string `json:"missing,omitempty"` // sentences: what the record lacks

	short bool
	// leaving has when the call was about to leave, by the entry that says so, unless another one says that it
	// did not.
	leaving map[int64]time.Time
}

// Factor is one of what had to be met.
type Factor struct {
	Role   string      `json:"role,omitempty"` // empty: the requester
	Quorum int         `json:"quorum"`
	Met    bool        `json:"met"`
	By     []Agreement `json:"by,omitempty"`
}

// Agreement is that one person agreed, and what proved who they are.
type Agreement struct {
	By       string    `json:"by"`
	Human    string    `json:"human"`          // the person, over all ways to sign in
	Role     string    `json:"role,omitempty"` // by which they might
	At       time.Time `json:"at"`
	AuthTime time.Time `json:"auth_time,omitzero"` // OpenID Connect Core 2: when they signed in
	ACR      string    `json:"acr,omitempty"`      // and how
}

// Decision is one that was taken, or tried, as the log has it.
type Decision struct {
	Entry    int64          `json:"entry"`
	At       time.Time      `json:"at"`
	By       string         `json:"by"`
	Decision audit.Decision `json:"decision"`
	Outcome  audit.Outcome  `json:"outcome"`
	Reason   string         `json:"reason,omitempty"`
}

// Seen is that somebody was shown the arguments, or that they were compared with Salesforce for
// whoever decides.
type Seen struct {
	Entry  int64        `json:"entry"`
	At     time.Time    `json:"at"`
	By     string       `json:"by"`
	Action audit.Action `json:"action"`
}

// Answer is what Salesforce answered, and what the client got of it.
type Answer struct {
	Entry      int64           `json:"entry"`
	At         time.Time       `json:"at"`
	Outcome    audit.Outcome   `json:"outcome"`
	Status     string          `json:"status,omitempty"`
	Reason     string          `json:"reason,omitempty"`
	Digest     string          `json:"digest,omitempty"` // SHA-256 of the result that the client got, byte for byte
	Bytes      int64           `json:"bytes,omitempty"`
	DurationMS int64           `json:"duration_ms,omitempty"`
	Records    []audit.Records `json:"records,omitempty"`
}

// Check is what was found out after the call was sent.
type Check struct {
	Verification approval.Verification `json:"verification,omitempty"`
	VerifiedAt   time.Time             `json:"verified_at,omitzero"`
	Said         string                `json:"said,omitempty"` // in the words of the log
	Images       *approval.Images      `json:"record,omitempty"`
	Happened     approval.Happened     `json:"happened,omitempty"` // as a person says, of an answer that was lost
	ResolvedAt   time.Time             `json:"resolved_at,omitzero"`
	ResolvedBy   string                `json:"resolved_by,omitempty"`
	Reason       string                `json:"reason,omitempty"`
}

// Entry is one of the log, with the command that proves that it is there.
type Entry struct {
	Number  int64         `json:"number"`
	At      time.Time     `json:"at"`
	Action  audit.Action  `json:"action"`
	Outcome audit.Outcome `json:"outcome"`
	By      string        `json:"by"`
	Prove   string        `json:"prove"`
}

// New is a record of which nothing is known yet.
func New(id string) *Record { return &Record{Approval: id} }

// Add takes what an entry says of the request, the entries oldest first.
func (r *Record) Add(e audit.Entry) {
	if r.EntryCount++; r.FirstEntry == 0 {
		r.FirstEntry = e.Seq
	}
	r.LastEntry = e.Seq
	if !r.short {
		r.Entries = append(r.Entries, Entry{e.Seq, e.At, e.Action, e.Outcome, e.Actor.String(), fmt.Sprintf("sfmcp-proxy audit prove %d", e.Seq)})
	}
	for _, known := range []struct {
		is  *string
		say string
	}{
		{&r.Org, e.Org}, {&r.Subject, e.Subject}, {&r.Username, e.Username}, {&r.Client, e.Client}, {&r.Connection, e.Grant}, {&r.Server, e.Server},
		{&r.Tool, e.Tool}, {&r.Class, e.Class}, {&r.Rule, e.Rule}, {&r.PolicyVersion, e.PolicyVersion}, {&r.DefinitionHash, e.DefinitionHash},
		{&r.ArgumentsDigest, e.ArgumentsDigest},
	} {
		if *known.is == "" {
			*known.is = known.say
		}
	}
	switch e.Action {
	case audit.ToolCall:
		r.addCall(e)
	case audit.ApprovalDecide:
		r.addDecision(e)
	case audit.ApprovalVoid:
		r.Void = e.Reason
	case audit.ApprovalVerify:
		if e.Outcome == audit.OK {
			r.check().Said, r.check().VerifiedAt = e.Reason, e.At
		}
	case audit.ApprovalResolve:
		if e.Outcome == audit.OK {
			c := r.check()
			c.Reason, c.ResolvedAt, c.ResolvedBy = e.Reason, e.At, e.Actor.String()
		}
	case audit.ApprovalRead, audit.ApprovalPreview:
		if e.Outcome != audit.Intent && !r.short {
			r.Seen = append(r.Seen, Seen{e.Seq, e.At, e.Actor.String(), e.Action})
		}
	}
}

// addCall takes an entry of the call itself: that it waits, leaves or was answered.
func (r *Record) addCall(e audit.Entry) {
	if r.Arguments == nil && !r.short {
		r.Arguments = e.Arguments
	}
	switch e.Outcome {
	case audit.Held:
		if r.Asked.IsZero() {
			r.Asked = e.At
		}
	case audit.Intent:
		if r.leaving == nil {
			r.leaving = map[int64]time.Time{}
		}
		r.leaving[e.Seq], r.Made = e.At, e.At
	case audit.Denied, audit.OK, audit.Failed, audit.Unknown:
		if Stayed(e) {
			delete(r.leaving, e.IntentSeq)
			r.Made = time.Time{}
			for _, at := range r.leaving { // of a repeat at the same time
				if at.After(r.Made) {
					r.Made = at
				}
			}
			break
		}
		r.Answer = &Answer{e.Seq, e.At, e.Outcome, e.Status, e.Reason, e.AnswerDigest, e.Bytes, e.DurationMS, e.Records}
	}
}

// Stayed reports whether an entry about a call says that it did not leave: what may have been spent for it is given back.
func Stayed(e audit.Entry) bool {
	return e.Outcome == audit.Denied || e.Outcome == audit.Failed && strings.HasSuffix(e.Reason, approval.GivenBack)
}

func (r *Record) check() *Check {
	if r.Check == nil {
		r.Check = &Check{}
	}
	return r.Check
}

// addDecision takes one that was taken or refused. Of what has an intent the outcome counts.
func (r *Record) addDecision(e audit.Entry) {
	if e.Outcome == audit.Intent {
		return
	}
	r.Decisions = append(r.Decisions, Decision{e.Seq, e.At, e.Actor.String(), e.Decision, e.Outcome, e.Reason})
	if e.Outcome == audit.OK {
		r.Decided = e.At
	}
}

// AddRequest takes what the database has of the request; nil: nothing any more.
func (r *Record) AddRequest(q *approval.Request) {
	if q == nil {
		r.Missing = append(r.Missing, "The database does not have the request any more, so the record is what the audit log says.")
		return
	}
	r.State, r.Outcome, r.Void = q.State, q.Outcome, q.Why
	r.Org, r.Subject, r.Client, r.Connection = q.Org, q.Subject, q.ClientID, q.GrantID
	r.Server, r.Tool, r.Class, r.PolicyVersion, r.DefinitionHash = q.Server, q.Tool, q.Class, q.PolicyVersion, q.DefinitionHash
	r.Asked, r.Expires, r.Decided, r.Made = q.CreatedAt, q.ExpiresAt, q.DecidedAt, q.SpentAt
	r.Author, r.CounterOf, r.UndoOf = q.Author, q.CounterOf, q.UndoOf
	if q.Undo != nil {
		r.Undo = q.Undo.ID
	}
	if q.Check != nil {
		c := r.check()
		c.Verification, c.Images, c.Happened = q.Check.Verification, q.Check.Images, q.Check.Happened
	}
	r.ArgumentsDigest = q.ArgumentsDigest
	if q.Arguments != nil {
		r.Arguments = json.RawMessage(q.Arguments)
	} else {
		r.Missing = append(r.Missing, "The arguments are not kept any more; what stands here of them is as the audit log has it.")
	}
	for _, f := range q.Factors() {
		factor := Factor{Role: f.Role, Quorum: f.Quorum, Met: f.Met()}
		for _, d := range f.By {
			factor.By = append(factor.By, Agreement{d.By.String(), d.Human, d.Role, d.At, d.AuthTime, d.ACR})
		}
		r.Factors = append(r.Factors, factor)
	}
}
