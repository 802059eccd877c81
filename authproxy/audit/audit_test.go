package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/audit/logfile"
	"sfmcp-proxy/authproxy/audit/tree"
	"sfmcp-proxy/authproxy/db/dbtest"
	"sfmcp-proxy/authproxy/db/dbtest/rounds"
	"sfmcp-proxy/authproxy/seal"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// store is a directory and a database that several logs can be opened over, as several
// processes would.
type store struct {
	t   testing.TB
	dir string // of the keys, and of the log in its directory audit
	url string // of the database

	rows        bool   // the log is in the database
	pulled      string // the last copy of it that was made
	segmentSize int64  // in bytes; 0: as usual
	machine     string // of whom it is
}

func (s *store) keys() string { return filepath.Join(s.dir, "keys") }

func newStore(t testing.TB) *store {
	t.Helper()
	dir := t.TempDir()
	s := &store{t: t, dir: dir, url: dbtest.URL(t), rows: dbtest.OnPostgres(), machine: machineName}
	if err := seal.CreateKeyFile(s.keys()); err != nil {
		t.Fatal(err)
	}
	return s
}

// open returns a log with its own handles; its clock advances a second an entry.
func (s *store) open() *Log {
	s.t.Helper()
	d := dbtest.OpenURL(s.t, s.url)
	ring, err := seal.LoadKeyRing(s.keys())
	if err != nil {
		s.t.Fatal(err)
	}
	var asked atomic.Int64 // also by what runs beside whoever appends
	now := func() time.Time { return start.Add(time.Duration(asked.Add(1)-1) * time.Second) }
	c := Config{DB: d, Ring: ring, Now: now, segmentSize: s.segmentSize}
	if c.Machine = s.machine; !s.rows {
		c.Dir, c.Machine = s.log(), ""
	}
	l, err := New(c)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { l.Close(context.Background()) })
	return l
}

// vanish takes the segment that is being written away; the log can be written again when
// it is brought back.
func (s *store) vanish() (bringBack func()) {
	s.t.Helper()
	if s.rows {
		d := s.db()
		rename := func(from, to string) {
			if _, err := d.Writes.Exec(`ALTER TABLE ` + from + ` RENAME TO ` + to); err != nil {
				s.t.Fatal(err)
			}
		}
		rename("audit_groups", "vanished")
		return func() { rename("vanished", "audit_groups") }
	}
	segments, err := logfile.Segments(s.log())
	if err != nil || len(segments) == 0 {
		s.t.Fatal(len(segments), err)
	}
	path := segments[len(segments)-1].Path
	if err := os.Rename(path, path+".away"); err != nil {
		s.t.Fatal(err)
	}
	return func() {
		if err := os.Rename(path+".away", path); err != nil {
			s.t.Fatal(err)
		}
	}
}

// sound fails the test unless the log verifies with n entries.
func sound(t testing.TB, l *Log, n int64) {
	t.Helper()
	if seen, err := l.Verify(t.Context()); err != nil || seen.Last != n {
		t.Errorf("Verify = %+v, %v, want %d entries", seen, err, n)
	}
}

func entry(action Action) Entry { return Entry{Actor: actor.User("005A"), Action: action, Outcome: OK} }

// typical is the intent of a call.
func typical() Entry {
	return Entry{
		Actor: actor.User("005xx000001Sv6AAAS"), Action: "tool.call", Object: "soqlQuery", Outcome: Intent, Source: "192.0.2.7", RequestID: "ABCDEFGHIJKLMNOP",
		Org: "acme", Subject: "005xx000001Sv6AAAS", Username: "rep@acme.example", Client: "chatgpt", Grant: "grt_abcdefghijklmnop", Server: "sales",
		Tool: "soqlQuery", Class: "read", Decision: "allow", Rule: "rule 20 (allow classes read)", ArgumentsDigest: strings.Repeat("0123456789abcdef", 4),
		PolicyVersion: strings.Repeat("0123456789abcdef", 2),
		Arguments:     json.RawMessage(`{"q":"SELECT Id, Name, Industry FROM Account WHERE Industry = 'Energy' ORDER BY Name LIMIT 50"}`),
	}
}

