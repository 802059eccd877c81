package audit

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"sfmcp-proxy/authproxy/actor"
)

func TestAU07RedactText(t *testing.T) {
	t.Parallel()
	const canary = "Qk9PQ0FOQVJZ"
	for _, in := range []string{
		"sfa_" + canary, "sfr_" + canary, "code=sfc_" + canary,
		"Bearer " + canary, "authorization:bearer   " + canary, "Authorization: Basic " + canary,
		"00Dxx0000001gPF!" + canary, "sid=00Dxx0000001gPFEAY!AQ." + canary, "00Dxx0000001gPF%21" + canary,
		"eyJhbGciOiJSUzI1NiJ9." + canary + ".c2ln", "eyJhbGciOiJSUzI1NiJ9." + canary,
		"5Aep861" + canary, "aPrx" + canary + "%3D%3D",
		"refresh_token=" + canary, `"client_secret": "` + canary + `"`, "password: " + canary,
	} {
		if got := Redact("before " + in + " after"); strings.Contains(got, canary) || !strings.HasPrefix(got, "before ") || !strings.HasSuffix(got, " after") {
			t.Errorf("Redact(%q) = %q", in, got)
		}
	}
	for _, in := range []string{"SELECT Id FROM Account WHERE Name = 'Bearer Co'", "001xx000003DGbYAAW", "Basic information", "sfa_"} {
		if got := Redact(in); got != in {
			t.Errorf("Redact(%q) = %q", in, got)
		}
	}
}

func TestAU07RedactArguments(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ in, want string }{
		{`{"q":"SELECT Id","n":1.0,"z":null}`, `{"q":"SELECT Id","n":1.0,"z":null}`},
		{`{ "body" : {"Password__c": "hunter2", "Name":"A"} }`, `{"body":{"Password__c":"[redacted]","Name":"A"}}`},
		{`{"token":{"a":"x","b":[1,"y",true,null]},"c":"kept"}`, `{"token":{"a":"[redacted]","b":["[redacted]","[redacted]","[redacted]",null]},"c":"kept"}`},
		{`{"api_key":"x","rows":["Bearer abcdefgh"]}`, `{"api_key":"[redacted]","rows":["Bearer [redacted]"]}`},
		{`{"sfr_abcdefgh":1}`, `{"sfr_[redacted]":1}`},
		{`[{"secret":"a"},{"plain":"b"}]`, `[{"secret":"[redacted]"},{"plain":"b"}]`},
		{`{"credentials":{"token":"a","b":"x","c":{"secret":"y","d":"z"}},"e":"kept"}`, `{"credentials":{"token":"[redacted]","b":"[redacted]","c":{"secret":"[redacted]","d":"[redacted]"}},"e":"kept"}`},
		{`"text"`, `"text"`},
	} {
		got, err := redactJSON([]byte(c.in))
		if err != nil {
			t.Errorf("%s: %v", c.in, err)
		}
		if diff := cmp.Diff(c.want, string(got)); diff != "" {
			t.Errorf("%s: %s", c.in, diff)
		}
	}
}

func TestAU06ArgumentsThatAreNotStored(t *testing.T) {
	t.Parallel()
	for in, why := range map[string]string{
		`{"a":1} {"b":2}`:  "malformed",
		`{"a":`:            "malformed",
		" ":                "malformed",
		"{\"a\":\"\xff\"}": "malformed",
		strings.Repeat("[", 5000) + strings.Repeat("]", 5000): "malformed",
		`{"a":"` + strings.Repeat("x", maxArguments) + `"}`:   "too_long",
	} {
		var got struct {
			Why    string `json:"not_stored"`
			Bytes  int    `json:"bytes"`
			SHA256 string `json:"sha256"`
		}
		if err := json.Unmarshal(boundedArguments(json.RawMessage(in)), &got); err != nil {
			t.Fatal(err)
		}
		if got.Why != why || got.Bytes != len(in) || got.SHA256 != digest([]byte(in)) {
			t.Errorf("%.20q: %+v", in, got)
		}
	}
}

