package schema

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"sfmcp-proxy/authproxy/policy/reach"
)

// clock is a time that the test moves.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func newStore() (*Store, *clock) {
	c := &clock{time.Date(2026, 11, 29, 9, 0, 0, 0, time.UTC)}
	return New(c.now), c
}

func task(objects ...string) []*reach.Description {
	text := `{"name":"Task","fields":[{"name":"Deal__c","relationshipName":"Deal__r","referenceTo":["` + strings.Join(objects, `","`) + `"]}]}`
	return reach.ReadDescriptions(jsontext.Value(text), []string{"Task"})
}

// reaches says where a relation of Task leads for a user.
func reaches(s *Store, org, subject string) string {
	v, refused := reach.Catalogue{Schema: s.For(org, subject)}.Read("soqlQuery", jsontext.Value(`{"q":"SELECT Deal__r.Name FROM Task"}`))
	if refused != nil {
		return refused.Error()
	}
	return strings.Join(v.ObjectNames(), " ")
}

func want(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s: reaches %q, want %q", what, got, want)
	}
}

// What a user was told is for this user in this org; what others were told comes to it.
func TestWhoseWordsCount(t *testing.T) {
	t.Parallel()
	s, _ := newStore()
	want(t, "before anything", reaches(s, "acme", "ada"), "Task ?")
	s.Learn("acme", "ada", task("Deal__c"))
	want(t, "who was told", reaches(s, "acme", "ada"), "Deal__c Task")
	want(t, "another user", reaches(s, "acme", "ben"), "Task ?")
	want(t, "the same id in another org", reaches(s, "beta", "ada"), "Task ?")
	s.Learn("acme", "ben", task("Deal__c", "Secret__c"))
	want(t, "who was told less", reaches(s, "acme", "ada"), "Deal__c Secret__c Task")
	s.Learn("acme", "ada", task("Deal__c"))
	want(t, "and was told so again", reaches(s, "acme", "ada"), "Deal__c Secret__c Task")
	s.Forget("acme", "ada")
	s.Forget("acme", "nobody")
	s.Forget("nowhere", "nobody")
	want(t, "who is forgotten", reaches(s, "acme", "ada"), "Task ?")
	want(t, "beside whom nobody is", reaches(s, "acme", "ben"), "Deal__c Secret__c Task")
}

// What was told is too old after a while, and that an object was not described sooner.
func TestAges(t *testing.T) {
	t.Parallel()
	s, c := newStore()
	s.Learn("acme", "ada", task("Deal__c"))
	c.at = c.at.Add(Age - time.Second)
	want(t, "almost too old", reaches(s, "acme", "ada"), "Deal__c Task")
	s.Learn("acme", "ben", task("Deal__c"))
	c.at = c.at.Add(time.Second)
	want(t, "too old", reaches(s, "acme", "ada"), "Task ?")
	want(t, "younger", reaches(s, "acme", "ben"), "Deal__c Task")
	s.Learn("acme", "ada", task("Other__c"))
	want(t, "what others were told counts longer", reaches(s, "acme", "ada"), "Deal__c Other__c Task")
	c.at = c.at.Add(AgeForAll)
	s.Learn("acme", "ada", task("Other__c"))
	want(t, "and not for ever", reaches(s, "acme", "ada"), "Other__c Task")

	undescribed := func() int {
		v, _ := reach.Catalogue{Schema: s.For("acme", "cyd")}.Read("soqlQuery", jsontext.Value(`{"q":"SELECT Deal__r.Name FROM Case"}`))
		return len(v.Undescribed)
	}
	if undescribed() != 1 {
		t.Error("a description would not help")
	}
	s.Missed("acme", "cyd", "Case")
	if undescribed() != 0 {
		t.Error("what is not described is asked for at once again")
	}
	if c.at = c.at.Add(Retry); undescribed() != 1 {
		t.Error("what was not described is never asked for again")
	}
}

