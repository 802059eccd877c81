package audit

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// Expressions are slow, and next to nothing that is recorded holds a credential. So a
// text is first searched for the markers without which none of the expressions matches; only
// a text with one is given to them. Each expression has its markers here, in lower case,
// because some ignore case; a marker too many costs time, one too few is a leak, which
// FuzzRedactIsTheSameAsItsExpressions looks for.
var (
	credentialMarkers = markersOf("sfa_", "sfr_", "sfc_", "sft_", "bearer", "authorization", "00d", "eyj", "5aep861", "aprx",
		"access_token", "refresh_token", "client_secret", "password", "passwd", "assertion", "code_verifier")
	secretNameMarkers = markersOf("passw", "secret", "token", "api", "authorization", "credential", "private")
)

// markers are texts of at least two characters: by the first, in both cases, and as a set
// of their first two. Most pairs of characters begin none of them.
type markers struct {
	texts [utf8.RuneSelf][]string
	pairs [utf8.RuneSelf][2]uint64
}

func markersOf(texts ...string) *markers {
	var s markers
	for _, text := range texts {
		for _, first := range bothCases(text[0]) {
			s.texts[first] = append(s.texts[first], text)
			for _, second := range bothCases(text[1]) {
				s.pairs[first][second>>6] |= 1 << (second & 63)
			}
		}
	}
	return &s
}

// bothCases returns c, and the capital if c is a small letter.
func bothCases(c byte) []byte {
	if 'a' <= c && c <= 'z' {
		return []byte{c, c &^ 0x20}
	}
	return []byte{c}
}

// holdsNone reports whether s has none of the markers, in any case. A text that is not
// ASCII is not judged: there are letters beyond it that count as some of these.
func holdsNone[T string | []byte](s T, of *markers) bool {
	for i := range len(s) - 1 {
		first, second := s[i], s[i+1]
		if first|second >= utf8.RuneSelf {
			return false
		}
		if of.pairs[first][second>>6]>>(second&63)&1 == 0 {
			continue
		}
		for _, marker := range of.texts[first] {
			if beginsWith(s[i:], marker) {
				return false
			}
		}
	}
	return len(s) != 1 || s[0] < utf8.RuneSelf
}

// beginsWith compares the case of letters away; marker is in lower case.
func beginsWith[T string | []byte](s T, marker string) bool {
	if len(s) < len(marker) {
		return false
	}
	for i := range len(marker) {
		c := s[i]
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		if c != marker[i] {
			return false
		}
	}
	return true
}

// unmarkedJSON returns what redactJSON would, for a value without a marker of a credential, no
// escape that could hide one, and no chance to be too deep.
func unmarkedJSON(v []byte) (redacted json.RawMessage, ok bool) {
	if bytes.IndexByte(v, '\\') >= 0 || bytes.Count(v, []byte{'{'})+bytes.Count(v, []byte{'['}) >= maxDepth ||
		!holdsNone(v, credentialMarkers) || !holdsNone(v, secretNameMarkers) {
		return nil, false
	}
	redacted, err := jsontext.AppendFormat(make([]byte, 0, len(v)), v)
	return redacted, err == nil
}
