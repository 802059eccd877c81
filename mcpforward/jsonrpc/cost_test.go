//go:build !race

package jsonrpc

import (
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

// What the parser may allocate: what it did when this was written, and a little.
const (
	decodeAllocs = 16
	answerAllocs = 12
)

const typicalRequest = `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"soqlQuery","arguments":{"q":"SELECT Id, Name, Industry FROM Account WHERE Industry = 'Energy' ORDER BY Name LIMIT 50"}}}`

func typicalAnswer(size int) []byte {
	const record = `{\"Id\":\"001xx000003DGb2AAG\",\"Name\":\"Account 7\",\"Industry\":\"Energy\"},`
	return []byte(`{"jsonrpc":"2.0","id":7,"result":{"content":[{"type":"text","text":"` + strings.Repeat(record, size/len(record)) + `"}],"isError":false}}`)
}

func TestAllocations(t *testing.T) {
	request, answer := []byte(typicalRequest), typicalAnswer(16<<10)
	for name, c := range map[string]struct {
		decode func([]byte) (*Message, error)
		body   []byte
		most   float64
	}{"Decode": {Decode, request, decodeAllocs}, "DecodeAnswer": {DecodeAnswer, answer, answerAllocs}} {
		allocs := testing.AllocsPerRun(100, func() {
			if _, err := c.decode(c.body); err != nil {
				t.Fatal(err)
			}
		})
		if allocs > c.most {
			t.Errorf("%s allocates %v times, at most %v are agreed on", name, allocs, c.most)
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	body := []byte(typicalRequest)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Decode(body); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAnswer(b *testing.B) {
	body := typicalAnswer(16 << 10)
	m, err := DecodeAnswer(body)
	if err != nil {
		b.Fatal(err)
	}
	result := m.Result
	for name, f := range map[string]func(){
		"DecodeAnswer":  func() { DecodeAnswer(body) },
		"ParseObject":   func() { ParseObject(result) },
		"Object.Encode": func() { o, _ := ParseObject(result); o.Encode() },
		"Encode":        func() { Encode(Reply(jsontext.Value("7"), result)) },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				f()
			}
		})
	}
}
