package logfile

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
)

// smallDisk takes so many bytes of a segment, and of a write that goes beyond them what fits.
type smallDisk struct {
	bytes atomic.Int64
	errno syscall.Errno
}

func (d *smallDisk) write(f *os.File, b []byte, at int64) (int, error) {
	fits := max(0, min(int64(len(b)), d.bytes.Load()-at))
	n, err := f.WriteAt(b[:fits], at)
	if err == nil && fits < int64(len(b)) {
		err = d.errno
	}
	return n, err
}

// FT-38: the disk is full, or broken, at any byte of a group or of the room that is written ahead of it.
// What was acknowledged is there, what was refused is not, nothing is said to be cut, a process that
// opens the log finds no half of anything, and it goes on once there is space.
func TestFaultFT38DiskThatEndsInTheRoom(t *testing.T) {
	t.Parallel()
	nothing := func(*os.File) error { return nil }
	for _, fault := range []struct {
		errno syscall.Errno
		step  int64
	}{{syscall.ENOSPC, 1}, {syscall.EIO, 7}} {
		errno := fault.errno
		for space := int64(150); space < 290; space += fault.step { // the first line, and more than the room
			dir, what := t.TempDir(), fmt.Sprintf("%v after %d bytes", errno, space)
			disk := &smallDisk{errno: errno}
			disk.bytes.Store(space)
			l, f := open(t, Config{Dir: dir, Room: 90, RoomAfter: 1, Sync: nothing, Write: disk.write})
			var want []string
			refused := 0
			for refused < 3 {
				record := numbered(len(want)+1, len(want)+1)
				switch err := addWhole(l, record[0]); {
				case err == nil:
					want = append(want, record...)
				case errors.Is(err, errno) && strings.Contains(err.Error(), "writing the audit log"):
					refused++
				default:
					t.Fatalf("%s: %v", what, err)
				}
			}
			acknowledged(t, dir, want)
			if f.last != int64(len(want)) {
				t.Errorf("%s: the follower has heard %d of %d", what, f.last, len(want))
			}
			other, _ := open(t, Config{Dir: dir, Room: 90, RoomAfter: 1, Sync: nothing, Write: disk.write})
			disk.bytes.Store(1 << 20)
			for i := range 8 {
				to := []*Log{other, l}[i%2]
				record := numbered(len(want)+1, len(want)+1)
				if err := addWhole(to, record[0]); err != nil {
					t.Fatalf("%s, once there is space: %v", what, err)
				}
				want = append(want, record...)
			}
			acknowledged(t, dir, want)
			l.Close()
			other.Close()
		}
	}
}

// addWhole appends a record, where nothing may have been cut before it.
func addWhole(l *Log, record string) error {
	var cut int64
	err := l.Append(func(g *Group) { cut = g.Cut(); g.Add([]byte(record)) })
	if err == nil && cut > 0 {
		err = fmt.Errorf("%d bytes are said to be cut", cut)
	}
	return err
}

// FT-38: the same on a file system that is full: what other files take is missing for room first.
func TestFaultFT38FullFileSystem(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := mountMemory(dir, 256<<10); err != nil {
		t.Skip("a file system of its own needs root: ", err)
	}
	t.Cleanup(func() { unmount(dir) })
	l, _ := open(t, Config{Dir: dir, Room: 64 << 10, RoomAfter: 1})
	other := filepath.Join(dir, "other")
	if err := os.WriteFile(other, make([]byte, 100<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	var want []string
	for refused := 0; refused < 3; {
		record := fmt.Sprintf("record %d %s", len(want)+1, strings.Repeat("x", 3000))
		switch err := addWhole(l, record); {
		case err == nil:
			want = append(want, record)
		case errors.Is(err, syscall.ENOSPC):
			refused++
		default:
			t.Fatal(err)
		}
	}
	if len(want) < 20 {
		t.Errorf("only %d records were taken", len(want))
	}
	acknowledged(t, dir, want)
	if err := os.Remove(other); err != nil {
		t.Fatal(err)
	}
	for range 10 {
		record := fmt.Sprintf("record %d", len(want)+1)
		if err := addWhole(l, record); err != nil {
			t.Fatal("once there is space: ", err)
		}
		want = append(want, record)
	}
	acknowledged(t, dir, want)
	l.Close()
}
