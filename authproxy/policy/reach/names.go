package reach

import "strings"

// The longest names.
const (
	maxToolName = 128
	maxURI      = 2048
)

// How prompts and resources are named where tools are: "prompt:NAME", "resource:URI".
const (
	PromptPrefix   = "prompt:"
	ResourcePrefix = "resource:"
)

// OtherKind returns the prefix of a name that is not a tool's: prompt or resource.
func OtherKind(name string) string {
	for _, prefix := range []string{PromptPrefix, ResourcePrefix} {
		if strings.HasPrefix(name, prefix) {
			return prefix
		}
	}
	return ""
}

// ValidName reports whether name can be a tool, prompt or resource. Tool names
// outside the recommended ASCII set of MCP (letters, digits, _ - . and 128 bytes)
// are refused rather than normalised: what looks alike must not match alike.
func ValidName(name string) bool {
	if uri, ok := strings.CutPrefix(name, ResourcePrefix); ok {
		return uri != "" && len(uri) <= maxURI && everyByte(uri, func(c byte) bool { return c > ' ' && c < 0x7f })
	}
	name = strings.TrimPrefix(name, PromptPrefix)
	return name != "" && len(name) <= maxToolName && everyByte(name, func(c byte) bool {
		return isWordByte(c) || c == '-' || c == '.'
	})
}

// ValidObject reports whether name has the form of an sObject's or a field's API
// name: ^[A-Za-z][A-Za-z0-9_]*$, so that it can never be read as a path.
func ValidObject(name string) bool {
	return name != "" && len(name) <= 255 && isLetter(name[0]) && everyByte(name, isWordByte)
}

// ValidID reports whether id has the form of a Salesforce record id.
func ValidID(id string) bool {
	return (len(id) == 15 || len(id) == 18) &&
		everyByte(id, func(c byte) bool { return isLetter(c) || isDigit(c) })
}

// SameID compares two record ids in either length; the last three characters of
// the long form only repeat the case of the first fifteen.
func SameID(a, b string) bool {
	return ValidID(a) && ValidID(b) && a[:15] == b[:15]
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
