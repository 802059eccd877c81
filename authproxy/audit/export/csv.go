package export

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"sfmcp-proxy/authproxy/audit"
)

// column is a column of CSV: a member of an entry under its name.
type column struct {
	name string
	of   func(e *audit.Entry) string
}

// columns are those behind the log's name. Later versions add columns at the end.
var columns = []column{
	{"seq", func(e *audit.Entry) string { return strconv.FormatInt(e.Seq, 10) }},
	{"at", func(e *audit.Entry) string { return e.At.UTC().Format(time.RFC3339Nano) }},
	{"actor", func(e *audit.Entry) string { return e.Actor.String() }},
	{"actor_kind", func(e *audit.Entry) string { return string(e.Actor.Kind) }},
	{"actor_as", func(e *audit.Entry) string { return e.Actor.As }},
	{"action", func(e *audit.Entry) string { return string(e.Action) }},
	{"object", func(e *audit.Entry) string { return e.Object }},
	{"outcome", func(e *audit.Entry) string { return string(e.Outcome) }},
	{"source", func(e *audit.Entry) string { return e.Source }},
	{"request_id", func(e *audit.Entry) string { return e.RequestID }},
	{"org", func(e *audit.Entry) string { return e.Org }},
	{"subject", func(e *audit.Entry) string { return e.Subject }},
	{"username", func(e *audit.Entry) string { return e.Username }},
	{"client", func(e *audit.Entry) string { return e.Client }},
	{"grant", func(e *audit.Entry) string { return e.Grant }},
	{"server", func(e *audit.Entry) string { return e.Server }},
	{"tool", func(e *audit.Entry) string { return e.Tool }},
	{"class", func(e *audit.Entry) string { return e.Class }},
	{"decision", func(e *audit.Entry) string { return string(e.Decision) }},
	{"rule", func(e *audit.Entry) string { return e.Rule }},
	{"arguments_digest", func(e *audit.Entry) string { return e.ArgumentsDigest }},
	{"definition_hash", func(e *audit.Entry) string { return e.DefinitionHash }},
	{"policy_version", func(e *audit.Entry) string { return e.PolicyVersion }},
	{"approval", func(e *audit.Entry) string { return e.Approval }},
	{"status", func(e *audit.Entry) string { return e.Status }},
	{"reason", func(e *audit.Entry) string { return e.Reason }},
	{"answer_digest", func(e *audit.Entry) string { return e.AnswerDigest }},
	{"duration_ms", func(e *audit.Entry) string { return number(e.DurationMS) }},
	{"bytes", func(e *audit.Entry) string { return number(e.Bytes) }},
	{"rows", func(e *audit.Entry) string {
		if e.Rows == nil {
			return ""
		}
		return strconv.FormatInt(*e.Rows, 10)
	}},
	{"records_total", func(e *audit.Entry) string { return number(e.RecordsTotal) }},
	{"hidden", func(e *audit.Entry) string { return number(e.Hidden) }},
	{"cut", func(e *audit.Entry) string { return number(e.Cut) }},
	{"intent", func(e *audit.Entry) string { return number(e.IntentSeq) }},
	{"records", recordsText},
	{"arguments", func(e *audit.Entry) string { return string(e.Arguments) }},
	{"sent", func(e *audit.Entry) string { return string(e.Sent) }},
	{"personal", func(e *audit.Entry) string { return e.Personal }},
	{"sealed", func(e *audit.Entry) string { return e.Sealed }},
}

// number is empty for 0, which stands for nothing in an entry.
func number(n int64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatInt(n, 10)
}

func recordsText(e *audit.Entry) string {
	if len(e.Records) == 0 {
		return ""
	}
	text, err := json.Marshal(e.Records)
	if err != nil {
		panic(fmt.Sprintf("export: records that do not encode: %v", err)) // there are none
	}
	return string(text)
}

func csvHead() string {
	names := []string{"log"}
	for _, c := range columns {
		names = append(names, c.name)
	}
	return strings.Join(names, ",")
}

// csvLine writes an entry by RFC 4180, on one line whatever is in it.
func csvLine(log string, e *audit.Entry) ([]byte, error) {
	cells := make([]string, 0, len(columns)+1)
	cells = append(cells, safeCell(log))
	for _, c := range columns {
		cells = append(cells, safeCell(c.of(e)))
	}
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	if err := w.Write(cells); err != nil {
		return nil, err
	}
	w.Flush()
	return bytes.TrimRight(b.Bytes(), "\r\n"), w.Error()
}

// formulas are the characters that a spreadsheet takes for the beginning of a formula, in both
// widths.
const formulas = "=+-@|%＝＋－＠"

// safeCell is text as a cell that no spreadsheet evaluates (CWE-1236): what could begin a formula,
// also behind spaces, gets an apostrophe, which spreadsheets take for the mark of text. What
// breaks a line or acts on a terminal is written as an escape.
func safeCell(text string) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	if strings.ContainsFunc(text, acts) {
		var b strings.Builder
		for _, r := range text {
			if acts(r) {
				quoted := strconv.QuoteRuneToASCII(r)
				b.WriteString(quoted[1 : len(quoted)-1])
			} else {
				b.WriteRune(r)
			}
		}
		text = b.String()
	}
	if first, _ := utf8.DecodeRuneInString(strings.TrimLeftFunc(text, unicode.IsSpace)); strings.ContainsRune(formulas, first) {
		return "'" + text
	}
	return text
}

// acts reports whether a character does something instead of being shown.
func acts(r rune) bool {
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp)
}
