package audit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"
)

// The stored form of an entry is JSON on one line, members in the order of the struct,
// every character that a terminal or a log collector could act on written as an escape.
// It is what encoding/json makes of the struct, with the members actor_kind and actor_as
// besides, written by hand because two entries a call are made of it. It is made in two parts: who appends encodes all but number and time,
// and whoever commits puts those in front.

// encodeHead is the first part.
func encodeHead(b []byte, seq int64, at time.Time) []byte {
	b = strconv.AppendInt(append(b, `{"seq":`...), seq, 10)
	return append(at.AppendFormat(append(b, `,"at":"`...), time.RFC3339Nano), '"')
}

// encodeTail is the second part, of a normalised entry.
func encodeTail(e *Entry) []byte {
	w := waiting{entry: *e}
	w.encode(nil)
	return w.tail
}

// encodeBegin writes the members up to those of [encodeSame].
func encodeBegin(b []byte, e *Entry) []byte {
	return appendTexts(b, []member{
		{"actor", e.Actor.String(), true}, {"actor_kind", string(e.Actor.Kind), false}, {"actor_as", e.Actor.As, false},
		{"action", string(e.Action), true}, {"object", e.Object, false}, {"outcome", string(e.Outcome), true}, {"source", e.Source, false},
	})
}

// encodeSame writes the members that an outcome has as its intent has them.
func encodeSame(b []byte, e *Entry) []byte {
	return appendTexts(b, []member{
		{"request_id", e.RequestID, false}, {"org", e.Org, false}, {"subject", e.Subject, false}, {"username", e.Username, false},
		{"client", e.Client, false}, {"grant", e.Grant, false}, {"server", e.Server, false}, {"tool", e.Tool, false}, {"class", e.Class, false},
		{"decision", string(e.Decision), false}, {"rule", e.Rule, false},
	})
}

// encodeRest writes the members behind those of [encodeSame].
func encodeRest(b []byte, e *Entry) []byte {
	b = appendTexts(b, []member{
		{"arguments_digest", e.ArgumentsDigest, false},
		{"definition_hash", e.DefinitionHash, false}, {"policy_version", e.PolicyVersion, false}, {"approval", e.Approval, false},
		{"status", e.Status, false}, {"reason", e.Reason, false}, {"answer_digest", e.AnswerDigest, false},
	})
	b = appendNumber(b, "duration_ms", e.DurationMS)
	b = appendNumber(b, "bytes", e.Bytes)
	if e.Rows != nil {
		b = strconv.AppendInt(append(b, `,"rows":`...), *e.Rows, 10)
	}
	b = appendNumber(b, "records_total", e.RecordsTotal)
	b = appendNumber(b, "hidden", e.Hidden)
	b = appendNumber(b, "cut", e.Cut)
	b = appendNumber(b, "intent", e.IntentSeq)
	b = appendRecords(b, e.Records)
	if len(e.Arguments) > 0 {
		b = append(append(b, `,"arguments":`...), e.Arguments...)
	}
	if len(e.Sent) > 0 {
		b = append(append(b, `,"sent":`...), e.Sent...)
	}
	b = appendTexts(b, []member{{"personal", e.Personal, false}, {"sealed", e.Sealed, false}})
	return append(b, '}')
}

// MarshalJSON is the stored form.
func (e Entry) MarshalJSON() ([]byte, error) {
	return append(encodeHead(nil, e.Seq, e.At), encodeTail(&e)...), nil
}

// member is a member whose value is a text.
type member struct {
	name, value string
	always      bool // also if it is empty
}

func appendTexts(b []byte, all []member) []byte {
	for _, m := range all {
		if m.always || m.value != "" {
			b = append(append(append(b, `,"`...), m.name...), `":`...)
			b = appendString(b, m.value)
		}
	}
	return b
}

// appendNumber writes a member that is left out if it is 0.
func appendNumber(b []byte, name string, n int64) []byte {
	if n == 0 {
		return b
	}
	b = append(append(append(b, `,"`...), name...), `":`...)
	return strconv.AppendInt(b, n, 10)
}

// appendString writes s as encoding/json does without escaping for HTML.
func appendString(b []byte, s string) []byte {
	if plain(s) {
		return append(append(append(b, '"'), s...), '"')
	}
	var quoted bytes.Buffer
	enc := json.NewEncoder(&quoted)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		panic(fmt.Sprintf("audit: a string that does not encode: %v", err)) // there is none
	}
	return append(b, bytes.TrimSuffix(quoted.Bytes(), []byte("\n"))...)
}

// plain reports whether s needs no escape.
func plain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= utf8.RuneSelf || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}
