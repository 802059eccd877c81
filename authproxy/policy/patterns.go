package policy

import "strings"

// The longest pattern and the longest tool name. They bound the work of [glob].
const (
	maxPattern  = 256
	maxToolName = 128
	maxURI      = 2048
)

// glob reports whether name matches pattern, where * stands for any run of bytes
// and ? for exactly one. It compares bytes: no case folding and no Unicode
// normalisation that could widen a rule. It never tries more than one star at a
// time, so it takes at most len(pattern) × len(name) steps and no memory.
func glob(pattern, name string) bool {
	p, n := 0, 0
	star, resume := -1, 0 // last * seen, and where in name it stops matching
	for n < len(name) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, resume = p, n
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == name[n]):
			p++
			n++
		case star >= 0: // let the last star take one byte more
			resume++
			p, n = star+1, resume
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}

// globFold is glob without regard to ASCII case, for names of objects and fields,
// which Salesforce does not distinguish by case.
func globFold(pattern, name string) bool {
	if strings.IndexByte(pattern, '*') < 0 && strings.IndexByte(pattern, '?') < 0 {
		return strings.EqualFold(pattern, name)
	}
	return glob(strings.ToLower(pattern), strings.ToLower(name))
}

// globUnqualified is globFold that also matches without namespaces: in a packaging org
// ns__Secret__c and Secret__c are the same object. For denials only.
func globUnqualified(pattern, name string) bool {
	return globFold(pattern, name) || globFold(unqualified(pattern), unqualified(name))
}

// apiName is an API name, also without its namespace.
type apiName struct{ full, unqualified string }

func nameOf(name string) apiName { return apiName{name, unqualified(name)} }

// pattern is a pattern for API names, taken apart so that a rule which denies costs little
// where it does not match.
type pattern struct {
	apiName
	wild bool // has * or ?
}

func patternsOf(texts []string) []pattern {
	all := make([]pattern, len(texts))
	for i, text := range texts {
		all[i] = pattern{nameOf(text), strings.ContainsAny(text, "*?")}
	}
	return all
}

// denies is globUnqualified.
func (p pattern) denies(name apiName) bool {
	if p.wild {
		return globUnqualified(p.full, name.full)
	}
	return strings.EqualFold(p.full, name.full) || strings.EqualFold(p.unqualified, name.unqualified)
}

// unqualified returns an API name without its namespace.
func unqualified(name string) string {
	namespace, rest, ok := strings.Cut(name, "__")
	if ok && namespace != "" && strings.Contains(rest, "__") {
		return rest
	}
	return name
}

// anyGlobFold reports whether one of the patterns matches name.
func anyGlobFold(patterns []string, name string) bool {
	for _, pattern := range patterns {
		if globFold(pattern, name) {
			return true
		}
	}
	return false
}

const (
	promptPrefix   = "prompt:"
	resourcePrefix = "resource:"
)

// otherKind returns the prefix of a name that is not a tool's: prompt or resource.
func otherKind(name string) string {
	for _, prefix := range []string{promptPrefix, resourcePrefix} {
		if strings.HasPrefix(name, prefix) {
			return prefix
		}
	}
	return ""
}

// validName reports whether name can be a tool, prompt or resource. Tool names
// outside the recommended ASCII set of MCP (letters, digits, _ - . and 128 bytes)
// are refused rather than normalised: what looks alike must not match alike.
func validName(name string) bool {
	if uri, ok := strings.CutPrefix(name, resourcePrefix); ok {
		return uri != "" && len(uri) <= maxURI && everyByte(uri, func(c byte) bool { return c > ' ' && c < 0x7f })
	}
	name = strings.TrimPrefix(name, promptPrefix)
	return name != "" && len(name) <= maxToolName && everyByte(name, func(c byte) bool {
		return isWordByte(c) || c == '-' || c == '.'
	})
}

// validObject reports whether name has the form of an sObject's or a field's API
// name: ^[A-Za-z][A-Za-z0-9_]*$, so that it can never be read as a path.
func validObject(name string) bool {
	return name != "" && len(name) <= 255 && isLetter(name[0]) && everyByte(name, isWordByte)
}

// validID reports whether id has the form of a Salesforce record id.
func validID(id string) bool {
	return (len(id) == 15 || len(id) == 18) &&
		everyByte(id, func(c byte) bool { return isLetter(c) || isDigit(c) })
}

// sameID compares two record ids in either length; the last three characters of
// the long form only repeat the case of the first fifteen.
func sameID(a, b string) bool {
	return validID(a) && validID(b) && a[:15] == b[:15]
}

func everyByte(s string, ok func(byte) bool) bool {
	for i := range len(s) {
		if !ok(s[i]) {
			return false
		}
	}
	return true
}

func isLetter(c byte) bool   { return 'a' <= c|0x20 && c|0x20 <= 'z' }
func isDigit(c byte) bool    { return '0' <= c && c <= '9' }
func isWordByte(c byte) bool { return isLetter(c) || isDigit(c) || c == '_' }
