package jsonrpc

import (
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
)

func TestObject(t *testing.T) {
	t.Parallel()
	o, err := ParseObject(jsontext.Value(` {"b" : 1.0, "\u0061": "x\u0041", "c": {"d" : [ 1 ]}} `))
	if err != nil {
		t.Fatal(err)
	}
	if s, ok := o.String("a"); s != "xA" || !ok {
		t.Errorf("String(a) = %q, %v", s, ok)
	}
	if s, ok := o.String("b"); s != "" || ok {
		t.Errorf("String of a number = %q, %v", s, ok)
	}
	if _, ok := o.Get("A"); ok {
		t.Error("Get matched another case")
	}
	o.Set("b", jsontext.Value("2e0"))
	o.Set("e", jsontext.Value(" null"))
	o.Delete("c")
	o.Delete("absent")
	if got, want := o.Encode().String(), `{"b":2e0,"a":"xA","e":null}`; got != want || o.Len() != 3 {
		t.Errorf("Encode = %s, want %s", got, want)
	}
	var names []string
	for name := range o.All() {
		names = append(names, name)
	}
	if diff := cmp.Diff([]string{"b", "a", "e"}, names); diff != "" {
		t.Error(diff)
	}
	if got := (Object{}).Encode().String(); got != "{}" {
		t.Errorf("empty object = %s", got)
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for _, v := range []string{"", "null", "[]", `"a"`, "{", `{"a"}`, `{"a":1,"a":2}`, `{"a":{"b":1,"b":2}}`, "{}{}", "{} x", "{\"a\":\"\xff\"}"} {
		if _, err := ParseObject(jsontext.Value(v)); err == nil {
			t.Errorf("ParseObject(%q) succeeded", v)
		}
		if _, err := ParseArray(jsontext.Value("[" + v + "]]")); err == nil {
			t.Errorf("ParseArray of %q and more succeeded", v)
		}
	}
	all, err := ParseArray(jsontext.Value(`[ 1.0 , {"a":[]}, "]" ]`))
	if err != nil || cmp.Diff([]jsontext.Value{[]byte("1.0"), []byte(`{"a":[]}`), []byte(`"]"`)}, all) != "" {
		t.Errorf("ParseArray = %s, %v", all, err)
	}
}

func TestCanonical(t *testing.T) {
	t.Parallel()
	same := [][2]string{
		{`{"b":1,"a":2}`, ` { "a" : 2 , "b" : 1 } `},
		{`{"a":"\u0041\/"}`, `{"\u0061":"A/"}`},
		{`[{"b":[{"d":1,"c":2}],"a":1}]`, `[{"a":1,"b":[{"c":2,"d":1}]}]`},
		{`{"\ud83d\ude00":1,"\ufb33":2}`, "{\"\ufb33\":2,\"\U0001f600\":1}"},
	}
	for _, pair := range same {
		a, errA := Canonical(jsontext.Value(pair[0]))
		b, errB := Canonical(jsontext.Value(pair[1]))
		if errA != nil || errB != nil || string(a) != string(b) {
			t.Errorf("%s and %s differ: %s, %s (%v, %v)", pair[0], pair[1], a, b, errA, errB)
		}
	}
	// RFC 8785, 3.2.3: by UTF-16 code units, in which U+1F600 comes before U+FB33.
	if got, _ := Canonical(jsontext.Value(same[3][0])); !strings.HasPrefix(string(got), "{\"\U0001f600\"") {
		t.Errorf("order is not that of UTF-16: %s", got)
	}
	for _, pair := range [][2]string{{"1", "1.0"}, {"9007199254740992", "9007199254740993"}, {"[1,2]", "[2,1]"}, {`"a"`, `"A"`}, {"0", "-0"}} {
		a, _ := Canonical(jsontext.Value(pair[0]))
		b, _ := Canonical(jsontext.Value(pair[1]))
		if string(a) != pair[0] || string(b) != pair[1] {
			t.Errorf("%s, %s became %s, %s", pair[0], pair[1], a, b)
		}
	}
	for _, bad := range []string{"", "{", `{"a":1,"a":1}`, `"\ud800"`, "1 2", "NaN"} {
		if got, err := Canonical(jsontext.Value(bad)); err == nil {
			t.Errorf("Canonical(%q) = %s", bad, got)
		}
	}
}

func TestEncodePanicsOnInvalidValue(t *testing.T) {
	t.Parallel()
	defer func() {
		if text, _ := recover().(string); text == "" || strings.Contains(text, "secret") {
			t.Errorf("recovered %q, want a text without the value", text)
		}
	}()
	Encode(Request(jsontext.Value("1"), "m", jsontext.Value(`{"a":secret}`)))
}

// What goes into an event stream stands in one line, whatever white space it came with.
func TestOneLine(t *testing.T) {
	t.Parallel()
	for v, want := range map[string]string{
		`{"a":1}`: `{"a":1}`, "{\n\"a\": 1}": `{"a":1}`, "{\r\"a\": \"b c\"}": `{"a":"b c"}`, "[1,\r\n 2]": `[1,2]`, `{ "a" : 1 }`: `{ "a" : 1 }`,
	} {
		if got := string(OneLine(jsontext.Value(v))); got != want {
			t.Errorf("%q: %q, want %q", v, got, want)
		}
	}
}

func TestMessageKinds(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		m    *Message
		want string
	}{
		{Request(jsontext.Value("1"), "m", nil), "request"},
		{Request(nil, "m", nil), "notification"},
		{Reply(jsontext.Value("1"), jsontext.Value("{}")), "response"},
		{Failure(nil, ParseError, "no"), "response"},
		{Failure(jsontext.Value("1"), ParseError, "no"), "response"},
	} {
		got := map[bool]string{tt.m.IsRequest(): "request", tt.m.IsNotification(): "notification", tt.m.IsResponse(): "response"}
		if kinds := []bool{tt.m.IsRequest(), tt.m.IsNotification(), tt.m.IsResponse()}; got[true] != tt.want || got[false] == "" || !slices.Equal(kinds, []bool{tt.want == "request", tt.want == "notification", tt.want == "response"}) {
			t.Errorf("%s is a %s, want %s", Encode(tt.m), got[true], tt.want)
		}
	}
	if got, want := string(Encode(Failure(nil, ParseError, "no"))), `{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"no"}}`; got != want {
		t.Errorf("Failure without id = %s, want %s", got, want)
	}
}
