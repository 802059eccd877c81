package salesforcesim

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// TestAuthorizeChecks sends requests with one mistake or two: the earlier check must answer.
func TestAuthorizeChecks(t *testing.T) {
	t.Parallel()
	s := start(t, Config{Orgs: []Org{{Name: "acme", ID: OrgID}, {Name: "sandbox", ID: "00Dxx0000002gPFEAY", Kind: "sandbox"}}})
	tests := []struct {
		name     string
		switches Switches
		set      []string
		onPage   string // expected on a page with status 400
		callback string // expected error on the callback
	}{
		{name: "unknown client before callback", set: []string{"client_id", "3MVG9nobody", "redirect_uri", "https://evil.example/"}, onPage: "error=invalid_client_id"},
		{name: "app not propagated", switches: Switches{AppNotPropagated: true}, onPage: "error=invalid_client_id"},
		{name: "app disabled", switches: Switches{AppDisabled: true}, onPage: "error=invalid_client_id"},
		{name: "wrong callback before PKCE", set: []string{"redirect_uri", testCallback + "/", "code_challenge", ""}, onPage: "error=redirect_uri_mismatch"},
		{name: "callback not propagated", switches: Switches{CallbackNotPropagated: true}, onPage: "error=redirect_uri_mismatch"},
		{name: "app of another org", set: []string{"client_id", PublicClientID + ".sandbox"}, onPage: "request not supported on this domain"},
		{name: "response type", set: []string{"response_type", "token"}, callback: "unsupported_response_type"},
		{name: "no PKCE before scope", set: []string{"code_challenge", "", "scope", "full"}, callback: "invalid_request"},
		{name: "plain PKCE", set: []string{"code_challenge_method", "plain"}, callback: "invalid_request"},
		{name: "scope that the app lacks", set: []string{"scope", "mcp_api api"}, callback: "invalid_scope"},
	}
	for _, test := range tests {
		setSwitches(t, s, test.switches)
		got := send(t, "GET", authorizeURL(s.BaseURL(), test.set...), nil, "")
		if test.onPage != "" {
			if got.status != 400 || !strings.Contains(got.body, test.onPage) || got.header.Get("Location") != "" {
				t.Errorf("%s: got %d %q", test.name, got.status, got.body)
			}
			continue
		}
		location := got.header.Get("Location")
		q := queryOf(t, location)
		if got.status != 302 || !strings.HasPrefix(location, testCallback+"?") || q.Get("error") != test.callback || q.Get("state") != "s1" {
			t.Errorf("%s: got %d to %s", test.name, got.status, location)
		}
	}
}

// TestAuthorizeWithoutBrowser is the check of client id and callback that needs no sign-in.
func TestAuthorizeWithoutBrowser(t *testing.T) {
	t.Parallel()
	s := start(t, Config{})
	for _, scope := range []string{"mcp_api refresh_token", "mcp_api offline_access", ""} {
		got := send(t, "GET", authorizeURL(s.BaseURL(), "scope", scope), nil, "")
		if got.status != 302 || !strings.Contains(got.header.Get("Location"), "/setup/secur/RemoteAccessAuthorizationPage.apexp") {
			t.Errorf("scope %q: got %d to %q", scope, got.status, got.header.Get("Location"))
		}
	}
}

