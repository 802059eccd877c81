package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/db/dbtest"
	"sfmcp-proxy/authproxy/seal"
)

// The log that the product itself writes is verified, before and after its key was changed, and
// one that was emptied or put back with all that lies on the machine is not.
func TestS1LogOfTheProduct(t *testing.T) {
	dir := t.TempDir()
	keyFile := filepath.Join(dir, "keys")
	if err := seal.CreateKeyFile(keyFile); err != nil {
		t.Fatal(err)
	}
	store := dbtest.Open(t)
	files := filepath.Join(dir, "audit")
	// grow appends entries, and returns the public keys as arguments of the verifier.
	grow := func(n int) (args []string) {
		t.Helper()
		ring, err := seal.LoadKeyRing(keyFile)
		if err != nil {
			t.Fatal(err)
		}
		log, err := audit.New(audit.Config{Dir: files, Name: "proxy.example.com", DB: store, Ring: ring})
		if err != nil {
			t.Fatal(err)
		}
		for range n {
			if _, err := log.Append(t.Context(), audit.Entry{Action: "user.block", Actor: actor.Operator("ops", ""), Object: "005A # 1", Outcome: audit.OK}); err != nil {
				t.Fatal(err)
			}
		}
		if err := log.Checkpoint(t.Context()); err != nil {
			t.Fatal(err)
		}
		keys, err := log.Keys()
		if err != nil {
			t.Fatal(err)
		}
		if err := log.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, key := range keys {
			args = append(args, "-key", key)
		}
		return args
	}
	check := func(keys []string, checkpoint string) (string, bool) {
		t.Helper()
		return verifier(t, append(keys, "log", files, checkpoint)...)
	}
	away := func() string {
		t.Helper()
		content, err := os.ReadFile(filepath.Join(files, "checkpoint"))
		if err != nil {
			t.Fatal(err)
		}
		return file(t, content)
	}
	expect := func(keys []string, checkpoint, want string) {
		t.Helper()
		if out, ok := check(keys, checkpoint); !strings.HasPrefix(out, want) {
			t.Errorf("%v, %s, want %s", ok, out, want)
		}
	}

	before := grow(30)
	first := away()
	expect(before, first, "verified: entries 1 to 30 ")
	older := t.TempDir()
	if err := os.CopyFS(older, os.DirFS(files)); err != nil {
		t.Fatal(err)
	}

	// With the key that came after it, and for who knows only the one before.
	if err := seal.RotateKeyFile(keyFile); err != nil {
		t.Fatal(err)
	}
	after := grow(10)
	second := away()
	expect(after, second, "verified: entries 1 to 4")
	expect(before, second, "verified: entries 1 to 4")
	expect(after, first, "verified: entries 1 to 30 ")

	files = older
	expect(after, second, "NOT VERIFIED:")
	expect(after, first, "verified: entries 1 to 30 ")
	files = t.TempDir()
	expect(after, first, "NOT VERIFIED:")
}
