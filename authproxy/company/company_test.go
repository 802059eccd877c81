package company

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"sfmcp-proxy/authproxy/seal"
	"sfmcp-proxy/examples/salesforcesim/companysim"
)

const callback = "http://127.0.0.1:1/oauth/company/callback"

type fixture struct {
	*SignIn
	sim     *companysim.Provider
	issuer  string
	now     time.Time
	browser *http.Client
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{now: time.Now()}
	clock := func() time.Time { return f.now }
	var handler http.Handler
	host := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
	t.Cleanup(host.Close)
	f.issuer = host.URL + "/company"
	var err error
	if f.sim, err = companysim.New(companysim.Config{Issuer: f.issuer, RedirectURIs: []string{callback}, Now: clock}); err != nil {
		t.Fatal(err)
	}
	handler = f.sim.Handler()
	keys := filepath.Join(t.TempDir(), "keys")
	if err := seal.CreateKeyFile(keys); err != nil {
		t.Fatal(err)
	}
	ring, err := seal.LoadKeyRing(keys)
	if err != nil {
		t.Fatal(err)
	}
	f.SignIn, err = New(Config{
		Providers: []Provider{{Name: "Acme", Issuer: f.issuer, ClientID: companysim.ClientID, ClientSecret: companysim.ClientSecret,
			Scopes: []string{"profile"}, GroupsClaim: "groups", ACR: companysim.MFA}},
		Roles: []Role{{Role: "approver", Issuer: f.issuer, Groups: []string{"sales-approvers"}}, {Role: "security", Issuer: f.issuer, Subjects: []string{"00u-security"}},
			{Role: "auditor", Issuer: f.issuer, Emails: []string{"avery@acme.example"}}, {Role: "approver", Issuer: "https://other.example", Subjects: []string{"00u-security"}}},
		RedirectURI: callback, HTTP: &http.Client{Transport: &http.Transport{}}, Ring: ring, Now: clock,
	})
	if err != nil {
		t.Fatal(err)
	}
	jar, _ := cookiejar.New(nil) // never an error
	f.browser = &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return f
}

// answer goes through the provider as a browser, and returns the callback's parameters.
func (f *fixture) answer(t *testing.T, address, username, password string, mfa bool) url.Values {
	t.Helper()
	res, err := f.browser.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode == http.StatusOK {
		form := url.Values{"username": {username}, "password": {password}}
		if mfa {
			form.Set("mfa", "yes")
		}
		if res, err = f.browser.PostForm(address, form); err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
	}
	back, err := res.Location()
	if err != nil {
		t.Fatalf("status %d: %v", res.StatusCode, err)
	}
	return back.Query()
}

// signIn goes the whole way.
func (f *fixture) signIn(t *testing.T, how How, mfa bool) (Identity, error) {
	t.Helper()
	address, state, secret, err := f.Start(t.Context(), Attempt{Issuer: f.issuer, How: how, ReturnTo: "/approvals"})
	if err != nil {
		return Identity{}, err
	}
	q := f.answer(t, address, "avery@acme.example", "approve-Avery-1", mfa)
	if q.Get("state") != state {
		t.Fatalf("state %q came back", q.Get("state"))
	}
	a, err := f.Begun(q.Get("state"), secret)
	if err != nil {
		return Identity{}, err
	}
	return f.Finish(t.Context(), a, secret, q)
}

func TestSignIn(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	if _, err := f.signIn(t, Silently, false); !errors.Is(err, ErrLoginRequired) {
		t.Errorf("silently, before any sign-in: %v", err)
	}
	who, err := f.signIn(t, AsUsual, false)
	if err != nil || who.Subject != "00u-approver" || who.Issuer != f.issuer || who.Email != "avery@acme.example" || who.ACR != companysim.Password {
		t.Fatalf("%+v, %v", who, err)
	}
	if got := f.Roles(who); !slices.Equal(got, []string{"approver", "auditor"}) {
		t.Errorf("roles %v", got)
	}
	f.now = f.now.Add(10 * time.Minute)
	again, err := f.signIn(t, Silently, false)
	if err != nil || !again.AuthTime.Equal(who.AuthTime) || !again.CheckedAt.Equal(f.now) {
		t.Errorf("silently: %+v, %v", again, err)
	}
	fresh, err := f.signIn(t, Freshly, true)
	if err != nil || fresh.ACR != companysim.MFA || f.now.Sub(fresh.AuthTime) > time.Second {
		t.Errorf("freshly: %+v, %v", fresh, err)
	}
	if _, err := f.signIn(t, Freshly, false); !errors.Is(err, ErrRefused) {
		t.Errorf("freshly, without the second factor: %v", err)
	}
}

