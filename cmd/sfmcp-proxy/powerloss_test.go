package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sfmcp-proxy/authproxy/audit/logfile"
	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/db/dbtest/rounds"
	"sfmcp-proxy/config"
)

// everyCall is for TestFaultFT11PowerLoss: minutes.
var everyCall = flag.Bool("every-call", false, "lose the power, and be killed, at each system call that writes or syncs a file")

// recordedRun is what a product has done to its files while it was used, and what it said was so.
type recordedRun struct {
	*demo
	proxy   *replica
	disk    *disk // before it was started
	rows    *db.DB
	made    map[string]int // requests, by path
	acks    []ack
	calls   []recorded
	log     []string // records of its audit log at the end
	revoked string   // an access token that was revoked
	kept    string   // one that was not
}

// ack is an answer that the product gave, and what was so then.
type ack struct {
	what, id string // of the request
	facts    []string
	call     int // that wrote the answer
}

// facts are what must not become otherwise once it was said: what was given, spent, rotated and taken away.
var facts = []string{
	`SELECT 'revoked connection ' || id FROM grants WHERE revoked_at > 0`,
	`SELECT 'connection ' || id FROM grants`,
	`SELECT 'redeemed code ' || code_hash FROM codes WHERE redeemed_at > 0`,
	`SELECT 'rotated ' || token_hash FROM refresh_tokens WHERE rotated_at > 0`,
	`SELECT 'refresh token ' || token_hash FROM refresh_tokens`,
	`SELECT 'access token ' || token_hash FROM access_tokens`,
	`SELECT 'decided ' || id FROM approvals WHERE decided_at > 0`,
	`SELECT 'spent ' || id FROM approvals WHERE spent_at > 0`,
	`SELECT 'login ' || subject || ' ' || substr('00000' || version, -5) FROM links`,
}

func factsOf(t *testing.T, d *db.DB) (all []string) {
	t.Helper()
	for _, query := range facts {
		rows, err := d.Reads.QueryContext(t.Context(), query)
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			var fact string
			if err := rows.Scan(&fact); err != nil {
				t.Fatal(err)
			}
			all = append(all, fact)
		}
		if err := rows.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// holds says whether a fact is among those of a database: itself, or a later login of the same user.
func holds(all []string, fact string) bool {
	return slices.ContainsFunc(all, func(is string) bool {
		return is == fact || strings.HasPrefix(fact, "login ") && len(is) == len(fact) && is[:len(is)-5] == fact[:len(fact)-5] && is >= fact
	})
}

// requests are the ids of the requests that the log of the process has, by method and path.
func (r *replica) requests(method, path string) (ids []string) {
	for line := range strings.Lines(r.log.String()) {
		var record struct {
			Msg, Method, Path string
			RequestID         string `json:"request_id"`
		}
		if json.Unmarshal([]byte(line), &record) == nil && record.Msg == "request" && record.Method == method && strings.HasPrefix(record.Path, path) {
			ids = append(ids, record.RequestID)
		}
	}
	return ids
}

// step makes so many requests, all that there are of this method and path, and notes what is so once the last
// is answered.
func (run *recordedRun) step(what, method, path string, requests int, do func()) {
	run.t.Helper()
	do()
	run.made[path] += requests
	var ids []string
	eventually(run.t, plenty, "the log has the request", func() bool {
		ids = run.proxy.requests(method, path)
		return len(ids) >= run.made[path]
	})
	run.acks = append(run.acks, ack{what: what, id: ids[len(ids)-1], facts: factsOf(run.t, run.rows)})
}

// runRecorded uses a product in so many rounds, kills it, and reads what it did.
func runRecorded(t *testing.T, rounds int) *recordedRun {
	t.Helper()
	needStrace(t)
	dir, record := t.TempDir(), filepath.Join(t.TempDir(), "record")
	run := &recordedRun{made: map[string]int{}}
	run.demo, run.proxy = prepareServed(t, dir, "")
	run.disk = newDisk(t, dir)
	run.proxy.before = recording(record)
	run.proxy.start()
	run.rows = run.database() // to look: it writes nothing
	for i := range rounds {
		run.use(i)
	}
	run.proxy.process.Process.Kill()
	run.proxy.process.Wait()
	eventually(t, plenty, "the record is whole", func() bool {
		text, err := os.ReadFile(record)
		return err == nil && bytes.Contains(text[max(0, len(text)-8000):], []byte("+++ killed by SIGKILL"))
	})
	run.calls = readRecord(t, record)
	run.log = recordsIn(t, dir)
	for i := range run.acks {
		run.acks[i].call = slices.IndexFunc(run.calls, func(c recorded) bool {
			return strings.HasPrefix(c.path, "TCP") && bytes.HasPrefix(c.data, []byte("HTTP/1.1 ")) && bytes.Contains(c.data, []byte("X-Request-Id: "+run.acks[i].id+"\r\n"))
		})
		if run.acks[i].call < 0 {
			t.Fatalf("the record does not have the answer %s (%s)", run.acks[i].id, run.acks[i].what)
		}
	}
	return run
}

// use connects, calls, has a write approved and made, renews both logins, and ends a connection.
func (run *recordedRun) use(round int) {
	t, d := run.t, run.demo
	t.Helper()
	var c, other *mcpClient
	run.step("a code is redeemed", "POST", "/oauth/token", 1, func() { c = d.authorize(d.browser(), "sobject-all", rep) })
	run.step("a session", "POST", "/mcp/", 2, c.initialize)
	run.step("a read", "POST", "/mcp/", 1, func() { c.call("getUserInfo", map[string]any{}) })
	name := fmt.Sprintf("Power %d Ltd", round)
	var held reply
	run.step("a call is held", "POST", "/mcp/", 1, func() { held = c.call("createSobjectRecord", account(name)) })
	run.step("a call is approved", "POST", "/approvals/", 1, func() { d.decide(d.browser(), d.approvalURL(held), rep, "approve") })
	run.step("an approval is spent", "POST", "/mcp/", 1, func() { c.call("createSobjectRecord", account(name)) })
	refuseToken(d)
	run.step("the login at Salesforce is renewed", "POST", "/mcp/", 1, func() { c.call("getUserInfo", map[string]any{}) })
	run.step("a token is rotated", "POST", "/oauth/token", 1, func() {
		c.token(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {c.refresh}, "client_id": {d.ClientID}, "resource": {c.url}})
	})
	run.step("another connection", "POST", "/oauth/token", 1, func() { other = d.authorize(d.browser(), "sobject-reads", manager) })
	run.step("it is revoked", "POST", "/oauth/revoke", 1, func() {
		resp, err := http.PostForm(d.PublicURL+"/oauth/revoke", url.Values{"token": {other.refresh}, "client_id": {d.ClientID}})
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
	})
	run.kept, run.revoked = c.access, other.access
}

