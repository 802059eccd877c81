package preview

import (
	"bytes"
	"encoding/json"
	"math/big"
	"strings"
	"time"
)

// maxNumber bounds the text of a number that is compared by its value: above it only the same text
// is the same.
const maxNumber = 64

// Same reports whether Salesforce has in a field what a call set: the same text, or what it makes
// of it without another meaning. It stores no empty text (null), trims texts, writes numbers and
// times its own way, and gives ids their long form.
func Same(set, has json.RawMessage) bool {
	if bytes.Equal(set, has) {
		return true
	}
	if len(set) == 0 || len(has) == 0 {
		return false
	}
	a, aIsText := text(set)
	b, bIsText := text(has)
	switch {
	case isEmpty(set) || isEmpty(has):
		return isEmpty(set) && isEmpty(has)
	case aIsText && bIsText:
		return sameText(a, b)
	case aIsText != bIsText || isLiteral(set) || isLiteral(has):
		return false
	}
	return sameNumber(string(set), string(has))
}

func text(value json.RawMessage) (s string, ok bool) {
	return s, value[0] == '"' && json.Unmarshal(value, &s) == nil
}

// isEmpty: an empty text is stored as null.
func isEmpty(value json.RawMessage) bool {
	s, ok := text(value)
	return string(value) == "null" || ok && strings.TrimSpace(s) == ""
}

func isLiteral(value json.RawMessage) bool {
	return string(value) == "true" || string(value) == "false" || value[0] == '{' || value[0] == '['
}

func sameText(a, b string) bool {
	a, b = strings.TrimSpace(a), strings.TrimSpace(b)
	if a == b {
		return true
	}
	if recordID.MatchString(a) && recordID.MatchString(b) && len(a) != len(b) {
		return a[:15] == b[:15]
	}
	at, errA := moment(a)
	bt, errB := moment(b)
	return errA == nil && errB == nil && at.Equal(bt)
}

func moment(s string) (t time.Time, err error) {
	for _, form := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999-0700"} {
		if t, err = time.Parse(form, s); err == nil {
			return t, nil
		}
	}
	return t, err
}

func sameNumber(a, b string) bool {
	if len(a) > maxNumber || len(b) > maxNumber || strings.ContainsAny(a+b, "eE") { // 1e999999999 is large
		return false
	}
	x, okX := new(big.Rat).SetString(a)
	y, okY := new(big.Rat).SetString(b)
	return okX && okY && x.Cmp(y) == 0
}
