package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"sfmcp-proxy/authproxy/db/dbtest/rounds"
)

// Policies in files of their own follow a reload: a new file, another text, a file that is
// gone. One that is broken, or gone while a server names it, leaves everything as it was, and
// the log names its line.
func TestFaultFT44PoliciesOfAFolderFollowAReload(t *testing.T) {
	t.Parallel()
	rounds.Thorough(t)
	d, process := startProcess(t, t.TempDir(), freePort(t), freePort(t))
	c := d.connect("sobject-reads", rep)
	folder := filepath.Join(d.dir, "policies")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	write := func(name, rules string) {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(rules), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	denied := func(object string) bool {
		r := c.call("soqlQuery", map[string]any{"q": "SELECT Id FROM " + object + " LIMIT 1"})
		return !strings.Contains(r.text(), "records")
	}
	reload := func(text, says string) { d.reconfigure(process.Process.Signal, text, says) }
	const inForce = "configuration reloaded"
	const contacts = "rules:\n  - {effect: deny, objects: [Contact]}\n  - {effect: allow, classes: [read]}\n"
	write("pilot.yaml", contacts)
	inline := d.configuration()
	if denied("Contact") {
		t.Fatal("denied from the beginning")
	}
	text := strings.Replace(inline, "policy: read-only", "policy: pilot", 1) + "policies_dir: policies\n"
	reload(text, inForce)
	if !denied("Contact") || denied("Account") {
		t.Error("a new file: it is not in force")
	}
	if out := d.must("audit", "list", "--action", "policy.change", "--json"); !strings.Contains(out, `"object":"pilot"`) || !strings.Contains(out, "read Contact") || !strings.Contains(out, "→ denied") {
		t.Errorf("what changed for whom is not in the log:\n%s", out)
	}

	write("pilot.yaml", strings.Replace(contacts, "Contact", "Account", 1))
	reload(text, inForce)
	if denied("Contact") || !denied("Account") {
		t.Error("a changed file: it is not in force")
	}
	write("spare.yml", contacts)
	reload(text, inForce)

	for name, broken := range map[string]string{
		"no YAML":                "rules: [",
		"an unknown key":         "rules:\n  - {effect: allow, class: [read]}\n",
		"a calendar of nobody":   "rules:\n  - effect: allow\n    when: during(\"holidays\")\n",
		"half of what was there": "rules:\n",
	} {
		write("pilot.yaml", broken)
		reload(text, saysKept)
		if denied("Contact") || !denied("Account") {
			t.Errorf("%s: the previous rules do not hold", name)
		}
	}
	if !strings.Contains(d.log.String(), "pilot.yaml:2: rules[0].class: found an unknown key") {
		t.Errorf("no line is named:\n%s", d.log)
	}
	if err := os.Remove(filepath.Join(folder, "pilot.yaml")); err != nil {
		t.Fatal(err)
	}
	reload(text, saysKept)
	if denied("Contact") || !denied("Account") {
		t.Error("a file that is gone, and that a server names: the previous rules do not hold")
	}
	write("pilot.yaml", contacts)
	reload(text, inForce)
	if !denied("Contact") {
		t.Error("mended: it is not in force")
	}
	if err := os.Remove(filepath.Join(folder, "spare.yml")); err != nil {
		t.Fatal(err)
	}
	reload(text, inForce)
	if out := d.must("check"); strings.Contains(out, "spare") {
		t.Errorf("a file that is gone, and that nobody names:\n%s", out)
	}
	d.endsWell(process, syscall.SIGTERM)
}