// AD-01: an answer that is wrong in any way signs nobody in.
func TestAD01WrongAnswers(t *testing.T) {
	t.Parallel()
	claim := func(name string, value any) companysim.Faults {
		return companysim.Faults{Claims: map[string]any{name: value}}
	}
	now := time.Now().Unix()
	for name, c := range map[string]struct {
		faults companysim.Faults
		want   error
	}{
		"no nonce":             {claim("nonce", nil), ErrRefused},
		"another nonce":        {claim("nonce", "x"), ErrRefused},
		"another audience":     {claim("aud", "other"), ErrRefused},
		"two audiences":        {claim("aud", []string{companysim.ClientID, "other"}), ErrRefused},
		"another azp":          {claim("azp", "other"), ErrRefused},
		"another issuer":       {claim("iss", "https://other.example"), ErrRefused},
		"expired":              {claim("exp", now-3600), ErrRefused},
		"issued long ago":      {claim("iat", now-3600), ErrRefused},
		"issued in the future": {claim("iat", now+3600), ErrRefused},
		"auth_time to come":    {claim("auth_time", now+3600), ErrRefused},
		"no subject":           {claim("sub", nil), ErrRefused},
		"subject with a line":  {claim("sub", "a\nb"), ErrRefused},
		"subject a number":     {claim("sub", 5), ErrRefused},
		"groups a text":        {claim("groups", "sales-approvers"), ErrRefused},
		"groups nested":        {claim("groups", []any{[]string{"sales-approvers"}}), ErrRefused},
		"groups an object":     {claim("groups", map[string]any{"sales-approvers": true}), ErrRefused},
		"alg none":             {companysim.Faults{Algorithm: "none"}, ErrRefused},
		"alg HS256":            {companysim.Faults{Algorithm: "HS256"}, ErrRefused},
		"another key":          {companysim.Faults{OtherKey: true}, ErrRefused},
		"no id token":          {companysim.Faults{NoIDToken: true}, ErrRefused},
		"answer of another":    {companysim.Faults{OtherIss: true}, ErrRefused},
		"names twice":          {companysim.Faults{Raw: `{"sub":"a","sub":"b"}`}, ErrRefused},
		"no keys":              {companysim.Faults{NoKeys: true}, ErrUnavailable},
		"down":                 {companysim.Faults{Down: true}, ErrUnavailable},
		"other metadata":       {companysim.Faults{OtherMetadataIssuer: true}, ErrUnavailable},
	} {
		f := newFixture(t)
		f.sim.SetFaults(c.faults)
		if who, err := f.signIn(t, AsUsual, false); !errors.Is(err, c.want) {
			t.Errorf("%s: %+v, %v", name, who, err)
		}
	}
}

// AD-01: what the provider does not vouch for gives no role.
func TestAD01ClaimsThatGiveNothing(t *testing.T) {
	t.Parallel()
	for name, claims := range map[string]map[string]any{
		"e-mail not verified": {"email_verified": false, "groups": nil},
		"verified as text":    {"email_verified": "true", "groups": nil},
		"another's e-mail":    {"email": "avery@acme.example@evil.example", "groups": nil},
		"groups missing":      {"groups": nil, "email": nil},
		"another group":       {"groups": []string{"Sales-Approvers"}, "email": nil},
		"subject changed":     {"sub": "00U-SECURITY", "groups": nil, "email": nil},
	} {
		f := newFixture(t)
		f.sim.SetFaults(companysim.Faults{Claims: claims})
		who, err := f.signIn(t, AsUsual, false)
		if roles := f.Roles(who); err != nil || len(roles) > 0 {
			t.Errorf("%s: roles %v, %v", name, roles, err)
		}
	}
}

