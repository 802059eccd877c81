package records

import (
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"
)

type tokenKind int

const (
	tokenEnd tokenKind = iota
	tokenWord
	tokenString // text holds what stands between the quotes, escapes not yet resolved
	tokenNumber
	tokenDate
	tokenDateTime
	tokenAmount // a number with its currency before it: EUR5000
	tokenSymbol
)

// queryToken is one word, literal or symbol of a query, with its place in the text in bytes.
type queryToken struct {
	kind tokenKind
	text string
	at   int
}

// is reports whether the token is this keyword or symbol.
func (t queryToken) is(text string) bool {
	return (t.kind == tokenWord || t.kind == tokenSymbol) && strings.EqualFold(t.text, text)
}

// maxQuery is the longest SOQL statement that Salesforce takes, in characters.
const maxQuery = 100_000

var (
	wordPattern     = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]*`)
	dateTimePattern = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:?\d{2})`)
	datePattern     = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}`)
	numberPattern   = regexp.MustCompile(`^[+-]?(\d+(\.\d*)?|\.\d+)`)
	symbolPattern   = regexp.MustCompile(`^(!=|<>|<=|>=|[=<>(),.:])`)
)

var literalPatterns = []struct {
	kind    tokenKind
	pattern *regexp.Regexp
}{
	{tokenWord, wordPattern}, {tokenDateTime, dateTimePattern}, {tokenDate, datePattern},
	{tokenNumber, numberPattern}, {tokenSymbol, symbolPattern},
}

// lexQuery splits a query into tokens, from the byte offset start on. The last token is
// always tokenEnd.
func lexQuery(text string, start int) ([]queryToken, *Error) {
	if len(text) > maxQuery {
		return nil, Refuse("MALFORMED_QUERY", "query is longer than %d characters", maxQuery)
	}
	var out []queryToken
	for at := start; ; {
		at += len(text[at:]) - len(strings.TrimLeft(text[at:], " \t\r\n"))
		if at == len(text) {
			return append(out, queryToken{tokenEnd, "<EOF>", at}), nil
		}
		t, width, refused := lexOne(text, at)
		if refused != nil {
			return nil, refused
		}
		out = append(out, t)
		at += width
	}
}

// lexOne reads the token at a place and returns how many bytes it takes.
func lexOne(text string, at int) (queryToken, int, *Error) {
	rest := text[at:]
	if rest[0] == '\'' {
		return lexString(text, at)
	}
	for _, l := range literalPatterns {
		if m := l.pattern.FindString(rest); m != "" {
			return queryToken{l.kind, m, at}, len(m), nil
		}
	}
	r, _ := utf8.DecodeRuneInString(rest)
	return queryToken{}, 0, refuseAt("MALFORMED_QUERY", text, at, fmt.Sprintf("unexpected token: '%c'", r))
}

// lexString reads a quoted string and checks its escapes.
func lexString(text string, at int) (queryToken, int, *Error) {
	for i := at + 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
			if i == len(text) || !strings.ContainsRune(`nNrRtTbBfF"'\_%`, rune(text[i])) {
				return queryToken{}, 0, refuseAt("MALFORMED_QUERY", text, i-1, "Illegal character sequence in string literal")
			}
		case '\'':
			return queryToken{tokenString, text[at+1 : i], at}, i + 1 - at, nil
		}
	}
	return queryToken{}, 0, refuseAt("MALFORMED_QUERY", text, at, "string literal is not closed")
}

// unescape resolves the escapes of a string literal.
func unescape(raw string) string {
	var b strings.Builder
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' {
			b.WriteByte(raw[i])
			continue
		}
		i++
		b.WriteByte(escaped(raw[i]))
	}
	return b.String()
}

func escaped(c byte) byte {
	switch c {
	case 'n', 'N':
		return '\n'
	case 'r', 'R':
		return '\r'
	case 't', 'T':
		return '\t'
	case 'b', 'B':
		return '\b'
	case 'f', 'F':
		return '\f'
	}
	return c
}

// likePattern turns the raw literal of a LIKE into a pattern: % is any text, _ any
// character, both literal after a backslash.
func likePattern(raw string) *regexp.Regexp {
	var b strings.Builder
	b.WriteString(`(?is)^`)
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; c {
		case '%':
			b.WriteString(`.*`)
		case '_':
			b.WriteString(`.`)
		case '\\':
			i++
			b.WriteString(regexp.QuoteMeta(string(rune(escaped(raw[i])))))
		default:
			_, width := utf8.DecodeRuneInString(raw[i:])
			b.WriteString(regexp.QuoteMeta(strings.ToValidUTF8(raw[i:i+width], "\uFFFD")))
			i += width - 1
		}
	}
	b.WriteString(`$`)
	return regexp.MustCompile(b.String())
}

// refuseAt is an error of a query as Salesforce shows it: the line, a caret below the
// place, row and column, and the cause. Rows and columns count from 1, columns in
// characters.
func refuseAt(code, text string, at int, cause string) *Error {
	lineStart := strings.LastIndexByte(text[:at], '\n') + 1
	line, _, _ := strings.Cut(text[lineStart:], "\n")
	row := strings.Count(text[:at], "\n") + 1
	column := utf8.RuneCountInString(text[lineStart:at]) + 1
	return Refuse(code, "\n%s\n%s^\nERROR at Row:%d:Column:%d\n%s", line, strings.Repeat(" ", column-1), row, column, cause)
}

// parseDateTime reads a date and time in one of the forms that Salesforce takes.
func parseDateTime(text string) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339Nano, dateTimeLayout, "2006-01-02T15:04:05-0700"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}
