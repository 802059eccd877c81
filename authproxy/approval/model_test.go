package approval

import (
	"context"
	"errors"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/db/dbtest"
	"sfmcp-proxy/authproxy/db/dbtest/rounds"
	"sfmcp-proxy/authproxy/seal"
)

// card is what the reference knows of one call: a few lines that anybody can check against
// the package comment.
type card struct {
	id     string
	state  State
	agreed map[string]string // human: factor
	author string
	at     time.Time // when it was asked for, or decided, or made
}

func (c card) missing() (factors []string) {
	for _, f := range []string{"a", "b"} {
		if !slices.Contains(slices.Collect(maps.Values(c.agreed)), f) {
			factors = append(factors, f)
		}
	}
	return factors
}

// machine drives a process through random orders beside the reference. It looks into the
// database with a store of its own.
type machine struct {
	t         *testing.T
	keys, url string
	writes    string
	own       *Store
	child     *child
	spare     []*child // started, and not needed yet
	base      int      // number of the first of its three calls
	now       time.Time
	cards     [3]card
	roles     map[string][]string
}

// apply is the reference: what an order does to the cards, and how it is answered.
func (m *machine) apply(cards [3]card, o order) ([3]card, string) {
	k := o.Key - m.base
	c := cards[k]
	c.agreed = maps.Clone(c.agreed)
	live := c.state == Pending || c.state == Approved
	answer := ""
	switch o.Do {
	case "submit":
		counter := cards[(k+1)%3].state
		if c.state == "" || c.state == Void || c.state == Expired || c.state == Countered && (counter == Void || counter == Expired) {
			c = card{state: Pending, at: m.now, agreed: map[string]string{}}
		}
	case "approve":
		switch {
		case c.state != Pending:
			answer = "gone"
		case c.agreed[o.Human] != "":
			answer = "already"
		case !slices.Contains(c.missing(), o.Factor):
			answer = "not approver"
		default:
			if c.agreed[o.Human] = o.Factor; len(c.missing()) == 0 {
				c.state = Approved
			}
		}
	case "deny":
		if c.state != Pending {
			answer = "gone"
		} else {
			c.state = Denied
		}
	case "counter":
		next := cards[k+1].state
		switch {
		case c.state != Pending:
			answer = "gone"
		case next != "" && next != Void && next != Expired:
			answer = "proposal"
		default:
			c.state = Countered
			cards[k+1] = card{state: Pending, author: o.Human, at: m.now, agreed: map[string]string{}}
		}
	case "void":
		if live {
			c.state = Void
		}
	case "spend":
		lapsed := false
		for human, factor := range c.agreed {
			if c.state == Approved && (human == c.author || !slices.Contains(m.roles[human], factor)) {
				delete(c.agreed, human)
				lapsed = true
			}
		}
		switch {
		case c.state != Approved:
			answer = "not approved"
		case lapsed:
			c.state, answer = Pending, "not approved"
		default:
			c.state = Spent
		}
	}
	cards[k] = c
	return cards, answer
}

// look reads a call as it is stored now.
func (m *machine) look(c card) card {
	if c.id == "" {
		return c
	}
	r, err := m.own.Get(m.t.Context(), c.id)
	if err != nil {
		m.t.Fatalf("acknowledged, and lost: %s: %v", c.id, err)
	}
	got := card{id: r.ID, state: r.State, author: r.Author, agreed: map[string]string{}, at: c.at}
	for _, d := range r.Decisions {
		got.agreed[d.Human] = d.Factor
	}
	if r.State == Countered && r.Counter != nil {
		got.author = r.Author
	}
	return got
}

// same reports whether the reference says what is stored; of what is over, who agreed is not looked at.
func (c card) same(stored card) bool {
	return c.state == stored.state && (c.state != Pending && c.state != Approved || maps.Equal(c.agreed, stored.agreed))
}

