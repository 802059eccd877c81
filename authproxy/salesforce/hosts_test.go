package salesforce

import "testing"

func TestU6HostsOfSalesforce(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]bool{
		"api.salesforce.com": true, "login.salesforce.com": true, "test.salesforce.com": true, "stage.api.salesforce.com": true,
		"acme.my.salesforce.com": true, "acme--uat.sandbox.my.salesforce.com": true, "acme.develop.my.salesforce.com": true,
		"acme.scratch.my.salesforce.com": true, "acme.my.salesforce.mil": true, "acme.my.sfcrmproducts.cn": true,
		"acme.lightning.force.com": true,

		"api.salesforce.co": false, "api.salesforce.cm": false, "api.salesforce.com.evil.example": false, "apisalesforce.com": false,
		"api-salesforce.com": false, "salesforce.com": false, ".salesforce.com": false, "salesforce.com.": false, "api.salesforce.com.": false,
		"api.salesforce.com:8443": false, "api.salesforce.com:443": false, "api.salesforce.com@evil.example": false,
		"xn--api-salesfrce-zmb.com": false, "api.xn--salesfrce-26a.com": false, "api.salesforce.com.cn": false, "api.force.com": false,
		"acme.my.site.com": false, "acme.my.salesforce-sites.com": false, "acme.my.sfcrmproducts.com": false, "127.0.0.1": false, "": false,
	} {
		if got := IsOwnHost(host); got != want {
			t.Errorf("%s: %v", host, got)
		}
	}
}

func TestOrgKindOfHost(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]struct {
		kind     OrgKind
		myDomain string
	}{
		"login.salesforce.com":                {ProductionOrg, ""},
		"test.salesforce.com":                 {SandboxOrg, ""},
		"acme.my.salesforce.com":              {ProductionOrg, "acme"},
		"acme.develop.my.salesforce.com":      {ProductionOrg, "acme"},
		"acme--uat.sandbox.my.salesforce.com": {SandboxOrg, "acme--uat"},
		"acme--uat.my.salesforce.com":         {SandboxOrg, "acme--uat"},
		"acme.scratch.my.salesforce.com":      {ScratchOrg, "acme"},
		"acme.my.salesforce.mil":              {ProductionOrg, "acme"},
		"api.salesforce.com":                  {"", ""},
		"acme.lightning.force.com":            {"", ""},
		"test.my.salesforce.com":              {ProductionOrg, "test"},
		"gateway.acme.example":                {"", ""},
		"acme.my.evil.example":                {"", ""},
	} {
		if kind, name := OrgKindOf(host), MyDomain(host); kind != want.kind || name != want.myDomain {
			t.Errorf("%s: %q %q", host, kind, name)
		}
	}
}

func TestParseUpstream(t *testing.T) {
	t.Parallel()
	const v1 = "/platform/mcp/v1/"
	for path, want := range map[string]Upstream{
		v1 + "platform/sobject-all":                    {Namespace: "platform", Name: "sobject-all"},
		v1 + "sandbox/platform/sobject-all":            {Environment: "sandbox", Namespace: "platform", Name: "sobject-all"},
		v1 + "d/acme--uat/sandbox/platform/s":          {MyDomain: "acme--uat", Environment: "sandbox", Namespace: "platform", Name: "s"},
		v1 + "d/acme/scratch/custom/Ops":               {MyDomain: "acme", Environment: "scratch", Namespace: "custom", Name: "Ops"},
		v1 + "d/acme/platform/s":                       {MyDomain: "acme", Namespace: "platform", Name: "s"},
		v1 + "data/sandbox/data360":                    {Environment: "sandbox", Namespace: "data", Name: "data360"},
		v1 + "Ops":                                     {Name: "Ops"},
		v1 + "sandbox/Ops":                             {Environment: "sandbox", Name: "Ops"},
		v1 + "sandbox":                                 {Name: "sandbox"},
		"/platform/mcp/v1-beta.2/sandbox/custom/Sales": {Environment: "sandbox", Namespace: "custom", Name: "Sales"},
	} {
		if got, ok := ParseUpstream(path); !ok || got != want {
			t.Errorf("%s: %+v %v", path, got, ok)
		}
	}
	for _, path := range []string{"", "/", "/platform/mcp/v1", "/mcp/v1/platform/s", v1 + "a/b/c", v1 + "d/acme/a/b/c", "/platform/mcp/platform/s"} {
		if got, ok := ParseUpstream(path); ok && got.Namespace != "" {
			t.Errorf("%q: %+v", path, got)
		}
	}
}
