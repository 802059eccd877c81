//go:build !race

package grant

import (
	"math"
	"testing"
)

// authenticateAllocs is what an access token that is remembered may allocate.
const authenticateAllocs = 8

// The remembered path does not ask the database, and allocates little.
func TestAuthenticateHitIsCheap(t *testing.T) {
	f := open(t)
	f.watch(t)
	tokens := f.tokens(t, testSubject)
	f.opens(t, tokens, true)
	allocs := math.Inf(1)
	for i := 0; i < 100 && allocs > authenticateAllocs; i++ { // while the machine is busy nothing is remembered
		allocs = min(allocs, testing.AllocsPerRun(100, func() {
			if _, err := f.Authenticate(t.Context(), tokens.AccessToken, "sales"); err != nil {
				t.Error(err)
			}
		}))
	}
	if allocs > authenticateAllocs {
		t.Errorf("%v allocations, at most %d are agreed on", allocs, authenticateAllocs)
	}
}
