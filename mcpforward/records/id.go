package records

import "encoding/binary"

// isID reports whether b has the form of a record id: 15 or 18 letters and digits.
func isID(b []byte) bool {
	if len(b) != 15 && len(b) != 18 {
		return false
	}
	// Eight bytes at a time, the last of them once more.
	return areAlphanumeric(binary.LittleEndian.Uint64(b)) && areAlphanumeric(binary.LittleEndian.Uint64(b[7:])) &&
		areAlphanumeric(binary.LittleEndian.Uint64(b[len(b)-8:]))
}

// areAlphanumeric reports whether eight bytes are letters and digits (of ASCII), all of them.
func areAlphanumeric(word uint64) bool {
	const each, high = 0x0101010101010101, 0x8080808080808080
	// Of bytes below 0x80, which no sum makes run over into the next, the high bit says from
	// which character on they are.
	from := func(word uint64, c byte) uint64 { return word + each*uint64(0x80-c) }
	lower := word | 0x20*each
	letters := from(lower, 'a') &^ from(lower, 'z'+1)
	digits := from(word, '0') &^ from(word, '9'+1)
	return word&high == 0 && (letters|digits)&high == high
}

// distinction is what tells most ids apart: the end of their first 15 characters.
func distinction(id []byte) uint64 { return binary.LittleEndian.Uint64(id[7:]) }

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
