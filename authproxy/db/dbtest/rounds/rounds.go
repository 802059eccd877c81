// Package rounds says how much tests take upon themselves: little where somebody waits, all of it where
// nobody does, as in .ci/run. SFMCP_TEST_ROUNDS says which, as a number of rounds. It depends on nothing, so
// that tests without a database use it as well.
package rounds

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"strconv"
	"testing"
)

// many is from how many rounds on nobody waits.
const many = 50

// Count is how often a race is run: five times, or as often as SFMCP_TEST_ROUNDS says. A
// race is decided by what the database does between two statements, so one round finds
// little; .ci/run, where nobody waits, takes more.
func Count(t testing.TB) int {
	t.Helper()
	n, err := read()
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// read is [Count] for who has no test yet.
func read() (int, error) {
	n, err := strconv.Atoi(cmp.Or(os.Getenv("SFMCP_TEST_ROUNDS"), "5"))
	if err != nil || n < 1 {
		return 0, fmt.Errorf("SFMCP_TEST_ROUNDS is %q: want a number", os.Getenv("SFMCP_TEST_ROUNDS"))
	}
	return n, nil
}

// AreMany says that nobody waits for the tests: SFMCP_TEST_ROUNDS is 50 or more.
func AreMany(t testing.TB) bool {
	t.Helper()
	return Count(t) >= many
}

// Sized is how large something is made: few where somebody waits, all where nobody does.
func Sized(t testing.TB, few, all int) int {
	t.Helper()
	if AreMany(t) {
		return all
	}
	return few
}

// Thorough skips a test that costs much processor time and whose kind has a cheaper one beside it, unless
// [AreMany], or -run chose tests.
func Thorough(t testing.TB) {
	t.Helper()
	if chosen := flag.Lookup("test.run").Value.String() != "" && !narrowed; !AreMany(t) && !chosen {
		t.Skipf("SFMCP_TEST_ROUNDS is below %d, and -run names nothing", many)
	}
}

// narrowed says that [Narrow] chose the tests of this run, and nobody else.
var narrowed bool

// Narrow says which tests a run by a TestMain has: those whose names always matches, unless somebody chose
// others, or nobody waits. None: there is nothing to run.
func Narrow(always string) (none bool, err error) {
	n, err := read()
	chosen := flag.Lookup("test.run").Value
	if err != nil || n >= many || chosen.String() != "" {
		return false, err
	}
	narrowed = true
	return always == "", chosen.Set(always)
}