// D15: objects, users and bytes are bounded; what is beyond is as if nothing had been told, and
// there is room again once things are too old.
func TestD15WhatIsRememberedIsBounded(t *testing.T) {
	t.Parallel()
	s, c := newStore()
	for i := range maxObjects + 10 {
		s.Missed("objects", "ada", fmt.Sprintf("Object%d__c", i))
	}
	s.Learn("objects", "ada", task("Deal__c"))
	want(t, "beyond the objects of a user", reaches(s, "objects", "ada"), "Task ?")
	if n := len(s.orgs["objects"].any); n > 0 {
		t.Errorf("what is not described to one user takes %d places of the org", n)
	}
	for i := range maxUsers + 10 {
		s.Learn("users", fmt.Sprint(i), task("Deal__c"))
	}
	want(t, "the last user within", reaches(s, "users", fmt.Sprint(maxUsers-1)), "Deal__c Task")
	want(t, "a user beyond", reaches(s, "users", fmt.Sprint(maxUsers)), "Task ?")
	if n := s.orgs["users"].bytes; n > maxBytes {
		t.Errorf("%d bytes are remembered", n)
	}
	big := task(strings.Split(strings.Repeat(strings.Repeat("x", 250)+" ", 400), " ")[:400]...)
	for i := range 300 {
		s.Learn("bytes", fmt.Sprint(i), big)
	}
	if n := s.orgs["bytes"].bytes; n > maxBytes || n < maxBytes/2 {
		t.Errorf("%d bytes are remembered", n)
	}
	want(t, "beyond the bytes", strings.Fields(reaches(s, "bytes", "299"))[0], "Task")
	c.at = c.at.Add(AgeForAll)
	for _, org := range []string{"objects", "users", "bytes"} {
		s.Learn(org, "late", task("Deal__c"))
		want(t, org+" after a while", reaches(s, org, "late"), "Deal__c Task")
	}
	s.Learn("objects", "ada", task("Deal__c"))
	want(t, "the user with too many objects after a while", reaches(s, "objects", "ada"), "Deal__c Task")
}

// What is counted is what is remembered, whatever came and went.
func TestBytesAreCounted(t *testing.T) {
	t.Parallel()
	s, c := newStore()
	random := rand.New(rand.NewPCG(1, 2))
	for range 3000 {
		subject := fmt.Sprint(random.IntN(5))
		switch random.IntN(6) {
		case 0:
			c.at = c.at.Add(time.Duration(random.IntN(10)) * time.Minute)
		case 1:
			c.at = c.at.Add(time.Duration(random.IntN(20)) * time.Hour)
		case 2:
			s.Forget("acme", subject)
		case 3:
			s.Missed("acme", subject, "Task")
		case 4:
			s.Learn("acme", subject, task("Deal__c", fmt.Sprintf("Other%d__c", random.IntN(9))))
		case 5:
			if o := s.orgs["acme"]; o != nil {
				o.sweep(c.at)
			}
		}
		o := s.orgs["acme"]
		if o == nil {
			continue
		}
		n := 0
		for _, t := range o.any {
			n += t.Size()
		}
		for _, u := range o.users {
			for _, t := range u.own {
				n += t.Size()
			}
		}
		if n != o.bytes {
			t.Fatalf("%d bytes are remembered, %d counted", n, o.bytes)
		}
	}
}

// What stays the same costs nothing: the schema of a user is made once, and again when anybody
// was told something new.
func TestSchemasAreMadeOnce(t *testing.T) {
	t.Parallel()
	s, _ := newStore()
	s.Learn("acme", "ada", task("Deal__c"))
	for _, subject := range []string{"ada", "ben"} {
		before := s.For("acme", subject)
		if s.For("acme", subject) != before {
			t.Errorf("the schema of %s is made twice", subject)
		}
	}
	before := s.For("acme", "ben")
	s.Learn("acme", "cyd", task("Deal__c"))
	if s.For("acme", "ben") != before {
		t.Error("what was known makes a schema anew")
	}
	s.Learn("acme", "cyd", task("Other__c"))
	if s.For("acme", "ben") == before {
		t.Error("what is new makes no schema anew")
	}
}
