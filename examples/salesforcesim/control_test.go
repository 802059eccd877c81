package salesforcesim

import (
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func readFile(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// control calls the control API and decodes its answer.
func control[T any](t *testing.T, s *Running, method, path, body string, status int) T {
	t.Helper()
	got := send(t, method, s.ControlURL+path, nil, body)
	if got.status != status {
		t.Fatalf("%s %s: %d %s", method, path, got.status, got.body)
	}
	var answer T
	if got.body != "" {
		if err := json.Unmarshal([]byte(got.body), &answer); err != nil {
			t.Fatalf("%s %s: %v in %s", method, path, err, got.body)
		}
	}
	return answer
}

func TestControlSwitches(t *testing.T) {
	t.Parallel()
	s := start(t, Config{})
	control[Switches](t, s, "PUT", "/faults", `{"framing":"sse","token_errors":2}`, 200)
	control[Switches](t, s, "PATCH", "/faults", `{"dialect":"docs"}`, 200)
	want := Switches{Framing: "sse", TokenErrors: 2, Dialect: "docs"}
	if diff := cmp.Diff(want, control[Switches](t, s, "GET", "/faults", "", 200)); diff != "" {
		t.Error(diff)
	}
	for _, body := range []string{`{"no_such":true}`, `{"framing":"xml"}`, `{"framing":1}`, `{"max_approvals":-1}`, `{"progress_notifications":-1}`, `[`} {
		if got := control[map[string]string](t, s, "PUT", "/faults", body, 400); got["error"] == "" {
			t.Errorf("%s: no reason", body)
		}
	}
	if diff := cmp.Diff(want, s.Switches()); diff != "" {
		t.Errorf("a refused body changed something: %s", diff)
	}
	control[Switches](t, s, "PUT", "/faults", `{}`, 200)
	if diff := cmp.Diff(Switches{}, s.Switches()); diff != "" {
		t.Error(diff)
	}
}

func TestControlRequests(t *testing.T) {
	t.Parallel()
	s := start(t, Config{})
	c := connect(t, s, "platform/sobject-reads")
	c.post(callUserInfo)
	postForm(t, s.tokenURL(), refreshForm("5Aep861x"))

	calls := control[[]Request](t, s, "GET", "/requests?rpc=tools/call&tool=getUserInfo&method=POST", "", 200)
	if len(calls) != 1 || calls[0].Status != 200 || calls[0].Path != "/platform/mcp/v1/platform/sobject-reads" || calls[0].Body != callUserInfo {
		t.Fatalf("%+v", calls)
	}
	if got := calls[0].Header.Get("Authorization"); got != "Bearer sha256:"+hash(c.token) || calls[0].RawAuthorization != "" {
		t.Errorf("Authorization %q, raw %q", got, calls[0].RawAuthorization)
	}
	if calls = control[[]Request](t, s, "GET", "/requests?raw=1&tool=getUserInfo", "", 200); calls[0].RawAuthorization != "Bearer "+c.token {
		t.Errorf("raw %q", calls[0].RawAuthorization)
	}
	tokens := control[[]Request](t, s, "GET", "/requests?path=oauth2/token", "", 200)
	if len(tokens) != 1 || tokens[0].Status != 400 || tokens[0].Form.Get("refresh_token") != "5Aep861x" {
		t.Errorf("%+v", tokens)
	}
	if after := s.Requests(RequestFilter{After: calls[0].Sequence}); len(after) != 1 {
		t.Errorf("%d requests after the call", len(after))
	}
	control[any](t, s, "DELETE", "/requests?path=oauth2/token", "", 204)
	if left := s.Requests(RequestFilter{}); len(left) != 3 {
		t.Errorf("%d requests left, want 3", len(left))
	}
}

// TestRecordedOnArrival: a request whose connection breaks is recorded, without status.
func TestRecordedOnArrival(t *testing.T) {
	t.Parallel()
	s := start(t, Config{Switches: Switches{DroppedConnections: 1}})
	c := connect(t, s, "platform/sobject-reads")
	if got, err := trySend("POST", c.url, c.header(), callUserInfo); err == nil {
		t.Fatalf("%+v", got)
	}
	got := s.Requests(RequestFilter{Tool: "getUserInfo"})
	if len(got) != 1 || got[0].Status != 0 {
		t.Errorf("%+v", got)
	}
}

func TestControlUsersAndGrants(t *testing.T) {
	t.Parallel()
	s := start(t, Config{})
	access, _ := issueTokens(t, s)
	if _, _, err := s.IssueTokens(ManagerUsername, PublicClientID); err != nil {
		t.Fatal(err)
	}
	control[any](t, s, "POST", "/users/"+RepUsername+"/freeze", "", 204)
	users := control[[]map[string]any](t, s, "GET", "/users", "", 200)
	if len(users) != 2 || users[0]["username"] != RepUsername || users[0]["frozen"] != true || users[1]["frozen"] != false {
		t.Errorf("%v", users)
	}
	if _, err := s.gateway.bearer(access); err == nil {
		t.Error("frozen user's token accepted")
	}
	control[any](t, s, "POST", "/users/"+RepUsername+"/unfreeze", "", 204)
	if _, err := s.gateway.bearer(access); err != nil {
		t.Error("unfrozen user's token refused")
	}
	control[any](t, s, "POST", "/users/nobody/freeze", "", 404)

	if got := control[map[string]int](t, s, "POST", "/grants/revoke", `{"username":"`+RepUsername+`"}`, 200); got["revoked"] != 1 {
		t.Errorf("%v", got)
	}
	grants := control[[]Grant](t, s, "GET", "/grants", "", 200)
	if len(grants) != 2 || grants[0].RevokedAt.IsZero() || grants[0].Why == "" || !grants[1].RevokedAt.IsZero() {
		t.Errorf("%+v", grants)
	}
	tokens := control[[]RefreshToken](t, s, "GET", "/tokens?username="+RepUsername, "", 200)
	if len(tokens) != 1 || tokens[0].State != "revoked" || tokens[0].Grant != grants[0].ID {
		t.Errorf("%+v", tokens)
	}
}

func TestControlTellsLastUse(t *testing.T) {
	t.Parallel()
	clock := newClock()
	s := start(t, Config{Now: clock.Now})
	_, refresh := issueTokens(t, s)
	clock.Advance(time.Minute)
	postForm(t, s.tokenURL(), refreshForm(refresh))
	grants := control[[]map[string]any](t, s, "GET", "/grants", "", 200)
	if len(grants) != 1 || grants[0]["last_used_at"] != clock.Now().UTC().Format(time.RFC3339Nano) || grants[0]["created_at"] == grants[0]["last_used_at"] {
		t.Errorf("%v", grants)
	}
}

// TestControlRefuses: an answer for a name that does not exist, or to half a body, would
// let a test pass that has tested nothing.
func TestControlRefuses(t *testing.T) {
	t.Parallel()
	s := start(t, Config{})
	for _, path := range []string{"/users?org=none", "/records/Account?org=none", "/servers?org=none"} {
		if got := control[map[string]string](t, s, "GET", path, "", 404); got["error"] == "" {
			t.Errorf("%s: no reason", path)
		}
	}
	if got := control[map[string]string](t, s, "PUT", "/faults", `{"down":false} {"down":true}`, 400); got["error"] == "" {
		t.Error("two bodies: no reason")
	}
}

func TestControlTheRest(t *testing.T) {
	t.Parallel()
	s := start(t, Config{})
	c := connect(t, s, "platform/sobject-all")
	c.post(createAccount("Created"))

	if records := control[[]map[string]any](t, s, "GET", "/records/Account", "", 200); len(records) < 2 || accountsNamed(s, "Created") != 1 {
		t.Errorf("%v", records)
	}
	if records := control[[]map[string]any](t, s, "GET", "/records/Nothing__c", "", 200); len(records) != 0 {
		t.Errorf("%v", records)
	}
	if got := control[map[string]string](t, s, "POST", "/keys/rotate", "", 200); !strings.HasPrefix(got["kid"], "CORE_ATJWT.") {
		t.Errorf("%v", got)
	}
	control[any](t, s, "POST", "/keys/rotate?org=none", "", 404)
	control[any](t, s, "POST", "/servers/platform/sobject-all/deactivate", "", 204)
	if servers := control[map[string]bool](t, s, "GET", "/servers", "", 200); servers["platform/sobject-all"] || !servers["platform/sobject-reads"] {
		t.Errorf("%v", servers)
	}
	control[any](t, s, "POST", "/servers/platform/sobject-all/activate?at_once=1", "", 204)
	if got := c.post(callUserInfo); got.status != 200 {
		t.Errorf("activated: %d", got.status)
	}
	control[any](t, s, "POST", "/servers/platform/none/activate", "", 404)
	if got := control[map[string]int](t, s, "POST", "/sessions/expire", "", 200); got["expired"] != 1 {
		t.Errorf("%v", got)
	}
	control[any](t, s, "PUT", "/callbacks", `["https://new.example/cb"]`, 204)
	if got := send(t, "GET", authorizeURL(s.BaseURL(), "redirect_uri", "https://new.example/cb"), nil, ""); got.status != 302 {
		t.Errorf("new callback: %d", got.status)
	}
	type clockAnswer struct {
		Skew string
		Now  time.Time
	}
	if got := control[clockAnswer](t, s, "POST", "/clock", `{"skew":"-5m"}`, 200); got.Skew != "-5m0s" || time.Since(got.Now) < 4*time.Minute {
		t.Errorf("%+v", got)
	}
	if got := s.ClockSkew(); got != -5*time.Minute {
		t.Errorf("skew %v", got)
	}
	for _, path := range []string{"/", "/id/keys", "/services/oauth2/token", "/platform/mcp/v1/platform/sobject-all", "/nowhere"} {
		told, err := http.ParseTime(send(t, "GET", s.BaseURL()+path, nil, "").header.Get("Date"))
		if ahead := time.Until(told); err != nil || ahead > -4*time.Minute || ahead < -6*time.Minute {
			t.Errorf("%s tells a time that is %v ahead: %v", path, ahead, err)
		}
	}
	setSwitches(t, s, Switches{BigAnswer: true})
	control[any](t, s, "POST", "/reset", "", 204)
	if n := accountsNamed(s, "Created"); n != 0 || s.ClockSkew() != 0 || s.Switches() != (Switches{}) || len(s.Grants(GrantFilter{})) != 0 || len(s.Requests(RequestFilter{})) != 0 {
		t.Errorf("reset left something: %d accounts, skew %v, switches %+v", n, s.ClockSkew(), s.Switches())
	}
	if got := c.post(callUserInfo); got.status != 401 {
		t.Errorf("token after reset: %d", got.status)
	}
}

// TestControlRefusesOtherSites: a web page must not be able to drive the control API of
// a simulator on this machine.
func TestControlRefusesOtherSites(t *testing.T) {
	t.Parallel()
	s := start(t, Config{})
	if got := send(t, "POST", s.ControlURL+"/reset", map[string][]string{"Sec-Fetch-Site": {"cross-site"}}, ""); got.status != 403 {
		t.Errorf("%d", got.status)
	}
}

// TestControlIsApart: neither listener serves the other's paths.
func TestControlIsApart(t *testing.T) {
	t.Parallel()
	s := start(t, Config{})
	if got := send(t, "GET", s.BaseURL()+"/faults", nil, ""); got.status != 404 {
		t.Errorf("control API on the Salesforce side: %d", got.status)
	}
	if got := send(t, "GET", s.ControlURL+"/id/keys", nil, ""); got.status != 404 {
		t.Errorf("Salesforce on the control side: %d", got.status)
	}
}