// AD-01: groups that stand only at the userinfo endpoint count as those of the id token do, if
// they are this person's; what cannot be known signs nobody in.
func TestAD01GroupsElsewhere(t *testing.T) {
	t.Parallel()
	const approver = `{"sub":"00u-approver","groups":["sales-approvers"]`
	for name, c := range map[string]struct {
		faults companysim.Faults
		want   []string
		err    error
	}{
		"as it is":           {companysim.Faults{}, []string{"approver", "auditor"}, nil},
		"somebody else's":    {companysim.Faults{UserInfo: `{"sub":"00u-security","groups":["sales-approvers"]}`}, nil, ErrRefused},
		"nobody's":           {companysim.Faults{UserInfo: `{"groups":["sales-approvers"]}`}, nil, ErrRefused},
		"in other letters":   {companysim.Faults{UserInfo: `{"sub":"00U-approver","groups":["sales-approvers"]}`}, nil, ErrRefused},
		"names twice":        {companysim.Faults{UserInfo: approver + `,"groups":[]}`}, nil, ErrRefused},
		"no JSON":            {companysim.Faults{UserInfo: "eyJhbGciOiJSUzI1NiJ9.e30.x"}, nil, ErrRefused},
		"groups a text":      {companysim.Faults{UserInfo: `{"sub":"00u-approver","groups":"sales-approvers"}`}, nil, ErrRefused},
		"more than is read":  {companysim.Faults{UserInfo: approver + `,"x":"` + strings.Repeat("x", maxAnswer) + `"}`}, nil, ErrRefused},
		"no groups":          {companysim.Faults{UserInfo: `{"sub":"00u-approver"}`}, []string{"auditor"}, nil},
		"not shown":          {companysim.Faults{UserInfoStatus: http.StatusForbidden}, []string{"auditor"}, nil},
		"down":               {companysim.Faults{UserInfoStatus: http.StatusBadGateway}, nil, ErrUnavailable},
		"too often":          {companysim.Faults{UserInfoStatus: http.StatusTooManyRequests}, nil, ErrUnavailable},
		"sent to another":    {companysim.Faults{UserInfoStatus: http.StatusFound}, nil, ErrUnavailable},
		"an e-mail of there": {companysim.Faults{UserInfo: approver + `,"email":"other@acme.example","email_verified":true}`}, []string{"approver", "auditor"}, nil},
	} {
		f := newFixture(t)
		c.faults.GroupsElsewhere = true
		f.sim.SetFaults(c.faults)
		who, err := f.signIn(t, AsUsual, false)
		if !errors.Is(err, c.err) || !slices.Equal(f.Roles(who), c.want) {
			t.Errorf("%s: %v, %v", name, f.Roles(who), err)
		}
	}
}

// AD-01: what the id token says of groups is not looked for elsewhere, and nothing is where no
// role names a group.
func TestAD01UserInfoIsAskedWhereItCounts(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.sim.SetFaults(companysim.Faults{UserInfoStatus: http.StatusBadGateway})
	if who, err := f.signIn(t, AsUsual, false); err != nil || len(f.Roles(who)) != 2 {
		t.Errorf("groups in the id token: %+v, %v", who, err)
	}
	f.config.Roles = slices.DeleteFunc(f.config.Roles, func(r Role) bool { return len(r.Groups) > 0 })
	f.sim.SetFaults(companysim.Faults{GroupsElsewhere: true, UserInfoStatus: http.StatusBadGateway})
	if who, err := f.signIn(t, AsUsual, false); err != nil || !slices.Equal(f.Roles(who), []string{"auditor"}) {
		t.Errorf("no role names a group: %+v, %v", who, err)
	}
}

// AD-01: an answer is good once, in the browser that began, within ten minutes.
func TestAD01StateBelongsToTheBrowser(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	start := func() (state, secret string, q url.Values) {
		address, state, secret, err := f.Start(t.Context(), Attempt{Issuer: f.issuer})
		if err != nil {
			t.Fatal(err)
		}
		return state, secret, f.answer(t, address, "avery@acme.example", "approve-Avery-1", false)
	}
	state, secret, q := start()
	otherState, otherSecret, otherAnswer := start()
	for name, c := range map[string][2]string{"no cookie": {state, ""}, "another's cookie": {state, otherSecret}, "another state": {otherState, secret},
		"no state": {"", secret}, "changed": {state[:3] + "x" + state[4:], secret}, "without its MAC": {state[:20], secret}} {
		if _, err := f.Begun(c[0], c[1]); !errors.Is(err, ErrOtherBrowser) {
			t.Errorf("%s: %v", name, err)
		}
	}
	a, err := f.Begun(state, secret)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Finish(t.Context(), a, secret, otherAnswer); !errors.Is(err, ErrRefused) { // its verifier is another
		t.Errorf("a code of another browser: %v", err)
	}
	if _, err := f.Finish(t.Context(), a, secret, q); err != nil {
		t.Errorf("the first time: %v", err)
	}
	if _, err := f.Finish(t.Context(), a, secret, q); !errors.Is(err, ErrRefused) {
		t.Errorf("a code that was spent: %v", err)
	}
	for _, at := range []struct {
		name  string
		after time.Duration
		want  error
	}{{"just in time", AttemptLifetime, nil}, {"too late", AttemptLifetime + time.Nanosecond, ErrOver},
		{"clocks a minute apart", -time.Minute, nil}, {"from the future", -time.Minute - time.Nanosecond, ErrOver}} {
		f.now = a.At.Add(at.after)
		if _, err := f.Begun(state, secret); !errors.Is(err, at.want) {
			t.Errorf("%s: %v", at.name, err)
		}
	}
}

