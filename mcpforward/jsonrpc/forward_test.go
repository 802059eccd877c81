package jsonrpc

import "testing"

// What was checked passes as it is, but never on several lines: an event stream would
// end its event there.
func TestForward(t *testing.T) {
	t.Parallel()
	for result, want := range map[string]string{
		`{"a": 1.0,  "b":"\u0041"}`: `{"jsonrpc":"2.0","id":7,"result":{"a": 1.0,  "b":"\u0041"}}`,
		"{\"a\":\n1}":               `{"jsonrpc":"2.0","id":7,"result":{"a":1}}`,
		"{\"a\":\r1}":               `{"jsonrpc":"2.0","id":7,"result":{"a":1}}`,
	} {
		m, err := DecodeAnswer([]byte(`{"jsonrpc":"2.0","id":7,"result":` + result + `}`))
		if err != nil {
			t.Fatal(err)
		}
		if got := string(Encode(Forward(m.ID, m.Result))); got != want {
			t.Errorf("%q: %s", result, got)
		}
	}
}
