package main

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"sfmcp-proxy/authproxy/actor"
)

// A command that is given too few or too many arguments says which; the usage line of each
// names them.
func TestWrongNumberOfArguments(t *testing.T) {
	t.Parallel()
	says := func(args ...string) (string, int) {
		var out bytes.Buffer
		status := run(context.Background(), args, &out, &out)
		return out.String(), status
	}
	for line, want := range map[string]string{
		"user block":                 "sfmcp-proxy user block needs USER (see sfmcp-proxy user block --help)",
		"user show":                  "sfmcp-proxy user show needs USER",
		"user revoke a b":            `sfmcp-proxy user revoke takes no further argument "b"`,
		"user list a":                `sfmcp-proxy user list takes no further argument "a"`,
		"grant revoke":               "sfmcp-proxy grant revoke needs CONNECTION",
		"client revoke":              "sfmcp-proxy client revoke needs CLIENT",
		"approval show":              "sfmcp-proxy approval show needs APPROVAL",
		"approval approve --as Ann":  "sfmcp-proxy approval approve needs APPROVAL",
		"approval deny a b --as Ann": `sfmcp-proxy approval deny takes no further argument "b"`,
		"completion":                 "sfmcp-proxy completion needs bash|zsh|fish",
		"completion tcsh":            `"tcsh"`,
		"serve now":                  `sfmcp-proxy serve takes no further argument "now"`,
		"user blok a":                `unknown command "blok"`,
	} {
		if out, status := says(strings.Fields(line)...); status != exitUsage || !strings.Contains(out, want) {
			t.Errorf("%s: %d %s\nwant %s", line, status, out, want)
		}
	}
}

// Whatever takes a reason takes it by one flag, clean, and as long as may be; the help says how long.
func TestUsageReason(t *testing.T) {
	t.Parallel()
	limits := map[string]actor.Reason{"approval deny": actor.ForDenial, "approval resolve": actor.ForDecision, "review decide": actor.ForDecision}
	for _, line := range []string{"user revoke", "user block", "user unblock", "user unlink", "grant revoke", "client revoke", "client block", "client unblock",
		"stop writes", "stop all", "stop off", "session end", "console token create", "console token revoke", "incident contain", "erase subject",
		"audit log close", "export move"} {
		limits[line] = actor.ForAct
	}
	found := map[string]*cobra.Command{}
	var look func(*cobra.Command)
	look = func(cmd *cobra.Command) {
		if line := strings.TrimPrefix(cmd.CommandPath(), "sfmcp-proxy "); cmd.Flags().Lookup("reason") != nil {
			if _, known := limits[line]; !known {
				t.Errorf("how long may the --reason of %s be?", line)
			}
			found[line] = cmd
		}
		for _, sub := range cmd.Commands() {
			look(sub)
		}
	}
	look(newRoot())
	for line, of := range limits {
		cmd := found[line]
		if cmd == nil {
			t.Errorf("%s has no --reason", line)
			continue
		}
		flag := cmd.Flags().Lookup("reason")
		if !strings.Contains(flag.Usage, of.String()) {
			t.Errorf("the help of %s does not say %q: %s", line, of, flag.Usage)
		}
		before := flag.Value.String()
		least, most := of.Bounds()
		wrong := []string{strings.Repeat("x", most+1), "\xff"}
		if least > 0 {
			wrong = append(wrong, "", " \u200b\n")
		}
		for _, text := range wrong {
			if flag.Value.Set(text) == nil || flag.Value.String() != before {
				t.Errorf("%s takes %q", line, text)
			}
		}
		if err := flag.Value.Set(strings.Repeat("x", most)); err != nil {
			t.Errorf("%s: %v", line, err)
		}
		if err := flag.Value.Set(" case\u202e\t17\n"); err != nil || reasonOf(cmd) != "case 17" {
			t.Errorf("%s: %v, %q", line, err, reasonOf(cmd))
		}
	}
	var out strings.Builder
	if status := run(t.Context(), []string{"approval", "deny", "apr_x", "--as", "Ann", "--reason", strings.Repeat("x", 501)}, &out, &out); status != exitUsage || !strings.Contains(out.String(), "expected at most 500 characters; nothing was done") {
		t.Errorf("status %d, %s", status, out.String())
	}
}

