package salesforce_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"sfmcp-proxy/authproxy/salesforce"
)

// CL-13: answers that are meant to hurt are bounded, never half believed, and nothing of
// them comes back in an error. What came with a sign-in is revoked where it can be named.
func TestCL13HostileAnswers(t *testing.T) {
	t.Parallel()
	const secret = "5Aep861SecretThatMustNotBeShownAnywhere0001"
	f := newFake(t)
	access := f.jwt(nil, nil)
	member := func(name, value string) string {
		answer := fmt.Sprintf(`{"access_token":%q,"refresh_token":%q,"token_type":"Bearer","scope":"refresh_token mcp_api"`, access, secret)
		return answer + fmt.Sprintf(`,%q:%s}`, name, value)
	}
	replaced := func(name, value string) string {
		members := map[string]string{"access_token": fmt.Sprintf("%q", access), "refresh_token": fmt.Sprintf("%q", secret),
			"token_type": `"Bearer"`, "scope": `"refresh_token mcp_api"`}
		members[name] = value
		var all []string
		for name, value := range members {
			all = append(all, fmt.Sprintf("%q:%s", name, value))
		}
		return "{" + strings.Join(all, ",") + "}"
	}
	deep := strings.Repeat("[", 50_000) + strings.Repeat("]", 50_000)
	for name, body := range map[string]string{
		"access token is a number":    replaced("access_token", "5"),
		"access token is an object":   replaced("access_token", `{"value":"`+secret+`"}`),
		"access token is null":        replaced("access_token", "null"),
		"access token is empty":       replaced("access_token", `""`),
		"access token of 200 kB":      replaced("access_token", `"`+strings.Repeat("a.", 100_000)+`"`),
		"refresh token is a list":     replaced("refresh_token", `["`+secret+`"]`),
		"type is a number":            replaced("token_type", "1"),
		"type is MAC":                 replaced("token_type", `"mac"`),
		"scope is a list":             replaced("scope", `["mcp_api"]`),
		"scope is wider":              replaced("scope", `"refresh_token mcp_api full"`),
		"twice":                       member("access_token", `"x"`),
		"nested 50 000 deep":          member("x", deep),
		"one more megabyte":           member("x", `"`+strings.Repeat("a", 1<<20)+`"`),
		"invalid UTF-8":               member("x", "\"\xff\""),
		"trailing text":               member("x", "1") + "{}",
		"token in an error":           `{"error":"` + secret + `","error_description":"` + secret + `"}`,
		"token in a description":      `{"error":"invalid_grant","error_description":"unknown token ` + secret + ` of ` + access + `"}`,
		"error of another type":       `{"error":{"code":"` + secret + `"}}`,
		"description of another type": `{"error":"invalid_grant","error_description":["` + secret + `"]}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			f.token = func(w http.ResponseWriter, _ *http.Request) {
				fmt.Fprint(w, strings.ReplaceAll(body, access, f.jwt(nil, nil)))
			}
			c := f.client(t)
			for _, call := range []func() (*salesforce.Token, error){
				func() (*salesforce.Token, error) { return c.Refresh(t.Context(), "acme", "5Aep1") },
				func() (*salesforce.Token, error) { return c.Exchange(t.Context(), "acme", "code", "verifier") },
			} {
				token, err := call()
				if err == nil {
					t.Fatalf("accepted as %v with refresh token %q", token, token.RefreshToken)
				}
				e := failureOf(t, err)
				if text := fmt.Sprintf("%v %+v %#v %s", e, e, e.Description, e.Hint); strings.Contains(text, secret[:14]) || strings.Contains(text, "eyJ") || len(text) > 2000 {
					t.Errorf("the error says %q", text)
				}
				if e.Received != nil && e.Received.RefreshToken != secret {
					t.Errorf("handed over %q", e.Received.RefreshToken)
				}
			}
		})
	}
}
