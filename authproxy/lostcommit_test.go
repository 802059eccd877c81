package authproxy

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/definition"
)

// FT-35, AU-08: whichever COMMIT of an act the database does not answer, and whether or not it reached it, the act is done, whoever
// did it is told so, and the log has it as often, and as done, as if nothing had been lost.
func TestFaultFT35LostCommitOfEachAct(t *testing.T) {
	t.Parallel()
	eachActIn(t, change{network: true}, func(t *try, a act, _ int) {
		t.must(a.do(t)) // what there was besides is gone
		of := t.begin(a)
		entries := map[string]int{} // how often each: how many there were, and what ended by the last one
		for _, reaches := range []bool{true, false} {
			for n, lost := 0, true; lost; n++ {
				before := len(t.recorded(a))
				t.network.LoseCommitAfter(n, reaches)
				err := a.do(t)
				lost = !t.network.LoseNothing()
				left, more := a.left(t), t.recorded(a)[before:]
				if err != nil || left != 0 {
					t.Errorf("after %d, reaches %t: %d of %d left, %v", n, reaches, left, of, err)
				}
				if t.Failed() {
					return
				}
				if len(more) == 0 || slices.ContainsFunc(more, func(e audit.Entry) bool { return e.Outcome != audit.OK }) {
					t.Fatalf("after %d, reaches %t: recorded as %+v", n, reaches, more)
				}
				recorded := strconv.Itoa(len(more))
				if object := more[len(more)-1].Object; strings.Contains(object, " connections") {
					recorded += ": " + object
				}
				entries[recorded]++
				if !lost && n == 0 {
					t.Error("it has no COMMIT")
				}
				if t.Failed() {
					return
				}
				of = t.begin(a)
			}
		}
		if len(entries) != 1 {
			t.Errorf("recorded in several ways: %v", entries)
		}
	})
}

// FT-35: where nobody can find out, the log says so of a decision about a definition, whichever it is.
func TestFaultFT35DefinitionInDoubtIsRecordedAsThat(t *testing.T) {
	t.Parallel()
	f, reviews, _ := startReviewsIn(t, change{network: true, inDoubt: time.Second})
	one := &try{T: t, fixture: f, ctx: t.Context(), reviews: reviews}
	for _, tt := range []struct {
		action audit.Action
		is     definition.State // before
		decide func(definition.Pinned) error
	}{
		{audit.DefinitionReject, definition.Accepted, func(p definition.Pinned) error { return one.definitions().Reject(t.Context(), byAdmin.By, "sales", p) }},
		{audit.DefinitionAccept, definition.Rejected, func(p definition.Pinned) error { return one.definitions().Accept(t.Context(), byAdmin.By, "sales", p) }},
	} {
		for f.db.Writes.PingContext(t.Context()) != nil || f.db.Reads.PingContext(t.Context()) != nil { // connections that have ended are found out one by one
		}
		p := one.definition()
		if p.State != tt.is {
			one.must(reviews.Definitions.Reject(t.Context(), p.Server, p.Kind, p.Name, p.Digest, byAdmin.By))
		}
		f.network.LoseCommitThen(false, f.network.Down)
		err := tt.decide(p)
		f.network.Heal()
		if all := f.audited(t, tt.action); !errors.Is(err, db.ErrInDoubt) || len(all) == 0 || all[len(all)-1].Outcome != audit.Unknown {
			t.Errorf("%s: %v, recorded as %+v", tt.action, err, all)
		}
	}
}
