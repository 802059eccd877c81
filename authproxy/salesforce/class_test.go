package salesforce_test

import (
	"strings"
	"testing"

	"sfmcp-proxy/authproxy/salesforce"
)

// Every error of the token endpoint that Salesforce tells apart has its kind and names
// what to change, also when it is read back from where it was recorded.
func TestErrorClassesNameTheSetting(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		code, description string
		kind              salesforce.Kind
		fix               []string // what the hint names
	}{
		{"invalid_grant", "expired access/refresh token", salesforce.Dead, []string{"signs in again", "OAuth Policies > Refresh Token Policy", "Setup > OAuth Usage", "sixth approval"}},
		{"invalid_grant", "expired authorization code", salesforce.Dead, []string{"signs in again", "15 minutes", "Setup > Login History"}},
		{"invalid_grant", "invalid authorization code", salesforce.Dead, []string{"signs in again", "once", "Setup > Login History"}},
		{"invalid_grant", "invalid code verifier", salesforce.Dead, []string{"30 minutes", "OAuth Settings > Security", "PKCE"}},
		{"invalid_grant", "authentication failure", salesforce.Dead, []string{"Setup > Login History"}},
		{"invalid_grant", "ip restricted", salesforce.Dead, []string{"OAuth Policies > IP Relaxation", "Setup > Network Access"}},
		{"invalid_grant", "user hasn't approved this consumer", salesforce.Dead, []string{"OAuth Policies > Permitted Users", "permission set"}},
		{"invalid_grant", "no client credentials user enabled", salesforce.Misconfigured, []string{"OAuth Settings > Flow Enablement"}},
		{"invalid_grant", "request not supported on this domain", salesforce.Misconfigured, []string{"login_url", "Setup > My Domain"}},
		{"invalid_grant", "login rate exceeded", salesforce.Transient, []string{"Setup > Login History"}},
		{"invalid_grant", "something new", salesforce.Dead, []string{"signs in again", "Setup > Login History"}},
		{"inactive_user", "user is inactive", salesforce.Dead, []string{"Setup > Users", "frozen"}},
		{"inactive_org", "organization is inactive", salesforce.Dead, []string{"Setup > Company Information"}},
		{"invalid_client_id", "client identifier invalid", salesforce.Misconfigured, []string{"client_id", "OAuth Settings > Consumer Key and Secret", "30 minutes"}},
		{"invalid_client", "invalid client credentials", salesforce.Misconfigured, []string{"client_secret_file", "Require Secret for", "OAuth Settings > Consumer Key and Secret"}},
		{"redirect_uri_mismatch", "redirect_uri must match configuration", salesforce.Misconfigured, []string{"OAuth Settings > Callback URL"}},
		{"unsupported_grant_type", "grant type not supported", salesforce.Misconfigured, []string{"OAuth Settings > Flow Enablement"}},
		{"invalid_scope", "the requested scope is not allowed", salesforce.Misconfigured, []string{"OAuth Settings > OAuth Scopes", "mcp_api"}},
		{"invalid_request", "missing required code challenge", salesforce.Misconfigured, []string{"OAuth Settings > Security"}},
		{"OAUTH_APP_BLOCKED", "", salesforce.Dead, []string{"Setup > OAuth Usage", "unblock"}},
		{"OAUTH_APPROVAL_ERROR_GENERIC", "", salesforce.Dead, []string{"OAuth Policies > Permitted Users", "External Client App"}},
		{"temporarily_unavailable", "", salesforce.Transient, []string{"status.salesforce.com"}},
	} {
		told := salesforce.ErrorFor(tc.code, tc.description)
		for _, e := range []*salesforce.Error{told, salesforce.CaseOf(told.Case())} {
			if e.Kind != tc.kind || e.Code != tc.code {
				t.Errorf("%s %q: %v, want kind %s", tc.code, tc.description, e, tc.kind)
			}
			for _, words := range tc.fix {
				if !strings.Contains(e.Hint, words) {
					t.Errorf("%s %q: hint %q does not name %q", tc.code, tc.description, e.Hint, words)
				}
			}
		}
	}
}

// That an answer was lost is not forgotten where its error was recorded.
func TestRecordedErrorIsLost(t *testing.T) {
	t.Parallel()
	for _, e := range []*salesforce.Error{
		{Kind: salesforce.Transient, Code: "network", Description: "no answer in time", Lost: true},
		{Kind: salesforce.Transient, Code: "network", Lost: true, Status: 200},
		salesforce.NewLost("no answer in time"),
	} {
		if read := salesforce.CaseOf(e.Case()); !read.Lost || !strings.Contains(read.Hint, "signs in again") {
			t.Errorf("%q is read back as %+v", e.Case(), read)
		}
	}
}
