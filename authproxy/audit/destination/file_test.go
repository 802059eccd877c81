package destination

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "audit.csv")
	f := NewFile(FileConfig{Path: path, MaxBytes: 140, Keep: 2})
	send := func(seqs ...int64) {
		t.Helper()
		b := batch(seqs...)
		b.Head, b.Suffix = "head", "csv"
		if err := f.Send(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	holds := func(name string, seqs ...int64) {
		t.Helper()
		text, err := os.ReadFile(name)
		want := "head\n" + strings.Join(batch(seqs...).texts(), "\n") + "\n"
		if err != nil || string(text) != want {
			t.Errorf("%s holds %q, %v\nwant %q", filepath.Base(name), text, err, want)
		}
	}
	send(1)
	if state, err := os.Stat(path); err != nil || state.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", state.Mode(), err)
	}
	// What a crash left of a line is cut off, and its batch comes again.
	torn, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err == nil {
		_, err = torn.WriteString(`{"log":"half`)
		torn.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	send(2)
	holds(path, 1, 2)
	send(3)
	holds(path, 3)
	holds(path+".1", 1, 2)
	send(4)
	send(5)
	send(6)
	send(7)
	holds(path, 7)
	holds(path+".1", 5, 6)
	holds(path+".2", 3, 4)
	if _, err := os.Stat(path + ".3"); !os.IsNotExist(err) {
		t.Errorf("more files than are kept: %v", err)
	}
}

// A file that cannot be written takes nothing: a missing mount, a folder in its place, a device.
func TestFileThatIsNone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, path := range []string{filepath.Join(dir, "missing", "audit"), dir, "/dev/null"} {
		if err := NewFile(FileConfig{Path: path, MaxBytes: 1 << 20, Keep: 1}).Send(t.Context(), batch(1)); err == nil {
			t.Errorf("%s took a batch", path)
		}
	}
}

// A long line without an end is searched from behind, in steps.
func TestTornLineOfManySteps(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "audit")
	for _, whole := range []string{"", "one\n"} {
		if err := os.WriteFile(path, []byte(whole+strings.Repeat("x", 200<<10)), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := NewFile(FileConfig{Path: path, MaxBytes: 1 << 20, Keep: 1}).Send(t.Context(), batch(1)); err != nil {
			t.Fatal(err)
		}
		if text, err := os.ReadFile(path); err != nil || string(text) != whole+batch(1).texts()[0]+"\n" {
			t.Errorf("%.80q, %v", text, err)
		}
	}
}