// Of a username that nobody has signed in with, each command says what there is for its user.
func TestUserBeforeSignIn(t *testing.T) {
	t.Parallel()
	_, file := configured(t, twoOrgs)
	command := func(args ...string) (int, string) {
		var out strings.Builder
		status := run(t.Context(), append(args, "--config", file), &out, &out)
		return status, out.String()
	}
	const blockedByID = "whoever was blocked before that is known by the Salesforce user id (005…) alone"
	for line, want := range map[string]string{
		"user block":              "whoever has not is blocked by the Salesforce user id (005…)",
		"incident contain --user": "whoever has not is blocked by the Salesforce user id (005…)",
		"user revoke":             "'user block' by the Salesforce user id (005…) refuses them before they do",
		"user unblock":            blockedByID,
		"user show":               blockedByID,
	} {
		want = `no user "rep@acme.example" has signed in; ` + want
		if status, out := command(append(strings.Fields(line), "rep@acme.example")...); status != exitFailed || !strings.Contains(out, want) {
			t.Errorf("%s: status %d\n%s\nwant %s", line, status, out, want)
		}
	}
	if status, out := command("user", "block", "005xx000001Sv6AAAS"); status != exitDone || !strings.Contains(out, "they have not signed in here yet, and are refused if they do") {
		t.Errorf("by the id: status %d\n%s", status, out)
	}
}

// Scripts give --config to every command but those that the contract excepts, whatever the command reads.
func TestUsageEveryCommandTakesConfig(t *testing.T) {
	t.Parallel()
	without := []string{"demo", "salesforce-sim", "version"}
	var visit func(cmd *cobra.Command)
	visit = func(cmd *cobra.Command) {
		for _, child := range cmd.Commands() {
			visit(child)
		}
		if cmd.HasSubCommands() || cmd.Name() == "help" {
			return
		}
		excepted := slices.Contains(without, cmd.Name()) && cmd.Parent() == cmd.Root()
		if flag := cmd.Flags().Lookup("config"); !excepted && (flag == nil || flag.DefValue != defaultConfig) {
			t.Errorf("%s takes no --config FILE, or has another default: %+v", cmd.CommandPath(), flag)
		}
	}
	visit(newRoot())
	for _, args := range [][]string{{"console", "routes"}, {"console", "openapi"}, {"completion", "bash"}} {
		var out, errOut strings.Builder
		if status := run(t.Context(), append(args, "--config", filepath.Join(t.TempDir(), "none.yaml")), &out, &errOut); status != exitDone || out.Len() == 0 {
			t.Errorf("%v: status %d\n%s", args, status, &errOut)
		}
	}
}

// Whatever command there is: a usage line names as many arguments as the command takes.
func TestUsageNamesEveryArgument(t *testing.T) {
	t.Parallel()
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		for _, child := range cmd.Commands() {
			walk(child)
		}
		if cmd.HasSubCommands() || cmd.DisableFlagParsing || cmd.Name() == "help" || cmd.Args == nil {
			return
		}
		if as := cmd.Flags().Lookup("as"); as != nil {
			as.Value.Set("Ann")
		}
		names := argumentNames(cmd.Use)
		var args []string
		for i := range names {
			args = append(args, fmt.Sprint("a", i))
		}
		if len(cmd.ValidArgs) > 0 {
			args = cmd.ValidArgs[:len(names)]
		}
		if err := cmd.Args(cmd, args); err != nil {
			t.Errorf("%s takes other arguments than it names: %v", cmd.CommandPath(), err)
		}
		if cmd.Args(cmd, append(args, "more")) == nil {
			t.Errorf("%s takes more arguments than it names", cmd.CommandPath())
		}
	}
	walk(newRoot())
}
