package jsonrpc

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

// answers are messages of Salesforce of every shape that is read in another way.
var answers = []string{
	`{"jsonrpc":"2.0","id":7,"result":{"content":[{"type":"text","text":"{\"a\":1}"},{"text":"b","type":"text"}],"isError":false}}`,
	` { "id" : 7 , "result" : { "content" : [ { "text" : "a" } , { "text" : 1 } , { } ] , "_meta" : { "a" : [ ] } } , "jsonrpc" : "2.0" } `,
	`{"jsonrpc":"2.0","id":7,"result":{}}`, `{"jsonrpc":"2.0","id":7,"result":{"content":[]}}`, `{"jsonrpc":"2.0","id":7,"result":{"content":{}}}`,
	`{"jsonrpc":"2.0","id":7,"result":{"content":[1,{"text":"a"}]}}`, `{"jsonrpc":"2.0","id":7,"result":{"content":null}}`, `{"jsonrpc":"2.0","id":7,"result":null}`,
	`{"jsonrpc":"2.0","id":7,"result":[]}`, `{"jsonrpc":"2.0","id":7,"result":"x"}`, `{"jsonrpc":"2.0","id":7,"error":{"code":1,"message":"x","data":{"content":[{"text":"no"}]}}}`,
	`{"jsonrpc":"2.0","method":"notifications/progress","params":{"content":[{"text":"no"}]}}`, `{"jsonrpc":"2.0","id":7,"r\u0065sult":{"c\u006fntent":[{"t\u0065xt":"\u0061"}]}}`,
	`{"jsonrpc":"2.0","id":7,"result":{"content":[{"text":"a","text":"b"}]}}`, `{"jsonrpc":"2.0","id":7,"result":{"content":[],"content":[]}}`, `{"jsonrpc":"2.0","id":7,"result":{},"result":{}}`,
	`{"jsonrpc":"2.0","id":7,"result":{"content":[{"text":"a"}`, `{"jsonrpc":"2.0","id":7,"result":{}} {}`, `{"jsonrpc":"2.0","id":7,"result":{"content":[{"text":"\xff"}]}}`,
	`{"jsonrpc":"2.0","id":7,"result":{"a":` + strings.Repeat("[", MaxAnswerDepth-2) + strings.Repeat("]", MaxAnswerDepth-2) + `}}`,
	`{"jsonrpc":"2.0","id":7,"result":{"a":` + strings.Repeat("[", MaxAnswerDepth-1) + strings.Repeat("]", MaxAnswerDepth-1) + `}}`,
	`{"jsonrpc":"2.0","id":7,"result":{"content":[{"a":` + strings.Repeat("[", MaxAnswerDepth-4) + strings.Repeat("]", MaxAnswerDepth-4) + `}]}}`,
	`{"jsonrpc":"2.0","id":7,"result":{"content":[{"a":` + strings.Repeat("[", MaxAnswerDepth-3) + strings.Repeat("]", MaxAnswerDepth-3) + `}]}}`,
	`{"jsonrpc":"2.0","id":7,"result":{"content":[{"a":[` + strings.Repeat("{},", 400) + `{}],"text":"{{{{"}]}}`, ``, `[]`, `nul`, `{`, `{"result":{`, `{"result":{"content":[{`,
}

// What is read along with a message is what reading its parts one after the other gives, and
// nothing is taken that the exact reader refuses.
func FuzzReading(f *testing.F) {
	for _, a := range answers {
		f.Add([]byte(a))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		body = slices.Clip(body) // there is nothing behind it
		top, _, err := readAnswer(body)
		exact, exactErr := scan(body, MaxAnswerDepth, false)
		if err == nil && (exactErr != nil || !sameMembers(top, exact)) {
			t.Fatalf("read %v, the exact reader %v, %v", top, exact, exactErr)
		}
		m, err := DecodeAnswer(body)
		if (err == nil) && exactErr != nil {
			t.Fatalf("taken, though %v", exactErr)
		}
		if err != nil || m.Result == nil {
			return
		}
		alone := &Message{Result: m.Result}
		for _, m := range []*Message{m, m.Answering(jsontext.Value(`1`)), alone} {
			compareReading(t, m)
		}
	})
}

func compareReading(t *testing.T, m *Message) {
	t.Helper()
	got, err := m.Reading()
	want, wantErr := ParseObject(m.Result)
	if err != nil || wantErr != nil || !sameMembers(got.Members, want) {
		t.Fatalf("read %v, %v; alone %v, %v", got.Members, err, want, wantErr)
	}
	content, given := want.Get("content")
	blocks, err := ParseArray(content)
	noBlocks := given && err != nil
	var texts []jsontext.Value
	for _, b := range blocks {
		o, err := ParseObject(b)
		noBlocks = noBlocks || err != nil
		if text, ok := o.Get("text"); ok && text.Kind() == '"' {
			texts = append(texts, text)
		}
	}
	if got.NoBlocks != noBlocks || len(got.Texts) != len(texts) {
		t.Fatalf("read %+v of %s", got, content)
	}
	for i := range texts {
		if !bytes.Equal(got.Texts[i], texts[i]) {
			t.Fatalf("text %s, want %s", got.Texts[i], texts[i])
		}
	}
}

func sameMembers(a, b Object) bool {
	if a.Len() != b.Len() {
		return false
	}
	for i := range a.members {
		if a.members[i].name != b.members[i].name || !bytes.Equal(a.members[i].value, b.members[i].value) {
			return false
		}
	}
	return true
}

// What is no result is refused, whoever asks.
// A text that ends too early is refused, wherever it ends: nothing behind its end is read.
func TestTextsThatEndEarly(t *testing.T) {
	readers := map[string]func([]byte) error{
		"answer":  func(b []byte) error { _, err := DecodeAnswer(b); return err },
		"message": func(b []byte) error { _, err := Decode(b); return err },
		"object":  func(b []byte) error { _, err := ParseObject(b); return err },
		"array":   func(b []byte) error { _, err := ParseArray(b); return err },
	}
	texts := append(slices.Clone(answers), `{"":[{},{},{},8`, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":{"b":[{"c":[1,"d\\u0065"]}],"e":{"f":-1.5e3}}}}`, `[{"a":[{"b":"c"},2]},3]`)
	for _, text := range texts {
		for end := range len(text) {
			for name, read := range readers {
				if cut := slices.Clip([]byte(text[:end])); read(cut) == nil && !json.Valid(cut) {
					t.Errorf("%s: taken: %s", name, cut)
				}
			}
		}
	}
}

func TestReadingOfNoResult(t *testing.T) {
	t.Parallel()
	for _, v := range []string{``, `[]`, `"x"`, `{`, `{"a":1,"a":2}`, `{} {}`, `{"content":[{]}`} {
		if _, err := Reply(nil, jsontext.Value(v)).Reading(); err == nil {
			t.Errorf("%q is taken", v)
		}
	}
}
