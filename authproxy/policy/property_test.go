package policy

import (
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"sfmcp-proxy/authproxy/db/dbtest/rounds"
	"sfmcp-proxy/authproxy/policy/reach"
)

// calls are of every kind that rules can tell apart.
var calls = []Call{
	call("getUserInfo", ""), call("getObjectSchema", "{}"), call("getObjectSchema", `{"objects":"Account"}`),
	soqlCall("SELECT Id FROM Account LIMIT 5"), soqlCall("SELECT Id FROM Account"), soqlCall("SELECT Owner.Name FROM Contact LIMIT 500"),
	soqlCall("SELECT FIELDS(ALL) FROM Contact LIMIT 5"), soqlCall("SELECT Id FROM Account FOR VIEW"), soqlCall("SELECT X__r.Name FROM Case LIMIT 1"),
	soqlCall("nonsense"), soslCall("FIND {x} RETURNING Account LIMIT 5"), soslCall("FIND {x}"),
	call("createSobjectRecord", create), call("deleteSobjectRecord", account),
	call("dispatch", `{"method":"DELETE","url":"/services/data/v67.0/sobjects/Account/001xx000003DGb1AAG"}`),
	call("dispatch_readonly", `{"url":"/services/data/v67.0/limits"}`), call("custom", "{}"), call("grid_list_workbooks", "{}"),
	call("prompt:accountReviewBriefing", ""), call("prompt:x", ""), call("resource:ui://x", ""),
}

var callers = []Principal{rep, {Org: "acme", Subject: "005xx000001Sv7AAAS", Client: "cursor"}, {}}

// randomRule makes a rule of values that the calls above can match.
func randomRule(r *rand.Rand, e Effect) Rule {
	pick := func(values ...string) []string {
		if r.IntN(3) > 0 {
			return nil
		}
		var some []string
		for len(some) == 0 {
			for _, v := range values {
				if r.IntN(2) == 0 {
					some = append(some, v)
				}
			}
		}
		return some
	}
	out := Rule{
		Effect: e, Tools: pick("soqlQuery", "get*", "*", "dispatch*", "prompt:*", "custom"), Users: pick("rep@acme.example", "005xx000001Sv7A"),
		Groups: pick("sales", "ops"), Clients: pick("chatgpt", "cursor"), Objects: pick("Account", "User", "*", "Con*", "Secret__c"),
		Fields: pick("Contact.Email", "Account.Id", "*.*", "Account.*"),
	}
	for _, c := range pick("read", "side_effect", "create", "update", "delete", "unknown") {
		out.Classes = append(out.Classes, Class(c))
	}
	if e != Deny && r.IntN(4) == 0 {
		out.MaxRows = 1 + r.IntN(1000)
	}
	return out
}

func randomPolicy(r *rand.Rand) *Policy {
	var rules []Rule
	for range r.IntN(5) {
		rules = append(rules, randomRule(r, []Effect{Allow, Confirm, Deny}[r.IntN(3)]))
	}
	return given(rules...).in(reach.Catalogue{}) // compiled once
}

// rank orders effects by how much they let pass.
var rank = map[Effect]int{Deny: 0, Confirm: 1, Allow: 2}

func TestAddingADenyNeverAllowsMore(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	for range rounds.Sized(t, 200, 800) {
		before := randomPolicy(r)
		at := r.IntN(len(before.Rules) + 1)
		after := given(slices.Insert(slices.Clone(before.Rules), at, randomRule(r, Deny))...).in(reach.Catalogue{})
		for _, who := range callers {
			for _, c := range calls {
				b, a := before.Decide(who, c), after.Decide(who, c)
				if rank[a.Effect] > rank[b.Effect] {
					t.Fatalf("%s %s: %s became %s by\n%+v\nin %+v", c.Tool, c.Arguments, b.Effect, a.Effect, after.Rules[at], before.Rules)
				}
				if after.Visible(who, c.Tool) && !before.Visible(who, c.Tool) {
					t.Fatalf("%s became visible by %+v", c.Tool, after.Rules[at])
				}
			}
		}
	}
}

func TestWhatPassesIsVisibleAndWhatIsHiddenNeverPasses(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 4))
	for range rounds.Sized(t, 400, 1500) {
		p := randomPolicy(r)
		for _, who := range callers {
			for _, c := range calls {
				d := p.Decide(who, c)
				if visible := p.Visible(who, c.Tool); d.Effect != Deny && !visible || d.Hidden && visible {
					t.Fatalf("%s %s: %s by %+v, visible %v", c.Tool, c.Arguments, verdict(d), p.Rules, visible)
				}
			}
		}
	}
}

// Dead rules that Validate reports may be left out without any effect.
func TestDeadRulesDecideNothing(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(5, 6))
	for range rounds.Sized(t, 400, 1500) {
		p := randomPolicy(r)
		for j := range p.Rules {
			dead := slices.ContainsFunc(p.Rules[:j], func(earlier Rule) bool { return earlier.covers(&p.Rules[j]) })
			if !dead {
				continue
			}
			for _, who := range callers {
				for _, c := range calls {
					if d := p.Decide(who, c); d.Rule == j {
						t.Fatalf("rule %d decides %s %s in %+v", j, c.Tool, c.Arguments, p.Rules)
					}
				}
			}
		}
	}
}

