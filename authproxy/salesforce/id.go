package salesforce

import (
	"fmt"
	"strings"
)

// idSuffixAlphabet encodes five case bits as one character of the suffix.
const idSuffixAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"

// NormalizeID returns the 18-character form of a Salesforce id. The 15-character form
// is case-sensitive; the 18-character form appends a checksum of the cases, three
// characters of five bits each. An 18-character id whose checksum is wrong is refused.
func NormalizeID(id string) (string, error) {
	if len(id) != 15 && len(id) != 18 {
		return "", fmt.Errorf("salesforce id has %d characters, expected 15 or 18", len(id))
	}
	for _, c := range []byte(id) {
		if !isAlphanumeric(c) {
			return "", fmt.Errorf("salesforce id has a character that is no ASCII letter or digit")
		}
	}
	full := id[:15] + idSuffix(id[:15])
	if len(id) == 18 && id != full {
		return "", fmt.Errorf("salesforce id has a wrong checksum: its letters' case or its last three characters are not as Salesforce wrote them")
	}
	return full, nil
}

// ParseUserID is [NormalizeID] for the id of a user: one of another object is refused, so that
// a slip of the pen names nobody instead of somebody who does not exist.
func ParseUserID(id string) (string, error) {
	full, err := NormalizeID(id)
	if err != nil {
		return "", err
	}
	if !strings.HasPrefix(full, userPrefix) {
		return "", fmt.Errorf("salesforce id is of something else: ids of users begin with %s", userPrefix)
	}
	return full, nil
}

// userPrefix is what the ids of users begin with in every org.
const userPrefix = "005"

func idSuffix(id string) string {
	var suffix strings.Builder
	for block := 0; block < len(id); block += 5 {
		bits := 0
		for i := range 5 {
			if c := id[block+i]; 'A' <= c && c <= 'Z' {
				bits |= 1 << i
			}
		}
		suffix.WriteByte(idSuffixAlphabet[bits])
	}
	return suffix.String()
}

func isAlphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}