func TestSignInPages(t *testing.T) {
	t.Parallel()
	s := start(t, Config{})
	b := NewBrowser(nil, testCallback)
	ctx := t.Context()

	login, err := b.Get(ctx, authorizeURL(s.BaseURL()))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Simulated Salesforce", `name="username"`, `name="password"`, ">Log In</button>"} {
		if !strings.Contains(login.Body, want) {
			t.Errorf("login page lacks %q", want)
		}
	}
	wrong, err := b.Submit(ctx, login, login.Forms[0], form("username", RepUsername, "password", "no"))
	if err != nil || !strings.Contains(wrong.Body, "check your username and password") || !strings.Contains(wrong.Body, RepUsername) {
		t.Fatalf("wrong password: %v, %+v", err, wrong)
	}
	approval, err := b.Submit(ctx, wrong, wrong.Forms[0], form("username", RepUsername, "password", RepPassword))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Simulated Salesforce", `name="decision" value="allow"`, ">Allow<", `name="decision" value="deny"`, ">Deny<", RepUsername} {
		if !strings.Contains(approval.Body, want) {
			t.Errorf("approval page lacks %q", want)
		}
	}
	denied, err := b.Choose(ctx, approval, "decision", "deny")
	if err != nil {
		t.Fatal(err)
	}
	q := queryOf(t, denied.Location)
	if q.Get("error") != "access_denied" || q.Get("error_description") != "end-user denied authorization" || q.Get("state") != "s1" {
		t.Errorf("denied: %s", denied.Location)
	}

	// The login holds, the approval is still missing.
	again, err := b.Get(ctx, authorizeURL(s.BaseURL()))
	if err != nil || len(again.Forms) != 1 || again.Forms[0].Buttons["decision"] == nil {
		t.Fatalf("second request: %v %+v", err, again)
	}
	allowed, err := b.Choose(ctx, again, "decision", "allow")
	if err != nil {
		t.Fatal(err)
	}
	code := queryOf(t, allowed.Location).Get("code")
	if !strings.HasPrefix(code, "aPrx") || !strings.HasSuffix(code, "==") || !strings.Contains(allowed.Location, "%3D%3D") {
		t.Errorf("code %q in %s", code, allowed.Location)
	}

	// Both login and approval are remembered, unless the client asks otherwise.
	silent, err := b.Get(ctx, authorizeURL(s.BaseURL()))
	if err != nil || queryOf(t, silent.Location).Get("code") == "" {
		t.Errorf("third request: %v %+v", err, silent)
	}
	for _, test := range [][2]string{{"consent", "decision"}, {"login", "username"}, {"select_account", "username"}} {
		page, err := b.Get(ctx, authorizeURL(s.BaseURL(), "prompt", test[0]))
		if err != nil || !strings.Contains(page.Body, `name="`+test[1]+`"`) {
			t.Errorf("prompt=%s: %v %+v", test[0], err, page)
		}
	}
}

// TestApprovalAfterRevocation: the approval ends with the last grant of the user for
// the app, and not before.
func TestApprovalAfterRevocation(t *testing.T) {
	t.Parallel()
	s := start(t, Config{})
	b := NewBrowser(nil, testCallback)
	var grants []string
	for range 2 {
		callback, err := b.LogIn(t.Context(), authorizeURL(s.BaseURL()), RepUsername, RepPassword)
		if err != nil {
			t.Fatal(err)
		}
		if got := postForm(t, s.tokenURL(), redeemForm(queryOf(t, callback).Get("code"))); got.status != 200 {
			t.Fatal(got.body)
		}
	}
	for _, g := range s.Grants(GrantFilter{}) {
		grants = append(grants, g.ID)
	}
	approvalShown := func() bool {
		page, err := b.Get(t.Context(), authorizeURL(s.BaseURL()))
		if err != nil {
			t.Fatal(err)
		}
		return page.Location == ""
	}
	s.RevokeGrants(GrantFilter{Grant: grants[0]})
	if approvalShown() {
		t.Error("approval page shown although a grant lives")
	}
	s.RevokeGrants(GrantFilter{Grant: grants[1]})
	if !approvalShown() {
		t.Error("approval page skipped although no grant lives")
	}
}

func TestUsersWhoMayNot(t *testing.T) {
	t.Parallel()
	s := start(t, Config{Orgs: []Org{{Name: "acme", ID: OrgID, Apps: []ECA{{ClientID: PublicClientID, PermittedUsers: []string{ManagerUsername}}}}}})
	signIn := func(username, password string) *Page {
		b := NewBrowser(nil, testCallback)
		login, err := b.Get(t.Context(), authorizeURL(s.BaseURL()))
		if err != nil {
			t.Fatal(err)
		}
		page, err := b.Submit(t.Context(), login, login.Forms[0], form("username", username, "password", password))
		if err != nil {
			t.Fatal(err)
		}
		return page
	}
	refused := func(name string, page *Page) {
		t.Helper()
		if page.Status != 400 || !strings.Contains(page.Body, "OAUTH_APPROVAL_ERROR_GENERIC") {
			t.Errorf("%s: %+v", name, page)
		}
	}
	refused("not pre-authorised", signIn(RepUsername, RepPassword))
	if page := signIn(ManagerUsername, ManagerPassword); queryOf(t, page.Location).Get("code") == "" {
		t.Errorf("a pre-authorised user sees a page: %+v", page)
	}
	s.FreezeUser(ManagerUsername, true)
	refused("frozen", signIn(ManagerUsername, ManagerPassword))
	s.FreezeUser(ManagerUsername, false)
	setSwitches(t, s, Switches{IPRestricted: true})
	refused("address", signIn(ManagerUsername, ManagerPassword))
}

