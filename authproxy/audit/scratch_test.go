package audit

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/audit/logfile"
)

// What a killed process leaves where the index of a log in the database is goes with the next start; what a
// process uses stays, however old it is.
func TestScratchThatIsLeftIsRemoved(t *testing.T) {
	t.Parallel()
	parent := t.TempDir()
	made := func(name string, age time.Duration) string {
		dir := filepath.Join(parent, scratchPrefix+name)
		err := os.MkdirAll(filepath.Join(dir, "tiles"), 0o700)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, inUse), nil, 0o600)
		}
		if err == nil {
			err = os.Chtimes(dir, time.Time{}, time.Now().Add(-age))
		}
		if err != nil {
			t.Fatal(err)
		}
		return dir
	}
	left, young, used := made("left", time.Hour), made("young", 0), made("used", time.Hour)
	lock, err := logfile.OpenFileLock(filepath.Join(used, inUse))
	if err == nil {
		err = lock.Hold()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = lock.Close() })
	dir, err := makeScratch(parent)
	if err != nil {
		t.Fatal(err)
	}
	for of, want := range map[string]bool{left: false, young: true, used: true, dir: true} {
		if _, err := os.Stat(of); (err == nil) != want {
			t.Errorf("%s: %v, want it to be there: %t", filepath.Base(of), err, want)
		}
	}
}
