package reach

// Names are matched here, for the rules, for what is hidden in answers and for what a call
// reaches: what two places decided would differ one day.

// Glob reports whether name matches pattern, where * stands for any run of bytes
// and ? for exactly one. It compares bytes: no case folding and no Unicode
// normalisation that could widen a rule. It never tries more than one star at a
// time, so it takes at most len(pattern) × len(name) steps and no memory.
func Glob[N ~string | ~[]byte](pattern string, name N) bool {
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

// Lower appends a name in lower case, to look it up without an allocation. Names are ASCII;
// others are compared as they are.
func Lower(b []byte, name string) []byte {
	for i := range len(name) {
		c := name[i]
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		b = append(b, c)
	}
	return b
}

// Unqualified returns an API name without its namespace: Secret__c for ns__Secret__c,
// Home__City__s for ns__Home__City__s. In a packaging org both are the same object or field.
func Unqualified[N ~string | ~[]byte](name N) N {
	ends := 1 // of the name proper: __c, __r, __History
	if n := len(name); n > 3 && name[n-3] == '_' && name[n-2] == '_' && name[n-1]|0x20 == 's' {
		ends = 2 // a part of a compound field
	}
	first, seen := -1, 0
	for i := 1; i+1 < len(name); i++ { // a namespace is not empty
		if name[i] != '_' || name[i+1] != '_' {
			continue
		}
		if first < 0 {
			first = i + 2
		} else {
			seen++
		}
		i++
	}
	if seen < ends {
		return name
	}
	return name[first:]
}