// TestOrgsAreApart: the login of one org counts nothing in another, and its users are
// not known there.
func TestOrgsAreApart(t *testing.T) {
	t.Parallel()
	s := start(t, Config{Orgs: []Org{{Name: "acme", ID: OrgID}, {Name: "sandbox", ID: "00Dxx0000002gPFEAY", Kind: "sandbox"}}})
	other := s.LoginURL("sandbox")
	if want := s.BaseURL() + "/orgs/sandbox"; other != want {
		t.Fatalf("login URL %s, want %s", other, want)
	}
	b := NewBrowser(nil, testCallback)
	if _, err := b.LogIn(t.Context(), authorizeURL(s.BaseURL()), RepUsername, RepPassword); err != nil {
		t.Fatal(err)
	}
	page, err := b.Get(t.Context(), authorizeURL(other, "client_id", PublicClientID+".sandbox"))
	if err != nil || !strings.HasPrefix(page.URL, other+"/login") {
		t.Fatalf("%v, %+v", err, page)
	}
	if again, _ := b.Submit(t.Context(), page, page.Forms[0], form("username", RepUsername, "password", RepPassword)); !strings.Contains(again.Body, "check your username") {
		t.Errorf("a user of the first org came in: %+v", again)
	}
	callback, err := LogIn(t.Context(), nil, authorizeURL(other, "client_id", PublicClientID+".sandbox"), RepUsername+".sandbox", RepPassword)
	if err != nil || queryOf(t, callback).Get("code") == "" {
		t.Errorf("%v, %s", err, callback)
	}
	got := postForm(t, s.tokenURL(), redeemForm(queryOf(t, callback).Get("code"), "client_id", PublicClientID+".sandbox"))
	if body := got.json(t); body["error"] != "invalid_grant" || body["error_description"] != "request not supported on this domain" {
		t.Errorf("wrong login host: %s", got.body)
	}
}

func TestLogout(t *testing.T) {
	t.Parallel()
	s := start(t, Config{})
	b := NewBrowser(nil, testCallback)
	if _, err := b.LogIn(t.Context(), authorizeURL(s.BaseURL()), RepUsername, RepPassword); err != nil {
		t.Fatal(err)
	}
	cookies := b.Cookies(s.BaseURL())
	if _, err := b.Get(t.Context(), s.BaseURL()+logoutPath); err != nil {
		t.Fatal(err)
	}
	request := http.Header{"Cookie": {cookies[0].Name + "=" + cookies[0].Value}}
	got := send(t, "GET", authorizeURL(s.BaseURL()), request, "")
	if !strings.Contains(got.header.Get("Location"), approvalPath) {
		t.Errorf("the old cookie still counts: %s", got.header.Get("Location"))
	}
}

// TestNotYou: who is logged in as somebody else can change that and go on.
func TestNotYou(t *testing.T) {
	t.Parallel()
	s := start(t, Config{})
	b := NewBrowser(nil, testCallback)
	login, err := b.Get(t.Context(), authorizeURL(s.BaseURL()))
	if err != nil {
		t.Fatal(err)
	}
	approval, err := b.Submit(t.Context(), login, login.Forms[0], form("username", RepUsername, "password", RepPassword))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(approval.Body, `<a href="`)
	link, _, ok := strings.Cut(rest, `">Not you?`)
	if !ok {
		t.Fatalf("no link on the page: %s", approval.Body)
	}
	login, err = b.Get(t.Context(), link)
	if err != nil || len(login.Forms) != 1 || !login.Forms[0].Fields.Has("password") {
		t.Fatalf("the link leads to %+v, %v", login, err)
	}
	approval, err = b.Submit(t.Context(), login, login.Forms[0], form("username", ManagerUsername, "password", ManagerPassword))
	if err != nil || !strings.Contains(approval.Body, ManagerUsername) || strings.Contains(approval.Body, RepUsername) {
		t.Errorf("the approval page of the other user: %+v, %v", approval, err)
	}
}

// TestPagesCarryTheirRequest: a page without a request, or with one that would not
// pass, does nothing.
func TestPagesCarryTheirRequest(t *testing.T) {
	t.Parallel()
	s := start(t, Config{})
	evil := sourceOf(authorizeQuery("redirect_uri", "https://evil.example/"))
	for _, path := range []string{loginPath, approvalPath} {
		for _, source := range []string{"", "!!", evil} {
			got := postForm(t, s.BaseURL()+path, url.Values{"source": {source}, "decision": {"allow"}})
			if got.status != 400 || got.header.Get("Location") != "" {
				t.Errorf("%s with source %q: %d to %s", path, source, got.status, got.header.Get("Location"))
			}
		}
	}
}

func TestCodeExpires(t *testing.T) {
	t.Parallel()
	clock := newClock()
	s := start(t, Config{Now: clock.Now})
	code := getCode(t, s, RepUsername, RepPassword)
	clock.Advance(15*time.Minute + time.Second)
	got := postForm(t, s.tokenURL(), redeemForm(code)).json(t)
	if got["error"] != "invalid_grant" || got["error_description"] != "expired authorization code" {
		t.Errorf("%v", got)
	}
}
