package dbtest

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"
)

// keptFor is how long the files of a server are kept that nobody starts.
const keptFor = 7 * 24 * time.Hour

// keptData is where the files of a server are that has run the migrations, for the test
// binaries to copy: to make them takes each half a second. Its name tells PostgreSQL's version,
// the migrations, how they were made, and who owns them. "": they cannot be kept here.
func keptData(bin string) string {
	_, here, _, _ := runtime.Caller(0)
	inputs, err := filepath.Glob(filepath.Join(filepath.Dir(here), "..", "migrations", "*.sql"))
	if err != nil || len(inputs) == 0 {
		return "" // the tests run elsewhere than where they were built
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	program, err := os.Stat(filepath.Join(bin, "postgres"))
	if err != nil {
		return ""
	}
	hash := sha256.New()
	fmt.Fprintln(hash, bin, program.Size(), program.ModTime(), os.Getuid())
	for _, input := range append(inputs, filepath.Join(filepath.Dir(here), "server.go")) {
		content, err := os.ReadFile(input)
		if err != nil {
			return ""
		}
		fmt.Fprintln(hash, filepath.Base(input), len(content))
		hash.Write(content)
	}
	return filepath.Join(cache, "sfmcp-proxy-tests", "postgres-"+hex.EncodeToString(hash.Sum(nil)[:12]))
}

// copyData copies the files of a server, with their owners and modes.
func copyData(from, to string) error {
	if _, err := os.Stat(from); err != nil {
		return err
	}
	if out, err := exec.Command("cp", "-a", from, to).CombinedOutput(); err != nil {
		return errors.Join(fmt.Errorf("cp: %w\n%s", err, out), os.RemoveAll(to))
	}
	now := time.Now()
	_ = os.Chtimes(from, now, now) // it is used; see forget
	return nil
}

// keep ends the server and keeps its files, whole or not at all: several test binaries may be
// at it. A disk without room for them is no failure of a test.
func (s *server) keep(as string) error {
	s.shutDown()
	s.stop = func() {}
	parent := filepath.Dir(as)
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return err
	}
	forget(parent)
	making, err := os.MkdirTemp(parent, "making-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(making)
	if err := copyData(s.data(), filepath.Join(making, "data")); err != nil {
		return nil
	}
	_ = os.Rename(filepath.Join(making, "data"), as) // else another one was quicker
	return nil
}

// forget removes what nobody has used for long: files of other migrations, and those of a test
// binary that was killed.
func forget(parent string) {
	left, _ := os.ReadDir(parent)
	for _, entry := range left {
		if info, err := entry.Info(); err == nil && time.Since(info.ModTime()) > keptFor {
			_ = os.RemoveAll(filepath.Join(parent, entry.Name()))
		}
	}
}
