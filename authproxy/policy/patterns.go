package policy

import (
	"strings"

	"sfmcp-proxy/authproxy/policy/reach"
)

// maxPattern is the longest pattern, in bytes. It bounds the work of [reach.Glob].
const maxPattern = 256

// globFold is glob without regard to ASCII case, for names of objects and fields,
// which Salesforce does not distinguish by case.
func globFold(pattern, name string) bool {
	if strings.IndexByte(pattern, '*') < 0 && strings.IndexByte(pattern, '?') < 0 {
		return strings.EqualFold(pattern, name)
	}
	return reach.Glob(strings.ToLower(pattern), strings.ToLower(name))
}

// like is a pattern for API names, in lower case, taken apart so that it costs little where
// it does not match.
type like struct {
	full, unqualified string
	wild              bool   // has * or ?
	prefix, suffix    string // of full, before the first and after the last * or ?
	literal           []byte // the longest part of unqualified without * and ?, which every match has
}

func newLike(pattern string) like {
	pattern = strings.ToLower(pattern)
	l := like{full: pattern, unqualified: reach.Unqualified(pattern), wild: isPattern(pattern)}
	if l.wild {
		l.prefix = pattern[:strings.IndexAny(pattern, "*?")]
		l.suffix = pattern[strings.LastIndexAny(pattern, "*?")+1:]
	}
	for part := range strings.FieldsFuncSeq(l.unqualified, func(r rune) bool { return r == '*' || r == '?' }) {
		if len(part) > len(l.literal) {
			l.literal = []byte(part)
		}
	}
	return l
}

// every reports whether the pattern matches every name.
func (l like) every() bool { return l.full == "*" }

// matchesExactly reports whether a name in lower case matches as it is.
func (l like) matchesExactly(name []byte) bool {
	if !l.wild {
		return l.full == string(name)
	}
	if len(name) < len(l.prefix)+len(l.suffix) || string(name[:len(l.prefix)]) != l.prefix || string(name[len(name)-len(l.suffix):]) != l.suffix {
		return false
	}
	return reach.Glob(l.full, name)
}

// matches reports whether a name in lower case matches, also without namespaces. For denials
// only.
func (l like) matches(name []byte) bool {
	if l.matchesExactly(name) {
		return true
	}
	plain := reach.Unqualified(name)
	if !l.wild {
		return l.unqualified == string(plain)
	}
	return (len(plain) != len(name) || l.unqualified != l.full) && reach.Glob(l.unqualified, plain)
}

// Denies reports whether the pattern of a rule that denies, for objects, speaks of one: also
// without namespaces, for in a packaging org ns__Secret__c and Secret__c are the same object.
func Denies(pattern, object string) bool { return newLike(pattern).matches(reach.Lower(nil, object)) }

func everyByte(s string, ok func(byte) bool) bool {
	for i := range len(s) {
		if !ok(s[i]) {
			return false
		}
	}
	return true
}
