package salesforce_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"sfmcp-proxy/authproxy/salesforce"
)

func failureOf(t *testing.T, err error) *salesforce.Error {
	t.Helper()
	e, ok := errors.AsType[*salesforce.Error](err)
	if !ok {
		t.Fatalf("error is %v (%T), expected *salesforce.Error", err, err)
	}
	return e
}

// CL-01: what leaves towards Salesforce, for a public and a confidential app.
func TestCL01RequestsAreMinimal(t *testing.T) {
	t.Parallel()
	for _, secret := range []string{"", "consumersecret"} {
		f := newFake(t)
		org := f.org()
		org.ClientSecret = secret
		org.Resource = "https://api.salesforce.com/platform/mcp/v1"
		c := f.client(t, org)
		verifier := salesforce.NewVerifier()
		raw, err := c.AuthorizeURL("acme", "st&te", verifier)
		if err != nil {
			t.Fatal(err)
		}
		u, err := url.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		challenge := sha256.Sum256([]byte(verifier))
		want := url.Values{"response_type": {"code"}, "client_id": {clientID}, "redirect_uri": {redirectURI},
			"scope": {"mcp_api refresh_token"}, "state": {"st&te"}, "resource": {org.Resource},
			"code_challenge": {base64.RawURLEncoding.EncodeToString(challenge[:])}, "code_challenge_method": {"S256"}}
		if diff := cmp.Diff(want, u.Query()); diff != "" {
			t.Errorf("authorize query (-want +got):\n%s", diff)
		}
		if got := u.Scheme + "://" + u.Host + u.Path; got != f.URL+"/services/oauth2/authorize" {
			t.Errorf("authorize URL is %s", got)
		}
		if _, err := c.Exchange(t.Context(), "acme", "aPrx==", verifier); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Refresh(t.Context(), "acme", "5Aep1"); err != nil {
			t.Fatal(err)
		}
		code := url.Values{"grant_type": {"authorization_code"}, "code": {"aPrx=="}, "redirect_uri": {redirectURI},
			"client_id": {clientID}, "code_verifier": {verifier}, "resource": {org.Resource}}
		refresh := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"5Aep1"}, "client_id": {clientID}}
		if secret != "" {
			code.Set("client_secret", secret)
			refresh.Set("client_secret", secret)
		}
		if diff := cmp.Diff([]url.Values{code, refresh}, f.tokenForms); diff != "" {
			t.Errorf("token requests (-want +got):\n%s", diff)
		}
	}
}

func TestExchangeGivesVerifiedToken(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	got, err := f.client(t).Exchange(t.Context(), "acme", "code", "verifier")
	if err != nil {
		t.Fatal(err)
	}
	want := &salesforce.Token{AccessToken: f.jwt(nil, nil), RefreshToken: "5Aep861newRefreshTokenOfAPlausibleLength",
		ExpiresAt: f.now.Add(30 * time.Minute), OrgID: orgID, Subject: userID, Scope: "refresh_token mcp_api"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("token (-want +got):\n%s", diff)
	}
}

func TestRefreshWithoutRotation(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.token = func(w http.ResponseWriter, r *http.Request) {
		answer := f.tokenAnswer(f.jwt(nil, nil))
		delete(answer, "refresh_token")
		f.answer(w, answer)
	}
	got, err := f.client(t).Refresh(t.Context(), "acme", "5Aep1")
	if err != nil || got.RefreshToken != "" {
		t.Errorf("refresh gave refresh token %q, error %v; expected none and none", got.RefreshToken, err)
	}
}

