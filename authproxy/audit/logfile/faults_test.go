package logfile

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// faultyDisk syncs as a disk does that has faults. It is safe for concurrent use.
type faultyDisk struct {
	syncs   atomic.Int64
	fail    atomic.Pointer[error] // of each sync; nil: none
	failAt  int64                 // number of the one sync that fails; 0: none
	torn    int64                 // with failAt: so many bytes of what was not synced before are lost
	synced  map[string]int64      // bytes of each file that a sync has made last
	waiting chan struct{}         // not nil: a sync announces itself, and waits for release
	release chan struct{}
}

func (d *faultyDisk) sync(file *os.File) error {
	n := d.syncs.Add(1)
	if d.waiting != nil {
		d.waiting <- struct{}{}
		<-d.release
	}
	if err := d.fail.Load(); err != nil {
		return *err
	}
	if n == d.failAt {
		if state, err := file.Stat(); err == nil && d.torn > 0 {
			_ = file.Truncate(max(state.Size()-d.torn, d.synced[segmentOf(file)]))
		}
		return syscall.EIO
	}
	err := syncData(file)
	if state, statErr := file.Stat(); err == nil && statErr == nil && d.synced != nil {
		d.synced[segmentOf(file)] = state.Size()
	}
	return err
}

// segmentOf is the name of a segment, also before it appears.
func segmentOf(file *os.File) string { return strings.TrimSuffix(file.Name(), ".new") }

// acknowledged is what must be in the log: records that were told to be, and none that was refused.
func acknowledged(t *testing.T, dir string, want []string) {
	t.Helper()
	if diff := cmp.Diff(want, all(t, dir)); diff != "" {
		t.Error(diff)
	}
}

// FT-38: whichever sync fails, with whatever error and however much of the group is on disk, what was
// acknowledged is there, what was refused is not, and the log goes on, also over the end of
// a segment.
func TestFaultFT38EverySyncThatFails(t *testing.T) {
	t.Parallel()
	for _, torn := range []int64{0, 1, 7, 1000} {
		for failAt := int64(1); failAt <= 24; failAt++ {
			dir := t.TempDir()
			disk := &faultyDisk{failAt: (failAt + 1) / 2, torn: torn, synced: map[string]int64{}}
			roomAfter := 1 + 1000*int(failAt%2) // once with room behind the end, once without
			l, f := open(t, Config{Dir: dir, SegmentSize: 400, Sync: disk.sync, Room: 70, RoomAfter: roomAfter})
			var want []string
			for i := range 20 {
				record := numbered(len(want)+1, len(want)+1)
				switch err := add(l, record...); {
				case err == nil:
					want = append(want, record...)
				case !errors.Is(err, syscall.EIO):
					t.Fatalf("sync %d, torn %d, record %d: %v", failAt, torn, i, err)
				}
			}
			if len(want) < 19 {
				t.Errorf("sync %d, torn %d: only %d of 20 were taken", failAt, torn, len(want))
			}
			acknowledged(t, dir, want)
			if int(f.last) != len(want) {
				t.Errorf("sync %d, torn %d: the follower has heard %d of %d", failAt, torn, f.last, len(want))
			}
		}
	}
}

// FT-38: the errors of a full, a broken and a read-only disk reach whoever appends as they are.
func TestFaultFT38ErrorsAreTold(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	disk := &faultyDisk{}
	l, _ := open(t, Config{Dir: dir, Sync: disk.sync})
	mustAdd(t, l, numbered(1, 2)...)
	for _, errno := range []error{syscall.ENOSPC, syscall.EIO, syscall.EROFS, syscall.EDQUOT} {
		disk.fail.Store(&errno)
		if err := add(l, numbered(3, 3)...); !errors.Is(err, errno) || !strings.Contains(err.Error(), "writing the audit log") {
			t.Errorf("%v: %v", errno, err)
		}
	}
	disk.fail.Store(nil)
	mustAdd(t, l, numbered(3, 3)...)
	acknowledged(t, dir, numbered(1, 3))
}

// FT-37: the log's directory is gone, or another log's stands in its place: nothing is taken, no
// new log is begun there, and it goes on when the directory is back.
func TestFaultFT37DirectoryThatVanishes(t *testing.T) {
	t.Parallel()
	parent := t.TempDir()
	dir, away := filepath.Join(parent, "audit"), filepath.Join(parent, "away")
	l, _ := open(t, Config{Dir: dir})
	mustAdd(t, l, numbered(1, 2)...)
	rename := func(from, to string) {
		t.Helper()
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
	}
	rename(dir, away)
	if err := add(l, numbered(3, 3)...); err == nil || !strings.Contains(err.Error(), "is gone") {
		t.Errorf("without a directory: %v", err)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("the directory was made again")
	}
	other, _ := open(t, Config{Dir: dir, Origin: "other/audit/2"})
	mustAdd(t, other, numbered(1, 5)...)
	if err := add(l, numbered(3, 3)...); err == nil || !strings.Contains(err.Error(), "exchanged") {
		t.Errorf("in another log's directory: %v", err)
	}
	acknowledged(t, dir, numbered(1, 5))
	rename(dir, filepath.Join(parent, "other"))
	rename(away, dir)
	mustAdd(t, l, numbered(3, 3)...)
	acknowledged(t, dir, numbered(1, 3))
}

// FT-37: a directory that nobody can write into any more: a segment that is full has no successor.
func TestFaultFT37DirectoryThatIsReadOnly(t *testing.T) {
	t.Parallel()
	if os.Geteuid() == 0 {
		t.Skip("root may write into every directory")
	}
	dir := t.TempDir()
	l, _ := open(t, Config{Dir: dir, SegmentSize: 100})
	mustAdd(t, l, numbered(1, 9)...)
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	if err := add(l, numbered(10, 10)...); !errors.Is(err, os.ErrPermission) {
		t.Errorf("appending: %v", err)
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	mustAdd(t, l, numbered(10, 10)...)
	acknowledged(t, dir, numbered(1, 10))
}

// FT-40: while a slow disk syncs, nothing is acknowledged, and nothing is lost of what then is.
func TestFaultFT40SlowDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	disk := &faultyDisk{}
	l, _ := open(t, Config{Dir: dir, Sync: disk.sync})
	mustAdd(t, l, numbered(1, 1)...)
	disk.waiting, disk.release = make(chan struct{}), make(chan struct{})
	var done atomic.Bool
	var writing sync.WaitGroup
	writing.Go(func() {
		if err := add(l, numbered(2, 2)...); err != nil {
			t.Error(err)
		}
		done.Store(true)
	})
	<-disk.waiting
	if done.Load() {
		t.Error("acknowledged before it was on disk")
	}
	disk.release <- struct{}{}
	writing.Wait()
	acknowledged(t, dir, numbered(1, 2))
}
