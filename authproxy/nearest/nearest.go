// Package nearest finds the name that a mistyped one may have been meant for.
package nearest

import "strings"

// longest text that is compared; names are shorter.
const longest = 100

// Distance is the number of bytes to add, remove or exchange to make a of b (Levenshtein).
// Texts that are longer than a name count as far apart.
func Distance(a, b string) int {
	if len(a) > longest || len(b) > longest {
		return longest
	}
	row := make([]int, len(b)+1) // of the part of a so far, to each beginning of b
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			exchanged := diagonal
			if a[i] != b[j] {
				exchanged++
			}
			diagonal = row[j+1]
			row[j+1] = min(exchanged, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// Name returns the one of names that is nearest to a mistyped name, the first of several;
// "" if none is so near that it may have been meant. Case does not count, and the longer the
// name, the more may be wrong with it: at most three characters.
func Name(mistyped string, names []string) string {
	mistyped = strings.ToLower(mistyped)
	best, least := "", 1+len(mistyped)/4
	least = min(least, 3)
	for _, name := range names {
		if d := Distance(mistyped, strings.ToLower(name)); d < least || d == least && best == "" {
			best, least = name, d
		}
	}
	return best
}

// Question is `, did you mean "NAME"?` with the nearest name, or "".
func Question(mistyped string, names []string) string {
	if name := Name(mistyped, names); name != "" {
		return `, did you mean "` + name + `"?`
	}
	return ""
}
