package main

import (
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"syscall"
	"testing"

	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/review"
	"sfmcp-proxy/config"
)

// A review from the command line: begin, look, keep, revoke, and what to change.
func checkReview(t *testing.T, d *demo) {
	out := d.must("review", "start", "--since", "1h", "--name", "spring", "--as", "ann")
	if !strings.Contains(out, "the review spring has begun: ") {
		t.Errorf("%s", out)
	}
	if out, status := d.command("review", "start", "--since", "1h", "--name", "spring"); status != exitFailed || !strings.Contains(out, "has begun already") {
		t.Errorf("status %d, %s", status, out)
	}
	var of *review.Item
	for line := range strings.Lines(d.must("review", "status", "--json")) {
		var i review.Item
		if err := json.Unmarshal([]byte(line), &i); err != nil {
			t.Fatal(err)
		}
		if i.Server == "sobject-all" && i.Username == rep {
			of = &i
		}
	}
	if of == nil || of.Connections != 1 || of.UsedTotal != 2 || of.UnusedTotal == 0 {
		t.Fatalf("%+v", of)
	}
	d.must("review", "decide", "keep", "--user", rep, "--server", "sobject-all", "--reason", "sells")
	if out, status := d.command("review", "decide", "revoke", "--unused", "--reason", "nobody used it"); status != exitFailed || !strings.Contains(out, "of sobject-reads") || !strings.Contains(out, "nobody has listed the tools") {
		t.Errorf("where it cannot be known: status %d, %s", status, out)
	}
	if out := d.must("review", "decide", "revoke", "--user", rep, "--server", "sobject-reads", "--reason", "not needed"); !strings.Contains(out, rep+" at sobject-reads, 0 connections, nothing ended; they can connect again, because every user of the org may: whoever must not, has to be blocked") {
		t.Errorf("who may only connect: %s", out)
	}
	if left := d.must("review", "status", "spring", "--json"); !strings.Contains(left, `"decision":"revoke"`) || !strings.Contains(left, `"connections_ended":0`) {
		t.Errorf("%s", left)
	}
	// What is connected and used today is in use, also in a review of a time that is over.
	d.must("review", "start")
	if out, status := d.command("review", "decide", "revoke", "--unused", "--server", "sobject-all", "--reason", "nothing used"); status != exitFailed {
		t.Errorf("of the last quarter: %s", out)
	}
	if grants := d.must("grant", "list", "--json"); strings.Count(grants, `"server":"sobject-all"`) != 1 {
		t.Errorf("what was kept: %s", grants)
	}
	if list := d.must("review", "list"); !strings.Contains(list, "spring") {
		t.Errorf("%s", list)
	}
	if out := d.must("review", "proposal"); !strings.Contains(out, "as the first of its rules") || !strings.Contains(out, "effect: deny, tools: [") {
		t.Errorf("%s", out)
	}
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"decide", "keep", "--user", rep}, "--reason is required"},
		{[]string{"decide", "burn", "--user", rep, "--reason", "x"}, "expected keep or revoke"},
		{[]string{"decide", "keep", "--unused", "--reason", "x"}, "--unused goes with revoke"},
		{[]string{"start", "--quarter", "2026Q3"}, "such as 2026-Q3"},
		{[]string{"start", "--quarter", "2999-Q1"}, "has not begun"},
		{[]string{"start", "--name", "a b"}, "--name: expected"},
		{[]string{"start", "--server", "x"}, `--server: no server "x" in the configuration`},
	} {
		if out, status := d.command(append([]string{"review"}, tt.args...)...); status != exitUsage || !strings.Contains(out, tt.want) {
			t.Errorf("%q: status %d, %s", tt.args, status, out)
		}
	}
	if out, status := d.command("review", "status", "autumn"); status != exitFailed || !strings.Contains(out, "review list") {
		t.Errorf("status %d, %s", status, out)
	}
}

// AU-08: a decision in a review that ended somebody's access and could not be recorded says both, and is a failure.
func TestAU08ReviewDecisionNotRecorded(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	d.connect("sobject-all", rep)
	d.must("review", "start", "--since", "1h", "--name", "spring")
	c, err := config.Load(d.ConfigFile, nil)
	if err != nil {
		t.Fatal(err)
	}
	s, err := openStores(t.Context(), c, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer closing(s.close)
	s.audit.Refuse(func(audit.Entry) error { return syscall.ENOSPC })
	cmd, out := reviewDecideCommand(), &lockedBuffer{}
	cmd.SetOut(out)
	cmd.SetErr(out)
	cmd.SetContext(t.Context())
	if err := cmd.ParseFlags([]string{"--user", rep, "--review", "spring", "--server", "sobject-all", "--reason", "left"}); err != nil {
		t.Fatal(err)
	}
	if err := decideReview(s, cmd, []string{"revoke"}); !errors.Is(err, syscall.ENOSPC) || audit.Unrecorded(err) == nil {
		t.Errorf("%v, said %s", err, out)
	}
	if !strings.Contains(out.String(), "revoked: "+rep+" at sobject-all, 1 connection ended") {
		t.Errorf("said %s", out)
	}
}
