package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/grant"
)

// AD-11: where the database is what fails, the commands of an emergency name what needs none: the file that stops
// everything, where it lies.
func TestAD11ErrorsOfTheDatabaseNameTheStopFile(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	d.connect("sobject-all", rep)
	id := strings.Fields(strings.Split(d.must("grant", "list"), "\n")[1])[0]
	d.stop()
	damaged := filepath.Join(d.dir, "proxy.db")
	for _, path := range globbed(t, d.dir, "proxy.db*") {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(damaged, []byte(strings.Repeat("no database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	want := "make the file " + filepath.Join(d.dir, "STOP") + " (touch)"
	commands := [][]string{{"stop", "all"}, {"stop", "writes"}, {"stop", "status"}, {"user", "block", rep}, {"user", "revoke", rep}, {"grant", "revoke", id}, {"client", "block", d.ClientID},
		{"incident", "contain", "--user", rep}, {"incident", "contain", "--client", d.ClientID}}
	for _, args := range commands {
		if out, status := d.command(args...); status != exitFailed || !strings.Contains(out, want) || !strings.Contains(out, "SIGUSR1") {
			t.Errorf("%v: status %d, %s", args, status, out)
		}
	}
	for _, args := range [][]string{{"stop", "off"}, {"user", "unblock", rep}} { // which are no emergency
		if out, status := d.command(args...); status != exitFailed || strings.Contains(out, "STOP") {
			t.Errorf("%v: status %d, %s", args, status, out)
		}
	}
	if out, status := d.command("stop", "nonsense"); status != exitUsage || strings.Contains(out, "STOP") {
		t.Errorf("wrong usage: status %d, %s", status, out)
	}
	if err := os.WriteFile(filepath.Join(d.dir, "STOP"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, status := d.command("stop", "all"); status != exitFailed || strings.Contains(out, want) {
		t.Errorf("while the file is there: status %d, %s", status, out)
	}
}

// Which errors are those of what is stored.
func TestAD11WhatTheStopFileIsNamedFor(t *testing.T) {
	t.Parallel()
	url := "sqlite:" + filepath.Join(t.TempDir(), "p.db")
	holder, err := db.Open(t.Context(), db.Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { holder.Close() })
	other, err := db.Open(t.Context(), db.Config{URL: url, BusyTimeout: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { other.Close() })
	held, err := holder.Writes.BeginTx(t.Context(), nil) // takes the lock of writers at once
	if err != nil {
		t.Fatal(err)
	}
	defer held.Rollback()
	_, locked := other.Writes.Exec(`DELETE FROM stops`)
	for _, err := range []error{locked, notOpenedError{errors.New("no key fits")}, errNotRefused, &os.PathError{Op: "write", Path: "log", Err: syscall.ENOSPC},
		fmt.Errorf("appending: %w", syscall.EROFS), errors.Join(grant.ErrNotFound, os.ErrPermission)} {
		if !ofStorage(err) {
			t.Errorf("%v: the stop file is not named", err)
		}
	}
	for _, err := range []error{grant.ErrNotFound, errNotConfirmed, usageError{errors.New("wrong")}, errNobody{"has nothing"}} {
		if ofStorage(err) {
			t.Errorf("%v: the stop file is named", err)
		}
	}
}
