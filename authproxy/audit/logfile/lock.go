package logfile

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// lockTime is how long others may hold the lock before one gives up. One process holds it for
// one group: a write and a sync.
const lockTime = 15 * time.Second

// FileLock is a lock that one goroutine of one process has at a time.
type FileLock struct {
	mu   sync.Mutex
	file *os.File
}

// OpenFileLock opens the lock that stands for a file, and makes the file if there is none.
func OpenFileLock(path string) (*FileLock, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	return &FileLock{file: file}, nil
}

// ErrHeld says that somebody else has a lock.
var ErrHeld = errors.New("another process has it")

// Hold takes the lock until Close, or until the process ends. It is [ErrHeld] if somebody else has it.
func (l *FileLock) Hold() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	got, err := tryLock(l.file)
	if err == nil && !got {
		err = ErrHeld
	}
	return err
}

// Unused says whether nobody holds the lock that a file stands for; a file that is not there, nobody does.
func Unused(path string) bool {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return errors.Is(err, os.ErrNotExist)
	}
	defer file.Close()
	got, err := tryLock(file)
	return got && err == nil
}

// With runs f while nobody else has the lock. It gives up when others have held it for 15 s.
func (l *FileLock) With(f func() error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := lockFile(l.file); err != nil {
		return err
	}
	return errors.Join(f(), unlockFile(l.file))
}

// Close closes the file, once whoever has the lock has given it back.
func (l *FileLock) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.file.Close()
}

// lock is what one process at a time has. Whoever wants it takes the file next first, and
// gives that back when it has the file held: so a process that writes one group after the other
// waits for whoever came meanwhile.
type lock struct{ next, held *os.File }

func openLock(dir string) (l lock, err error) {
	for name, file := range map[string]**os.File{"lock.next": &l.next, "lock": &l.held} {
		if *file, err = os.OpenFile(filepath.Join(dir, name), os.O_CREATE|os.O_RDWR, 0o600); err != nil {
			return lock{}, errors.Join(err, l.close())
		}
	}
	return l, nil
}

func (l lock) close() error {
	var err error
	for _, file := range []*os.File{l.next, l.held} {
		if file != nil {
			err = errors.Join(err, file.Close())
		}
	}
	return err
}

func (l lock) take() error {
	if err := lockFile(l.next); err != nil {
		return err
	}
	return errors.Join(lockFile(l.held), unlockFile(l.next))
}

func (l lock) giveBack() error { return unlockFile(l.held) }

// lockFile waits for the exclusive lock on f. The system tells nobody when a lock becomes free
// without blocking a thread for as long as it is not, so it is asked for again and again.
func lockFile(f *os.File) error {
	deadline := time.Now().Add(lockTime)
	for pause := 50 * time.Microsecond; ; pause = min(2*pause, time.Millisecond) {
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