// recordsIn are the records of the audit log in the folder of a product.
func recordsIn(t *testing.T, dir string) (lines []string) {
	t.Helper()
	segments, err := logfile.Segments(filepath.Join(dir, "audit"))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range segments {
		text, err := os.ReadFile(s.Path)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if strings.HasPrefix(line, "{") && strings.HasSuffix(line, "}\n") {
				lines = append(lines, line)
			}
		}
	}
	return lines
}

// point is a moment of a run at which the power is lost, or the process killed.
type point struct {
	call int
	how  after
}

// examine makes the files as they are at each of these points and looks whether all that was said by then holds.
func (run *recordedRun) examine(points []point) {
	t := run.t
	t.Helper()
	slices.SortStableFunc(points, func(a, b point) int { return a.call - b.call })
	random := rand.New(rand.NewPCG(1, 2))
	next := 0
	for i, c := range run.calls {
		run.disk.do(i, c)
		for ; next < len(points) && points[next].call == i; next++ {
			dir := t.TempDir()
			run.disk.make(t, dir, points[next].how, random)
			run.examineAt(dir, points[next])
			os.RemoveAll(dir)
		}
		run.examineIntent(i, c)
		if t.Failed() {
			return // what follows is of the same kind
		}
	}
}

// examineIntent looks, where a call leaves for Salesforce, whether its intent would be there without power.
func (run *recordedRun) examineIntent(i int, c recorded) {
	t := run.t
	if !strings.HasPrefix(c.path, "TCP") || !bytes.HasPrefix(c.data, []byte("POST /platform/mcp")) || !bytes.Contains(c.data, []byte("tools/call")) {
		return
	}
	_, rest, _ := bytes.Cut(c.data, []byte("X-Request-Id: "))
	id, _, _ := bytes.Cut(rest, []byte("\r\n"))
	dir := t.TempDir()
	run.disk.make(t, dir, powerCut, nil)
	if !slices.ContainsFunc(recordsIn(t, dir), func(line string) bool {
		return len(id) > 0 && strings.Contains(line, string(id)) && strings.Contains(line, `"outcome":"intent"`)
	}) {
		t.Errorf("call %d: request %q leaves for Salesforce, and its intent is not durable", i, id)
	}
	os.RemoveAll(dir)
}

