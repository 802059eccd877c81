package access

import "strings"

// alike reports whether one text may have been meant by another: they differ in case and by
// at most two characters that were added, lost or exchanged. The last three characters of an
// id only repeat the case of its letters.
func alike(a, b string) bool { return distance(letters(a), letters(b)) <= 2 }

// letters is a username or a user id without the case of its letters.
func letters(who string) string {
	who = strings.ToLower(who)
	const short = 15 // length of an id without its checksum
	if len(who) > short && !strings.Contains(who, "@") {
		who = who[:short]
	}
	return who
}

// distance is the number of characters to add, remove or exchange to make a of b
// (Levenshtein). Texts whose lengths differ by more than a name's can are not compared.
func distance(a, b string) int {
	const longest = 100
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
