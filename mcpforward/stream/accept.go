package stream

import "strings"

// accepts reads Accept leniently: a range that names or covers kind, whatever its weight.
func accepts(headers []string, kind string) bool {
	group, _, _ := strings.Cut(kind, "/")
	for _, header := range headers {
		for part := range strings.SplitSeq(header, ",") {
			accepted, _, _ := strings.Cut(part, ";")
			accepted = strings.ToLower(strings.TrimSpace(accepted))
			all, isGroup := strings.CutSuffix(accepted, "/*")
			if accepted == kind || isGroup && (all == group || all == "*") {
				return true
			}
		}
	}
	return false
}