func (run *recordedRun) examineAt(dir string, p point) {
	t := run.t
	t.Helper()
	what := fmt.Sprintf("after call %d (%s %s), %s", p.call, run.calls[p.call].name, filepath.Base(run.calls[p.call].path), map[after]string{afterKill: "killed", powerCut: "without power", powerTorn: "without power, some of the rest written"}[p.how])
	c, err := config.Load(filepath.Join(dir, "proxy.yaml"), nil)
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	stored, err := db.Open(t.Context(), db.Config{URL: c.Database}) // before a start makes good what is missing
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	is, records := factsOf(t, stored), recordsIn(t, dir)
	if err := stored.Close(); err != nil {
		t.Error(err)
	}
	said := run.saidBy(p.call)
	for _, a := range said {
		for _, fact := range a.facts {
			if !holds(is, fact) {
				t.Errorf("%s: lost: %s, which was so when it was said: %s", what, fact, a.what)
			}
		}
		for _, line := range run.log { // how a call ended may be written later than its answer (D11)
			if strings.Contains(line, a.id) && !strings.Contains(line, `"intent":`) && !slices.Contains(records, line) {
				t.Errorf("%s: lost of %q: %s", what, a.what, line)
			}
		}
	}
	run.startAt(what, c, len(said) == len(run.acks))
}

// saidBy are the answers that had left.
func (run *recordedRun) saidBy(call int) (said []ack) {
	for _, a := range run.acks {
		if a.call <= call {
			said = append(said, a)
		}
	}
	return said
}

// startAt starts the product on those files: it serves, and its log verifies.
func (run *recordedRun) startAt(what string, c *config.Config, all bool) {
	t := run.t
	t.Helper()
	p, err := openProcess(t.Context(), c, slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelError})))
	if err != nil {
		t.Errorf("%s: it does not start: %v", what, err)
		return
	}
	defer p.close()
	if err := p.current.Load().prepare(t.Context()); err != nil {
		t.Errorf("%s: it does not serve: %v", what, err)
		return
	}
	if _, err := p.current.Load().audit.Verify(t.Context()); err != nil {
		t.Errorf("%s: its audit log: %v", what, err)
	}
	if !all {
		return
	}
	for token, want := range map[string]int{run.revoked: http.StatusUnauthorized, run.kept: http.StatusOK} {
		r := httptest.NewRequest("POST", run.MCPURLs["sobject-all"], strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}`))
		for name, value := range map[string]string{"Authorization": "Bearer " + token, "Content-Type": "application/json", "Accept": "application/json, text/event-stream"} {
			r.Header.Set(name, value)
		}
		w := httptest.NewRecorder()
		p.publicHandler().ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("%s: a token is answered %d, want %d: %s", what, w.Code, want, w.Body)
		}
	}
}

// FT-11, FT-07: the product is used, and the power is lost, or it is killed, at any system call by which
// it writes or syncs a file. All that it has said is so afterwards: what was revoked, spent, rotated and recorded;
// it starts, its log verifies; and a call that left for Salesforce has its intent.
func TestFaultFT11PowerLoss(t *testing.T) {
	t.Parallel()
	rounds.Thorough(t)
	times, some := 1, 6
	if rounds.AreMany(t) {
		times, some = 2, 60
	}
	run := runRecorded(t, times)
	var points []point
	for i, a := range run.acks {
		if rounds.AreMany(t) || i >= len(run.acks)-3 {
			points = append(points, point{a.call, powerCut})
		}
	}
	begun := slices.IndexFunc(run.calls, func(c recorded) bool { return strings.HasSuffix(c.path, "proxy.db") })
	if *everyCall {
		for i := begun; i < len(run.calls); i++ {
			if strings.HasPrefix(run.calls[i].path, run.dir) && run.calls[i].name != "open" {
				points = append(points, point{i, afterKill}, point{i, powerCut}, point{i, powerTorn})
			}
		}
		some = 0
	}
	for i := range some {
		points = append(points, point{begun + rand.IntN(len(run.calls)-begun), after(i % 3)})
	}
	run.examine(points)
	t.Logf("%d answers, %d calls, %d points", len(run.acks), len(run.calls), len(points))
}
