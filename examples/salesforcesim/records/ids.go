package records

import "strings"

// checksumAlphabet maps five bits to one character of the three-character suffix of an
// 18-character id.
const checksumAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"

const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// RecordID returns the 18-character id of the n-th record of the object with this
// three-character key prefix. It is the same in every run, so that tests and
// walk-throughs can name records.
func RecordID(prefix string, n int) string {
	id := []byte(prefix + "Hs0000000000")
	for i := len(id) - 1; n > 0 && i >= 6; i-- {
		id[i] = base62[n%62]
		n /= 62
	}
	return string(id) + idSuffix(string(id))
}

// ValidID says whether id is an 18-character Salesforce id of the key prefix, with the
// right checksum.
func ValidID(id, prefix string) bool {
	return len(id) == 18 && strings.HasPrefix(id, prefix) && id == id[:15]+idSuffix(id[:15])
}

// idSuffix is the three characters that make an 18-character id of one of 15. They
// encode which of the first 15 are upper-case letters, five to a character, so that ids
// differ even where case is lost.
func idSuffix(id15 string) string {
	var suffix strings.Builder
	for chunk := 0; chunk < 15; chunk += 5 {
		bits := 0
		for i := range 5 {
			if c := id15[chunk+i]; 'A' <= c && c <= 'Z' {
				bits |= 1 << i
			}
		}
		suffix.WriteByte(checksumAlphabet[bits])
	}
	return suffix.String()
}

// NormalizeID returns the 18-character form of an id of 15 or 18 characters. The case
// of an 18-character id is restored from its suffix; false means that the text is no
// id.
func NormalizeID(id string) (string, bool) {
	for _, c := range []byte(id) {
		if strings.IndexByte(base62, c) < 0 {
			return "", false
		}
	}
	switch len(id) {
	case 15:
		return id + idSuffix(id), true
	case 18:
		return restoreCase(id)
	}
	return "", false
}

// restoreCase rewrites the first 15 characters of an id as its suffix says. A suffix
// that marks a digit as a capital is wrong.
func restoreCase(id string) (string, bool) {
	lower, suffix := strings.ToLower(id[:15]), strings.ToUpper(id[15:])
	out := []byte(lower)
	for i, c := range out {
		bits := strings.IndexByte(checksumAlphabet, suffix[i/5])
		if bits < 0 {
			return "", false
		}
		if bits&(1<<(i%5)) == 0 {
			continue
		}
		if c < 'a' || c > 'z' {
			return "", false
		}
		out[i] = c - 'a' + 'A'
	}
	return string(out) + suffix, true
}
