package audit

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/actor"
)

// reference is the stored form as encoding/json makes it.
func reference(t *testing.T, e Entry) string {
	t.Helper()
	type members Entry // without its own MarshalJSON
	text := func(v any) string {
		var b bytes.Buffer
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(v); err != nil {
			t.Fatal(err)
		}
		return strings.TrimSuffix(b.String(), "\n")
	}
	by := `"actor":` + text(e.Actor)
	more := `,"actor_kind":` + text(e.Actor.Kind)
	if e.Actor.As != "" {
		more += `,"actor_as":` + text(e.Actor.As)
	}
	return string(Visible([]byte(strings.Replace(text(members(e)), by, by+more, 1))))
}

// The form written by hand is the one of the struct: no member is forgotten, and no text
// is written another way.
func TestEncodeIsTheStruct(t *testing.T) {
	t.Parallel()
	pieces := []string{"a", "Z9 ", `"`, `\`, "/", "<&>", "\x00", "\n\t", "\x7f", "é", "\u2028", "\u202e", "\U000e0041", "\xff", "token", "sfr_abcdefgh"}
	arguments := []string{"", `{ "a" : [1.0, "\u00e9<"] }`, `{"a":`}
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		text := func() (s string) {
			for range r.IntN(4) {
				s += pieces[r.IntN(len(pieces))]
			}
			return s
		}
		e := Entry{Arguments: json.RawMessage(arguments[r.IntN(len(arguments))]), Sent: json.RawMessage(arguments[r.IntN(len(arguments))])}
		v := reflect.ValueOf(&e).Elem()
		for i := range v.NumField() {
			switch f := v.Field(i); f.Kind() {
			case reflect.String:
				f.SetString(text())
			case reflect.Int64:
				f.SetInt(r.Int64N(5) - 2)
			}
		}
		if r.IntN(2) == 0 {
			e.Rows = new(r.Int64N(3))
		}
		for range r.IntN(3) {
			e.Records = append(e.Records, Records{Class: text(), Object: text(), IDs: []string{"001xx0000000001", "no id", "001xx0000000001AAA"}[r.IntN(3):]})
		}
		e.At = time.UnixMilli(r.Int64N(4e12)).UTC()
		e.Actor = []actor.Actor{actor.Proxy, actor.User(text()), actor.Client(text()), actor.Operator(text(), text())}[r.IntN(4)]
		e.normalise()
		got := string(encodeHead(nil, e.Seq, e.At)) + string(encodeTail(&e))
		if want := reference(t, e); got != want {
			t.Fatalf("got  %s\nwant %s", got, want)
		}
	}
}

// redactSlowly is Redact without the search for markers.
func redactSlowly(s string) string {
	for _, re := range credentials {
		s = re.ReplaceAllString(s, "${1}"+redacted)
	}
	return s
}

// No marker is missing: what an expression matches is found by its markers.
func FuzzRedactIsTheSameAsItsExpressions(f *testing.F) {
	for _, s := range []string{"sfa_abcd", "x sFr_abcd", "BeArEr abcdef", "authorization: Basic x", "00Dxx0000001gPF!x", "eyJabcd.x", "5Aep861x",
		"aPrx12345678", "Access_Token=x", "ſecret", "paſſword=hunter", "acceſs_token=x", "Kode_verifier=x", "PASSWD: x", "assertion='x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if got, want := Redact(s), redactSlowly(s); got != want {
			t.Errorf("Redact(%q) = %q, want %q", s, got, want)
		}
		if secretName.MatchString(s) && holdsNone(s, secretNameMarkers) {
			t.Errorf("the name %q has no sign", s)
		}
	})
}

// The short way through arguments gives what the long one does.
func FuzzUnmarkedArgumentsAreTheSame(f *testing.F) {
	for _, s := range []string{`{"q":"SELECT Id FROM Account"}`, ` { "a" : [ 1.0 , 1e5, -0, null ] } `, `{"a":1,"a":2}`, `{"é":"ü"}`, `{} {}`, ``, `"x"`,
		`{"n":12345678901234567890.10}`, strings.Repeat("[", 99) + strings.Repeat("]", 99), strings.Repeat("[", 101) + strings.Repeat("]", 101), `{"p":"\u0070assword"}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, v []byte) {
		short, ok := unmarkedJSON(v)
		if !ok {
			return
		}
		long, err := redactTokens(v)
		if err != nil || !bytes.Equal(short, long) {
			t.Errorf("%q: %s, the long way gives %s, %v", v, short, long, err)
		}
	})
}

// Eight bytes at a time say what one at a time does.
func TestVisibleIsWhatEachByteSays(t *testing.T) {
	t.Parallel()
	for c := range 256 {
		for at := range 17 {
			text := []byte("abcdefghijklmnopq")
			text[at] = byte(c)
			if at > 0 {
				text[at-1] = ' ' // what is taken from a byte that is less than it shows in the next one
			}
			if want := c >= ' ' && c < 0x7F; isVisible(text) != want {
				t.Errorf("%#x at %d: visible %v", c, at, !want)
			}
		}
	}
}
