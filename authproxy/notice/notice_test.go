package notice

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/db/dbtest"
	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/authproxy/receiver"
)

func TestMain(m *testing.M) { dbtest.Main(m, "") }

// office is what a courier works for: requests, and targets that keep what they get.
type office struct {
	t  *testing.T
	db *db.DB

	mu      sync.Mutex
	at      time.Time
	waiting map[string][]string // roles by id
	again   map[string]int      // how often it has come to wait again
	looked  func()              // after a look at what waits, if not nil
	gone    map[string]bool
	got     map[string][]Message // by target
	answer  func(target string, m *Message) error
}

func newOffice(t *testing.T) *office {
	return &office{t: t, db: dbtest.Open(t), at: time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC),
		waiting: map[string][]string{}, again: map[string]int{}, gone: map[string]bool{}, got: map[string][]Message{}}
}

func (o *office) now() time.Time       { o.mu.Lock(); defer o.mu.Unlock(); return o.at }
func (o *office) pass(d time.Duration) { o.mu.Lock(); defer o.mu.Unlock(); o.at = o.at.Add(d) }

func (o *office) Waiting(context.Context) (all []Waiting, _ error) {
	o.mu.Lock()
	for _, id := range slices.Sorted(maps.Keys(o.waiting)) {
		all = append(all, Waiting{ID: id, Again: o.again[id], Roles: o.waiting[id]})
	}
	looked := o.looked
	o.mu.Unlock()
	if looked != nil {
		looked()
	}
	return all, nil
}

func (o *office) Describe(_ context.Context, id string) (*Message, bool, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.gone[id] {
		return nil, false, nil
	}
	roles, waits := o.waiting[id]
	m := &Message{URL: "https://proxy.example/approvals/" + id, Org: "acme", Kind: "production", Server: "sales", Tool: "updateSobjectRecord", Class: policy.Update,
		Object: "Account", User: "rep@acme.example", Client: "ChatGPT", Roles: roles, Expires: o.at.Add(time.Minute), State: "pending", Again: o.again[id]}
	if m.Again > 0 {
		m.Reopened = "changed"
	}
	if !waits {
		m.State, m.By = "approved", "alice"
	}
	return m, waits, nil
}

// inbox is the sender of one target.
type inbox struct {
	*office
	name string
}

func (i inbox) Send(_ context.Context, m *Message) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.answer != nil {
		if err := i.answer(i.name, m); err != nil {
			return err
		}
	}
	i.got[i.name] = append(i.got[i.name], *m)
	return nil
}

func (o *office) target(name string, events []Event, roles ...string) Target {
	return Target{Name: name, Events: events, Roles: roles, Send: inbox{o, name}}
}

func (o *office) courier(targets ...Target) *Courier {
	return New(Config{DB: o.db, Targets: targets, Source: o, Log: slog.New(slog.DiscardHandler), Now: o.now})
}

// turn is one look of a courier and what it sends then.
func (o *office) turn(k *Courier) {
	o.t.Helper()
	if err := k.fill(o.t.Context()); err != nil {
		o.t.Fatal(err)
	}
	for i := range k.targets {
		if err := k.deliver(o.t.Context(), i); err != nil {
			o.t.Fatal(err)
		}
	}
}

// want compares what a target got, as event and id.
func (o *office) want(what, target string, want ...string) {
	o.t.Helper()
	var got []string
	for _, m := range o.got[target] {
		got = append(got, string(m.Event)+" "+m.Approval)
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		o.t.Errorf("%s: %s got %v, want %v", what, target, got, want)
	}
}

func TestEachTargetHearsOnce(t *testing.T) {
	o := newOffice(t)
	k := o.courier(
		o.target("all", []Event{Requested, Decided}),
		o.target("security", []Event{Requested}, "security"),
		o.target("mine", []Event{Requested}, Requester),
	)
	o.waiting["apr_1"], o.waiting["apr_2"], o.waiting["apr_3"] = []string{"sales-ops"}, []string{"security", "sales-ops"}, nil
	for range 3 {
		o.turn(k)
	}
	o.turn(o.courier(k.targets...)) // another process, which knows nothing yet
	o.want("waiting", "all", "approval.requested apr_1", "approval.requested apr_2")
	o.want("waiting", "security", "approval.requested apr_2")
	o.want("waiting", "mine", "approval.requested apr_3")
	delete(o.waiting, "apr_1")
	for range 3 {
		o.turn(k)
	}
	o.want("decided", "all", "approval.requested apr_1", "approval.requested apr_2", "approval.decided apr_1")
	o.want("decided", "security", "approval.requested apr_2")
	if sent, failed := k.Counts(); sent != 5 || failed != 0 {
		t.Errorf("%d sent, %d failed", sent, failed)
	}
}

