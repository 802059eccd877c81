package salesforcesim

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const sampleConfig = `
orgs:
  - name: north
    kind: sandbox
    users:
      - {username: ada@north.example, password: one, role: CEO, hidden_objects: [Secret__c]}
      - {username: bo@north.example, password: two, read_only: true, id: 005xx000001Sv7AAAS}
    apps:
      - {client_id: app, callbacks: ["https://proxy.example/oauth/callback"], jwt_lifetime: 5m}
    records:
      - {object: Account, key: first, fields: {Name: First, AnnualRevenue: 5, Regions__c: Asia;Europe}}
      - object: Opportunity
        user: bo@north.example
        fields: {Name: Deal, AccountId: "@first", StageName: Prospecting, CloseDate: TODAY+3}
      - {object: Contract, fields: {AccountId: "@first", StartDate: 2026-01-31}}
  - name: south
    users: [{username: cy@south.example, password: three}]
    records: []
servers: [platform/sobject-reads]
access_token_lifetime: 10m
switches: {advertise_s256: true, token_delay: 2s, token_errors: 1}
`

func writeConfig(t *testing.T, content string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "sim.yaml")
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestReadConfig(t *testing.T) {
	t.Parallel()
	cfg, err := ReadConfig(writeConfig(t, sampleConfig))
	if err != nil {
		t.Fatal(err)
	}
	cfg.BaseURL, cfg.Now = "http://sim.example", func() time.Time { return testNow }
	s := newSim(t, cfg)
	if f := s.Switches(); !f.AdvertiseS256 || f.TokenDelay != Duration(2*time.Second) || f.TokenErrors != 1 {
		t.Errorf("switches %+v", f)
	}
	users := s.Users("north")
	if len(users) != 2 || users[0].ID != "005Hs0000000001IAA" || users[0].Name != "ada@north.example" || users[0].Role != "CEO" || users[1].ID != ManagerID || !users[1].ReadOnly {
		t.Errorf("users %+v", users)
	}
	if app := s.orgs[0].apps[0]; app.JWTLifetime != 5*time.Minute || app.Callbacks[0] != "https://proxy.example/oauth/callback" {
		t.Errorf("app %+v", app)
	}
	if app := s.orgs[1].apps[0]; app.JWTLifetime != 10*time.Minute {
		t.Errorf("app without a lifetime %+v", app)
	}
	opportunity := s.Records("north", "Opportunity")[0]
	account := s.Records("north", "Account")[0]
	if opportunity["AccountId"] != account["Id"] || opportunity["CloseDate"] != "2026-03-13" || opportunity["OwnerId"] != ManagerID {
		t.Errorf("opportunity %v of %v", opportunity, account)
	}
	if got := s.Records("north", "Contract")[0]["StartDate"]; got != "2026-01-31" {
		t.Errorf("start date %v", got)
	}
	if n := len(s.Records("south", "Account")); n != 0 {
		t.Errorf("an org with an empty list of records has %d accounts", n)
	}
	if o := s.org("north"); s.gateway.activeServer(o, "platform/sobject-reads") == "" || s.gateway.activeServer(o, "platform/sobject-all") != "" {
		t.Error("other servers are active than the file names")
	}
}

// TestReadConfigOfNothing: an empty file, and one of nothing but comments, are the
// demonstration.
func TestReadConfigOfNothing(t *testing.T) {
	t.Parallel()
	for _, content := range []string{"", "# nothing yet\n", "{}"} {
		cfg, err := ReadConfig(writeConfig(t, content))
		if err != nil {
			t.Fatalf("%q: %v", content, err)
		}
		cfg.BaseURL = "http://sim.example"
		if s := newSim(t, cfg); len(s.Users("")) != 2 || len(s.Records("", "Account")) != 5 {
			t.Errorf("%q: %d users", content, len(s.Users("")))
		}
	}
}

func TestBadConfigFile(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ content, want string }{
		"no YAML":           {"orgs: [", "yaml"},
		"unknown key":       {"usres: []", "usres"},
		"key in other case": {"Users: []", "Users"},
		"unknown in a user": {"users: [{username: a, password: b, rolle: c}]", "rolle"},
		"unknown switch":    {"switches: {dwon: true}", "dwon"},
		"key twice":         {"servers: []\nservers: []", "servers"},
		"wrong type":        {"seed: many", "seed"},
		"no duration":       {"access_token_lifetime: soon", "access_token_lifetime"},
		"negative duration": {"access_token_lifetime: -1m", "zero or more"},
		"no password":       {"users: [{username: a}]", "password"},
		"no map":            {"- 1", "array"},
	} {
		file := writeConfig(t, test.content)
		if _, err := ReadConfig(file); err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), file) {
			t.Errorf("%s: %v; want … %s", name, err, test.want)
		}
	}
	for name, test := range map[string]struct{ content, want string }{
		"unknown object":  {"orgs: [{name: a, records: [{object: Acount, fields: {}}]}]", "no such object"},
		"unknown field":   {"orgs: [{name: a, records: [{object: Account, fields: {Nmae: x}}]}]", "INVALID_FIELD"},
		"missing field":   {"orgs: [{name: a, records: [{object: Account, fields: {Phone: x}}]}]", "REQUIRED_FIELD_MISSING"},
		"unknown key":     {`orgs: [{name: a, records: [{object: Contact, fields: {LastName: x, AccountId: "@none"}}]}]`, "none"},
		"unknown user":    {"orgs: [{name: a, records: [{object: Account, user: nobody, fields: {Name: x}}]}]", "nobody"},
		"no date":         {"orgs: [{name: a, records: [{object: Order, fields: {EffectiveDate: TODAY+soon}}]}]", "TODAY+n"},
		"unknown server":  {"servers: [platform/nothing]", "no such hosted server"},
		"unknown framing": {"switches: {framing: smoke}", "framing"},
	} {
		cfg, err := ReadConfig(writeConfig(t, test.content))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		cfg.BaseURL = "http://sim.example"
		if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v; want … %s", name, err, test.want)
		}
	}
}

// TestStateOfConfiguredOrgs: what happened survives a restart, whatever the file says the
// records are at first.
func TestStateOfConfiguredOrgs(t *testing.T) {
	t.Parallel()
	cfg, err := ReadConfig(writeConfig(t, sampleConfig))
	if err != nil {
		t.Fatal(err)
	}
	cfg.BaseURL, cfg.Now, cfg.StateFile = "http://sim.example", newClock().Now, filepath.Join(t.TempDir(), "state")
	s := newSim(t, cfg)
	c := callSim(t, s, "north")
	c.create("Account", `{"Name":"Later"}`)
	again := newSim(t, cfg)
	if got := len(again.Records("north", "Account")); got != 2 {
		t.Errorf("%d accounts after a restart, want 2", got)
	}
}
