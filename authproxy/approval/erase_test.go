package approval

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/actor"
)

// S12: the arguments of a call are kept as long as it may be decided, made or repeated, and
// of a call that somebody decided for KeepArguments more; then they are erased. The digest
// stays, and so does the record.
func TestS12ArgumentsAreErased(t *testing.T) {
	t.Parallel()
	s, c := newStore(t)
	s.keep = 168 * time.Hour
	sealed := func() (kept []string) {
		t.Helper()
		if _, err := s.Expire(t.Context()); err != nil {
			t.Fatal(err)
		}
		rows, err := s.db.Reads.Query(`SELECT tool || ' ' || state FROM approvals WHERE sealed_arguments <> '' ORDER BY created_at, id`)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		for rows.Next() {
			var row string
			if err := rows.Scan(&row); err != nil {
				t.Fatal(err)
			}
			kept = append(kept, row)
		}
		return kept
	}
	held := map[string]*Request{}
	hold := func(tool string) Binding {
		c.add(time.Millisecond) // in this order
		b := binding(strings.Repeat("A", 1<<10) + tool)
		b.Tool, b.GrantID = tool, "grant of "+tool
		held[tool] = submit(t, s, b)
		return b
	}
	spend := func(b Binding) {
		t.Helper()
		if _, err := s.Spend(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	hold("ignored")
	hold("voided")
	hold("denied")
	decide(t, s, held["denied"].ID, false)
	hold("approved")
	decide(t, s, held["approved"].ID, true)
	done := hold("done")
	decide(t, s, held["done"].ID, true)
	spend(done)
	if err := s.Settle(t.Context(), held["done"].ID, Done, []byte(`{"id":1}`)); err != nil {
		t.Fatal(err)
	}
	crashed := hold("crashed")
	decide(t, s, held["crashed"].ID, true)
	spend(crashed)
	want := func(when string, want ...string) {
		t.Helper()
		if got := sealed(); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", when, got, want)
		}
	}
	want("at once", "ignored pending", "voided pending", "denied denied", "approved approved", "done spent", "crashed spent")
	if _, err := s.Void(t.Context(), VoidFilter{GrantID: "grant of voided"}, "x"); err != nil {
		t.Fatal(err)
	}
	want("after a cut-off", "ignored pending", "denied denied", "approved approved", "done spent", "crashed spent")
	c.add(lifetime)
	want("after nobody decided", "denied denied", "approved expired", "done spent", "crashed spent")
	c.add(s.keep - lifetime - time.Second)
	want("a week less a second later", "denied denied", "approved expired", "done spent", "crashed spent")
	c.add(2 * time.Second)
	want("a week after the decisions")
	for tool, r := range held {
		got, err := s.Get(t.Context(), r.ID)
		if err != nil || got.Arguments != nil || got.Result != nil || got.ArgumentsDigest != r.ArgumentsDigest {
			t.Errorf("%s: %+v, %v", tool, got, err)
		}
	}
	s.keep = 0
	hold("kept for nothing")
	decide(t, s, held["kept for nothing"].ID, false)
	want("denied, and may be asked for again", "kept for nothing denied")
	c.add(lifetime)
	want("with keep_arguments: 0s")
}

// S12: what somebody else erased is not approved unread.
func TestS12ErasedByAnother(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t)
	r := submit(t, s, binding("Acme"))
	if _, err := s.db.Writes.Exec(`UPDATE approvals SET sealed_arguments = ''`); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Get(t.Context(), r.ID); err == nil {
		t.Errorf("read: %+v", got)
	}
	if _, err := s.Approve(t.Context(), r.ID, agreed(actor.User("rep"))); err == nil {
		t.Error("approved")
	}
	if _, err := s.Spend(t.Context(), binding("Acme")); !errors.Is(err, ErrNotApproved) {
		t.Errorf("spent: %v", err)
	}
}