// Whatever a client puts in a field, the log holds one event in one printable line.
func TestAU06Injection(t *testing.T) {
	t.Parallel()
	l := newStore(t).open()
	hostile := []string{
		"a\nb\r\nc", `"},{"seq":99`, "\x1b[2J\u009b31m", "nul\x00nul", "bad \xff\xfe utf-8", "rtl \u202e zero\u200bwidth \U000e0041 \u2028",
		strings.Repeat("é", 1<<17), "' ; DROP TABLE audit_entries --",
	}
	for _, s := range hostile {
		e := Entry{Actor: actor.Client(s), Action: Action(s), Outcome: Outcome(s), Object: s, Tool: s, Client: s, Username: s, Reason: s}
		e.Arguments, _ = json.Marshal(map[string]string{"a": s})
		appendAll(t, l, e)
	}
	for _, s := range hostile {
		appendAll(t, l, everywhere(s))
	}
	sound(t, l, int64(2*len(hostile)))
	var out bytes.Buffer
	if err := l.Export(t.Context(), Filter{}, &out); err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(out.String(), "\n"); got != 2*len(hostile) {
		t.Errorf("%d lines for %d entries", got, 2*len(hostile))
	}
	if i := strings.IndexFunc(strings.ReplaceAll(out.String(), "\n", ""), acting); i >= 0 || !utf8.Valid(out.Bytes()) {
		t.Errorf("the export holds a control character at byte %d, or is not UTF-8", i)
	}
	all := list(t, l, Filter{})
	for i, s := range hostile {
		switch got := all[i].Reason; {
		case len(s) > maxReason:
			if len(got) > maxReason+150 || !strings.Contains(got, digest([]byte(s))) {
				t.Errorf("%d bytes of reason stored, without digest", len(got))
			}
		case got != strings.ToValidUTF8(s, "\uFFFD"):
			t.Errorf("stored %q for %q", got, s)
		}
	}
	if got := list(t, l, Filter{Tool: "nul\x00nul"}); len(got) != 2 {
		t.Errorf("a tool with NUL is found %d times", len(got))
	}
}

// everywhere is an entry with s in every field that is text, but for whom it is about: who that is has
// been verified.
func everywhere(s string) Entry {
	e := Entry{Actor: actor.Client(s)}
	v := reflect.ValueOf(&e).Elem()
	for i := range v.NumField() {
		if name := v.Type().Field(i).Name; v.Field(i).Kind() == reflect.String && name != "Org" && name != "Subject" {
			v.Field(i).SetString(s)
		}
	}
	e.Arguments, _ = json.Marshal(map[string]string{s: s})
	e.Sent = e.Arguments
	e.Records = []Records{{Object: s, IDs: []string{s}}}
	return e
}

// A credential does not survive by lying across the place where a field is cut.
func TestAU07CutCredential(t *testing.T) {
	t.Parallel()
	for shift := range 60 {
		s := strings.Repeat("x", maxText-50+shift) + " sfr_CANARYCANARYCANARYCANARY " + strings.Repeat("y", 100)
		if got := bounded(s, maxText); strings.Contains(got, "CANARY") {
			t.Fatalf("shift %d: %q", shift, got)
		}
	}
}

// What an entry keeps of a reason ends at its bound, with the digest of the whole; up to that
// it is kept as it is.
func TestD15ReasonsAreBounded(t *testing.T) {
	t.Parallel()
	const most = 2048
	for n, whole := range map[int]bool{most: true, most + 1: false, 2 * most: false} {
		reason := strings.Repeat("x", n)
		e := Entry{Reason: reason}
		e.normaliseOutcome()
		if whole && e.Reason != reason || !whole && (len(e.Reason) > most+150 || !strings.Contains(e.Reason, digest([]byte(reason)))) {
			t.Errorf("%d bytes of reason: %d are kept", n, len(e.Reason))
		}
	}
}
