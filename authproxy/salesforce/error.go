package salesforce

import (
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"time"
)

// Kind says what can be done about an [Error].
type Kind string

const (
	// Dead: the code or refresh token is gone for good; the person must sign in again.
	Dead Kind = "dead"
	// Transient: network, 5xx, 429; the same request may succeed later.
	Transient Kind = "transient"
	// Misconfigured: nobody can sign in until a setting changes; see Error.Hint.
	Misconfigured Kind = "misconfigured"
	// Refused: an answer arrived and did not pass verification; nothing of it is used.
	Refused Kind = "refused"
)

// Error is why a request to Salesforce's login host gave nothing to work with. Its
// text holds no secret: codes and descriptions of Salesforce pass [plainText], so
// that a token echoed by a hostile or helpful host does not reach a log.
type Error struct {
	Kind Kind
	// Code is Salesforce's error code (RFC 6749 section 5.2), or one of ours for what
	// never reached it or was not believed: see codes.go.
	Code string
	// Description is Salesforce's error_description, shortened and cleaned, or ours.
	Description string
	// Hint tells the operator which Setup page and setting to look at; may be empty.
	Hint string
	// Status of the HTTP answer, 0 if none arrived.
	Status int
	// Lost says that the request was sent and may have been carried out, but its
	// answer did not arrive whole. A rotating refresh token may be spent.
	Lost bool
	// RetryAfter is what the answer's Retry-After header asked for, at most
	// [MaxRetryAfter]; 0 if absent.
	RetryAfter time.Duration
	// Received is set by Refresh when an answer's access token was not accepted but a
	// new refresh token came with it. After Refused it must be revoked. After
	// Transient (keys unavailable) it replaces the spent one. Its AccessToken is empty.
	Received *Token

	cause error
}

// MaxRetryAfter bounds how long a Retry-After header can keep us away.
const MaxRetryAfter = 5 * time.Minute

// Error gives kind, code, description and status, never a token.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "salesforce: %s: %s", e.Kind, e.Code)
	if e.Description != "" {
		fmt.Fprintf(&b, " (%s)", e.Description)
	}
	if e.Status != 0 {
		fmt.Fprintf(&b, ", HTTP %d", e.Status)
	}
	if e.Lost {
		b.WriteString(", answer lost")
	}
	return b.String()
}

// Unwrap gives the network or context error behind, if there is one.
func (e *Error) Unwrap() error { return e.cause }

// LogValue logs what [Error.Error] says, and the hint.
func (e *Error) LogValue() slog.Value {
	return slog.GroupValue(slog.String("error", e.Error()), slog.String("hint", e.Hint))
}

var (
	// No digits: every code of Salesforce does without, hardly a token does.
	errorCode = regexp.MustCompile(`^[A-Za-z_]{1,40}$`)
	textRunes = regexp.MustCompile(`[^A-Za-z0-9 '/_.,:()-]+`)
	longWord  = regexp.MustCompile(`[A-Za-z0-9_./:-]{25,}`)
)

func plainCode(code string) string {
	if !errorCode.MatchString(code) {
		return "unknown"
	}
	return code
}

// plainText keeps what a person can read of foreign text: no markup, nothing as long
// as a token, at most 120 characters.
func plainText(s string) string {
	if len(s) > 1000 {
		s = s[:1000]
	}
	s = longWord.ReplaceAllString(textRunes.ReplaceAllString(s, " "), "…")
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > 120 {
		s = string(r[:120])
	}
	return s
}

// asError makes an [*Error] of what came back from the OAuth library or an
// [http.Client]. What is not one already, the library found missing in a whole answer.
func asError(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	e := NewError(malformedAnswer, "answer holds no access token")
	e.cause = err
	return e
}
