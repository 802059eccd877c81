package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"sfmcp-proxy/authproxy/actor"
)

// Bounds of what one entry stores, in bytes.
const (
	maxText      = 512
	maxReason    = 2048
	maxArguments = 16 << 10
)

// Outcome is how what an entry tells of ended. What is recorded before it happens has two
// entries: its intent, and how it ended; see [Log.Call].
type Outcome string

// The outcomes.
const (
	Intent   Outcome = "intent"          // about to happen
	OK       Outcome = "ok"              // done
	Failed   Outcome = "error"           // tried, and answered with an error
	Denied   Outcome = "denied"          // refused here; nothing was done
	Held     Outcome = "held"            // waits for a person; nothing was forwarded
	Repeated Outcome = "repeated"        // answered from the record of an earlier call; nothing was forwarded
	Unknown  Outcome = "outcome_unknown" // begun, and nobody knows whether it took effect
)

// Outcomes are all of them.
func Outcomes() []Outcome { return []Outcome{Intent, OK, Failed, Denied, Held, Repeated, Unknown} }

// Decision is what policy says of a call, or a person of a call that waits for one, or of access.
type Decision string

// The decisions.
const (
	Allow   Decision = "allow"   // policy: the call may pass
	Confirm Decision = "confirm" // policy: the call needs a person
	Deny    Decision = "deny"    // policy or person: the call must not pass
	Approve Decision = "approve" // person: the call may pass once
	Counter Decision = "counter" // person: another call is proposed in its place
	Keep    Decision = "keep"    // person, of somebody's access: it goes on
	Revoke  Decision = "revoke"  // person, of somebody's access: it ends
)

// InShadow marks a decision of policy that was noted and not enforced.
func (d Decision) InShadow() Decision { return d + " (shadow)" }

// Entry is one fact of the log. Only Actor, Action and Outcome are always there.
type Entry struct {
	Seq     int64       `json:"seq"`   // set by Append
	At      time.Time   `json:"at"`    // set by Append; UTC, milliseconds
	Actor   actor.Actor `json:"actor"` // written as its text; beside it stand actor_kind and actor_as
	Action  Action      `json:"action"`
	Object  string      `json:"object,omitempty"`
	Outcome Outcome     `json:"outcome"`
	Source  string      `json:"source,omitempty"` // network address, or "command line"

	RequestID       string   `json:"request_id,omitempty"`
	Org             string   `json:"org,omitempty"`
	Subject         string   `json:"subject,omitempty"`
	Username        string   `json:"username,omitempty"`
	Client          string   `json:"client,omitempty"`
	Grant           string   `json:"grant,omitempty"`
	Server          string   `json:"server,omitempty"`
	Tool            string   `json:"tool,omitempty"`
	Class           string   `json:"class,omitempty"`
	Decision        Decision `json:"decision,omitempty"`
	Rule            string   `json:"rule,omitempty"`
	ArgumentsDigest string   `json:"arguments_digest,omitempty"` // of the arguments before redaction
	DefinitionHash  string   `json:"definition_hash,omitempty"`
	PolicyVersion   string   `json:"policy_version,omitempty"`
	Approval        string   `json:"approval,omitempty"`
	Status          string   `json:"status,omitempty"` // of the answer: HTTP status, JSON-RPC code, or what Salesforce refused a login for (salesforce.CaseOf)
	Reason          string   `json:"reason,omitempty"`
	AnswerDigest    string   `json:"answer_digest,omitempty"` // SHA-256 in hexadecimal of the result that the client got, byte for byte
	DurationMS      int64    `json:"duration_ms,omitempty"`
	Bytes           int64    `json:"bytes,omitempty"`         // size of the answer
	Rows            *int64   `json:"rows,omitempty"`          // records in the answer; nil: it has none, or nobody can tell
	RecordsTotal    int64    `json:"records_total,omitempty"` // how many records there were to name in Records
	Hidden          int64    `json:"hidden,omitempty"`        // values that were hidden in the answer
	Cut             int64    `json:"cut,omitempty"`           // records that were left out of the answer
	IntentSeq       int64    `json:"intent,omitempty"`        // number of the entry whose outcome this is

	// Records names what was read, made, changed or deleted, if there was anything to name.
	Records []Records `json:"records,omitempty"`

	// Arguments is a JSON value; Append redacts and bounds it.
	Arguments json.RawMessage `json:"arguments,omitempty"`

	// Sent is what was sent in the place of Arguments, if that is not the same; Append treats
	// it alike.
	Sent json.RawMessage `json:"sent,omitempty"`

	// Personal says why what the entry said about a person cannot be read: [Erased], [KeyMissing]; then
	// Subject, Username and the id of a user who acted are pseudonyms. Empty: it can be read.
	Personal string `json:"personal,omitempty"`
	// Sealed is what the record says about a person, encrypted, where it cannot be read. Append
	// ignores both.
	Sealed string `json:"sealed,omitempty"`
}

