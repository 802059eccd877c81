package audit

import (
	"bytes"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sfmcp-proxy/authproxy/actor"
)

// What an outcome takes from its intent is what it would have by itself, whatever the two have
// alike.
func TestOutcomeFromItsIntentIsTheSame(t *testing.T) {
	t.Parallel()
	l := newStore(t).open()
	odd := typical()
	odd.Rule, odd.Tool = "rule \u202e7", "t\u00e4t"+strings.Repeat("x", maxText)
	operator := Entry{Actor: actor.Operator("root", "kay"), Action: UserBlock, Org: "acme", Subject: typical().Subject}
	unread := regexp.MustCompile(`"sealed":"[^"]*"`) // of which no two are alike
	for what, e := range map[string]Entry{
		"a call": typical(), "characters that act": odd, "by an operator": operator, "about nobody": {Actor: actor.Proxy, Action: LogPrune},
	} {
		for how, r := range map[string]Result{
			"done": {Status: "200", Bytes: 7}, "of another object": {Object: "another"}, "approved": {Approval: "apr_9"}, "of somebody else": {Username: "other@acme.example"},
			"under a definition": {DefinitionHash: "d1"}, "with a credential": {Reason: "Bearer abcdefgh", Status: "sfa_abcdefgh", Records: []Records{{IDs: []string{"no id"}}}},
		} {
			e.Outcome = Intent
			begun := accepted(t.Context(), e)
			intent, err := writing{l}.append(t.Context(), begun, nil)
			if err != nil {
				t.Fatal(err)
			}
			ended := begun.ended(r)
			got, err := writing{l}.encoded(t.Context(), ended, intent)
			if err != nil {
				t.Fatal(err)
			}
			want, err := writing{l}.encoded(t.Context(), accepted(t.Context(), e.ended(r)), nil)
			if err != nil {
				t.Fatal(err)
			}
			if a, b := unread.ReplaceAll(got.tail, nil), unread.ReplaceAll(want.tail, nil); !bytes.Equal(a, b) {
				t.Errorf("%s, %s: stored is\n%s\nwant\n%s", what, how, a, b)
			}
			if diff := cmp.Diff(want.terms, got.terms); diff != "" {
				t.Errorf("%s, %s: terms (-want +got)\n%s", what, how, diff)
			}
		}
	}
}

// Who is erased between the two entries of a call is not named by the second one.
func TestAU15ErasedBetweenIntentAndOutcome(t *testing.T) {
	t.Parallel()
	l := newStore(t).open()
	e := typical()
	begun := accepted(t.Context(), e)
	intent, err := writing{l}.append(t.Context(), begun, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Persons().Erase(t.Context(), e.Org, e.Subject, Erasure{By: actor.Proxy}, nothingBesides); err != nil {
		t.Fatal(err)
	}
	w, err := writing{l}.encoded(t.Context(), begun.ended(Result{}), intent)
	if err != nil {
		t.Fatal(err)
	}
	if w.entry.Subject == intent.entry.Subject || bytes.Contains(w.tail, []byte(intent.entry.Subject)) {
		t.Errorf("the outcome is under the key that was erased: %s", w.tail)
	}
}
