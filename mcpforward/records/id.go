package records

// isID reports whether b has the form of a record id: 15 or 18 letters and digits.
func isID(b []byte) bool {
	if len(b) != 15 && len(b) != 18 {
		return false
	}
	for _, c := range b {
		if !isAlphanumeric(c) {
			return false
		}
	}
	return true
}

// checksum is the end of the long form of an id: which of its first 15 characters are
// capitals, five to a character.
func checksum(id []byte) (end [3]byte) {
	for i := range end {
		bits := 0
		for j, c := range id[5*i : 5*i+5] {
			if 'A' <= c && c <= 'Z' {
				bits |= 1 << j
			}
		}
		end[i] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"[bits]
	}
	return end
}

// long appends the long form of an id to b.
func long(b, id []byte) []byte {
	b = append(b, id...)
	if len(id) == 15 {
		end := checksum(id)
		b = append(b, end[:]...)
	}
	return b
}
