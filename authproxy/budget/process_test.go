package budget

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"

	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/db/dbtest"
	"sfmcp-proxy/authproxy/policy"
)

// takerOf is the environment variable by which the test binary becomes a process that takes
// what it can get of two budgets in a database, and prints how much that was.
const takerOf = "SFMCP_TEST_TAKER_OF"

// The budgets of takers: one that is given out one by one, and one that is given out in parts.
var (
	takersDeletes = counter(policy.Deletes, policy.Day, 60)
	takersCalls   = counter(policy.Calls, policy.Day, 1000)
)

func runTaker(url string) int {
	ctx := context.Background()
	d, err := db.Open(ctx, db.Config{URL: url})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	s, err := New(Config{DB: d, Now: newClock(noon).now})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	for _, c := range []*Counter{takersDeletes, takersCalls} {
		n, spent := 0, new(Spent)
		for err = nil; err == nil; n++ {
			_, err = s.Take(ctx, alice, []Charge{{c, 1}})
		}
		if !errors.As(err, &spent) {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		fmt.Println(n - 1)
	}
	if err := errors.Join(s.Close(ctx), d.Close()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// FW-30: processes on one database give together what a limit says, to the last unit where it
// is given out one by one, and never more.
func TestFW30Processes(t *testing.T) {
	url := dbtest.URL(t)
	const processes = 3
	var outputs [processes][]byte
	var all sync.WaitGroup
	for i := range processes {
		all.Go(func() {
			taker := exec.CommandContext(t.Context(), os.Args[0])
			taker.Env = append(os.Environ(), takerOf+"="+url)
			taker.Stderr = os.Stderr
			var err error
			if outputs[i], err = taker.Output(); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	var deletes, calls int
	for _, out := range outputs {
		fields := strings.Fields(string(out))
		if len(fields) != 2 {
			t.Fatalf("a process says %q", out)
		}
		one, err := strconv.Atoi(fields[0])
		parts, partsErr := strconv.Atoi(fields[1])
		if err != nil || partsErr != nil {
			t.Fatalf("a process says %q", out)
		}
		deletes, calls = deletes+one, calls+parts
	}
	if deletes != 60 || calls > 1000 || calls < 1000-processes*10 {
		t.Errorf("%d of 60 deletes and %d of 1000 calls were given", deletes, calls)
	}
}
