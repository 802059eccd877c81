package logfile

import (
	"errors"
	"os"
	"time"
)

// lockTime is how long another process may hold the lock. It holds it for one group: a
// write and a sync.
const lockTime = 15 * time.Second

// lockFile waits for the exclusive lock on f. The system tells nobody when a lock becomes free
// without blocking a thread for as long as it is not, so it is asked for again and again.
func lockFile(f *os.File) error {
	deadline := time.Now().Add(lockTime)
	for pause := 50 * time.Microsecond; ; pause = min(2*pause, 2*time.Millisecond) {
		got, err := tryLock(f)
		if got || err != nil {
			return err
		}
		if time.Now().After(deadline) {
			return errors.New("another process has held it for 15 s")
		}
		time.Sleep(pause)
	}
}
