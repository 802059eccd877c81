package policy

// Patterns with * or ? within a name are found by a part that every match has, so that the cost
// of a call does not grow with the number of patterns times what the call reaches.

// likes are such patterns, in an index by three letters of their longest literal part.
type likes struct {
	rules []likeRule
	short []int // of rules, whose literal part is too short to be found by
	table [][]anchor
}

// anchor says of a pattern where in its literal part the three letters stand by which it is
// found.
type anchor struct {
	rule    int // of likes.rules
	offset  int
	literal []byte
}

// tableSize is a power of two: three letters are one of so many.
const tableSize = 1 << 12

func place(a, b, c byte) int {
	return int((uint32(a)*0x9e5f + uint32(b)*0x0125 + uint32(c)) & (tableSize - 1))
}

// add takes in a pattern, that is found by the literal part of one of its two names.
func (x *likes) add(r likeRule, literal []byte) {
	x.rules = append(x.rules, r)
	number := len(x.rules) - 1
	if len(literal) < 3 {
		x.short = append(x.short, number)
		return
	}
	if x.table == nil {
		x.table = make([][]anchor, tableSize)
	}
	at, fewest := 0, -1 // the letters by which the fewest others are found
	for i := 0; i+2 < len(literal); i++ {
		if n := len(x.table[place(literal[i], literal[i+1], literal[i+2])]); fewest < 0 || n < fewest {
			at, fewest = i, n
		}
	}
	in := place(literal[at], literal[at+1], literal[at+2])
	x.table[in] = append(x.table[in], anchor{number, at, literal})
}

// in calls found with each pattern whose literal part stands in a text, maybe several times.
func (x *likes) in(text []byte, found func(*likeRule)) {
	for _, number := range x.short {
		found(&x.rules[number])
	}
	if x.table == nil {
		return
	}
	for i := 0; i+2 < len(text); i++ {
		for _, a := range x.table[place(text[i], text[i+1], text[i+2])] {
			begin := i - a.offset
			if end := begin + len(a.literal); begin >= 0 && end <= len(text) && string(text[begin:end]) == string(a.literal) {
				found(&x.rules[a.rule])
			}
		}
	}
}
