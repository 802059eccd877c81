package rsakey

import (
	"os"
	"path/filepath"
	"testing"
)

// Where a directory is named, another process has the same keys; each kind and number has its own.
func TestKeysOfADirectory(t *testing.T) {
	dir := t.TempDir()
	t.Setenv(Variable, dir)
	first, err := Nth("salesforce", 0)
	if err != nil {
		t.Fatal(err)
	}
	forget()
	again, err := Nth("salesforce", 0)
	if err != nil || !again.Equal(first) {
		t.Errorf("another process has another key: %v", err)
	}
	other, err := Nth("company", 0)
	if err != nil || other.Equal(first) {
		t.Errorf("two kinds have one key: %v", err)
	}
	file := filepath.Join(dir, "salesforce-0.der")
	if err := write(file, other); err != nil {
		t.Errorf("a file that another process was quicker to write: %v", err)
	}
	forget()
	if again, err = Nth("salesforce", 0); err != nil || !again.Equal(first) {
		t.Errorf("the key that was there first is gone: %v", err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("others can read the key: %v %v", info.Mode(), err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "making-*")); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

func TestBrokenFile(t *testing.T) {
	dir := t.TempDir()
	t.Setenv(Variable, dir)
	if err := os.WriteFile(filepath.Join(dir, "broken-0.der"), []byte("no key"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Nth("broken", 0); err == nil {
		t.Error("a broken file gives a key")
	}
}

// forget lets this process be another one.
func forget() {
	made.Lock()
	defer made.Unlock()
	made.keys = nil
}
