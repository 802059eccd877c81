package jsonrpc

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDecode(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, body, want string }{ // want: Encode of what was decoded
		{"request", `{"jsonrpc":"2.0","id":1,"method":"ping"}`, ""},
		{"notification", `{"jsonrpc":"2.0","method":"notifications/initialized"}`, ""},
		{"result", `{"jsonrpc":"2.0","id":"a","result":{}}`, ""},
		{"error", `{"jsonrpc":"2.0","id":"a","error":{"code":-1,"message":"no","data":[1]}}`, ""},
		{"white space around", " \r\n\t{ \"jsonrpc\" : \"2.0\" , \"id\" : 1 , \"method\" : \"ping\" } \n", `{"jsonrpc":"2.0","id":1,"method":"ping"}`},
		{"id keeps its bytes", `{"jsonrpc":"2.0","id":"\u0061\/","method":"ping"}`, ""},
		{"large id", `{"jsonrpc":"2.0","id":9007199254740993,"method":"ping"}`, ""},
		{"numbers stay verbatim", `{"jsonrpc":"2.0","id":1,"method":"m","params":{"a":[1.0,1e2,-0,9007199254740993,0.10]}}`, ""},
		{"escaped names become plain", `{"jsonrpc":"2.0","id":1,"method":"m","params":{"na\u006de":"\u0041","arguments":{}}}`,
			`{"jsonrpc":"2.0","id":1,"method":"m","params":{"name":"A","arguments":{}}}`},
		{"names below arguments are the tool's", `{"jsonrpc":"2.0","id":1,"method":"m","params":{"arguments":{"Name":1,"NAME":2,"_Meta":3}}}`, ""},
		{"client-private names in _meta", `{"jsonrpc":"2.0","id":1,"method":"m","params":{"_meta":{"openai/locale":"de","progressToken":0}}}`, ""},
		{"depth 64", deep(61), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m, err := Decode([]byte(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			want := tt.want
			if want == "" {
				want = tt.body
			}
			if diff := cmp.Diff(want, string(Encode(m))); diff != "" {
				t.Errorf("Encode(Decode(body)) (-want +got):\n%s", diff)
			}
		})
	}
}

// deep returns a request whose params hold n arrays in one another.
func deep(n int) string {
	return `{"jsonrpc":"2.0","id":1,"method":"m","params":{"arguments":` + strings.Repeat("[", n+1) + strings.Repeat("]", n+1) + `}}`
}

func refuse(t *testing.T, bodies map[string]string, code Code) {
	t.Helper()
	for name, body := range bodies {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, err := Decode([]byte(body))
			e, ok := errors.AsType[*Error](err)
			if !ok || m != nil {
				t.Fatalf("Decode = %v, %v; want an *Error alone", m, err)
			}
			if e.Code != code {
				t.Errorf("code %d (%s), want %d", e.Code, e.Message, code)
			}
			if strings.Contains(e.Message, "secret") {
				t.Errorf("error quotes the body: %s", e.Message)
			}
		})
	}
}

func TestFW01DuplicateNames(t *testing.T) {
	t.Parallel()
	refuse(t, map[string]string{
		"method":            `{"jsonrpc":"2.0","id":1,"method":"tools/list","method":"tools/call"}`,
		"params":            `{"jsonrpc":"2.0","id":1,"method":"m","params":{},"params":{"name":"x"}}`,
		"name":              `{"jsonrpc":"2.0","id":1,"method":"m","params":{"name":"good","name":"secret"}}`,
		"name escaped":      `{"jsonrpc":"2.0","id":1,"method":"m","params":{"name":"good","n\u0061me":"secret"}}`,
		"arguments":         `{"jsonrpc":"2.0","id":1,"method":"m","params":{"arguments":{},"arguments":{}}}`,
		"inside arguments":  `{"jsonrpc":"2.0","id":1,"method":"m","params":{"arguments":{"q":"a","q":"b"}}}`,
		"deep in arguments": `{"jsonrpc":"2.0","id":1,"method":"m","params":{"arguments":{"a":[{"b":{"c":1,"c":2}}]}}}`,
	}, InvalidRequest)
}

