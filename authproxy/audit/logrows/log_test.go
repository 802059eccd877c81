package logrows

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/audit/logfile"
	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/db/dbtest"
	"sfmcp-proxy/authproxy/db/dbtest/rounds"
)

// killURL makes this program one that appends until it is killed.
const killURL = "SFMCP_TEST_ROWS_UNTIL_KILLED"

func TestMain(m *testing.M) {
	if url := os.Getenv(killURL); url != "" {
		appendUntilKilled(url)
	}
	dbtest.Main(m, "Race|HeardOf|BehindAGap")
}

// follower remembers what it heard.
type follower struct {
	begun   []int64
	records []string
}

func (f *follower) Begin(h logfile.Head) error {
	f.begun = append(f.begun, h.First)
	return nil
}
func (f *follower) Record(r logfile.Record) { f.records = append(f.records, string(r.Text)) }
func (f *follower) State() string           { return "state" }

// open opens the log of a machine.
func open(t *testing.T, d *db.DB, f logfile.Follower) *Log {
	t.Helper()
	l, err := Open(Config{Rows: Rows{DB: d, Machine: "m"}, Origin: "a" + rand16(), Follower: f, SegmentSize: 1000})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func rand16() string { return strconv.Itoa(rand.IntN(1 << 16)) }

func add(records ...string) func(*logfile.Group) {
	return func(g *logfile.Group) {
		for _, r := range records {
			g.Add([]byte(r))
		}
	}
}

// all are the records of the log, read by its segments.
func all(t *testing.T, d *db.DB) (records []string) {
	t.Helper()
	segments, err := Rows{DB: d, Machine: "m"}.Segments()
	if err == nil {
		err = logfile.ScanSegments(segments, 1, func(r logfile.Record) error {
			records = append(records, string(r.Text))
			return nil
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	return records
}

// A second process hears of what the first one wrote, in whichever segment, and goes on behind it; the size of a
// segment is that of its content.
func TestAppendIsHeardOf(t *testing.T) {
	t.Parallel()
	d := dbtest.Open(t)
	var one, two follower
	a, b := open(t, d, &one), open(t, d, &two)
	long := strings.Repeat("x", 600)
	for i := range 6 {
		l := []*Log{a, b}[i%2]
		if err := l.Append(add(fmt.Sprint(i, long), fmt.Sprint(i, "short"))); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.CatchUp(); err != nil {
		t.Fatal(err)
	}
	got := all(t, d)
	if len(got) != 12 || len(one.records) != 12 || one.records[10] != "5"+long || len(one.begun) != 3 {
		t.Errorf("%d records, heard of %d in segments %v", len(got), len(one.records), one.begun)
	}
	if a.Origin() != b.Origin() {
		t.Errorf("the log is called %s and %s", a.Origin(), b.Origin())
	}
	segments, err := Rows{DB: d, Machine: "m"}.Segments()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range segments {
		size, err := s.Size()
		if err != nil {
			t.Fatal(err)
		}
		c, err := s.Open()
		if err != nil {
			t.Fatal(err)
		}
		var last [2]byte
		if n, _ := c.ReadAt(last[:], size-1); n != 1 || last[0] != '\n' {
			t.Errorf("segment %d has other than %d bytes", s.First, size)
		}
	}
	if open(t, d, &follower{}).next != 13 {
		t.Error("a third process goes on elsewhere")
	}
}

// A group that somebody else was faster with is filled again, behind what that one wrote.
func TestRaceIsWrittenBehind(t *testing.T) {
	t.Parallel()
	d := dbtest.Open(t)
	a, b := open(t, d, &follower{}), open(t, d, &follower{})
	fills := 0
	if err := a.Append(func(g *logfile.Group) {
		if fills++; fills == 1 {
			if err := b.Append(add("first")); err != nil {
				t.Error(err)
			}
		}
		g.Add([]byte(fmt.Sprint("record ", g.Next())))
	}); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(all(t, d), ", "); got != "first, record 2" || fills != 2 {
		t.Errorf("after %d attempts the log is %s", fills, got)
	}
}

// FT-53: what a statement should write whose answer is lost is there once, whether it had an effect or not.
func TestFaultFT53AnswerIsLost(t *testing.T) {
	t.Parallel()
	if !dbtest.OnPostgres() {
		return // it is about the network
	}
	for _, reaches := range []bool{true, false} {
		url := dbtest.URL(t)
		n := dbtest.Between(t, url)
		through := dbtest.OpenURL(t, n.URL(url))
		l := open(t, through, &follower{})
		n.LoseCommit(reaches)
		if err := l.Append(add("one")); err != nil {
			t.Errorf("the COMMIT has reached the server: %t, and Append = %v", reaches, err)
		}
		if !n.Lost() {
			t.Fatal("no COMMIT came")
		}
		if err := l.Append(add("two")); err != nil {
			t.Error(err)
		}
		if got := strings.Join(all(t, through), ", "); got != "one, two" {
			t.Errorf("the COMMIT has reached the server: %t, and the log is %s", reaches, got)
		}
	}
}

// Nobody goes on with a log whose end was taken away, which was ended, or whose machine has another.
func TestNothingIsWrittenBehindAGap(t *testing.T) {
	t.Parallel()
	for name, statement := range map[string]string{
		"end is gone":     `DELETE FROM audit_groups WHERE seq = 2`,
		"all is gone":     `DELETE FROM audit_groups`,
		"log has no name": `DELETE FROM meta WHERE name LIKE 'audit_log %'`,
		"another log":     `UPDATE meta SET value = 'x' WHERE name LIKE 'audit_log %'`,
	} {
		d := dbtest.Open(t)
		l := open(t, d, &follower{})
		for _, r := range []string{"one", "two"} {
			if err := l.Append(add(r)); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := d.Writes.Exec(statement); err != nil {
			t.Fatal(err)
		}
		if err := l.Append(add("three")); err == nil {
			t.Errorf("%s: it goes on", name)
		}
	}
}

// appendUntilKilled prints the number of each record once it is durable.
func appendUntilKilled(url string) {
	d, err := db.Open(context.Background(), db.Config{URL: url})
	var l *Log
	if err == nil {
		l, err = Open(Config{Rows: Rows{DB: d, Machine: "m"}, Origin: "a" + rand16(), Follower: &follower{}, SegmentSize: 20_000})
	}
	for err == nil {
		var last int64
		err = l.Append(func(g *logfile.Group) {
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

// FT-36: two processes append to one log and are killed at a random moment, again and again: what they said is
// written is there, and nothing is there that is not whole.
func TestFaultFT36KilledRows(t *testing.T) {
	t.Parallel()
	url := dbtest.URL(t)
	d := dbtest.OpenURL(t, url)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var acknowledged int64
	for range max(rounds.Count(t)/2, 2) {
		ended := make(chan int64, 2)
		for range 2 {
			go func() { ended <- killed(t, self, url) }()
		}
		acknowledged = max(acknowledged, <-ended, <-ended)
		records := all(t, d)
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

// killed runs a process that appends, kills it some milliseconds after its first record, and returns
// the number of the last one that it acknowledged.
func killed(t *testing.T, self, url string) (last int64) {
	child := exec.Command(self)
	child.Env = append(os.Environ(), killURL+"="+url)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err == nil {
		err = child.Start()
	}
	if err != nil {
		t.Error(err)
		return 0
	}
	after := time.Duration(rand.IntN(60)) * time.Millisecond
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		n, err := strconv.ParseInt(lines.Text(), 10, 64)
		if err != nil || n <= last {
			continue
		}
		if last == 0 {
			time.AfterFunc(after, func() { _ = child.Process.Kill() })
		}
		last = n
	}
	_ = child.Process.Kill()
	_ = child.Wait()
	return last
}
