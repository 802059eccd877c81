package policy

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"sfmcp-proxy/authproxy/policy/reach"
)

// P5: patterns are found by their letters exactly where comparing all of them one by one finds
// them, for objects and for fields with the parts of compounds.
func TestP5PatternsAreFoundAsIfComparedOneByOne(t *testing.T) {
	t.Parallel()
	const seed = 20261129
	random := rand.New(rand.NewPCG(seed, 0))
	one := func(of ...string) string { return of[random.IntN(len(of))] }
	some := func(most int, of ...string) (text string) {
		for range random.IntN(most + 1) {
			text += one(of...)
		}
		return text
	}
	name := func() string {
		return "A" + some(4, "a", "B", "b") + one("", "", "Name", "Address", "City", "Street") + some(3, "a", "b") + one("", "", "__c", "__s", "__Latitude__s")
	}
	pattern := func() string {
		return one("*", "?", "") + "a" + some(2, "A", "b", "*") + one("", "", "name", "addr", "City", "reet") + one("*", "?", "") + some(2, "b", "B") + one("", "", "__c") + one("*", "?", "")
	}
	matched := 0
	for range 1500 {
		n := 1 + random.IntN(70)
		x := newIndex(n)
		var objects, names []like
		for rule := range n {
			o, f := newLike(pattern()), newLike(pattern())
			objects, names = append(objects, o), append(names, f)
			x.likeField.add(likeRule{o, f, rule}, f.literal)
			x.like.add(likeRule{object: o, rule: rule}, o.literal)
		}
		object, field := name(), name()
		byObject, byField := newBits(n), newBits(n)
		x.hitObject(byObject, object)
		x.hitField(byField, reach.Ref{Object: object, Name: field})
		lower := []byte(strings.ToLower(object))
		written, ended := related(nil, nil, field)
		for rule := range n {
			if got, want := byObject.has(rule), objects[rule].matches(lower); got != want {
				t.Fatalf("%s by %s: %t", object, objects[rule].full, got)
			}
			want, begin := false, 0
			for _, end := range ended {
				want = want || objects[rule].matches(lower) && names[rule].matches(written[begin:end])
				begin = end + 1
			}
			if want {
				matched++
			}
			if got := byField.has(rule); got != want {
				t.Fatalf("%s.%s by %s.%s: %t", object, field, objects[rule].full, names[rule].full, got)
			}
		}
	}
	if matched < 50 {
		t.Errorf("only %d patterns match anything", matched)
	}
}

// P5: however many patterns there are, a name is compared with few of them, even if all of them
// and the name have most letters in common.
func TestP5NamesAreComparedWithFewPatterns(t *testing.T) {
	t.Parallel()
	var x likes
	for i := range 5000 {
		l := newLike(fmt.Sprintf("*Inner%04d*", i))
		x.add(likeRule{name: l, rule: i}, l.literal)
	}
	compared := 0
	for i := range 1900 {
		x.in([]byte(fmt.Sprintf("prefix_inner_%d_inner__c", i)), func(*likeRule) { compared++ })
	}
	if compared > 0 {
		t.Errorf("%d comparisons", compared)
	}
	x.in([]byte("aninner0042b"), func(l *likeRule) { compared += l.rule })
	if compared != 42 {
		t.Errorf("the pattern is not found: %d", compared)
	}
}