func TestFW02NameVariants(t *testing.T) {
	t.Parallel()
	bodies := map[string]string{
		"top Method":     `{"jsonrpc":"2.0","id":1,"Method":"m"}`,
		"top both":       `{"jsonrpc":"2.0","id":1,"method":"m","METHOD":"n"}`,
		"PARAMS":         `{"jsonrpc":"2.0","id":1,"method":"m","PARAMS":{}}`,
		"JSONRPC":        `{"jsonrpc":"2.0","id":1,"method":"m","JSONRPC":"1.0"}`,
		"Result beside":  `{"jsonrpc":"2.0","id":1,"method":"m","Result":{}}`,
		"in client info": `{"jsonrpc":"2.0","id":1,"method":"m","params":{"clientInfo":{"name":"a","Name":"b"}}}`,
		"in meta":        `{"jsonrpc":"2.0","id":1,"method":"m","params":{"_meta":{"ProgressToken":1}}}`,
		"in modern meta": `{"jsonrpc":"2.0","id":1,"method":"m","params":{"_meta":{"io.modelcontextprotocol/protocolversion":1}}}`,
	}
	for _, name := range []string{"Name", "NAME", "argument\u017f", "Arguments", "tas\u212a", "\uff4e\uff41\uff4d\uff45", "_Meta", "URI", "protocolversion", "Cursor", "na\u200bme", "n a m e"} {
		bodies["params "+name] = `{"jsonrpc":"2.0","id":1,"method":"m","params":{"name":"a","` + name + `":"b"}}`
	}
	refuse(t, bodies, InvalidRequest)
}

func TestFW03HiddenCharactersInNames(t *testing.T) {
	t.Parallel()
	bodies := map[string]string{}
	for label, suffix := range map[string]string{"NUL": `\u0000`, "space": " ", "BOM": "\ufeff", "zero width": "\u200b", "newline": `\n`, "no-break space": "\u00a0"} {
		bodies[label+" method"] = `{"jsonrpc":"2.0","id":1,"method":"m","method` + suffix + `":"n"}`
		bodies[label+" name"] = `{"jsonrpc":"2.0","id":1,"method":"m","params":{"name` + suffix + `":"n"}}`
		bodies[label+" argument"] = `{"jsonrpc":"2.0","id":1,"method":"m","params":{"arguments":{"q` + suffix + `":"n"}}}`
		bodies[label+" before"] = `{"jsonrpc":"2.0","id":1,"method":"m","params":{"arguments":{"` + suffix + `q":"n"}}}`
	}
	refuse(t, bodies, InvalidRequest)
}

func TestFW06NotOneJSONValue(t *testing.T) {
	t.Parallel()
	const good = `{"jsonrpc":"2.0","id":1,"method":"m"}`
	refuse(t, map[string]string{
		"empty":             "",
		"white space":       " \n",
		"BOM":               "\ufeff" + good,
		"invalid UTF-8":     `{"jsonrpc":"2.0","id":1,"method":"m","params":{"a":"` + "\xff" + `"}}`,
		"overlong UTF-8":    `{"jsonrpc":"2.0","id":1,"method":"m","params":{"a":"` + "\xc0\xaf" + `"}}`,
		"lone surrogate":    `{"jsonrpc":"2.0","id":1,"method":"m","params":{"a":"\ud800"}}`,
		"surrogate in name": `{"jsonrpc":"2.0","id":1,"method":"m","params":{"\udc00":1}}`,
		"UTF-16":            "\xff\xfe{\x00}\x00",
		"trailing object":   good + "{}",
		"NDJSON":            good + "\n" + good,
		"trailing secret":   good + "secret",
		"trailing NUL":      good + "\x00",
		"comment":           "/*secret*/" + good,
		"truncated":         good[:len(good)-1],
		"trailing comma":    `{"jsonrpc":"2.0","id":1,"method":"m",}`,
		"bare secret":       "secret",
		"control in string": "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a\tb\"}",
		"leading zero":      `{"jsonrpc":"2.0","id":01,"method":"m"}`,
	}, ParseError)
	refuse(t, map[string]string{
		"depth 65":      deep(62),
		"depth 100 000": deep(100_000),
	}, InvalidRequest)
}

