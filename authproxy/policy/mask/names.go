package mask

import (
	"strings"

	"sfmcp-proxy/authproxy/policy/reach"
)

// isAddressPart reports whether a member of an answer can be a part of an address.
func isAddressPart(member []byte) bool {
	for _, part := range reach.AddressParts {
		if len(part) == len(member) && strings.EqualFold(part, string(member)) {
			return true
		}
	}
	return false
}
