package jsonrpc

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

// texts are those that the plain reader takes, and those that it must leave to the exact one.
var texts = []string{
	`{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"x","arguments":{"q":"SELECT Id FROM Account WHERE Name = 'a\"b\\c\n'"}}}`,
	` { "b" : [ 1 , -0.5e+3 , 1E2 , 0 , true , false , null , { } , [ ] , "" ] , "a" : "é😀" } `,
	`{"a":1,"b":2,"c":3}`, `{"b":1,"a":2}`, `{"a":1,"a":2}`, `{"a":1,"\u0061":2}`, `{"é":1,"z":2}`, `{"` + "\U00010000" + `":1,"` + "\uffff" + `":2}`, `{" a":1}`, "{\"a\x00\":1}", "{\"a\u200b\":1}",
	`"\u0041"`, `"\/"`, `"\ud83d\ude00"`, `"\ud83d"`, `"\udE00"`, `"\uD7ff\ue000"`, `"\u12"`, `"\u12g4"`, `"\x"`, `"\`, `"a`, `"`, "\"\x01\"", "\"\x7f\u2028\u0085\"", "\"\xff\"", "\"\xed\xa0\x80\"",
	`01`, `-`, `1.`, `.1`, `1e`, `1e+`, `+1`, `-01`, `1.0E-7`, `0x1`, `NaN`, `tru`, `truee`, `nulll`, ``, ` `, `{`, `{"a"`, `{"a":`, `{"a":1`, `{"a":1,`, `{"a":1,}`, `{,}`, `[1,]`, `[,1]`, `[1 2]`, `[1}`, `{"a":1]`,
	`{} {}`, `1 1`, `{"a":1}x`, "\ufeff{}", "{}\x00", "{}\v", `{"a" "b"}`, `{1:2}`, `{a:1}`, `["\b\f\r\t"]`, `{"a":{"b":{"c":1},"b":2}}`,
	strings.Repeat("[", plainDepth) + strings.Repeat("]", plainDepth), strings.Repeat("[", plainDepth+1) + strings.Repeat("]", plainDepth+1),
	manyMembers(plainMembers), manyMembers(plainMembers + 1),
}

func manyMembers(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(`,"` + strings.Repeat("a", i) + `":1`)
	}
	return "{" + b.String()[1:] + "}"
}

// FuzzPlain compares the plain reader with the exact one: what it takes, that one takes alike.
func FuzzPlain(f *testing.F) {
	for _, text := range append(texts, answers...) {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) { comparePlain(t, slices.Clip(text)) }) // there is nothing behind it
}

func comparePlain(t *testing.T, text []byte) {
	v := jsontext.Value(text)
	if p, ok := readPlain(text); ok {
		normal, err := jsontext.AppendFormat(nil, v)
		if err != nil || p.isNormal() && !bytes.Equal(normal, text) {
			t.Fatalf("%q is taken, as normal: %v; exact %q, %v", text, p.isNormal(), normal, err)
		}
		canonical, err := jsontext.AppendFormat(nil, v, jsontext.ReorderRawObjects(true))
		if err != nil || p.isCanonical() && !bytes.Equal(canonical, text) {
			t.Fatalf("%q is taken as canonical; exact %q, %v", text, canonical, err)
		}
	}
	if o, p, ok := plainObject(text); ok {
		var exact Object
		err := elements(v, '{', func(name string, value jsontext.Value) { exact.members = append(exact.members, member{name, value}) })
		if err != nil || !sameMembers(o, exact) {
			t.Fatalf("%q is read as %v; exact %v, %v", text, o, exact, err)
		}
		if exact, err := scan(text, MaxDepth, true); !p.unusual && (err != nil || !sameMembers(o, exact)) {
			t.Fatalf("%q is taken of a client: %v; exact %v, %v", text, o, exact, err)
		}
	}
	if all, ok := plainArray(text); ok {
		var exact []jsontext.Value
		err := elements(v, '[', func(_ string, value jsontext.Value) { exact = append(exact, value) })
		if err != nil || !sameTexts(all, exact) {
			t.Fatalf("%q is read as %q; exact %q, %v", text, all, exact, err)
		}
	}
	if top, r, ok := plainAnswer(text); ok {
		exact, exactReading, err := readAnswer(text)
		if errors.Is(err, errDeep) { // it counts brackets in strings, too
			exact, err = scan(text, MaxAnswerDepth, false)
			r, exactReading = nil, nil
		}
		if err != nil || !sameMembers(top, exact) || (r == nil) != (exactReading == nil) {
			t.Fatalf("%q is read as %v; exact %v, %v", text, top, exact, err)
		}
		if r != nil && (!sameMembers(r.Members, exactReading.Members) || !sameTexts(r.Texts, exactReading.Texts) || r.NoBlocks != exactReading.NoBlocks) {
			t.Fatalf("%q is read as %v; exact %v", text, r, exactReading)
		}
	}
}

func sameTexts(a, b []jsontext.Value) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !bytes.Equal(a[i], b[i]) {
			return false
		}
	}
	return true
}

// Ordinary requests and answers are read by the plain reader, and what they hold costs no second
// one: that is what it is for.
func TestOrdinaryTextsArePlain(t *testing.T) {
	t.Parallel()
	if _, p, ok := plainObject([]byte(typicalCall)); !ok || !p.isCanonical() && p.unusual {
		t.Errorf("a request is not plain: %+v", p)
	}
	if _, r, ok := plainAnswer([]byte(answers[0])); !ok || len(r.Texts) != 2 || r.NoBlocks {
		t.Errorf("an answer is not plain: %+v", r)
	}
	for text, want := range map[string][3]bool{ // plain, normal, canonical
		`{"a":1,"b":"\n"}`: {true, true, true}, `{"b":1,"a":2}`: {true, true, false}, `{"a": 1}`: {true, false, false},
		`{"a":"\u0041"}`: {true, false, false}, `{"a":"\/"}`: {true, false, false}, `{"é":1}`: {true, true, false}, `{"a":1,"a":2}`: {},
		`{"\u0061":1}`: {}, `"\ud83d\ude00"`: {}, "\"\xff\"": {}, `01`: {}, `{"a":1,}`: {}, `{} {}`: {},
	} {
		p, ok := readPlain([]byte(text))
		if got := [3]bool{ok, ok && p.isNormal(), ok && p.isCanonical()}; got != want {
			t.Errorf("%s: plain, normal, canonical are %v, want %v", text, got, want)
		}
	}
}

const typicalCall = `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"soqlQuery","arguments":{"q":"SELECT Id FROM Account"}}}`