// order is a random one about a call that there is.
func (m *machine) order(t *rapid.T) order {
	o := order{Do: rapid.SampledFrom([]string{"submit", "approve", "approve", "approve", "approve", "deny", "counter", "void", "spend", "spend"}).Draw(t, "do")}
	k := rapid.IntRange(0, 1).Draw(t, "call")
	if o.Do != "counter" && rapid.IntRange(0, 3).Draw(t, "other") == 0 {
		k = 2
	}
	if m.cards[k].id == "" && o.Do != "spend" {
		if o.Do = "submit"; k == 2 {
			k = 1
		}
	}
	if o.Do == "counter" {
		k = 1
		if m.cards[k].id == "" {
			o.Do = "submit"
		}
	}
	o.Key, o.ID, o.Now, o.Roles = m.base+k, m.cards[k].id, m.now, maps.Clone(m.roles)
	o.Human = rapid.SampledFrom([]string{"ann", "bob", "cem"}).Draw(t, "human")
	o.Factor = rapid.SampledFrom([]string{"a", "b"}).Draw(t, "factor")
	return o
}

// carryOut gives an order and compares what became of it with the reference.
func (m *machine) carryOut(t *rapid.T, o order) {
	cards, want := m.apply(m.cards, o)
	if err := m.child.send(o); err != nil {
		t.Fatal(err)
	}
	got, err := m.child.answer()
	if err != nil {
		t.Fatal(err)
	}
	if got.Error != want {
		t.Fatalf("%s of call %d: %q, the reference says %q", o.Do, o.Key-m.base, got.Error, want)
	}
	m.accept(t, cards, o, got.ID)
}

// accept takes the reference's word for what is stored, once it is.
func (m *machine) accept(t *rapid.T, cards [3]card, o order, id string) {
	k := o.Key - m.base
	switch {
	case o.Do == "counter" && cards[k].state == Countered && m.cards[k].state != Countered:
		cards[k+1].id = m.counterOf(cards[k].id)
	case o.Do == "submit" && cards[k].id == "":
		cards[k].id = id
	}
	m.cards = cards
	for i := range m.cards {
		if stored := m.look(m.cards[i]); !m.cards[i].same(stored) {
			t.Fatalf("after %s of call %d, call %d is %+v, the reference says %+v", o.Do, k, i, stored, m.cards[i])
		}
	}
}

func (m *machine) counterOf(id string) string {
	r, err := m.own.Get(m.t.Context(), id)
	if err != nil || r.Counter == nil {
		m.t.Fatalf("%s has no counter-proposal: %+v, %v", id, r, err)
	}
	return r.Counter.ID
}

// spares is how many processes are started before they are needed: while one works, the next ones begin, which takes
// as long as dozens of orders.
const spares = 4

// next is a process that nobody has had yet.
func (m *machine) next() *child {
	for len(m.spare) < spares {
		m.spare = append(m.spare, startChild(m.t, m.keys, m.writes, m.url))
	}
	next := m.spare[0]
	m.spare = append(m.spare[1:], startChild(m.t, m.keys, m.writes, m.url))
	return next
}

// end ends every process.
func (m *machine) end() {
	for _, c := range append(m.spare, m.child) {
		c.kill()
	}
}

// killDuring gives an order and kills the process while it is at it. Either nothing of it is
// done, or all.
func (m *machine) killDuring(t *rapid.T, o order, after time.Duration) {
	done, _ := m.apply(m.cards, o)
	if err := m.child.send(o); err != nil {
		t.Fatal(err)
	}
	for began := time.Now(); time.Since(began) < after; { // where it is then is what is drawn; a sleep is too coarse
	}
	m.child.kill()
	m.child = m.next()
	k := o.Key - m.base
	if o.Do == "submit" && done[k].id == "" { // whether it was done shows by asking again: it is one request
		m.carryOut(t, o)
		return
	}
	before, stored := m.cards[k], m.look(m.cards[k])
	switch {
	case done[k].same(stored):
		m.accept(t, done, o, "")
	case before.same(stored):
		m.accept(t, m.cards, order{Do: "nothing of " + o.Do, Key: o.Key}, "")
	default:
		t.Fatalf("killed during %s, call %d is %+v: neither %+v nor %+v", o.Do, k, stored, before, done[k])
	}
}

