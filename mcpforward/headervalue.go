package mcpforward

import (
	"encoding/base64"
	"strings"
	"unicode/utf8"
)

const (
	encodedPrefix = "=?base64?"
	encodedSuffix = "?="
)

// headerValue reads a header that repeats a value of the body: visible ASCII, spaces
// and tabs as they are, everything else in Base64 between markers (MCP 2026-07-28,
// value encoding). It is false for what is neither.
func headerValue(s string) (string, bool) {
	encoded, marked := strings.CutPrefix(s, encodedPrefix)
	if encoded, ended := strings.CutSuffix(encoded, encodedSuffix); marked && ended {
		text, err := base64.StdEncoding.Strict().DecodeString(encoded)
		// The decoder skips line breaks; Go's server lets none into a header, other readers might.
		if err != nil || !utf8.Valid(text) || strings.ContainsAny(encoded, "\r\n") {
			return "", false
		}
		return string(text), true
	}
	for _, c := range []byte(s) {
		if c != '\t' && (c < ' ' || c > '~') {
			return "", false
		}
	}
	return s, s != ""
}
