package dbtest

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"strconv"
	"testing"
)

// Rounds is how often a race is run: five times, or as often as SFMCP_TEST_ROUNDS says. A
// race is decided by what the database does between two statements, so one round finds
// little; .ci/run, where nobody waits, takes more.
func Rounds(t testing.TB) int {
	t.Helper()
	n, err := rounds()
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func rounds() (int, error) {
	n, err := strconv.Atoi(cmp.Or(os.Getenv("SFMCP_TEST_ROUNDS"), "5"))
	if err != nil || n < 1 {
		return 0, fmt.Errorf("SFMCP_TEST_ROUNDS is %q: want a number", os.Getenv("SFMCP_TEST_ROUNDS"))
	}
	return n, nil
}

// thorough is from how many rounds on tests run that cost seconds of processor time and whose kind has
// a cheaper one beside them.
const thorough = 50

// IsThorough says that nobody waits for the tests: SFMCP_TEST_ROUNDS is 50 or more, as in .ci/run.
func IsThorough(t testing.TB) bool {
	t.Helper()
	return Rounds(t) >= thorough
}

// Thorough skips the test unless [IsThorough], or -run chose tests.
func Thorough(t testing.TB) {
	t.Helper()
	if chosen := flag.Lookup("test.run").Value.String() != "" && !narrowed; !IsThorough(t) && !chosen {
		t.Skipf("SFMCP_TEST_ROUNDS is below %d, and -run names nothing", thorough)
	}
}

// narrowed says that [Main] chose the tests of this run, and nobody else.
var narrowed bool