func appendAll(t testing.TB, l *Log, entries ...Entry) {
	t.Helper()
	for _, e := range entries {
		if _, err := l.Append(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
}

func list(t *testing.T, l *Log, f Filter) []Entry {
	t.Helper()
	var all []Entry
	if err := l.List(t.Context(), f, func(e Entry) error { all = append(all, e); return nil }); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestAU13AppendKeepsEveryField(t *testing.T) {
	t.Parallel()
	l := newStore(t).open()
	want := Entry{
		Actor: actor.User("005A"), Action: "tool.call", Object: "createSobjectRecord", Outcome: Intent, Source: "192.0.2.7", RequestID: "r1",
		Org: "acme", Subject: "005A", Username: "rep@acme.example", Client: "chatgpt", Grant: "g1", Server: "sales",
		Tool: "createSobjectRecord", Class: "create", Decision: "confirm", Rule: "rule 3", ArgumentsDigest: "d", DefinitionHash: "h",
		PolicyVersion: "v", Approval: "apr_1", Status: "200", Reason: "because", DurationMS: 12, Bytes: 34, IntentSeq: 5,
		Arguments: json.RawMessage(`{"n":1.0,"big":12345678901234567890}`),
	}
	seq, err := l.Append(t.Context(), want)
	if err != nil || seq != 1 {
		t.Fatalf("Append = %d, %v", seq, err)
	}
	want.Seq, want.At = 1, start
	if diff := cmp.Diff([]Entry{want}, list(t, l, Filter{})); diff != "" {
		t.Error(diff)
	}
}

func TestAU13AppendRefusesWhatNamesNobody(t *testing.T) {
	t.Parallel()
	l := newStore(t).open()
	for _, e := range []Entry{
		{Action: "a.b", Outcome: OK}, {Actor: actor.Proxy, Outcome: OK}, {Actor: actor.Proxy, Action: "a.b"}, {Actor: actor.User(""), Action: "a.b", Outcome: OK},
		{Actor: actor.Parse("somebody"), Action: "a.b", Outcome: OK},
	} {
		if seq, err := l.Append(t.Context(), e); err == nil || seq != 0 {
			t.Errorf("Append(%+v) = %d, %v", e, seq, err)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.Append(ended, entry("a.b")); !errors.Is(err, context.Canceled) {
		t.Errorf("with an ended context: %v", err)
	}
	if n := len(list(t, l, Filter{})); n != 0 {
		t.Errorf("%d entries were stored", n)
	}
}

// Callers in two processes get one total order without a gap, and each gets the
// number of its own entry. AU-05; SFMCP_TEST_ROUNDS=400 and more: 10,000 each.
func TestAU05AppendFromTwoProcesses(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	logs := []*Log{s.open(), s.open()}
	for _, l := range logs { // one clock: of two that are a minute apart the log says so, in an entry of its own
		l.config.Now = func() time.Time { return start }
	}
	each := 150
	if rounds.Count(t) >= 400 {
		each = 10_000
	}
	var wg sync.WaitGroup
	var got sync.Map
	turns := make(chan struct{}, 500) // as many as wait at once
	for p, l := range logs {
		for i := range each {
			turns <- struct{}{}
			wg.Go(func() {
				defer func() { <-turns }()
				e := entry("tool.call")
				e.Object = fmt.Sprint(p, "/", i)
				seq, err := l.Append(t.Context(), e)
				if err != nil {
					t.Error(err)
				}
				if _, twice := got.LoadOrStore(seq, e.Object); twice {
					t.Errorf("number %d was given twice", seq)
				}
			})
		}
	}
	wg.Wait()
	for i, e := range list(t, logs[0], Filter{}) {
		if want, _ := got.Load(e.Seq); e.Seq != int64(i+1) || e.Object != want {
			t.Fatalf("entry %d is %q with number %d, its caller was told %v", i+1, e.Object, e.Seq, want)
		}
	}
	sound(t, logs[1], int64(2*each))
}

// When the disk refuses, every caller of the group is told, and the log goes on
// when it recovers.
func TestAppendReportsAFullDisk(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	l := s.open()
	appendAll(t, l, entry("a.a"))
	accept := s.vanish()
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if seq, err := l.Append(t.Context(), entry("a.b")); err == nil || seq != 0 {
				t.Errorf("Append = %d, %v on a full disk", seq, err)
			}
		})
	}
	wg.Wait()
	accept()
	appendAll(t, l, entry("a.c"))
	sound(t, l, 3) // with log.resume
}

func TestListFilters(t *testing.T) {
	t.Parallel()
	l := newStore(t).open()
	appendAll(t, l,
		Entry{Actor: actor.User("005A"), Subject: "005A", Username: "rep@acme.example", Action: "tool.call", Tool: "find", Outcome: Intent}, // 0 s
		Entry{Actor: actor.User("005A"), Subject: "005A", Username: "rep@acme.example", Action: "tool.call", Tool: "soqlQuery", Outcome: Intent},
		Entry{Actor: actor.User("005B"), Subject: "005B", Action: "tool.list", Outcome: OK},
		Entry{Actor: actor.Operator("", ""), Subject: "005B", Action: "user.block", Outcome: OK},
		Entry{Actor: actor.User("005B"), Subject: "005B", Action: "toolbox.open", Outcome: OK}, // 4 s
	)
	for name, c := range map[string]struct {
		filter Filter
		want   []int64
	}{
		"all":                  {Filter{}, []int64{1, 2, 3, 4, 5}},
		"subject":              {Filter{Person: Person{Subjects: []string{"005B"}}}, []int64{3, 4, 5}},
		"username beside ids":  {Filter{Person: Person{Usernames: []string{"Rep@acme.example"}}}, nil},
		"two people":           {Filter{Person: Person{Subjects: []string{"005B", "005A"}}}, []int64{1, 2, 3, 4, 5}},
		"actor":                {Filter{Actor: "operator"}, []int64{4}},
		"nobody":               {Filter{Person: Person{Subjects: []string{"005"}}}, nil},
		"outcome":              {Filter{Outcome: Intent}, []int64{1, 2}},
		"request":              {Filter{Request: "none"}, nil},
		"tool":                 {Filter{Tool: "find"}, []int64{1}},
		"action":               {Filter{Action: "tool.list"}, []int64{3}},
		"action prefix":        {Filter{Action: "tool."}, []int64{1, 2, 3}},
		"no prefix w/o dot":    {Filter{Action: "tool"}, nil},
		"since":                {Filter{Since: start.Add(3 * time.Second)}, []int64{4, 5}},
		"until":                {Filter{Until: start.Add(time.Second)}, []int64{1}},
		"newest two":           {Filter{Limit: 2}, []int64{4, 5}},
		"newest two of user":   {Filter{Limit: 2, Person: Person{Subjects: []string{"005A"}}}, []int64{1, 2}},
		"combined":             {Filter{Person: Person{Subjects: []string{"005B"}}, Action: "tool.", Since: start}, []int64{3}},
		"quotes are only text": {Filter{Tool: `' OR '1'='1`}, nil},
	} {
		var got []int64
		for _, e := range list(t, l, c.filter) {
			got = append(got, e.Seq)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestListGoesOnUntilItIsTold(t *testing.T) {
	t.Parallel()
	l := newStore(t).open()
	const n = 1007
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() { appendAll(t, l, entry("tool.call")) })
	}
	wg.Wait()
	if got := len(list(t, l, Filter{})); got != n {
		t.Errorf("listed %d of %d", got, n)
	}
	newest := list(t, l, Filter{Limit: 503})
	if len(newest) != 503 || newest[0].Seq != n-502 || newest[len(newest)-1].Seq != n {
		t.Errorf("newest: %d entries from %d", len(newest), newest[0].Seq)
	}
	stop := errors.New("enough")
	calls := 0
	err := l.List(t.Context(), Filter{}, func(Entry) error { calls++; return stop })
	if !errors.Is(err, stop) || calls != 1 {
		t.Errorf("List went on after an error: %d calls, %v", calls, err)
	}
}

func TestExportRecordsWritesWhatIsStored(t *testing.T) {
	t.Parallel()
	l := newStore(t).open()
	appendAll(t, l, entry("a.a"), Entry{Actor: actor.Client("x\ny"), Action: "a.b", Outcome: OK, Reason: "two\r\nlines"})
	var out bytes.Buffer
	if err := l.ExportRecords(t.Context(), Filter{}, &out); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	if len(lines) != 2 {
		t.Fatalf("%d lines for 2 entries: %q", len(lines), out.String())
	}
	var edge tree.Frontier
	for i, line := range lines {
		var parsed struct{ Seq int64 }
		if err := json.Unmarshal([]byte(line), &parsed); err != nil || parsed.Seq != int64(i+1) {
			t.Fatalf("line %d: %q: %v", i+1, line, err)
		}
		edge.Append([]byte(line))
	}
	// Whoever has the lines can make the root of the tree.
	if now, _ := l.follow.now(); edge.Root() != now.Root() {
		t.Error("the exported lines are not the leaves of the tree")
	}
}