func TestFW07Batches(t *testing.T) {
	t.Parallel()
	const good = `{"jsonrpc":"2.0","id":1,"method":"m"}`
	refuse(t, map[string]string{
		"empty":       "[]",
		"one":         "[" + good + "]",
		"mixed":       "[" + good + `,{"jsonrpc":"2.0","id":1,"result":{}}]`,
		"white space": " \n[" + good + "]",
		"number":      "1",
		"null":        "null",
		"string":      `"secret"`,
	}, InvalidRequest)
}

func TestAV06InvalidMessages(t *testing.T) {
	t.Parallel()
	refuse(t, map[string]string{
		"empty object":       `{}`,
		"no version":         `{"id":1,"method":"m"}`,
		"version 1.0":        `{"jsonrpc":"1.0","id":1,"method":"m"}`,
		"version number":     `{"jsonrpc":2.0,"id":1,"method":"m"}`,
		"version null":       `{"jsonrpc":null,"id":1,"method":"m"}`,
		"null id":            `{"jsonrpc":"2.0","id":null,"method":"m"}`,
		"fraction id":        `{"jsonrpc":"2.0","id":1.5,"method":"m"}`,
		"whole fraction id":  `{"jsonrpc":"2.0","id":1.0,"method":"m"}`,
		"exponent id":        `{"jsonrpc":"2.0","id":1e3,"method":"m"}`,
		"object id":          `{"jsonrpc":"2.0","id":{},"method":"m"}`,
		"true id":            `{"jsonrpc":"2.0","id":true,"method":"m"}`,
		"numeric method":     `{"jsonrpc":"2.0","id":1,"method":1}`,
		"null method":        `{"jsonrpc":"2.0","id":1,"method":null}`,
		"empty method":       `{"jsonrpc":"2.0","id":1,"method":""}`,
		"array params":       `{"jsonrpc":"2.0","id":1,"method":"m","params":[]}`,
		"request and result": `{"jsonrpc":"2.0","id":1,"method":"m","result":{}}`,
		"result and error":   `{"jsonrpc":"2.0","id":1,"result":{},"error":{"code":1,"message":""}}`,
		"null result":        `{"jsonrpc":"2.0","id":1,"result":null}`,
		"result without id":  `{"jsonrpc":"2.0","result":{}}`,
		"error without id":   `{"jsonrpc":"2.0","error":{"code":1,"message":""}}`,
		"result with params": `{"jsonrpc":"2.0","id":1,"result":{},"params":{}}`,
		"error is text":      `{"jsonrpc":"2.0","id":1,"error":"secret"}`,
		"error code text":    `{"jsonrpc":"2.0","id":1,"error":{"code":"1","message":"m"}}`,
		"error code float":   `{"jsonrpc":"2.0","id":1,"error":{"code":1.0,"message":"m"}}`,
		"error code huge":    `{"jsonrpc":"2.0","id":1,"error":{"code":99999999999,"message":"m"}}`,
		"error no message":   `{"jsonrpc":"2.0","id":1,"error":{"code":1}}`,
	}, InvalidRequest)
}