// CL-02, CL-09: an org's code, verifier and tokens go to that org's host alone.
func TestCL02OrgsDoNotMix(t *testing.T) {
	t.Parallel()
	a, b := newFake(t), newFake(t)
	other := b.org()
	other.Name, other.OrgID = "other", otherOrgID
	c := a.client(t, a.org(), other)
	if _, err := c.Exchange(t.Context(), "acme", "codeA", "verifierA"); err != nil {
		t.Fatal(err)
	}
	// b answers with a token of org A's id: it is not believed.
	_, err := c.Exchange(t.Context(), "other", "codeB", "verifierB")
	if e := failureOf(t, err); e.Kind != salesforce.Refused || e.Code != "wrong_org" {
		t.Errorf("error is %v", e)
	}
	if got := a.tokenForms[0].Get("code_verifier"); len(a.tokenForms) != 1 || got != "verifierA" {
		t.Errorf("host A saw %v", a.tokenForms)
	}
	if got := b.tokenForms[0].Get("code_verifier"); len(b.tokenForms) != 1 || got != "verifierB" {
		t.Errorf("host B saw %v", b.tokenForms)
	}
	if len(a.revokeForms) != 0 || len(b.revokeForms) != 1 {
		t.Errorf("revocations: %d at A, %d at B; expected the refused token at B alone", len(a.revokeForms), len(b.revokeForms))
	}
	for _, call := range []func() error{
		func() error { _, err := c.AuthorizeURL("acme.evil", "s", "v"); return err },
		func() error { _, err := c.Exchange(t.Context(), "", "c", "v"); return err },
		func() error { _, err := c.Refresh(t.Context(), "ACME", "r"); return err },
		func() error { return c.Revoke(t.Context(), "x", "r") },
	} {
		if e := failureOf(t, call()); e.Code != "unknown_org" {
			t.Errorf("unknown org gave %v", e)
		}
	}
}

// CL-04: a sign-in to an org that is not configured leaves no live token behind, even
// if the browser has gone.
func TestCL04ForeignOrgIsRevoked(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	ctx, cancel := context.WithCancel(t.Context())
	access := f.jwt(map[string]any{"tnk": "core/usa1s/" + otherOrgID}, nil)
	f.token = func(w http.ResponseWriter, r *http.Request) {
		f.answer(w, f.tokenAnswer(access))
	}
	var aborted bool
	f.revoke = func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		select {
		case <-r.Context().Done():
			aborted = true
		case <-time.After(100 * time.Millisecond):
		}
	}
	_, err := f.client(t).Exchange(ctx, "acme", "code", "verifier")
	if e := failureOf(t, err); e.Kind != salesforce.Refused || e.Code != "wrong_org" || e.Hint == "" {
		t.Errorf("error is %v, hint %q", e, e.Hint)
	}
	want := []url.Values{{"token": {"5Aep861newRefreshTokenOfAPlausibleLength"}}}
	if diff := cmp.Diff(want, f.revokeForms); diff != "" || aborted {
		t.Errorf("revocation aborted: %t; (-want +got):\n%s", aborted, diff)
	}
}

func TestExchangeNeedsRefreshToken(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.token = func(w http.ResponseWriter, r *http.Request) {
		answer := f.tokenAnswer(f.jwt(nil, nil))
		delete(answer, "refresh_token")
		answer["REFRESH_TOKEN"] = "names match by case"
		f.answer(w, answer)
	}
	_, err := f.client(t).Exchange(t.Context(), "acme", "code", "verifier")
	if e := failureOf(t, err); e.Code != "no_refresh_token" || !strings.Contains(e.Hint, "refresh_token") {
		t.Errorf("error is %v, hint %q", e, e.Hint)
	}
	if len(f.revokeForms) != 1 {
		t.Errorf("%d revocations, expected the access token to be revoked", len(f.revokeForms))
	}
}

// A refused answer to a refresh hands its refresh token to the caller, who revokes it.
func TestRefreshHandsOverRefusedToken(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.answerWith(f.jwt(nil, map[string]any{"client_id": "another"}))
	_, err := f.client(t).Refresh(t.Context(), "acme", "5Aep1")
	e := failureOf(t, err)
	if e.Kind != salesforce.Refused || e.Received == nil || e.Received.RefreshToken != "5Aep861newRefreshTokenOfAPlausibleLength" || e.Received.AccessToken != "" {
		t.Errorf("error is %v with %v", e, e.Received)
	}
	if len(f.revokeForms) != 0 {
		t.Error("refresh revoked by itself")
	}
}

