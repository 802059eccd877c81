package main

import (
	"encoding/json"
	"path"
	"strings"
	"testing"
)

// AP-06: two roles agree by command, each person once and for one of them; what is missing is
// said on the way. What others propose in the place of a call is made once they agree.
func TestAP06SeveralApproversByCommand(t *testing.T) {
	t.Parallel()
	d, process := startProcess(t, t.TempDir(), freePort(t), freePort(t))
	text := strings.Replace(d.configuration(), "{effect: confirm, classes: [create, update], approvers: requester}",
		"{effect: confirm, classes: [create, update], factors: [{role: sales-ops}, {role: security, quorum: 2}]}", 1)
	d.reconfigure(process.Process.Signal, text, "configuration reloaded")
	c := d.connect("sobject-all", rep)
	hold := func(name string) string {
		return path.Base(d.approvalURL(c.call("createSobjectRecord", account(name))))
	}
	id := hold("Several Ltd")
	for _, step := range []struct {
		args   []string
		status int
		says   string
	}{
		{[]string{"approve", id, "--as", "Ann"}, exitFailed, "say for which role: more than one is missing; it needs a person with the role sales-ops and 2 people with the role security, see --role"},
		{[]string{"approve", id, "--as", "Ann", "--role", "boss"}, exitFailed, "that role is not asked for"},
		{[]string{"approve", id, "--as", "Ann", "--role", "security"}, exitDone, "noted for " + id + ", which still needs a person with the role sales-ops and a person with the role security"},
		{[]string{"approve", id, "--as", "ANN", "--role", "sales-ops"}, exitFailed, "that person agreed before"},
		{[]string{"approve", id, "--as", "Bob", "--role", "sales-ops"}, exitDone, "still needs a person with the role security"},
		{[]string{"show", id}, exitDone, `role:security: 1 of 2, operator`},
		{[]string{"approve", id, "--as", "Cem"}, exitDone, "approved " + id},
		{[]string{"approve", id, "--as", "Dee", "--role", "security"}, exitFailed, id + " is approved"},
		{[]string{"approve", id, "--as", rep}, exitFailed, id + " is approved"},
	} {
		out, status := d.command(append([]string{"approval"}, step.args...)...)
		if status != step.status || !strings.Contains(strings.Join(strings.Fields(out), " "), step.says) {
			t.Errorf("%q: status %d\n%s", step.args, status, out)
		}
	}
	if r := c.call("createSobjectRecord", account("Several Ltd")); r.Result.IsError || d.named("Account", "Several Ltd") != 1 {
		t.Errorf("with everybody: %s", r.body)
	}

	if out, status := d.command("approval", "deny", hold("Alone Ltd"), "--as", "Ann", "--together"); status != exitFailed || !strings.Contains(out, "is decided alone") {
		t.Errorf("without group: status %d\n%s", status, out)
	}
	id = hold("Draft Ltd")
	const other = `{"body":{"Name":"Final Ltd"},"sobject-name":"Account"}`
	if out, status := d.command("approval", "counter", id, "--as", "Ann", "--arguments", `{"body":{"Name":1},"sobject-name":"Account"}`); status != exitFailed || !strings.Contains(out, "only values may be others") {
		t.Errorf("another kind of value: status %d\n%s", status, out)
	}
	for _, none := range [][]string{nil, {"--arguments", "{"}, {"--arguments", "[]"}, {"--arguments", `{"a":1,"a":2}`}} {
		if out, status := d.command(append([]string{"approval", "counter", id, "--as", "Ann"}, none...)...); status != exitUsage || !strings.Contains(out, "--arguments: expected a JSON object") {
			t.Errorf("%q: status %d\n%s", none, status, out)
		}
	}
	out := d.must("approval", "counter", id, "--as", "Ann", "--arguments", other)
	proposed := strings.Fields(out)[1]
	if r := c.call("createSobjectRecord", account("Draft Ltd")); !r.Result.IsError || !strings.Contains(r.text(), other) {
		t.Errorf("the first is answered %s", r.text())
	}
	var row struct {
		CounterOf string `json:"counter_of"`
		Author    string `json:"author"`
		Factors   []struct {
			Role   string `json:"role"`
			Quorum int    `json:"quorum"`
			Met    bool   `json:"met"`
		} `json:"factors"`
	}
	if err := json.Unmarshal([]byte(d.must("approval", "show", proposed, "--json")), &row); err != nil || row.CounterOf != id || row.Author != "named Ann" ||
		len(row.Factors) != 2 || row.Factors[1].Quorum != 2 || row.Factors[1].Met {
		t.Errorf("%+v, %v", row, err)
	}
	if out, status := d.command("approval", "approve", proposed, "--as", "Ann", "--role", "security"); status != exitFailed || !strings.Contains(out, "nobody agrees to what they proposed") {
		t.Errorf("by its author: status %d\n%s", status, out)
	}
	d.must("approval", "deny", proposed, "--as", "Bob", "--reason", "Use the other\naccount")
	if r := c.call("createSobjectRecord", account("Final Ltd")); !strings.Contains(r.text(), `"Use the other account"`) || d.named("Account", "Final Ltd") != 0 {
		t.Errorf("denied, it is answered %s", r.text())
	}
	if out := d.must("audit", "list", "--action", "approval.decide", "--json"); !strings.Contains(out, `"decision":"counter"`) || !strings.Contains(out, "Use the other account") {
		t.Errorf("the log:\n%s", out)
	}
}

// AP-22: calls of one connection are decided together where their rule says so, each by itself.
func TestAP22TogetherByCommand(t *testing.T) {
	t.Parallel()
	d, process := startProcess(t, t.TempDir(), freePort(t), freePort(t))
	text := strings.Replace(d.configuration(), "{effect: confirm, classes: [create, update], approvers: requester}",
		"{effect: confirm, classes: [create, update], group: true}", 1)
	d.reconfigure(process.Process.Signal, text, "configuration reloaded")
	c, other := d.connect("sobject-all", rep), d.connect("sobject-all", rep)
	first := path.Base(d.approvalURL(c.call("createSobjectRecord", account("One Ltd"))))
	second := path.Base(d.approvalURL(c.call("createSobjectRecord", account("Two Ltd"))))
	elsewhere := path.Base(d.approvalURL(other.call("createSobjectRecord", account("Three Ltd"))))
	out := d.must("approval", "approve", second, "--as", "Ann", "--together")
	if !strings.Contains(out, "approved "+first) || !strings.Contains(out, "approved "+second) || strings.Contains(out, elsewhere) {
		t.Errorf("decided:\n%s", out)
	}
	for name, made := range map[string]int{"One Ltd": 1, "Two Ltd": 1} {
		if r := c.call("createSobjectRecord", account(name)); r.Result.IsError || d.named("Account", name) != made {
			t.Errorf("%s: %s", name, r.body)
		}
	}
	if r := other.call("createSobjectRecord", account("Three Ltd")); !r.Result.IsError || d.named("Account", "Three Ltd") != 0 {
		t.Errorf("of another connection: %s", r.body)
	}
}
