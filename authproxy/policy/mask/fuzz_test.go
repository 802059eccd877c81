package mask

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

// canary is in every value of a hidden field.
const canary = "canary-7f3a"

// FuzzMask builds answers around a text and hides in them. No canary survives where its
// member is hidden, what comes out is JSON, and values that are not hidden stay as they are.
func FuzzMask(f *testing.F) {
	for _, seed := range []string{
		`{"records":[{"attributes":{"type":"Contact"},"SSN__c":"` + canary + `"}]}`,
		`{"status_code":200,"body":"{\"attributes\":{\"type\":\"Contact\"},\"Email\":\"` + canary + `\"}"}`,
		`{"outputValues":{"ssn":"` + canary + `","kept":[1e400,-0.0,"\ud83d\ude00"]}}`,
		`{"sobjects":[{"name":"Contact","keyPrefix":"003","fields":[{"name":"Email"},{"name":"Id"}]}]}`,
		`{"attributes":{"type":"Account"},"BillingAddress":{"street":"` + canary + `"},"Name":"kept"}`,
		`[{"errorCode":"X","message":"m"}]`, `{"a":1,"a":2}`, `{}{}`, `nothing`,
	} {
		f.Add(seed, uint8(3))
	}
	f.Fuzz(func(t *testing.T, text string, rows uint8) {
		h := New([]string{"Contact.SSN__c", "*.Birthdate"}, []string{"Contact.Email", "Account.BillingStreet"})
		r := h.NewReader(Asked{Rows: int64(rows)})
		out, err := r.Value(jsontext.Value(text))
		if err != nil {
			return
		}
		if !out.IsValid() {
			t.Fatalf("%q becomes %q", text, out)
		}
		again, err := h.NewReader(Asked{Rows: int64(rows)}).Value(out.Clone())
		if err != nil || !bytes.Equal(again, out) && !strings.Contains(text, "{\\") {
			t.Fatalf("%q becomes %q, and that %q (%v)", text, out, again, err)
		}
		if done, _ := r.End(); done == (Done{}) && string(out) != text && !strings.Contains(text, "fields") && !strings.Contains(text, "childRelationships") {
			t.Fatalf("nothing was done, and %q becomes %q", text, out)
		}
		checkRecord(t, h, text)
	})
}

// checkRecord puts the text into a record beside a canary.
func checkRecord(t *testing.T, h *Hiding, text string) {
	t.Helper()
	kept := jsontext.Value(text)
	if !kept.IsValid() || strings.Contains(text, canary) {
		kept, _ = json.Marshal(strings.ReplaceAll(text, canary, ""))
	}
	if kept.Kind() == '{' || kept.Kind() == '[' {
		return // it may hold what is hidden
	}
	answer := fmt.Sprintf(`{"records":[{"attributes":{"type":"Contact","url":"/sobjects/Contact/003"},"SSN__c":%q,"Kept__c":%s,"Email":%q}]}`, canary, kept, canary)
	out, err := h.NewReader(Asked{Shape: Records}).Text(quoted(answer))
	if err != nil {
		t.Fatalf("%s: %v", answer, err)
	}
	plain, err := jsontext.AppendUnquote(nil, out)
	if err != nil && err != io.EOF {
		t.Fatal(err)
	}
	if bytes.Contains(plain, []byte(canary)) || !bytes.Contains(plain, append([]byte(`"Kept__c":`), kept...)) {
		t.Fatalf("%s becomes %s", answer, plain)
	}
}