func TestRevoke(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		answer http.HandlerFunc
		want   salesforce.Kind // "" means success
	}{
		"empty 200":        {status(200, ""), ""},
		"unknown token":    {oauthError("invalid_token", "x"), ""},
		"unsupported type": {oauthError("unsupported_token_type", "x"), salesforce.Misconfigured},
		"500":              {status(500, ""), salesforce.Transient},
		"page with 200":    {status(200, "<html>maintenance</html>"), salesforce.Transient},
		"redirect":         {status(302, "", "Location", "https://elsewhere.example"), salesforce.Misconfigured},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			f.revoke = tc.answer
			err := f.client(t).Revoke(t.Context(), "acme", "5AepSecretToken")
			if tc.want == "" && err != nil || tc.want != "" && failureOf(t, err).Kind != tc.want {
				t.Errorf("got %v, expected kind %q", err, tc.want)
			}
			if diff := cmp.Diff([]url.Values{{"token": {"5AepSecretToken"}}}, f.revokeForms); diff != "" {
				t.Errorf("request (-want +got):\n%s", diff)
			}
		})
	}
}

// CL-14 and no redirects: the guarded client goes where it was told, or nowhere.
func TestCL14GuardedClient(t *testing.T) {
	t.Parallel()
	hits := 0
	target := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits++ }))
	defer target.Close()
	from := httptest.NewServer(http.RedirectHandler(target.URL, http.StatusTemporaryRedirect))
	defer from.Close()
	c := salesforce.NewHTTPClient(nil, nil)
	res, err := c.Get(from.URL)
	if err != nil || res.StatusCode != http.StatusTemporaryRedirect || hits != 0 {
		t.Errorf("got %v, %v with %d hits; expected the redirect itself", res, err, hits)
	}
	if c.Transport.(*http.Transport).Proxy != nil {
		t.Error("client takes a proxy from the environment")
	}
	_, err = salesforce.New(salesforce.Config{HTTP: &http.Client{}})
	if err == nil {
		t.Error("a client that uses the environment's proxies was accepted")
	}
}

func TestReadAll(t *testing.T) {
	t.Parallel()
	if b, err := salesforce.ReadAll(strings.NewReader("four"), 4); string(b) != "four" || err != nil {
		t.Errorf("got %q, %v", b, err)
	}
	if b, err := salesforce.ReadAll(strings.NewReader("fours"), 4); b != nil || !errors.Is(err, salesforce.ErrTooLarge) {
		t.Errorf("got %q, %v; expected ErrTooLarge", b, err)
	}
}

// G1: values that hold secrets do not print them.
func TestSecretsDoNotPrint(t *testing.T) {
	t.Parallel()
	token := &salesforce.Token{AccessToken: "CANARY", RefreshToken: "CANARY"}
	org := salesforce.Org{Name: "acme", ClientSecret: "CANARY"}
	received := &salesforce.Error{Kind: salesforce.Refused, Received: token}
	var out strings.Builder
	for _, v := range []any{token, *token, org, &org, received} {
		fmt.Fprintf(&out, "%v %+v %s", v, v, v)
	}
	fmt.Fprintf(&out, "%#v %#v %#v", token, org, &org)
	for _, log := range []*slog.Logger{slog.New(slog.NewTextHandler(&out, nil)), slog.New(slog.NewJSONHandler(&out, nil))} {
		log.Info("x", "token", token, "org", org, "error", received, "in", struct{ T *salesforce.Token }{token})
	}
	b, err := json.Marshal(map[string]any{"t": token})
	if err != nil || strings.Contains(out.String()+string(b), "CANARY") {
		t.Errorf("a secret is in the output (%v):\n%s%s", err, out.String(), b)
	}
}
