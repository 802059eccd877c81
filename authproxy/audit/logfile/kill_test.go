package logfile

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/db/dbtest/rounds"
)

// killDir makes this program one that appends until it is killed.
const killDir = "SFMCP_TEST_APPEND_UNTIL_KILLED"

func TestMain(m *testing.M) {
	if dir := os.Getenv(killDir); dir != "" {
		appendUntilKilled(dir)
	}
	os.Exit(m.Run())
}

// appendUntilKilled prints the number of each record once it is on disk.
func appendUntilKilled(dir string) {
	l, err := Open(Config{Dir: dir, Origin: "a", Follower: &follower{}, SegmentSize: 20_000,
		Room: int64(100 + rand.IntN(30_000)), RoomAfter: 1 + 10*rand.IntN(2)})
	for err == nil {
		var last int64
		err = l.Append(func(g *Group) {
			for range 1 + rand.IntN(20) {
				last = g.Next()
				g.Add(fmt.Appendf(nil, `{"seq":%d,"text":"%s"}`, last, strings.Repeat("x", rand.IntN(2000))))
			}
		})
		if err == nil {
			fmt.Println(last)
		}
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// Two processes append to one log and are killed at a random moment, again and again: what
// they said is written is there, and nothing is there that is not whole.
func TestFaultFT36Killed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var acknowledged int64
	for range max(rounds.Count(t)/2, 5) {
		ended := make(chan int64, 2)
		for range 2 {
			child := exec.Command(self)
			child.Env = append(os.Environ(), killDir+"="+dir)
			child.Stderr = os.Stderr
			out, err := child.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := child.Start(); err != nil {
				t.Fatal(err)
			}
			after := time.Duration(rand.IntN(40)) * time.Millisecond
			go func() {
				var last int64
				lines := bufio.NewScanner(out)
				for lines.Scan() {
					if n, err := strconv.ParseInt(lines.Text(), 10, 64); err == nil && n > last {
						if last == 0 {
							time.AfterFunc(after, func() { child.Process.Kill() })
						}
						last = n
					}
				}
				child.Process.Kill()
				child.Wait()
				ended <- last
			}()
		}
		acknowledged = max(acknowledged, <-ended, <-ended)
		records := all(t, dir)
		if int64(len(records)) < acknowledged {
			t.Fatalf("%d records, %d were acknowledged", len(records), acknowledged)
		}
		for i, r := range records {
			if !strings.HasPrefix(r, fmt.Sprintf(`{"seq":%d,`, i+1)) || !strings.HasSuffix(r, `"}`) {
				t.Fatalf("record %d reads %.60s", i+1, r)
			}
		}
	}
	if acknowledged == 0 {
		t.Error("nothing was written")
	}
}