func TestDecodeAnswer(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, body, want string
		code             Code
	}{
		{name: "unknown members are dropped", body: `{"jsonrpc":"2.0","id":1,"result":{"a":1},"traceId":"x"}`, want: `{"jsonrpc":"2.0","id":1,"result":{"a":1}}`},
		{name: "null members are absent", body: `{"jsonrpc":"2.0","id":1,"method":null,"params":null,"result":{},"error":null}`, want: `{"jsonrpc":"2.0","id":1,"result":{}}`},
		{name: "error without an id", body: `{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"m"}}`, want: `{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"m"}}`},
		{name: "notification", body: `{"jsonrpc":"2.0","method":"notifications/message","params":{"Name":1}}`, want: `{"jsonrpc":"2.0","method":"notifications/message","params":{"Name":1}}`},
		{name: "result with id null", body: `{"jsonrpc":"2.0","id":null,"result":{}}`, code: InvalidRequest},
		{name: "duplicate names", body: `{"jsonrpc":"2.0","id":1,"result":{"a":1,"a":2}}`, code: InvalidRequest},
		{name: "batch", body: `[{"jsonrpc":"2.0","id":1,"result":{}}]`, code: InvalidRequest},
		{name: "no version", body: `{"error":{"code":400,"message":"Session Key missing"}}`, code: InvalidRequest},
		{name: "two values", body: `{"jsonrpc":"2.0","id":1,"result":{}}{}`, code: ParseError},
		{name: "HTML", body: `<html>`, code: ParseError},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m, err := DecodeAnswer([]byte(tt.body))
			if tt.code != 0 {
				if e, ok := errors.AsType[*Error](err); !ok || e.Code != tt.code {
					t.Fatalf("err = %v, want code %d", err, tt.code)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := string(Encode(m)); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// C6, C7: a client's null counts as absent, and what the protocol does not name is ignored.
func TestC6C7NullAndUnknownMembers(t *testing.T) {
	for body, want := range map[string]string{
		`{"jsonrpc":"2.0","id":1,"method":"m","params":null}`:                                    `{"jsonrpc":"2.0","id":1,"method":"m"}`,
		`{"jsonrpc":"2.0","id":1,"method":"m","result":null,"error":null}`:                       `{"jsonrpc":"2.0","id":1,"method":"m"}`,
		`{"jsonrpc":"2.0","id":1,"result":{},"error":null}`:                                      `{"jsonrpc":"2.0","id":1,"result":{}}`,
		`{"jsonrpc":"2.0","id":1,"method":"m","limit":5,"x-vendor":{"a":[1]},"_trace":null}`:     `{"jsonrpc":"2.0","id":1,"method":"m"}`,
		`{"jsonrpc":"2.0","method":"m","params":{"x":null},"traceparent":"00-ab-cd-01"}`:         `{"jsonrpc":"2.0","method":"m","params":{"x":null}}`,
		`{"jsonrpc":"2.0","id":"a","error":{"code":1,"message":"m"},"result":null,"vendor":"v"}`: `{"jsonrpc":"2.0","id":"a","error":{"code":1,"message":"m"}}`,
	} {
		m, err := Decode([]byte(body))
		if err != nil || string(Encode(m)) != want {
			t.Errorf("%s: %+v, %v; want %s", body, m, err, want)
		}
	}
	for _, body := range []string{ // these stay refused
		`{"jsonrpc":"2.0","id":null,"method":"m"}`, `{"jsonrpc":"2.0","id":1,"method":null}`, `{"jsonrpc":null,"id":1,"method":"m"}`,
		`{"jsonrpc":"2.0","id":1,"result":null}`, `{"jsonrpc":"2.0","id":1,"method":"m","x":1,"x":2}`, `{"jsonrpc":"2.0","id":1,"method":"m","params":[]}`,
		`{"jsonrpc":"2.0","id":1,"method":"m","ｐarams":{}}`, `{"jsonrpc":"2.0","id":1,"method":"m","params\u200b":{}}`,
	} {
		if m, err := Decode([]byte(body)); err == nil {
			t.Errorf("%s: %+v", body, m)
		}
	}
}
