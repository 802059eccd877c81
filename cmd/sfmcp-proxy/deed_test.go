package main

import (
	"encoding/json"
	"errors"
	"path"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/examples/salesforcesim"
)

// U12: the command line is as people expect it: version, completion, exit codes.
func TestU12Root(t *testing.T) {
	t.Parallel()
	asked := func(args ...string) (string, int) {
		var b lockedBuffer
		status := run(t.Context(), args, &b, &b)
		return b.String(), status
	}
	text, _ := asked("version")
	if out, status := asked("--version"); status != exitDone || out != text || out == "" {
		t.Errorf("--version: status %d, %q, version says %q", status, out, text)
	}
	if out, _ := asked("--help"); !strings.Contains(out, "Exit status: 0 done; 1 it failed, or reached nobody; 2 wrong usage") {
		t.Errorf("--help:\n%s", out)
	}
	for shell, marker := range map[string]string{"bash": "__start_sfmcp-proxy", "zsh": "#compdef sfmcp-proxy", "fish": "complete -c sfmcp-proxy"} {
		if out, status := asked("completion", shell); status != exitDone || !strings.Contains(out, marker) {
			t.Errorf("completion %s: status %d, %.200s", shell, status, out)
		}
	}
	for _, wrong := range [][]string{{"completion"}, {"completion", "tcsh"}, {"completion", "bash", "zsh"}} {
		if out, status := asked(wrong...); status != exitUsage {
			t.Errorf("%v: status %d, %s", wrong, status, out)
		}
	}
}

// U12: what a command did to whom is one object a line, and what reached nobody fails. The log says the reason that
// was given, clean.
func TestU12Deeds(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	did := func(args ...string) (all []deed) {
		t.Helper()
		var out, notes lockedBuffer
		if status := run(t.Context(), append(args, "--json", "--config", d.ConfigFile), &out, &notes); status != exitDone {
			t.Fatalf("%v: status %d, %s%s", args, status, out.String(), notes.String())
		}
		for line := range strings.Lines(out.String()) {
			var one deed
			if err := json.Unmarshal([]byte(line), &one); err != nil {
				t.Errorf("%v: %v in %s", args, err, line)
			}
			all = append(all, one)
		}
		if len(all) == 0 || all[0].Did != args[0]+" "+args[1] {
			t.Fatalf("%v: %+v", args, all)
		}
		return all
	}
	for _, mode := range []string{"writes", "all", "off"} {
		did("stop", mode, "--reason", " stop\u202e "+mode+"\n")
	}
	c := d.connect("sobject-all", rep)
	for _, verb := range []string{"approve", "deny"} {
		id := path.Base(d.approvalURL(c.call("createSobjectRecord", account(verb))))
		if one := did("approval", verb, id, "--as", "Sam")[0]; one.Approval != id || one.Subject != salesforcesim.RepID {
			t.Errorf("%+v", one)
		}
	}
	var live struct{ ID string }
	if err := json.Unmarshal([]byte(d.must("grant", "list", "--json")), &live); err != nil {
		t.Fatal(err)
	}
	if one := did("grant", "revoke", live.ID, "--reason", "wrong org")[0]; one.Connection != live.ID || one.Username != rep {
		t.Errorf("%+v", one)
	}
	d.connect("sobject-all", rep)
	if one := did("client", "revoke", d.ClientID, "--reason", "not reviewed")[0]; one.Client != d.ClientID || *one.Connections != 1 {
		t.Errorf("%+v", one)
	}
	if out, status := d.command("client", "revoke", d.ClientID); status != exitFailed || !strings.Contains(out, "reached nobody") {
		t.Errorf("a second time: status %d, %s", status, out)
	}
	d.connect("sobject-all", rep)
	if one := did("user", "block", rep, "--reason", "laptop\tlost")[0]; one.Subject != salesforcesim.RepID || one.Username != rep || *one.Connections != 1 {
		t.Errorf("%+v", one)
	}
	if one := did("user", "unblock", rep, "--reason", "laptop found")[0]; one.Connections != nil || one.Org == "" {
		t.Errorf("%+v", one)
	}
	d.connect("sobject-all", rep)
	did("user", "revoke", rep)
	log := d.must("audit", "list", "--all", "--json")
	for _, want := range []string{"stop writes", "stop all", "stop off", "wrong org", "not reviewed", "laptop lost", "laptop found", "revoked by the security team"} {
		if !strings.Contains(log, `"reason":"`+want+`"`) {
			t.Errorf("no entry has the reason %q: %s", want, log)
		}
	}
}

// AU-08: what is done and not in the audit log is said to be done, and fails; what is not done, or in part, is not said to be.
func TestAU08DoneAndNotRecorded(t *testing.T) {
	t.Parallel()
	lost := &audit.UnrecordedError{Err: errors.New("disk full")}
	for _, tt := range []struct {
		err  error
		said string
	}{
		{nil, "ended\n"}, {lost, "ended\n"}, {errors.Join(lost), "ended\n"}, {errors.New("locked"), ""}, {errors.Join(lost, errors.New("locked")), ""},
	} {
		cmd := &cobra.Command{}
		jsonFlag(cmd)
		var out lockedBuffer
		cmd.SetOut(&out)
		if got := reportAct(cmd, tt.err, "ended", deed{}); !errors.Is(got, tt.err) || out.String() != tt.said {
			t.Errorf("%v: returned %v, said %q", tt.err, got, out.String())
		}
	}
}
