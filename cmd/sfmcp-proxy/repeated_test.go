package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
)

// repeating is a proxy in front that sends each POST once more after it was executed, and passes on the
// second answer: the first was lost between the two.
type repeating struct {
	on      atomic.Bool
	host    string
	repeats atomic.Int64
}

// RoundTrip implements [http.RoundTripper].
func (p *repeating) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method != http.MethodPost || r.URL.Host != p.host || !p.on.Load() {
		return http.DefaultTransport.RoundTrip(r)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	send := func() (*http.Response, error) {
		again := r.Clone(r.Context())
		again.Body = io.NopCloser(bytes.NewReader(body))
		return http.DefaultTransport.RoundTrip(again)
	}
	first, err := send()
	if err != nil {
		return nil, err
	}
	_, err = io.Copy(io.Discard, first.Body)
	if err := errors.Join(err, first.Body.Close()); err != nil {
		return nil, err
	}
	p.repeats.Add(1)
	return send()
}

// FT-58: what stands in front sends every POST twice, and the client gets the second answer. A call is
// held once, decided once and made once, and the repeat is in the log as one; tokens are renewed; a code
// that comes twice ends its connection (RFC 6749 4.1.2), and is in the log, too.
func TestFaultFT58FrontRepeatsPosts(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	public, err := url.Parse(d.PublicURL)
	if err != nil {
		t.Fatal(err)
	}
	front := &repeating{host: public.Host}
	d.by = &http.Client{Transport: front}
	c, b := d.connect("sobject-all", rep), d.browser()
	d.authorize(b, "sobject-reads", rep) // signs the browser in
	logged := func(action, outcome string) int {
		return strings.Count(d.must("audit", "list", "--action", action, "--outcome", outcome, "--json"), "\n")
	}

	front.on.Store(true)
	link := d.approvalURL(c.call("createSobjectRecord", account("Twice Ltd")))
	if again := d.approvalURL(c.call("createSobjectRecord", account("Twice Ltd"))); again != link {
		t.Errorf("one call is held as %s and %s", link, again)
	}
	page, err := b.Get(t.Context(), link)
	if err != nil {
		t.Fatal(err)
	}
	decided, err := b.Choose(t.Context(), page, "decision", "approve")
	if err != nil || !strings.Contains(decided.Body, "pproved") {
		t.Errorf("a decision that came twice: %v, %+v", err, decided)
	}
	if n := logged("approval.decide", "ok"); n != 1 {
		t.Errorf("%d decisions", n)
	}
	made := c.call("createSobjectRecord", account("Twice Ltd"))
	if n := d.named("Account", "Twice Ltd"); n != 1 {
		t.Errorf("%d records: %s", n, made.body)
	}
	if made.Status != http.StatusOK || !strings.Contains(made.text(), "not sent again") && !strings.Contains(made.text(), `"success":true`) {
		t.Errorf("the second answer: %d %s", made.Status, made.body)
	}
	if n := logged("tool.call", "repeated"); n != 1 {
		t.Errorf("%d repeats are in the log", n)
	}
	c.token(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {c.refresh}, "client_id": {d.ClientID}})
	if r := c.call("getUserInfo", map[string]any{}); r.Status != http.StatusOK || r.Result.IsError {
		t.Errorf("with tokens whose renewal came twice: %d %s", r.Status, r.body)
	}

	replays := logged("grant.replay", "ok") + logged("grant.replay", "denied")
	if a := d.redeemTwice(t); a.status != http.StatusBadRequest || !strings.Contains(a.body, "invalid_grant") {
		t.Errorf("a code that came twice: %+v", a)
	}
	if n := logged("grant.replay", "ok") + logged("grant.replay", "denied"); n != replays+1 {
		t.Errorf("%d replays are in the log, %d before", n, replays)
	}
	front.on.Store(false)
	if r := d.connect("sobject-all", rep).call("getUserInfo", map[string]any{}); r.Status != http.StatusOK {
		t.Errorf("connected again: %d %s", r.Status, r.body)
	}
	if front.repeats.Load() < 5 {
		t.Errorf("%d requests came twice", front.repeats.Load())
	}
	d.accounted("createSobjectRecord")
}

// redeemTwice redeems a code that was made without the front.
func (d *demo) redeemTwice(t *testing.T) answered {
	t.Helper()
	verifier, address := d.pkce("sobject-all")
	by := d.by
	d.by = nil
	location, err := d.browser().LogIn(t.Context(), address, rep, d.password(rep))
	d.by = by
	if err != nil {
		t.Fatal(err)
	}
	back, err := url.Parse(location)
	if err != nil {
		t.Fatal(err)
	}
	c := &mcpClient{d: d}
	return c.askTokens(url.Values{"grant_type": {"authorization_code"}, "code": {back.Query().Get("code")}, "redirect_uri": {testCallback},
		"client_id": {d.ClientID}, "code_verifier": {verifier}, "resource": {d.MCPURLs["sobject-all"]}})
}

// pkce is a verifier and an authorization request with its challenge.
func (d *demo) pkce(server string) (verifier, address string) {
	verifier = strings.Repeat("v", 43)
	sum := sha256.Sum256([]byte(verifier))
	return verifier, strings.Replace(d.authorizeURL(server), strings.Repeat("A", 43), base64.RawURLEncoding.EncodeToString(sum[:]), 1)
}
