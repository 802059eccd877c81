package access

import (
	"strings"

	"sfmcp-proxy/authproxy/nearest"
)

// alike reports whether one text may have been meant by another: they differ in case and by
// at most two characters that were added, lost or exchanged. The last three characters of an
// id only repeat the case of its letters.
func alike(a, b string) bool { return nearest.Distance(letters(a), letters(b)) <= 2 }

// letters is a username or a user id without the case of its letters.
func letters(who string) string {
	who = strings.ToLower(who)
	const short = 15 // length of an id without its checksum
	if len(who) > short && !strings.Contains(who, "@") {
		who = who[:short]
	}
	return who
}
