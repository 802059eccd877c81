package api

import (
	"errors"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"testing"
	"unicode/utf8"

	"github.com/go-json-experiment/json"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/packing"
)

// A program can ask for every control that there are packs of.
func TestControlsOfPacks(t *testing.T) {
	t.Parallel()
	for _, p := range packParams() {
		if p.Name == "control" && slices.Equal(p.Enum, packing.Controls()) {
			return
		}
	}
	t.Errorf("a pack can be of %q: %+v", packing.Controls(), packParams())
}

// A reason in which nothing can be seen is refused before anything is done, wherever one is asked for, and
// every other is recorded without what cannot be seen.
func TestReasonsThatCannotBeSeen(t *testing.T) {
	t.Parallel()
	asked := 0
	for _, route := range Routes() {
		if route.Body == nil || !takesReason(reflect.TypeOf(route.Body)) {
			continue
		}
		asked++
		body := func(reason string) []byte {
			members := map[string]any{}
			for member := range reflect.TypeOf(route.Body).Fields() {
				switch f := schemaOf(member); {
				case f.name == "reason":
					members[f.name] = reason
				case len(f.enum) > 0:
					members[f.name] = f.enum[0]
				case f.required && member.Type.Kind() == reflect.String:
					members[f.name] = "x"
				case f.required:
					members[f.name] = 1
				}
			}
			text, err := json.Marshal(members)
			if err != nil {
				t.Fatal(err)
			}
			return text
		}
		for _, unseen := range []string{"\u200b", "\u2060 \u200d", "\u00ad", "\ufeff", "\ue000"} {
			in, err := route.decode(body(unseen))
			if p, ok := errors.AsType[*Problem](err); !ok || p.Status != http.StatusBadRequest {
				t.Errorf("%s takes the reason %q: %+v, %v", route.Path, unseen, in, err)
			}
		}
		in, err := route.decode(body("a\u200bb  c"))
		if err != nil {
			t.Errorf("%s: %v", route.Path, err)
			continue
		}
		if why := reflect.ValueOf(in).Elem().FieldByName("Reason").String(); why != "ab c" {
			t.Errorf("%s: the reason is %q", route.Path, why)
		}
	}
	if asked < 10 {
		t.Errorf("%d routes ask for a reason", asked)
	}
}

// Whatever the description of the API calls a reason is taken as one.
func TestDescribedReasonsAreTaken(t *testing.T) {
	t.Parallel()
	pattern := regexp.MustCompile(regexp.MustCompile(`\\u([0-9a-f]{4})`).ReplaceAllString(reasonPattern, `\x{$1}`))
	described := 0
	for c := range rune(0x10000) {
		if !pattern.MatchString(string(c)) || !utf8.ValidRune(c) {
			continue
		}
		described++
		if _, err := actor.ForAct.Clean(string(c)); err != nil {
			t.Errorf("the reason %q is described, and refused", c)
		}
	}
	if described < 40_000 {
		t.Errorf("%d characters are described as a reason", described)
	}
}

// takesReason reports whether a body has a reason, which is a [Reason] then: [call.act] takes nothing else.
func takesReason(t reflect.Type) bool {
	_, ok := t.FieldByName("Reason")
	return ok
}

// null is no body, and no value of a member: it would count as {}, or as a member that was left away.
func TestNullIsRefused(t *testing.T) {
	t.Parallel()
	for body, good := range map[string]bool{`{}`: true, `{"client":"c","reason":"lost"}`: true, `null`: false, ` null `: false,
		`{"client":null,"reason":"lost"}`: false, `{"client":"null","reason":"lost"}`: true} {
		_, nothing := decoded[Nothing]([]byte(body))
		_, client := decoded[OfClient]([]byte(body))
		if (nothing == nil || client == nil) != good {
			t.Errorf("%s: %v, %v", body, nothing, client)
		}
	}
}
