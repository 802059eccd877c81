package salesforce_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/salesforce"
)

// drop ends the connection after writing what is given.
func drop(raw string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			panic(err)
		}
		fmt.Fprint(conn, raw)
		conn.Close()
	}
}

// FT-16, FT-15, CL-16: each answer of the token endpoint has one kind, and only an
// answer that did not come whole is lost.
func TestTokenAnswers(t *testing.T) {
	t.Parallel()
	type want struct {
		kind  salesforce.Kind
		code  string
		lost  bool
		retry time.Duration
	}
	dead := func(description string) want { return want{kind: salesforce.Dead, code: "invalid_grant"} }
	for name, tc := range map[string]struct {
		answer http.HandlerFunc
		want   want
	}{
		"expired":          {oauthError("invalid_grant", "expired access/refresh token"), dead("")},
		"ip":               {oauthError("invalid_grant", "ip restricted"), dead("")},
		"unapproved":       {oauthError("invalid_grant", "user hasn't approved this consumer"), dead("")},
		"new variant":      {oauthError("invalid_grant", "something else"), dead("")},
		"inactive":         {oauthError("inactive_user", "user is inactive"), want{kind: salesforce.Dead, code: "inactive_user"}},
		"wrong domain":     {oauthError("invalid_grant", "request not supported on this domain"), want{kind: salesforce.Misconfigured, code: "invalid_grant"}},
		"rate":             {oauthError("invalid_grant", "login rate exceeded"), want{kind: salesforce.Transient, code: "invalid_grant"}},
		"client id":        {oauthError("invalid_client_id", "client identifier invalid"), want{kind: salesforce.Misconfigured, code: "invalid_client_id"}},
		"callback":         {oauthError("redirect_uri_mismatch", "redirect_uri must match configuration"), want{kind: salesforce.Misconfigured, code: "redirect_uri_mismatch"}},
		"unknown code":     {oauthError("new_error", ""), want{kind: salesforce.Misconfigured, code: "new_error"}},
		"401 JSON":         {status(401, `{"error":"invalid_client"}`), want{kind: salesforce.Misconfigured, code: "invalid_client"}},
		"error with 200":   {status(200, `{"error":"invalid_grant"}`), want{kind: salesforce.Dead, code: "invalid_grant"}},
		"500":              {status(500, "x"), want{kind: salesforce.Transient, code: "unavailable"}},
		"503 page":         {status(503, "<html>", "Retry-After", "7"), want{kind: salesforce.Transient, code: "unavailable", retry: 7 * time.Second}},
		"503 OAuth":        {status(503, `{"error":"invalid_grant"}`), want{kind: salesforce.Transient, code: "unavailable"}},
		"429":              {status(429, "", "Retry-After", "86400"), want{kind: salesforce.Transient, code: "unavailable", retry: salesforce.MaxRetryAfter}},
		"429 date":         {status(429, "", "Retry-After", "Wed, 30 Sep 2026 12:00:20 GMT"), want{kind: salesforce.Transient, code: "unavailable", retry: 20 * time.Second}},
		"429 bad date":     {status(429, "", "Retry-After", "-5"), want{kind: salesforce.Transient, code: "unavailable"}},
		"403 page":         {status(403, "<html>"), want{kind: salesforce.Transient, code: "malformed_answer"}},
		"404 page":         {status(404, "<html>"), want{kind: salesforce.Misconfigured, code: "wrong_host"}},
		"redirect":         {status(307, "", "Location", "/services/oauth2/token"), want{kind: salesforce.Misconfigured, code: "redirected"}},
		"page with 200":    {status(200, "<html>"), want{kind: salesforce.Transient, code: "malformed_answer"}},
		"cut JSON":         {status(200, `{"access_token":"x","refr`), want{kind: salesforce.Transient, code: "malformed_answer"}},
		"no members":       {status(200, `{}`), want{kind: salesforce.Transient, code: "malformed_answer"}},
		"array":            {status(200, `[]`), want{kind: salesforce.Transient, code: "malformed_answer"}},
		"empty":            {status(200, ""), want{kind: salesforce.Transient, code: "empty_answer"}},
		"twice":            {status(200, `{"access_token":"a","access_token":"b"}`), want{kind: salesforce.Transient, code: "malformed_answer"}},
		"form":             {status(200, "access_token=a&token_type=Bearer", "Content-Type", "application/x-www-form-urlencoded"), want{kind: salesforce.Transient, code: "malformed_answer"}},
		"too large":        {status(200, `{"x":"`+strings.Repeat("a", 2<<20)+`"}`), want{kind: salesforce.Transient, code: "malformed_answer"}},
		"no answer":        {drop(""), want{kind: salesforce.Transient, code: "network", lost: true}},
		"half an answer":   {drop("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{\"access"), want{kind: salesforce.Transient, code: "network", lost: true}},
		"half of an error": {drop("HTTP/1.1 400 Bad Request\r\nContent-Length: 500\r\n\r\n{\"error\":"), want{kind: salesforce.Transient, code: "network", lost: true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			f.token = tc.answer
			_, err := f.client(t).Refresh(t.Context(), "acme", "5Aep1")
			e := failureOf(t, err)
			if got := (want{e.Kind, e.Code, e.Lost, e.RetryAfter}); got != tc.want {
				t.Errorf("got %+v, expected %+v", got, tc.want)
			}
			if e.Kind == salesforce.Misconfigured && e.Code != "new_error" && e.Hint == "" {
				t.Errorf("%s has no hint", e.Code)
			}
			if len(f.tokenForms) != 1 {
				t.Errorf("the refresh token was sent %d times", len(f.tokenForms))
			}
		})
	}
}

func TestUnreachableIsNotLost(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	c := f.client(t)
	if _, err := c.Refresh(t.Context(), "acme", "5Aep1"); err != nil { // keys are known from here on
		t.Fatal(err)
	}
	f.Close()
	_, err := c.Refresh(t.Context(), "acme", "5Aep1")
	if e := failureOf(t, err); e.Kind != salesforce.Transient || e.Lost {
		t.Errorf("error is %+v", e)
	}
}

// CL-13, CL-03: what Salesforce says about an error is for people, not for a browser
// and not a way for a secret into a log.
func TestCL13ErrorTextIsPlain(t *testing.T) {
	t.Parallel()
	const secret = "5Aep861KbHyoRefreshTokenThatIsEchoed"
	for _, tc := range []struct{ code, description string }{
		{"invalid_grant", "token " + secret + " is unknown"},
		{secret, "x"},
		{"invalid_grant", `<script>alert("` + secret + `")</script>` + strings.Repeat("long ", 500)},
		{"access_denied", "javascript:alert(1)\r\nSet-Cookie: x=\x00\xff"},
	} {
		e := salesforce.ErrorFor(tc.code, tc.description)
		text := e.Error() + e.Hint + fmt.Sprintf("%+v", e)
		if strings.Contains(text, secret[:12]) || strings.ContainsAny(text, "<\"\r\n\x00") || len(e.Description) > 300 {
			t.Errorf("text is %q", text)
		}
	}
	if e := salesforce.ErrorFor("access_denied", "end-user denied authorization"); e.Kind != salesforce.Dead || e.Description != "end-user denied authorization" {
		t.Errorf("access_denied became %v", e)
	}
}