func TestRetriesUntilItIsTaken(t *testing.T) {
	o := newOffice(t)
	k := o.courier(o.target("chat", []Event{Requested}))
	o.waiting["apr_1"] = []string{"security"}
	var ids []string
	o.answer = func(_ string, m *Message) error {
		if ids = append(ids, m.ID); len(ids) < 4 {
			return errors.New("answered with status 503")
		}
		return nil
	}
	o.turn(k)
	o.turn(k) // not before its time
	if len(ids) != 1 {
		t.Fatalf("%d attempts at once", len(ids))
	}
	for _, p := range pauses[:3] {
		o.pass(p)
		o.turn(k)
	}
	o.want("in the end", "chat", "approval.requested apr_1")
	if slices.Sort(ids); len(slices.Compact(ids)) != 1 {
		t.Errorf("the attempts have ids %v", ids)
	}
}

func TestWhatAnErrorMeans(t *testing.T) {
	for name, tt := range map[string]struct {
		err     error
		after   time.Duration // and then it is tried again
		outcome string
	}{
		"for good":      {err: receiver.ErrRefused, outcome: outcomeFailed},
		"another time":  {err: errors.New("x"), after: pauses[0]},
		"when it says":  {err: &receiver.RetryAfter{After: 20 * time.Minute, Err: errors.New("x")}, after: 20 * time.Minute},
		"not this late": {err: &receiver.RetryAfter{After: 100 * time.Hour, Err: errors.New("x")}, after: time.Hour},
	} {
		o := newOffice(t)
		k := o.courier(o.target("chat", []Event{Requested}))
		o.waiting["apr_1"] = []string{"security"}
		o.answer = func(string, *Message) error { return tt.err }
		o.turn(k)
		rows, err := List(t.Context(), o.db, true)
		if err != nil || len(rows) != 1 || rows[0].Outcome != tt.outcome || rows[0].Problem == "" {
			t.Fatalf("%s: %+v, %v", name, rows, err)
		}
		if got := rows[0].Next.Sub(o.now()); tt.outcome == "" && got != tt.after {
			t.Errorf("%s: tried again after %v", name, got)
		}
	}
}

// A message that nobody needs any more is not sent; one that nobody took for a day is given up.
func TestMootAndGivenUp(t *testing.T) {
	o := newOffice(t)
	k := o.courier(o.target("chat", []Event{Requested}))
	o.answer = func(string, *Message) error { return errors.New("down") }
	for _, id := range []string{"apr_1", "apr_2", "apr_3"} {
		o.waiting[id] = []string{"security"}
	}
	o.turn(k)
	delete(o.waiting, "apr_1")
	delete(o.waiting, "apr_2")
	o.gone["apr_2"] = true
	o.pass(giveUpAfter)
	o.turn(k)
	rows, err := List(t.Context(), o.db, true)
	if i := slices.IndexFunc(rows, func(r Row) bool { return r.About == "apr_3" }); err != nil || i < 0 || rows[i].Outcome != "" {
		t.Errorf("within the day: %+v, %v", rows, err)
	}
	o.pass(time.Hour)
	o.turn(k)
	rows, err = List(t.Context(), o.db, true)
	got := map[string]string{}
	for _, r := range rows {
		got[r.About] = r.Outcome
	}
	if want := map[string]string{"apr_1": outcomeMoot, "apr_2": outcomeMoot, "apr_3": outcomeFailed}; err != nil || !maps.Equal(got, want) {
		t.Errorf("%v, %v", got, err)
	}
	o.pass(keepEnded)
	if err := k.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if rows, err = List(t.Context(), o.db, true); err != nil || len(rows) != 0 {
		t.Errorf("after a month: %v, %v", rows, err)
	}
}