// normalise makes e what may be stored: redacted, bounded, valid UTF-8.
func (e *Entry) normalise() {
	for _, f := range []*string{
		&e.Actor.ID, &e.Actor.As, (*string)(&e.Action), &e.Source, &e.RequestID, &e.Org, &e.Subject,
		&e.Client, &e.Grant, &e.Server, &e.Tool, &e.Class, (*string)(&e.Decision), &e.Rule, &e.ArgumentsDigest, &e.PolicyVersion,
	} {
		*f = bounded(*f, maxText)
	}
	e.normaliseOutcome()
	e.Arguments, e.Sent = boundedArguments(e.Arguments), boundedArguments(e.Sent)
	e.Personal, e.Sealed = "", ""
}

// normaliseOutcome does so with what a [Result] says.
func (e *Entry) normaliseOutcome() {
	for _, f := range []*string{&e.Object, (*string)(&e.Outcome), &e.Username, &e.DefinitionHash, &e.Approval, &e.Status, &e.AnswerDigest} {
		*f = bounded(*f, maxText)
	}
	e.Reason = bounded(e.Reason, maxReason)
	e.Records = boundedRecords(e.Records)
}

// bounded redacts s and cuts it to about limit bytes; what was cut is named by its
// length and digest, so that two long values can still be told apart.
func bounded(s string, limit int) string {
	if len(s) <= limit && holdsNone(s, credentialMarkers) {
		return s
	}
	whole := s
	// Redaction looks at more than is kept, so that a credential does not survive by
	// being cut in half, and at no more than that, so that its cost is bounded.
	if len(s) > 4*limit {
		s = s[:4*limit]
	}
	s = Redact(strings.ToValidUTF8(s, "\uFFFD"))
	if len(whole) <= limit && len(s) <= 2*limit {
		return s
	}
	end := min(limit, len(s))
	for end > 0 && end < len(s) && !utf8.RuneStart(s[end]) {
		end--
	}
	return fmt.Sprintf("%s… (%d bytes, sha256 %s)", s[:end], len(whole), digest([]byte(whole)))
}

func boundedArguments(v json.RawMessage) json.RawMessage {
	if len(v) == 0 {
		return nil
	}
	redacted, err := redactJSON(v)
	switch {
	case err != nil:
		return stub("malformed", v)
	case len(redacted) > maxArguments:
		return stub("too_long", v)
	}
	return redacted
}

// stub stands for arguments that are not stored themselves.
func stub(why string, v []byte) json.RawMessage {
	return fmt.Appendf(nil, `{"not_stored":%q,"bytes":%d,"sha256":%q}`, why, len(v), digest(v))
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// Visible writes control and formatting characters (C1, bidirectional overrides,
// zero width) as JSON escapes. In JSON text they can only occur inside strings.
func Visible(text []byte) []byte {
	if isVisible(text) {
		return text
	}
	var b bytes.Buffer
	for _, r := range string(text) {
		switch {
		case !acting(r):
			b.WriteRune(r)
		case r > 0xFFFF:
			hi, lo := (r-0x10000)>>10+0xD800, (r-0x10000)&0x3FF+0xDC00
			fmt.Fprintf(&b, `\u%04x\u%04x`, hi, lo)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.Bytes()
}

// isVisible reports whether text has nothing but visible characters of ASCII and spaces. It
// looks at eight bytes at a time: of each, is it less than a space, is it 0x7F, has it the
// highest bit?
func isVisible(text []byte) bool {
	const each, high = 0x0101010101010101, 0x8080808080808080
	for ; len(text) >= 8; text = text[8:] {
		word := binary.LittleEndian.Uint64(text)
		if (word|(word-each*' ')|(word+each))&high != 0 { // exact for words without a high bit, and those have one
			return false
		}
	}
	for _, c := range text {
		if c < ' ' || c >= 0x7F {
			return false
		}
	}
	return true
}

func acting(r rune) bool {
	if r < utf8.RuneSelf {
		return r < ' ' || r == 0x7F
	}
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp)
}

func decode(text []byte) (Entry, error) {
	var e Entry
	if err := json.Unmarshal(text, &e); err != nil {
		return Entry{}, fmt.Errorf("decoding audit entry: %w", err)
	}
	return e, nil
}
