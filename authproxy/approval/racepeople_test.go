package approval

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/db/dbtest"
	"sfmcp-proxy/authproxy/db/dbtest/rounds"
	"sfmcp-proxy/authproxy/seal"
)

// AP-16: in two processes beside this one people approve, deny and propose, connections end,
// time passes and the client spends, all at once. Each call ends in one state that agrees with
// what everybody was told, and is made once at most, with everybody who must agree.
func TestAP16RaceOfPeople(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	keys, writes, url := filepath.Join(dir, "keys"), filepath.Join(dir, "writes"), dbtest.URL(t)
	if err := seal.CreateKeyFile(keys); err != nil {
		t.Fatal(err)
	}
	ring, err := seal.LoadKeyRing(keys)
	if err != nil {
		t.Fatal(err)
	}
	d, err := db.Open(t.Context(), db.Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if err := d.Claim(t.Context(), ring); err != nil {
		t.Fatal(err)
	}
	c := &clock{at: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	roles := map[string][]string{"ann": {"a", "b"}, "bob": {"b"}, "cem": {"a"}}
	own, err := New(Config{DB: d, Ring: ring, Lifetime: lifetime, Now: c.now, People: rosterOf(roles)})
	if err != nil {
		t.Fatal(err)
	}
	children := [2]*child{startChild(t, keys, writes, url), startChild(t, keys, writes, url)}
	defer func() { children[0].kill(); children[1].kill() }()
	seen := map[State]int{}
	for round := range 5 * rounds.Count(t) {
		c.add(time.Second)
		key := 10 * round
		r, err := own.Submit(t.Context(), machineCall(key), "create")
		if err != nil {
			t.Fatal(err)
		}
		do := func(what, human, factor string) order {
			return order{Do: what, Key: key, ID: r.ID, Human: human, Factor: factor, Now: c.now(), Roles: roles}
		}
		if round%2 == 0 {
			if out := do("approve", "cem", "a").do(own, writes); out.Error != "" {
				t.Fatal(out)
			}
		}
		orders := [2][]order{
			{do("approve", "bob", "b"), do("spend", "", ""), do("deny", "dee", "")},
			{do("approve", "ann", "a"), do("counter", "eve", ""), do("spend", "", "")},
		}
		if round%3 == 0 {
			orders[1][1] = do("void", "", "")
		}
		for i := range orders { // each begins with another one
			n := (round / 3) % 3
			orders[i] = slices.Concat(orders[i][n:], orders[i][:n])
			for _, o := range orders[i] {
				if err := children[i].send(o); err != nil {
					t.Fatal(err)
				}
			}
		}
		if round%7 == 6 {
			c.add(lifetime)
			if _, err := own.Expire(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		told := map[string]int{}
		for i := range orders {
			for _, o := range orders[i] {
				out, err := children[i].answer()
				if err != nil {
					t.Fatal(err)
				}
				if out.Error == "" {
					told[o.Do]++
				} else if !slices.Contains([]string{"gone", "already", "not approver", "not approved"}, out.Error) {
					t.Errorf("round %d: %s: %s", round, o.Do, out.Error)
				}
			}
		}
		end, err := own.Get(t.Context(), r.ID)
		if err != nil {
			t.Fatal(err)
		}
		seen[end.State]++
		text, err := os.ReadFile(writes)
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		made := strings.Count(string(text), r.ID)
		switch {
		case made != told["spend"] || made > 1:
			t.Fatalf("round %d: made %d times, told %d times", round, made, told["spend"])
		case (made == 1) != (end.State == Spent), (told["deny"] == 1) != (end.State == Denied), (told["counter"] == 1) != (end.State == Countered):
			t.Fatalf("round %d ended %s, and told was %v", round, end.State, told)
		case made == 1 && len(end.Missing()) > 0:
			t.Fatalf("round %d was made without %s", round, end.WhoIsMissing())
		}
		if _, err := own.Void(t.Context(), VoidFilter{Subject: r.Subject}, "end of round"); err != nil {
			t.Fatal(err)
		}
	}
	if seen[Denied] == 0 || seen[Void]+seen[Countered] == 0 || seen[Spent] == 0 && rounds.AreMany(t) { // few are spent
		t.Errorf("the race is not one: %v", seen)
	}
	t.Log(seen)
}

// Submitting, approving and spending beside a load of reads; each is to take 2 ms at most, in
// the median.
func BenchmarkLife(b *testing.B) {
	d, err := db.Open(b.Context(), db.Config{URL: "sqlite:" + filepath.Join(b.TempDir(), "p.db")})
	if err != nil {
		b.Fatal(err)
	}
	defer d.Close()
	keys := filepath.Join(b.TempDir(), "keys")
	if err := seal.CreateKeyFile(keys); err != nil {
		b.Fatal(err)
	}
	ring, err := seal.LoadKeyRing(keys)
	if err != nil {
		b.Fatal(err)
	}
	if err := d.Claim(b.Context(), ring); err != nil {
		b.Fatal(err)
	}
	s, err := New(Config{DB: d, Ring: ring, Lifetime: lifetime, People: rosterOf{"ann": {"a"}, "bob": {"b"}}})
	if err != nil {
		b.Fatal(err)
	}
	over := make(chan struct{})
	defer close(over)
	for range 4 {
		go func() {
			for {
				select {
				case <-over:
					return
				case <-time.After(2 * time.Millisecond):
					_, _ = s.List(b.Context(), Filter{State: Pending, Limit: 20})
				}
			}
		}()
	}
	var took [3][]time.Duration
	measure := func(step int, f func() error) {
		began := time.Now()
		if err := f(); err != nil {
			b.Fatal(err)
		}
		took[step] = append(took[step], time.Since(began))
	}
	n := 0
	for b.Loop() {
		n++
		call := machineCall(10 * n)
		var r *Request
		measure(0, func() (err error) { r, err = s.Submit(b.Context(), call, "create"); return err })
		for human, factor := range map[string]string{"ann": "a", "bob": "b"} {
			measure(1, func() error {
				return second(s.Approve(b.Context(), r.ID, Decision{By: actor.User(human), Human: human, Factor: factor, Role: factor}))
			})
		}
		measure(2, func() error { return second(s.Spend(b.Context(), call)) })
	}
	for step, name := range []string{"submit", "decide", "spend"} {
		slices.Sort(took[step])
		b.ReportMetric(float64(took[step][len(took[step])/2].Microseconds()), name+"-µs")
	}
}