// What goes to a target that nobody knows any more is given up after a day. Until then it may be one of a
// process with a newer configuration.
func TestGoneTargetsAreSwept(t *testing.T) {
	o := newOffice(t)
	chat, mail := o.target("chat", []Event{Requested}), o.target("mail", []Event{Requested})
	newer := o.courier(chat, mail)
	o.waiting["apr_1"] = []string{"security"}
	if err := newer.fill(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, older := range []*Courier{o.courier(chat), o.courier()} {
		if err := older.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	o.answer = func(string, *Message) error { return errors.New("down") }
	o.turn(newer)
	o.pass(giveUpAfter) // both were tried since they were queued
	if err := o.courier(chat).Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	o.answer = nil
	o.waiting["apr_2"] = []string{"security"}
	o.turn(newer)
	o.want("at last", "chat", "approval.requested apr_1", "approval.requested apr_2")
	o.want("at last", "mail", "approval.requested apr_1", "approval.requested apr_2")

	o.waiting["apr_3"] = []string{"security"}
	if err := newer.fill(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, after := range []struct {
		time time.Duration
		want string
	}{{giveUpAfter - time.Second, ""}, {time.Second, outcomeMoot}} {
		o.pass(after.time)
		if err := o.courier(chat).Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		rows, err := List(t.Context(), o.db, true)
		for _, r := range rows {
			want := after.want
			if r.Target == "chat" {
				want = ""
			}
			if r.About == "apr_3" && r.Outcome != want {
				t.Errorf("to %s, %v later: %q, want %q", r.Target, after.time, r.Outcome, want)
			}
		}
		if err != nil || len(rows) != 6 {
			t.Errorf("%d rows, %v", len(rows), err)
		}
	}
}

// TestD15PaceOfATarget: a flood of requests is no flood of messages, and nothing is lost.
func TestD15PaceOfATarget(t *testing.T) {
	o := newOffice(t)
	k := o.courier(o.target("chat", []Event{Requested}))
	for i := range 3 * PerMinute {
		o.waiting["apr_"+string(rune('a'+i/26))+string(rune('a'+i%26))] = []string{"security"}
	}
	o.turn(k)
	if n := len(o.got["chat"]); n != PerMinute {
		t.Errorf("%d messages at once", n)
	}
	for range 2 {
		o.pass(time.Minute)
		o.turn(k)
	}
	if n := len(o.got["chat"]); n != 3*PerMinute {
		t.Errorf("%d messages in the end", n)
	}
}

// Of several processes one sends a message, also while the others look.
func TestProcessesSendOnce(t *testing.T) {
	o := newOffice(t)
	for i := range 20 {
		o.waiting["apr_"+string(rune('a'+i))] = []string{"security"}
	}
	var all sync.WaitGroup
	for range 4 {
		k := o.courier(o.target("chat", []Event{Requested}))
		all.Go(func() { o.turn(k) })
	}
	all.Wait()
	if n := len(o.got["chat"]); n != 20 {
		t.Errorf("%d messages about 20 requests", n)
	}
}

// A process that dies while it sends leaves the message to the next one.
func TestCrashWhileSending(t *testing.T) {
	o := newOffice(t)
	target := o.target("chat", []Event{Requested})
	k := o.courier(target)
	o.waiting["apr_1"] = []string{"security"}
	if err := k.fill(t.Context()); err != nil {
		t.Fatal(err)
	}
	if row, err := k.take(t.Context(), "chat"); err != nil || row == nil {
		t.Fatal(row, err)
	}
	next := o.courier(target)
	o.turn(next)
	o.want("at once", "chat")
	o.pass(lease)
	o.turn(next)
	o.want("after the lease", "chat", "approval.requested apr_1")
}

func TestAlarms(t *testing.T) {
	o := newOffice(t)
	k := o.courier(o.target("chat", []Event{Alarm}), o.target("other", []Event{Requested}))
	for range 2 {
		for _, window := range []string{"2026-03-10", "2026-03-11"} {
			if err := k.Raise(t.Context(), "pilot: rows a day", window, "80 % of it is used"); err != nil {
				t.Fatal(err)
			}
		}
	}
	o.turn(k)
	if len(o.got["chat"]) != 2 || len(o.got["other"]) != 0 {
		t.Fatalf("%+v", o.got)
	}
	if m := o.got["chat"][0]; m.Title() != "Budget pilot: rows a day: 80 % of it is used" || m.Plain() != m.Title()+"\n\n" {
		t.Errorf("%q", m.Plain())
	}
}

// TestAP20MessagesSayNoMore: who, what, through which client, until when, and the link.
func TestAP20MessagesSayNoMore(t *testing.T) {
	m := Message{ID: "ntc_1", Event: Requested, At: time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC), Approval: "apr_1", URL: "https://proxy.example/approvals/apr_1",
		Org: "acme", Kind: "production", Server: "sales", Tool: "deleteSobjectRecord", Class: policy.Delete, Object: "Account", User: "rep@acme.example",
		Client: "ChatGPT <script>*x*", Roles: []string{"security"}, Expires: time.Date(2026, 3, 10, 12, 15, 0, 0, time.UTC), State: "pending"}
	const plain = `Deletion of Account in PRODUCTION waits for approval

Asked by:    rep@acme.example
Through:     ChatGPT <script>*x*
Tool:        deleteSobjectRecord
Server:      sales
Org:         acme (production)
Decided by:  role security
Until:       2026-03-10 12:15 UTC

The page shows the call in full and needs a sign-in:
https://proxy.example/approvals/apr_1
`
	if got := m.Plain(); got != plain {
		t.Errorf("%s", got)
	}
	for format, want := range map[Format]string{
		JSON: `{"type":"approval.requested","id":"ntc_1","timestamp":"2026-03-10T12:00:00Z","title":"Deletion of Account in PRODUCTION waits for approval",` +
			`"approval":{"id":"apr_1","url":"https://proxy.example/approvals/apr_1","state":"pending","org":"acme","org_kind":"production","server":"sales",` +
			`"tool":"deleteSobjectRecord","class":"delete","object":"Account","user":"rep@acme.example","client":"ChatGPT \u003cscript\u003e*x*","roles":["security"],"expires_at":"2026-03-10T12:15:00Z"}}`,
		Slack: `"text":"Deletion of Account in PRODUCTION waits for approval"`,
		Teams: `"contentType":"application/vnd.microsoft.card.adaptive"`,
	} {
		body, err := NewWebhook(WebhookConfig{Format: format}).body(&m)
		if err != nil || !json.Valid(body) || format == JSON && string(body) != want || !strings.Contains(string(body), want) {
			t.Errorf("%s: %s, %v", format, body, err)
		}
		if strings.Contains(string(body), "mrkdwn") || strings.Contains(string(body), `"TextBlock"`) { // texts of others would be markup
			t.Errorf("%s has markup: %s", format, body)
		}
	}
}

// TestS7ForgedNotices: whoever can write the database does not have the proxy write to a chat.
func TestS7ForgedNotices(t *testing.T) {
	for what, forge := range map[string]string{
		"another text":    `UPDATE notices SET body = 'Pay here: https://evil.example'`,
		"another request": `UPDATE notices SET about = 'x apr_2'`,
		"another target":  `UPDATE notices SET target = 'boss'`,
		"a row of theirs": `INSERT INTO notices (id, target, event, about, body, created_at, next_at, mac) SELECT 'ntc_x', 'boss', event, 'y', body, created_at, next_at, mac FROM notices`,
	} {
		o := newOffice(t)
		k := o.courier(o.target("chat", []Event{Alarm}), o.target("boss", nil))
		if err := k.Raise(t.Context(), "rows", "today", "it is used up"); err != nil {
			t.Fatal(err)
		}
		if _, err := o.db.Writes.ExecContext(t.Context(), forge); err != nil {
			t.Fatal(err)
		}
		o.turn(k)
		for _, m := range o.got["chat"] {
			if m.Text != "it is used up" || m.Budget != "rows" {
				t.Errorf("%s: %+v", what, m)
			}
		}
		if n := len(o.got["boss"]); n != 0 {
			t.Errorf("%s: %d messages to another target", what, n)
		}
	}
}

// What waits is looked for at the start, and whenever it is time.
func TestCourierLooksWhenItIsTime(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	tick, sent := make(chan time.Time), make(chan string, 1)
	o.answer = func(_ string, m *Message) error { sent <- m.Approval; return nil }
	looked := make(chan struct{}, 1)
	o.looked = func() {
		select {
		case looked <- struct{}{}:
		default:
		}
	}
	k := New(Config{DB: o.db, Targets: []Target{o.target("ops", []Event{Requested})}, Source: o, Log: slog.New(slog.DiscardHandler), Now: o.now,
		Tick: func() (<-chan time.Time, func()) { return tick, func() {} }})
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { k.Run(ctx) })
	<-looked
	o.mu.Lock()
	o.waiting["apr_1"] = []string{"security"}
	o.mu.Unlock()
	for got := ""; got == ""; {
		select {
		case got = <-sent:
			if got != "apr_1" {
				t.Errorf("sent: %s", got)
			}
		case tick <- time.Time{}:
		}
	}
	cancel()
	running.Wait()
}

// FT-46: a notice under a key that is not here yet is not given up as changed by somebody: whoever has the key, or the
// next attempt, sends it.
func TestFaultFT46NoticeBehindAKey(t *testing.T) {
	o := newOffice(t)
	url := dbtest.URL(t)
	o.db = dbtest.OpenURL(t, url)
	k := o.courier(o.target("chat", []Event{Requested}))
	o.waiting["apr_1"] = []string{"security"}
	if err := k.fill(t.Context()); err != nil {
		t.Fatal(err)
	}
	back := dbtest.Behind(t, o.db, db.Notices, dbtest.Ring(t, url))
	if err := k.deliver(t.Context(), 0); err != nil && !errors.Is(err, db.ErrKeyMissing) {
		t.Fatal(err)
	}
	o.want("without the key", "chat")
	back()
	o.pass(time.Hour)
	o.turn(k)
	o.want("with the key", "chat", "approval.requested apr_1")
}
