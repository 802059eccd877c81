package jsonrpc

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

// FuzzDecode checks what a bypass would need: a body that Decode accepts and that
// the standard library's decoder, which takes the last of duplicates and ignores
// case, reads differently; or one that changes on its way through Encode.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"soqlQuery","arguments":{"q":"SELECT Id FROM Account"},"_meta":{"progressToken":0}}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		m, err := Decode(body)
		if err != nil {
			if _, ok := err.(*Error); !ok {
				t.Fatalf("error is %T", err)
			}
			return
		}
		compareWithStandard(t, body, m)
		encoded := Encode(m)
		compareWithStandard(t, encoded, m)
		again, err := Decode(encoded)
		if err != nil {
			t.Fatalf("Decode refuses what Encode wrote: %v\n%s", err, encoded)
		}
		if !bytes.Equal(encoded, Encode(again)) || !bytes.Equal(again.ID, m.ID) {
			t.Fatalf("not stable: %s then %s", encoded, Encode(again))
		}
	})
}

func compareWithStandard(t *testing.T, body []byte, m *Message) {
	var std struct {
		Method string
		Params struct {
			Name      any
			URI       any
			Arguments json.RawMessage
		}
	}
	if err := json.Unmarshal(body, &std); err != nil {
		t.Fatalf("encoding/json refuses what Decode accepts: %v", err)
	}
	if std.Method != m.Method {
		t.Fatalf("method: encoding/json %q, Decode %q", std.Method, m.Method)
	}
	params, _ := ParseObject(m.Params)
	for name, other := range map[string]any{"name": std.Params.Name, "uri": std.Params.URI} {
		ours, isString := params.String(name)
		theirs, alsoString := other.(string)
		if isString != alsoString || ours != theirs {
			t.Fatalf("%s: encoding/json %q, Decode %q", name, theirs, ours)
		}
	}
	ours, _ := params.Get("arguments")
	if len(std.Params.Arguments) == 0 && len(ours) == 0 {
		return
	}
	a, errA := Canonical(ours)
	b, errB := Canonical(jsontext.Value(std.Params.Arguments))
	if errA != nil || errB != nil || !bytes.Equal(a, b) {
		t.Fatalf("arguments: encoding/json %s, Decode %s (%v, %v)", b, a, errB, errA)
	}
}

// FuzzCanonical checks that the canonical form is a fixed point and that it means
// the same to the standard library's decoder.
func FuzzCanonical(f *testing.F) {
	f.Add([]byte(`{"b":[1.0,{"d":"\u0041","c":null}],"a":9007199254740993}`))
	f.Fuzz(func(t *testing.T, v []byte) {
		c, err := Canonical(v)
		if err != nil {
			return
		}
		again, err := Canonical(c)
		if err != nil || !bytes.Equal(c, again) {
			t.Fatalf("not a fixed point: %s then %s (%v)", c, again, err)
		}
		if a, b := standard(t, v), standard(t, c); !bytes.Equal(a, b) {
			t.Fatalf("meaning changed: %s to %s", a, b)
		}
	})
}

// standard is what the standard library reads in v: it sorts members, and keeps
// numbers as written.
func standard(t *testing.T, v []byte) []byte {
	d := json.NewDecoder(bytes.NewReader(v))
	d.UseNumber()
	var x any
	if err := d.Decode(&x); err != nil {
		t.Fatalf("encoding/json refuses what Canonical accepts: %v", err)
	}
	b, err := json.Marshal(x)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
