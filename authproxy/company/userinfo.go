package company

import (
	"context"
	"fmt"
	"io"
	"mime"
	"net/http"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// asksUserInfo reports whether groups are looked for at the userinfo endpoint: where a role names
// some, and the id token has no claim of them, as with providers that keep it small.
func (p *provider) asksUserInfo(f *found, all map[string]jsontext.Value) bool {
	_, said := all[p.GroupsClaim]
	return p.GroupsClaim != "" && !said && f.userInfoURL != "" && len(p.config.named(p.Issuer)) > 0
}

// userInfo returns the claims of the userinfo endpoint about a subject (OpenID Connect Core 5.3),
// nil where the provider does not show them for this access token: then there are no groups.
// Claims of another subject count for nobody (5.3.2), and neither does a signed answer, which no
// registration of ours asks for.
func (p *provider) userInfo(ctx context.Context, f *found, accessToken, subject string) (map[string]jsontext.Value, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, f.userInfoURL, nil)
	if err != nil {
		return nil, fmt.Errorf("%w: the userinfo endpoint has no address", ErrUnavailable)
	}
	r.Header.Set("Authorization", "Bearer "+accessToken)
	r.Header.Set("Accept", "application/json")
	res, err := p.http.Do(r)
	if err != nil { // which may quote an address, and never the token
		return nil, fmt.Errorf("%w: the userinfo endpoint does not answer", ErrUnavailable)
	}
	defer res.Body.Close()
	if res.StatusCode >= 400 && res.StatusCode < 500 && res.StatusCode != http.StatusTooManyRequests {
		p.config.Log.WarnContext(ctx, "the identity provider shows no groups: neither the id token nor the userinfo endpoint has them", "issuer", p.Issuer, "status", res.StatusCode)
		return nil, nil
	}
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%w: the userinfo endpoint answers %d", ErrUnavailable, res.StatusCode)
	}
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, fmt.Errorf("%w: the answer of the userinfo endpoint breaks off", ErrUnavailable)
	}
	var of struct {
		Subject string `json:"sub"`
	}
	all := map[string]jsontext.Value{}
	kind, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	if kind != "application/json" || json.Unmarshal(text, &of) != nil || json.Unmarshal(text, &all) != nil { // strict: no name twice
		return nil, fmt.Errorf("%w: the answer of the userinfo endpoint is no JSON object", ErrRefused)
	}
	if of.Subject != subject {
		return nil, fmt.Errorf("%w: the userinfo endpoint speaks of somebody else", ErrRefused)
	}
	return all, nil
}
