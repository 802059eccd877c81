package logfile

import (
	"path/filepath"
	"runtime"
	"testing"
)

// A lock is closed once whoever has it has given it back: work that goes on while a process ends
// does not meet a file that is gone.
func TestLockIsClosedOnceItIsGivenBack(t *testing.T) {
	t.Parallel()
	l, err := OpenFileLock(filepath.Join(t.TempDir(), "lock"))
	if err != nil {
		t.Fatal(err)
	}
	closed := make(chan error, 1)
	if err := l.With(func() error {
		go func() { closed <- l.Close() }()
		for range 1000 {
			runtime.Gosched()
		}
		if len(closed) > 0 {
			t.Error("it is closed while somebody has it")
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
}
