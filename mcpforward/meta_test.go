package mcpforward

import (
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"sfmcp-proxy/mcpforward/jsonrpc"
)

// A result without a challenge passes as it was written, byte for byte; one with a challenge
// loses that and nothing else.
func TestWithoutChallenge(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		`{ "content" : [ ], "n": 1.0 }`:                                 `{ "content" : [ ], "n": 1.0 }`,
		`{"_meta": {"a": 1.00}, "content":[]}`:                          `{"_meta": {"a": 1.00}, "content":[]}`,
		`{"_meta":{"mcp/www_authenticate":["x"]},"content":[]}`:         `{"content":[]}`,
		`{"_meta":{"mcp/www_authenticate":null,"a":1.00},"content":[]}`: `{"_meta":{"a":1.00},"content":[]}`,
		`{"_meta":"mcp/www_authenticate","content":[]}`:                 `{"_meta":"mcp/www_authenticate","content":[]}`,
		`{"content":[{"_meta":{"mcp/www_authenticate":"as data"}}]}`:    `{"content":[{"_meta":{"mcp/www_authenticate":"as data"}}]}`,
	} {
		members, err := jsonrpc.ParseObject(jsontext.Value(value))
		got := withoutChallenge(jsontext.Value(value), &members)
		if err != nil || string(got) != want {
			t.Errorf("%s became %s, %v; want %s", value, got, err, want)
		}
	}
}

// Of what stands in the _meta of a write nothing but the progress token is anybody's
// business, with a token or without one.
func TestMetaForWrites(t *testing.T) {
	t.Parallel()
	for params, want := range map[string]string{
		`{"name":"a","_meta":{"x":1,"progressToken":7}}`: `{"name":"a","_meta":{"progressToken":7}}`,
		`{"name":"a","_meta":{"x":1}}`:                   `{"name":"a"}`,
		`{"name":"a"}`:                                   `{"name":"a"}`,
	} {
		if got := string(metaForWrites(jsontext.Value(params))); got != want {
			t.Errorf("%s became %s, want %s", params, got, want)
		}
	}
}
