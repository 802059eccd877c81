package destination

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
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

// AU-12: whatever becomes of the file, a batch that it did not take whole comes again, what was taken
// stays, and by their keys every record is there once and in order, over the file and what it was
// moved to.
func TestAU12FileIsInTrouble(t *testing.T) {
	t.Parallel()
	fullAfter := func(bytes int) func(*os.File, []byte) (int, error) {
		return func(f *os.File, text []byte) (int, error) {
			n, err := f.Write(text[:min(bytes, len(text))])
			return n, errors.Join(err, syscall.ENOSPC)
		}
	}
	moved := func(path string) error { return os.Rename(path, path+".moved") }
	for name, tt := range map[string]struct {
		begin func(f *file) error // what happens before a batch
		while func(path string) error
		end   func(path string) error // and after it was refused
		taken bool                    // the batch is taken at once
	}{
		"full at once":          {begin: func(f *file) error { f.write = fullAfter(0); return nil }},
		"full within a line":    {begin: func(f *file) error { f.write = fullAfter(20); return nil }},
		"full behind a line":    {begin: func(f *file) error { f.write = fullAfter(len(batch(3).Records[0].Text) + 1); return nil }},
		"a folder in its place": {begin: func(f *file) error { return errors.Join(moved(f.config.Path), os.Mkdir(f.config.Path, 0o700)) }, end: os.Remove},
		"its folder is gone": {begin: func(f *file) error {
			return os.Rename(filepath.Dir(f.config.Path), filepath.Dir(f.config.Path)+"-away")
		}, end: func(path string) error { return os.Rename(filepath.Dir(path)+"-away", filepath.Dir(path)) }},
		"rotated before": {begin: func(f *file) error { return moved(f.config.Path) }, taken: true},
		"rotated by a copy": {begin: func(f *file) error {
			return errors.Join(copyFile(f.config.Path, f.config.Path+".moved"), os.Truncate(f.config.Path, 0))
		}, taken: true},
		"rotated while it writes":  {while: moved},
		"removed while it writes":  {while: func(path string) error { return errors.Join(copyFile(path, path+".moved"), os.Remove(path)) }},
		"replaced while it writes": {while: func(path string) error { return errors.Join(moved(path), os.WriteFile(path, nil, 0o600)) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "logs", "audit.jsonl")
			if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			config := FileConfig{Path: path, MaxBytes: 1 << 20, Keep: 1}
			sent := func(f Destination, seqs ...int64) error { return f.Send(t.Context(), batch(seqs...)) }
			if err := sent(NewFile(config), 1, 2); err != nil {
				t.Fatal(err)
			}
			f := NewFile(config).(file)
			if tt.begin != nil {
				if err := tt.begin(&f); err != nil {
					t.Fatal(err)
				}
			}
			if tt.while != nil {
				f.written = func() {
					if err := tt.while(path); err != nil {
						t.Error(err)
					}
				}
			}
			for range 3 { // a disk that stays full gets no line again and again
				if err := sent(f, 3, 4, 5); (err == nil) != tt.taken {
					t.Fatalf("taken: %v", err)
				}
				if tt.taken || tt.while != nil {
					break
				}
			}
			if tt.end != nil {
				if err := tt.end(path); err != nil {
					t.Fatal(err)
				}
			}
			if !tt.taken {
				if err := sent(NewFile(config), 3, 4, 5); err != nil {
					t.Fatal(err)
				}
			}
			if err := sent(NewFile(config), 6); err != nil {
				t.Fatal(err)
			}
			holdsOnce(t, path, tt.while == nil)
		})
	}
}

// holdsOnce looks at a file and what it was moved to: six records in order, each once, or more than
// once where a receiver has to drop by key what comes again.
func holdsOnce(t *testing.T, path string, exactly bool) {
	t.Helper()
	var lines []string
	for _, name := range []string{path + ".moved", path} {
		text, err := os.ReadFile(name)
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		lines = append(lines, strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")...)
	}
	lines = slices.DeleteFunc(lines, func(line string) bool { return line == "" })
	want := batch(1, 2, 3, 4, 5, 6).texts()
	if exactly && !slices.Equal(lines, want) {
		t.Errorf("%q", lines)
	}
	var once []string
	for _, line := range lines {
		if !slices.Contains(once, line) {
			once = append(once, line)
		}
	}
	if !slices.Equal(once, want) {
		t.Errorf("by key: %q", once)
	}
}

func copyFile(from, to string) error {
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, text, 0o600)
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