// check reads what was written: each request once at most, and only what is spent.
func (m *machine) check(t *rapid.T) {
	text, err := os.ReadFile(m.writes)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	made := map[string]bool{}
	for id := range strings.FieldsSeq(string(text)) {
		if made[id] {
			t.Fatalf("%s was made twice", id)
		}
		made[id] = true
	}
	for _, c := range m.cards {
		if made[c.id] && c.state != Spent {
			t.Fatalf("%s was made, and is %s", c.id, c.state)
		}
	}
}

// AP-16: a process is driven through random orders beside a small reference, and killed at
// random moments. No call is made twice, or without everybody who must agree; nothing that was
// acknowledged is lost; and what was not is done whole or not at all.
func TestAP16Killed(t *testing.T) {
	rounds.Thorough(t)
	runs := 5 * rounds.Count(t)
	if dbtest.OnPostgres() { // where a process takes long to begin
		runs /= 5
	}
	setRapid(t, "checks", strconv.Itoa(runs))
	setRapid(t, "nofailfile", "true")
	dir := t.TempDir()
	keys := filepath.Join(dir, "keys")
	if err := seal.CreateKeyFile(keys); err != nil {
		t.Fatal(err)
	}
	ring, err := seal.LoadKeyRing(keys)
	if err != nil {
		t.Fatal(err)
	}
	url := dbtest.URL(t)
	d, err := db.Open(context.Background(), db.Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if err := d.Claim(context.Background(), ring); err != nil {
		t.Fatal(err)
	}
	m := &machine{t: t, keys: keys, url: url, writes: filepath.Join(dir, "writes"), now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	if m.own, err = New(Config{DB: d, Ring: ring, Lifetime: lifetime, Now: func() time.Time { return m.now }}); err != nil {
		t.Fatal(err)
	}
	m.child = m.next()
	defer m.end()
	rapid.Check(t, func(rt *rapid.T) {
		m.base += 10
		m.cards = [3]card{}
		m.roles = map[string][]string{"ann": {"a", "b"}, "bob": {"b"}, "cem": {"a"}}
		m.now = m.now.Add(time.Second)
		for range rapid.IntRange(2, 12).Draw(rt, "orders") {
			switch rapid.IntRange(0, 9).Draw(rt, "kind") {
			case 0:
				m.roles[rapid.SampledFrom([]string{"ann", "bob", "cem"}).Draw(rt, "who")] = rapid.SampledFrom([][]string{nil, {"a", "b"}}).Draw(rt, "roles")
			case 1:
				m.pass(rapid.SampledFrom([]time.Duration{time.Second, lifetime}).Draw(rt, "time"))
			default:
				m.carryOut(rt, m.order(rt))
			}
			m.check(rt)
		}
		m.killDuring(rt, m.order(rt), time.Duration(rapid.IntRange(0, 800).Draw(rt, "µs"))*time.Microsecond)
		m.check(rt)
		m.carryOut(rt, m.order(rt))
		m.check(rt)
	})
}

// pass has time go by: what waits or is approved expires, and what is over is forgotten as an
// answer to the same call.
func (m *machine) pass(d time.Duration) {
	m.now = m.now.Add(d)
	if d < lifetime {
		return
	}
	for i, c := range m.cards {
		switch c.state {
		case Pending, Approved:
			m.cards[i].state = Expired
		case Denied, Countered, Spent:
			m.cards[i] = card{}
		}
	}
}

// setRapid sets a flag of rapid for this test.
func setRapid(t *testing.T, name, value string) {
	t.Helper()
	f := flag.Lookup("rapid." + name)
	before := f.Value.String()
	if err := f.Value.Set(value); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Value.Set(before) })
}
