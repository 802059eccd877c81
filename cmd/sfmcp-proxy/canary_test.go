package main

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"strings"
	"testing"
)

// ST-01: after a whole run no secret lies anywhere in the clear: not in the database
// and its journals, the audit log, the diagnostic log, or an answer to a client.
func TestST01NoSecretAnywhere(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	c := d.connect("sobject-all", rep)
	first := *c
	c.token(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {c.refresh}, "client_id": {d.ClientID}})
	held := c.call("createSobjectRecord", account("Canary approval canary-arguments-51d2"))
	b := d.browser()
	page := d.decide(b, d.approvalURL(held), rep, "approve")
	done := c.call("createSobjectRecord", account("Canary approval canary-arguments-51d2"))
	c.call("soqlQuery", map[string]any{"q": "SELECT Id FROM Nothing"})
	d.control("POST", "/keys/rotate", map[string]any{}, nil)
	d.must("user", "revoke", rep)

	secrets := map[string]string{
		"access token": first.access, "refresh token": first.refresh, "second access token": c.access, "second refresh token": c.refresh,
		"MCP session": c.session, "password": d.password(rep),
	}
	for _, cookie := range b.Cookies(d.PublicURL) {
		secrets["cookie "+cookie.Name] = cookie.Value
	}
	// What Salesforce handed out, and the codes and verifiers that went to it.
	for _, r := range d.recorded("raw=1") {
		if token, ok := strings.CutPrefix(flat(r["raw_authorization"]), "Bearer "); ok {
			secrets["Salesforce access token"] = token
		}
		form, _ := r["form"].(map[string]any)
		for _, name := range []string{"code", "code_verifier", "refresh_token", "token"} {
			if text := flat(form[name]); text != "" {
				secrets["Salesforce "+name] = text
			}
		}
	}
	for _, must := range []string{"Salesforce access token", "Salesforce code_verifier", "Salesforce token"} {
		if secrets[must] == "" {
			t.Fatalf("the recorder shows no %s: this test would find nothing", must)
		}
	}
	places := readAll(t, d.dir)
	delete(places, "salesforce-sim.json") // Salesforce's own memory
	for name := range places {
		if strings.HasPrefix(name, "salesforce-sim") {
			delete(places, name)
		}
	}
	places["log"] = []byte(d.log.String())
	places["audit export"] = []byte(d.must("audit", "export"))
	places["grant list"] = []byte(d.must("grant", "list", "--all", "--json"))
	places["approval page"] = []byte(page.Body)
	places["held answer"] = []byte(held.body)
	places["done answer"] = []byte(done.body)
	for name, secret := range secrets {
		for place, text := range places {
			if form := contains(text, secret); form != "" {
				t.Errorf("%s is in %s (%s)", name, place, form)
			}
		}
	}
	// The audit log names arguments, that is what it is for; the diagnostic log never does.
	if bytes.Contains(places["log"], []byte("canary-arguments-51d2")) {
		t.Error("a call's arguments are in the diagnostic log")
	}
}

func flat(v any) string {
	switch x := v.(type) {
	case string:
		return x
	case []any:
		if len(x) > 0 {
			return flat(x[0])
		}
	}
	return ""
}

// contains looks for a secret as it is and in the forms it could have been stored in.
func contains(text []byte, secret string) string {
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	w.Write([]byte(secret))
	w.Close()
	for form, needle := range map[string]string{
		"raw": secret, "hex": hex.EncodeToString([]byte(secret)), "base64": base64.StdEncoding.EncodeToString([]byte(secret)),
		"base64url": base64.RawURLEncoding.EncodeToString([]byte(secret)), "query": url.QueryEscape(secret), "gzip": zipped.String(),
	} {
		if bytes.Contains(text, []byte(needle)) {
			return form
		}
	}
	return ""
}
