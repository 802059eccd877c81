package main

import (
	"encoding/json"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"testing"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/examples/salesforcesim"
)

// carries is whether the entries of an action name a person.
type carries string

const (
	always carries = "always"
	ifKnow carries = "if the person is known" // not for a stranger's attempt
	never  carries = "never"                  // of everybody, or of a program
)

// U2: what each action's entries say of the person. A new action needs a line.
var personOfAction = map[audit.Action]carries{
	audit.APITokenCreate: never, audit.APITokenRevoke: never, audit.APITokenUse: never, // a program's
	audit.ApprovalDecide: always, audit.ApprovalPreview: always, audit.ApprovalRead: always, audit.ApprovalResolve: always, audit.ApprovalUndo: always, audit.ApprovalVerify: always, audit.ApprovalVoid: always, audit.AuthorizationOpen: never, audit.BudgetAlarm: ifKnow, audit.ClientAuthenticate: never, audit.ClientRegister: never,
	audit.ClientRevoke: never, audit.ClientBlock: never, audit.ClientUnblock: never, // each of its connections has an entry of its own
	// In whose session the list was seen; what is decided about a definition is about nobody.
	audit.DefinitionBegin: always, audit.DefinitionQuarantine: always, audit.DefinitionAccept: never, audit.DefinitionReject: never,
	audit.CompletionComplete: always, audit.ConfigReload: never, audit.PolicyChange: never, audit.PolicyReplay: never, audit.ConsentDecide: ifKnow, audit.DoctorList: always,
	audit.ExportBegin: never, audit.ExportFail: never, audit.ExportHeal: never, audit.ExportMove: never, audit.ExportSkip: never, audit.ExportTest: never,
	audit.DoctorQuery: always, audit.GrantCreate: always, audit.GrantReplay: always, audit.GrantRevoke: always,
	audit.EvidenceMake: ifKnow, audit.LogReconcile: never, audit.ReportMake: never, audit.ReviewBegin: never, audit.ReviewDecide: always, audit.ReviewInclude: always,
	audit.LogAcknowledge: never, audit.LogApply: never, audit.LogClock: never, audit.LogClose: never, audit.LogCut: never, audit.LogExport: ifKnow, audit.LogJoin: never, audit.LogObserve: never, audit.LogPrune: never, audit.LogResume: never, audit.LogRead: ifKnow, audit.LogTakeOver: never,
	audit.LinkLost: always, audit.LinkRefresh: always, audit.LinkRevoke: always, audit.LoginFinish: ifKnow,
	audit.PersonLink: always, audit.PersonUnlink: always,
	audit.PromptGet: always, audit.PromptList: always, audit.RequestRefuse: always, audit.ResourceList: always,
	audit.ResourceRead: always, audit.SchemaRead: always, audit.ServerAnswer: always, audit.ServerRequest: always, audit.ServerUse: always,
	audit.SessionCreate: always, audit.SessionEnd: always, audit.SessionUse: ifKnow, audit.StopHere: never, audit.StopSet: never, audit.StoreMigrate: never, audit.StoreTamper: ifKnow, audit.StreamOpen: always,
	audit.SubjectErase: always, // under the pseudonym
	audit.TokenIssue:   ifKnow, audit.TokenRefresh: ifKnow, audit.TokenRevoke: always, audit.TokenUse: always,
	audit.ToolCall: always, audit.ToolList: always, audit.UserBlock: always, audit.UserLookup: always,
	audit.UserRevoke: always, audit.UserUnblock: always,
}

