package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"

	"github.com/go-json-experiment/json/jsontext"
)

const (
	redacted = "[redacted]"
	maxDepth = 100 // of arguments that are stored; no message of a client is deeper
)

// credentials finds what must never be stored: our own tokens and codes, Salesforce
// session ids, refresh tokens and authorization codes, JWTs, and whatever follows
// an authorization scheme. The first group, where there is one, is kept.
var credentials = []*regexp.Regexp{
	regexp.MustCompile(`\b(sf[arct]_)[A-Za-z0-9_-]{4,}`),
	regexp.MustCompile(`(?i)\b(bearer[\s:]+)[A-Za-z0-9._~+/=!-]{6,}`),
	regexp.MustCompile(`(?i)\b(authorization["']?\s*[:=]\s*["']?(?:basic|digest)\s+)[^\s"']+`),
	regexp.MustCompile(`\b(00D)[A-Za-z0-9]{12,15}(?:!|%21)[A-Za-z0-9._%-]+`),
	regexp.MustCompile(`\b(eyJ)[A-Za-z0-9_-]{4,}(?:\.[A-Za-z0-9_-]*)+`),
	regexp.MustCompile(`\b(5Aep861)[A-Za-z0-9._%=-]+`),
	regexp.MustCompile(`\b(aPrx)[A-Za-z0-9._%=-]{8,}`),
	regexp.MustCompile(`(?i)\b((?:access_token|refresh_token|client_secret|password|passwd|assertion|code_verifier)["']?\s*[=:]\s*["']?)[^\s"'&,;]+`),
}

// secretName matches members whose value is a credential by its name.
var secretName = regexp.MustCompile(`(?i)passw(or)?d|secret|token|api[-_]?key|authorization|credential|private[-_]?key`)

// Redact replaces everything in s that looks like a credential.
func Redact(s string) string {
	if holdsNone(s, credentialMarkers) {
		return s
	}
	for _, re := range credentials {
		s = re.ReplaceAllString(s, "${1}"+redacted)
	}
	return s
}

// redactJSON returns a JSON value without white space and without what looks like a
// credential.
func redactJSON(v []byte) (json.RawMessage, error) {
	if redacted, ok := unmarkedJSON(v); ok {
		return redacted, nil
	}
	return redactTokens(v)
}

// redactTokens copies a JSON value token by token, with strings and member names
// redacted and the values of members with a telling name replaced. Numbers stay as
// they are written.
func redactTokens(v []byte) (json.RawMessage, error) {
	var out bytes.Buffer
	dec := jsontext.NewDecoder(bytes.NewReader(v))
	// Two names may become equal by redaction; the entry is a record, not a message.
	enc := jsontext.NewEncoder(&out, jsontext.AllowDuplicateNames(true))
	secret := 0 // depth at which a member with a telling name was met
	for {
		name := isName(dec)
		tok, err := dec.ReadToken()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("reading arguments: %w", err)
		}
		switch {
		case dec.StackDepth() > maxDepth:
			return nil, errors.New("reading arguments: nested too deeply")
		case name:
			if secret == 0 && secretName.MatchString(tok.String()) {
				secret = dec.StackDepth()
			}
			tok = jsontext.String(Redact(tok.String()))
		case secret > 0 && isScalar(tok):
			tok = jsontext.String(redacted)
		case tok.Kind() == '"':
			tok = jsontext.String(Redact(tok.String()))
		}
		if err := enc.WriteToken(tok); err != nil {
			return nil, fmt.Errorf("writing arguments: %w", err)
		}
		// The value of the telling member ends when its depth is reached again.
		if !name && secret > 0 && dec.StackDepth() <= secret {
			secret = 0
		}
	}
	redacted := jsontext.Value(bytes.TrimSpace(out.Bytes()))
	if !redacted.IsValid(jsontext.AllowDuplicateNames(true)) { // nothing, or more than one value
		return nil, errors.New("reading arguments: not one JSON value")
	}
	return json.RawMessage(redacted), nil
}

// isName reports whether the next token of dec is the name of a member.
func isName(dec *jsontext.Decoder) bool {
	kind, length := dec.StackIndex(dec.StackDepth())
	return kind == '{' && length%2 == 0 && dec.PeekKind() == '"'
}

func isScalar(tok jsontext.Token) bool {
	switch tok.Kind() {
	case '"', '0', 't', 'f':
		return true
	}
	return false
}