// RS-10: the number of the last cut comes back as it was, and the state does not tell it to whoever begins a sign-in.
func TestRS10StateDoesNotTellOfCuts(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for _, number := range []int64{0, 1796000000000, 1 << 62} {
		address, state, secret, err := f.Start(t.Context(), Attempt{Issuer: f.issuer, ReturnTo: "/account", LastCut: number})
		if err != nil {
			t.Fatal(err)
		}
		if a, err := f.Begun(state, secret); err != nil || a.LastCut != number || a.ReturnTo != "/account" {
			t.Errorf("%d: %+v, %v", number, a, err)
		}
		payload, _, _ := strings.Cut(state, ".")
		text, err := base64.RawURLEncoding.DecodeString(payload)
		if err != nil || number > 0 && strings.Contains(string(text)+address, strconv.FormatInt(number, 10)) {
			t.Errorf("it is there to read: %s, %v", text, err)
		}
	}
}

// A state is as long as what it carries, up to a bound: what is longer was not made here.
func TestD15StateIsBounded(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	sealed := func(length int) (state, secret string) {
		secret = "secret"
		for n := length / 2; ; n++ {
			text, err := json.Marshal(Attempt{Issuer: f.issuer, ReturnTo: strings.Repeat("x", n), At: f.now})
			if err != nil {
				t.Fatal(err)
			}
			payload := base64.RawURLEncoding.EncodeToString(text)
			state = payload + "." + base64.RawURLEncoding.EncodeToString([]byte(f.config.Ring.MAC(purpose, secret, payload)))
			if len(state) >= length {
				return state, secret
			}
		}
	}
	for length := maxState - 3; length <= maxState+3; length++ {
		state, secret := sealed(length)
		if _, err := f.Begun(state, secret); errors.Is(err, ErrOtherBrowser) != (len(state) > maxState) {
			t.Errorf("a state of %d bytes: %v", len(state), err)
		}
	}
}

// How a client secret is shown follows what the provider says that it takes (RFC 6749 2.3.1).
func TestWaysOfClientAuthentication(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		secret, methods string
		want            oauth2.AuthStyle
	}{
		{"secret", `null`, oauth2.AuthStyleInHeader},
		{"secret", `["client_secret_basic"]`, oauth2.AuthStyleInHeader},
		{"secret", `["client_secret_post"]`, oauth2.AuthStyleInParams},
		{"secret", `["client_secret_post","client_secret_basic"]`, oauth2.AuthStyleInHeader},
		{"", `["client_secret_basic"]`, oauth2.AuthStyleInParams},
	} {
		var issuer string
		host := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprintf(w, `{"issuer":%q,"authorization_endpoint":"%[1]s/a","token_endpoint":"%[1]s/t","jwks_uri":"%[1]s/k","token_endpoint_auth_methods_supported":%[2]s}`, issuer, c.methods)
		}))
		t.Cleanup(host.Close)
		issuer = host.URL
		p := newProvider(Provider{Issuer: issuer, ClientID: "c", ClientSecret: c.secret}, &Config{HTTP: &http.Client{Transport: &http.Transport{}}, Now: time.Now})
		found, err := p.discover(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got := found.oauth.Endpoint.AuthStyle; got != c.want {
			t.Errorf("secret %q, methods %s: %v", c.secret, c.methods, got)
		}
	}
}

// Whether people could sign in is found out without one of them: the provider is not there, or does not take the client.
func TestExamine(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	of := f.config.Providers[0]
	for _, c := range []struct {
		issuer, secret string
		want           error
	}{{of.Issuer, of.ClientSecret, nil}, {of.Issuer, "another", ErrClient}, {"http://127.0.0.1:9", "", ErrUnavailable}} {
		p := of
		p.Issuer, p.ClientSecret = c.issuer, c.secret
		s, err := New(Config{Providers: []Provider{p}, RedirectURI: f.config.RedirectURI, HTTP: &http.Client{Transport: &http.Transport{}}, Ring: f.config.Ring})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Reach(t.Context(), c.issuer); errors.Is(err, ErrUnavailable) != (c.want == ErrUnavailable) {
			t.Errorf("%s is reached: %v", c.issuer, err)
		}
		if err := s.Examine(t.Context(), c.issuer); !errors.Is(err, c.want) {
			t.Errorf("%s, secret %q: %v", c.issuer, c.secret, err)
		}
	}
}

// A provider that is down is asked again, but not by everybody who comes.
func TestMetadataIsAskedForSeldom(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.sim.SetFaults(companysim.Faults{Down: true})
	for range 20 {
		if _, _, _, err := f.Start(context.Background(), Attempt{Issuer: f.issuer}); !errors.Is(err, ErrUnavailable) {
			t.Fatal(err)
		}
	}
	f.sim.SetFaults(companysim.Faults{})
	f.now = f.now.Add(pause)
	if _, err := f.signIn(t, AsUsual, false); err != nil {
		t.Errorf("once it is back: %v", err)
	}
	if _, _, _, err := f.Start(t.Context(), Attempt{Issuer: "https://unknown.example"}); !errors.Is(err, ErrUnknownProvider) {
		t.Errorf("unknown: %v", err)
	}
}