// Whatever stands in a query: what cannot be read does not pass, and what passes as a
// read reaches something. FuzzParse in package soql looks for side effects.
func FuzzDecideQuery(f *testing.F) {
	for _, seed := range []string{
		"SELECT Id FROM Account", "SELECT Id, (SELECT Id FROM Contacts FOR REFERENCE) FROM Account LIMIT 5",
		"SELECT TYPEOF What WHEN Account THEN Phone END FROM Event", "FIND {x} RETURNING Account(Id LIMIT 1) UPDATE TRACKING",
	} {
		f.Add(seed)
	}
	readOnly := given(allow(class(Read)))
	f.Fuzz(func(t *testing.T, q string) {
		if d := readOnly.Decide(rep, Call{Tool: "soqlQuery", Arguments: []byte(q)}); d.Effect == Allow && d.Class != Read {
			t.Fatalf("allowed %s: %q", d.Class, q)
		}
		if !utf8.ValidString(q) {
			return // which is no JSON
		}
		got, refused := read(soqlCall(q))
		if refused != nil && refused.Text == "" {
			t.Fatal("refused without a sentence")
		}
		if refused == nil && len(got.Objects) == 0 && !got.Opaque {
			t.Fatalf("reaches nothing: %q", q)
		}
		if got, refused := read(soslCall(q)); refused == nil && got.Class == Read && !got.Opaque && len(got.Objects) == 0 {
			t.Fatalf("search reaches nothing: %q", q)
		}
		if d := readOnly.Decide(rep, soqlCall(q)); d.Effect == Allow && (refused != nil || got.Class != Read) {
			t.Fatalf("allowed although it is no read: %q", q)
		}
	})
}

// slowGlob is glob as a regular expression.
func slowGlob(pattern, name string) bool {
	quoted := regexp.QuoteMeta(pattern)
	quoted = strings.ReplaceAll(strings.ReplaceAll(quoted, `\*`, `.*`), `\?`, `.`)
	return regexp.MustCompile(`(?s)^(?:` + quoted + `)$`).MatchString(name)
}

func FuzzPattern(f *testing.F) {
	for _, seed := range [][2]string{{"get*", "getUserInfo"}, {"*", ""}, {"?", "x"}, {"*a*b*c", "xxaxxbxxc"}, {"a**b", "ab"}, {"", ""}, {"grid_delete_*", "grid_delete_rows"}} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, pattern, name string) {
		if len(pattern) > maxPattern || len(name) > 2048 {
			return
		}
		got := reach.Glob(pattern, name)
		ascii := func(c byte) bool { return c < 0x80 }
		if everyByte(pattern, ascii) && everyByte(name, ascii) && got != slowGlob(pattern, name) {
			t.Fatalf("glob(%q, %q) = %v", pattern, name, got)
		}
		if !strings.ContainsAny(pattern, "*?") && got != (pattern == name) {
			t.Fatalf("exact %q matches %q: %v", pattern, name, got)
		}
		p := given(allow(tools(pattern)))
		if d := p.Decide(rep, Call{Tool: name}); d.Effect == Allow && !reach.ValidName(name) {
			t.Fatalf("the name %q passes", name)
		}
	})
}

func BenchmarkDecide(b *testing.B) {
	var rules []Rule
	for range 19 {
		rules = append(rules, deny(tools("grid_*", "other"), objects("User", "Profile"), fields("Contact.SSN__c")))
	}
	p := given(append(rules, allow(class(Read), maxRows(2000)))...).For("https://api.salesforce.com/platform/mcp/v1/platform/sobject-all")
	bench := func(name string, c Call) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if d := p.Decide(rep, c); d.Effect != Allow {
					b.Fatal(d.Reason)
				}
			}
		})
	}
	bench("getUserInfo", call("getUserInfo", ""))
	bench("soqlQuery", soqlCall("SELECT Id, Name, Account.Name, (SELECT Id FROM Cases LIMIT 5) FROM Contact WHERE LastName LIKE 'A%' LIMIT 20"))
	bench("soqlQuery 100 kB", soqlCall("SELECT Id FROM Account WHERE Name='x'"+strings.Repeat(" OR A='x'", 11_000)+" LIMIT 9"))
}

// Whom the same rules name, the same is decided for: what is remembered of one holds for the
// other.
func TestNamingTellsCallersApart(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(7, 8))
	apart := 0
	for range rounds.Sized(t, 200, 800) {
		p := randomPolicy(r)
		for _, one := range callers {
			for _, other := range callers {
				if p.Naming(one) != p.Naming(other) {
					apart++
					continue
				}
				for _, c := range calls {
					if p.Visible(one, c.Tool) != p.Visible(other, c.Tool) || p.Annotations(one, c.Tool) != p.Annotations(other, c.Tool) {
						t.Fatalf("%s: %+v and %+v are not told apart in %+v", c.Tool, one, other, p.Rules)
					}
				}
			}
		}
	}
	if apart == 0 {
		t.Error("nobody was told apart")
	}
}