// eventful lets a person do, and have done to them, what they can.
func eventful(d *demo) {
	t := d.t
	t.Helper()
	post := func(path string, form url.Values) {
		t.Helper()
		resp, err := http.PostForm(d.PublicURL+path, form)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
	}
	browser := d.browser()
	first := d.authorize(browser, "sobject-all", rep)
	first.initialize()
	first.send("tools/list", nil)
	first.send("prompts/list", nil)
	first.call("soqlQuery", map[string]any{"q": "SELECT Id FROM Account LIMIT 1"})
	d.must("approval", "deny", path.Base(d.approvalURL(first.call("createSobjectRecord", account("by command")))), "--as", "Sam")
	d.decide(browser, d.approvalURL(first.call("createSobjectRecord", account("by page"))), rep, "approve")
	first.call("createSobjectRecord", account("by page"))
	first.send("tools/call", map[string]any{"nmae": 1}) // malformed
	post("/oauth/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {first.refresh}, "client_id": {d.ClientID}, "resource": {"https://elsewhere.example"}})
	d.must("doctor")
	denied, err := browser.Get(t.Context(), authorizeURL(d, "sobject-all"))
	if err == nil {
		_, err = browser.Choose(t.Context(), denied, "decision", "deny")
	}
	if err != nil {
		t.Logf("consent was denied: %v", err) // it ends at the client's address
	}
	other := d.connect("sobject-reads", rep)
	wrong := *other
	wrong.url = d.MCPURLs["sobject-all"]
	if _, err := wrong.post(t.Context(), "tools/list", nil, false); err != nil {
		t.Fatal(err)
	}
	post("/oauth/revoke", url.Values{"token": {other.access}, "client_id": {d.ClientID}})
	post("/oauth/revoke", url.Values{"token": {other.refresh}, "client_id": {d.ClientID}})
	d.must("client", "revoke", d.ClientID)
	d.must("user", "block", rep)
	blocked := d.browser()
	if _, err := blocked.LogIn(t.Context(), d.PublicURL+"/signin", rep, d.password(rep)); err != nil {
		t.Logf("a blocked user signs in: %v", err)
	}
	d.must("user", "unblock", rep)
	d.authorize(d.browser(), "sobject-all", rep)
	d.must("user", "revoke", rep)
	d.connect("sobject-all", manager)
	d.must("stop", "writes")
	d.must("stop", "off")
}

func authorizeURL(d *demo, server string) string {
	return d.PublicURL + "/oauth/authorize?" + url.Values{
		"response_type": {"code"}, "client_id": {d.ClientID}, "redirect_uri": {testCallback}, "state": {"s"},
		"code_challenge": {strings.Repeat("A", 43)}, "code_challenge_method": {"S256"}, "resource": {d.MCPURLs[server]},
	}.Encode()
}

// U2: every entry that concerns a person names them, and all that do are found by username,
// by the id of 18 characters and by that of 15.
func TestU2EveryEntryOfAPerson(t *testing.T) {
	t.Parallel()
	for _, d := range audit.Actions() {
		if personOfAction[d.Action] == "" {
			t.Errorf("no line for %s", d.Action)
		}
	}
	d := startDemo(t)
	eventful(d)
	var want []string
	seen := map[audit.Action]bool{}
	named := false // the first entries of a first sign-in cannot know the name
	for line := range strings.Lines(d.must("audit", "export")) {
		var e audit.Entry
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		seen[e.Action] = true
		if strings.Contains(line, salesforcesim.RepID) || strings.Contains(line, rep) {
			want = append(want, line)
			named = named || e.Username == rep
			if e.Subject != salesforcesim.RepID || e.Org == "" || named && e.Username != rep {
				t.Errorf("says too little of the person: %s", line)
			}
		}
		if personOfAction[e.Action] == always && (e.Subject == "" || e.Org == "") {
			t.Errorf("nobody is named: %s", line)
		}
		if personOfAction[e.Action] == never && e.Subject != "" {
			t.Errorf("a person, not as the table says: %s", line)
		}
		if e.Outcome == audit.Denied && e.Subject == "" && e.Actor != actor.Stranger {
			t.Errorf("whose refusal this was is not said: %s", line)
		}
	}
	for _, a := range []audit.Action{audit.ApprovalDecide, audit.ConsentDecide, audit.DoctorList, audit.DoctorQuery, audit.GrantCreate, audit.GrantRevoke,
		audit.LinkRevoke, audit.LoginFinish, audit.RequestRefuse, audit.SessionCreate, audit.TokenIssue, audit.TokenRefresh, audit.TokenRevoke, audit.TokenUse,
		audit.ToolCall, audit.ToolList, audit.UserBlock, audit.UserLookup, audit.UserRevoke, audit.UserUnblock, audit.ClientRevoke, audit.StopSet} {
		if !seen[a] {
			t.Errorf("no %s happened", a)
		}
	}
	readings := 0
	for _, who := range []string{rep, strings.ToUpper(rep), salesforcesim.RepID, salesforcesim.RepID[:15]} {
		got := slices.Collect(strings.Lines(d.printed("audit", "export", "--user", who)))
		if len(got) != len(want)+readings || !slices.Equal(got[:len(want)], want) {
			t.Errorf("--user %s: %d entries, want %d and %d readings", who, len(got), len(want), readings)
		}
		readings++ // that they are read is an entry about them
		listed := d.printed("audit", "list", "--json", "--limit", "10000", "--user", who)
		if n := strings.Count(listed, "\n"); n != len(want)+readings {
			t.Errorf("list --user %s: %d entries, want %d and %d readings", who, n, len(want), readings)
		}
		readings++
	}
	for _, who := range []string{"rpe@acme.example", "005xx000001Sv6ZAAS", "rep", salesforcesim.RepID[:17] + "x", "operator:alice"} {
		for _, command := range []string{"list", "export"} {
			out, status := d.command("audit", command, "--user", who)
			if status != exitFailed || !strings.Contains(out, "sfmcp-proxy: ") || strings.Contains(out, "none") {
				t.Errorf("audit %s --user %s: status %d, %s", command, who, status, out)
			}
		}
	}
}

// U2: who is not in the list of users, or had another name, is found in the log.
func TestU2PersonOfTheLogAlone(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	d.connect("sobject-all", rep)
	d.must("user", "revoke", rep)
	n := len(slices.Collect(strings.Lines(d.printed("audit", "export", "--user", rep))))
	d.change(`UPDATE users SET username = 'renamed@acme.example'`)
	d.signed(db.Users)
	for i, who := range []string{"renamed@acme.example", rep} {
		want := n + i + 1 // each export about somebody is an entry about them
		if got := len(slices.Collect(strings.Lines(d.printed("audit", "export", "--user", who)))); got != want || n == 0 {
			t.Errorf("%s: %d entries, want %d", who, got, want)
		}
	}
}
