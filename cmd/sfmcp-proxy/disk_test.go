package main

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A disk after a loss of power, without a machine to cut the power of: the system calls of a process are
// recorded, and the files are made again as they would be at any point of that record. What counts as
// there is what POSIX promises and no more: the content of a file up to its last sync, and a name once
// its directory was synced. What came later may be there or not, sector by sector.

// recorded is one system call that ended well.
type recorded struct {
	name   string
	path   string // of the file or directory
	to     string // rename: its new one
	data   []byte // that was written, also to a connection
	at     int64  // where; -1: at the end of what was written
	size   int64  // ftruncate
	create bool   // open: makes the file if there is none
	empty  bool   // open: empties it
	begun  int    // for syncs: how many calls had ended when it began
}

// recording is the arguments of strace that record what a process does to files, and says to others.
func recording(into string) []string {
	return []string{"strace", "-D", "-f", "-q", "-yy", "-xx", "-s", "16777216", "--seccomp-bpf", "-e", "signal=kill", "-o", into, "-e",
		"trace=open,openat,write,pwrite64,fsync,fdatasync,ftruncate,rename,renameat,renameat2,unlink,unlinkat,mkdirat,mkdir"}
}

// readRecord reads what strace has written.
func readRecord(t *testing.T, path string) (calls []recorded) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	type part struct {
		text  string
		begun int
	}
	begun := map[string]part{} // by process
	lines := bufio.NewScanner(f)
	lines.Buffer(make([]byte, 1<<20), 256<<20)
	for lines.Scan() {
		pid, line, _ := strings.Cut(lines.Text(), " ")
		line = strings.TrimLeft(line, " ")
		first := len(calls)
		if head, is := strings.CutSuffix(line, "<unfinished ...>"); is {
			begun[pid] = part{head, len(calls)}
			continue
		}
		if strings.HasPrefix(line, "<... ") {
			_, rest, _ := strings.Cut(line, " resumed>")
			line, first = begun[pid].text+rest, begun[pid].begun
		}
		if call, ok := parseCall(line); ok {
			call.begun = first
			calls = append(calls, call)
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return calls
}

// parseCall reads one line; ok is false if it failed, or is about nothing that counts.
func parseCall(line string) (c recorded, ok bool) {
	open, equals := strings.IndexByte(line, '('), strings.LastIndex(line, " = ") // before which there are blanks
	if open < 0 || equals < open {
		return c, false
	}
	end, result := strings.LastIndexByte(line[:equals], ')'), line[equals+3:]
	if end < open || strings.HasPrefix(result, "-1") {
		return c, false
	}
	c.name = line[:open]
	number, _, _ := strings.Cut(result, "<")
	written, _ := strconv.ParseInt(strings.TrimSpace(number), 10, 64)
	args := splitArgs(line[open+1 : end])
	argument := func(i int) int64 { n, _ := strconv.ParseInt(args[i], 10, 64); return n }
	switch c.name {
	case "open", "openat":
		flags := strings.Join(args, " ") // the rest is hexadecimal
		c.name, c.path = "open", of(result)
		c.create, c.empty = strings.Contains(flags, "O_CREAT"), strings.Contains(flags, "O_TRUNC")
	case "write", "pwrite64":
		c.path, c.data, c.at = of(args[0]), []byte(unquote(args[1])), -1
		c.data = c.data[:min(int64(len(c.data)), written)]
		if c.name == "pwrite64" {
			c.at = argument(3)
		}
	case "fsync", "fdatasync":
		c.path = of(args[0])
	case "ftruncate":
		c.path, c.size = of(args[0]), argument(1)
	case "rename":
		c.path, c.to = unquote(args[0]), unquote(args[1])
	case "renameat", "renameat2":
		c.name, c.path, c.to = "rename", unquote(args[1]), unquote(args[3])
	case "unlink", "mkdir":
		c.path = unquote(args[0])
	case "unlinkat", "mkdirat":
		c.name, c.path = strings.TrimSuffix(c.name, "at"), unquote(args[1])
	}
	return c, c.path != ""
}

// splitArgs splits at commas outside of quotes and angle brackets, in which everything is hexadecimal.
func splitArgs(s string) []string {
	args := strings.Split(s, ", ")
	for i := range args {
		args[i] = strings.TrimSpace(args[i])
	}
	return args
}

// of is the file that a descriptor is said to be of; "" if it was deleted.
func of(descriptor string) string {
	_, rest, _ := strings.Cut(descriptor, "<")
	path, after, _ := strings.Cut(rest, ">")
	if strings.Contains(after, "deleted") || strings.HasPrefix(path, "TCP") {
		path, _, _ = strings.Cut(rest, "]>")
		if !strings.HasPrefix(path, "TCP") {
			return ""
		}
		return path + "]"
	}
	return fromHex(path)
}

func unquote(s string) string { return fromHex(strings.Trim(s, `"`)) }

// fromHex reads \x2f\x74…; what is not so written stays as it is.
func fromHex(s string) string {
	if !strings.HasPrefix(s, `\x`) {
		return s
	}
	text, err := hex.DecodeString(strings.ReplaceAll(s, `\x`, ""))
	if err != nil {
		return s
	}
	return string(text)
}

// inode is a file, whatever its name.
type inode struct {
	durable []byte
	pending []fileChange
	written int64 // where the next write without a place goes
}

type fileChange struct {
	call int
	at   int64 // -1: the size becomes that of data
	data []byte
}

// now is the content with every change.
func (n *inode) now() []byte {
	content := slices.Clone(n.durable)
	for _, c := range n.pending {
		content = c.apply(content)
	}
	return content
}

func (c fileChange) apply(content []byte) []byte {
	if c.at < 0 {
		return resize(content, int64(len(c.data)))
	}
	content = resize(content, max(int64(len(content)), c.at+int64(len(c.data))))
	copy(content[c.at:], c.data)
	return content
}

func resize(content []byte, size int64) []byte {
	if size <= int64(len(content)) {
		return content[:size]
	}
	return append(content, make([]byte, size-int64(len(content)))...)
}

// sector is what a disk writes whole.
const sector = 512

// torn is the content with some of the changes, and of each some sectors.
func (n *inode) torn(random *rand.Rand) []byte {
	content := slices.Clone(n.durable)
	for _, c := range n.pending {
		if random.IntN(2) == 0 {
			continue
		}
		if c.at < 0 {
			content = c.apply(content)
			continue
		}
		content = resize(content, max(int64(len(content)), c.at+int64(len(c.data)))) // the size may be there without what was written
		for from := int64(0); from < int64(len(c.data)); {
			to := min(int64(len(c.data)), (c.at+from)/sector*sector+sector-c.at)
			if random.IntN(2) == 0 {
				copy(content[c.at+from:], c.data[from:to])
			}
			from = to
		}
	}
	return content
}

// name is an entry of a directory that was made, changed or removed.
type nameChange struct {
	call int
	path string
	to   *inode // nil: removed
	dir  bool   // it is a directory
}

// disk is what a process has done to the files of a directory, up to some call.
type disk struct {
	root    string
	names   map[string]*inode // as the process sees it
	lasting map[string]*inode // as they are without power
	dirs    map[string]bool   // that last
	pending []nameChange
}

// newDisk begins with the files that are in root, all of which last.
func newDisk(t *testing.T, root string) *disk {
	t.Helper()
	d := &disk{root: root, names: map[string]*inode{}, lasting: map[string]*inode{}, dirs: map[string]bool{}}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir():
			d.dirs[path] = true
		case entry.Type().IsRegular():
			content, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			d.names[path] = &inode{durable: content}
			d.lasting[path] = d.names[path]
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// do repeats the call of a number.
func (d *disk) do(number int, c recorded) {
	if !strings.HasPrefix(c.path, d.root+"/") && c.path != d.root {
		return
	}
	n := d.names[c.path]
	switch c.name {
	case "open":
		if n == nil && c.create {
			n = &inode{}
			d.names[c.path] = n
			d.pending = append(d.pending, nameChange{number, c.path, n, false})
		}
		if n != nil && c.empty {
			n.pending = append(n.pending, fileChange{number, -1, nil})
		}
		if n != nil {
			n.written = 0
		}
	case "write", "pwrite64":
		if n == nil {
			return
		}
		at := c.at
		if at < 0 {
			at = n.written
			n.written += int64(len(c.data))
		}
		n.pending = append(n.pending, fileChange{number, at, c.data})
	case "ftruncate":
		if n != nil {
			n.pending = append(n.pending, fileChange{number, -1, make([]byte, c.size)})
		}
	case "rename":
		d.names[c.to] = n
		delete(d.names, c.path)
		d.pending = append(d.pending, nameChange{number, c.to, n, false}, nameChange{number, c.path, nil, false})
	case "unlink":
		delete(d.names, c.path)
		d.pending = append(d.pending, nameChange{number, c.path, nil, false})
	case "mkdir":
		d.pending = append(d.pending, nameChange{number, c.path, nil, true})
	case "fsync", "fdatasync":
		d.sync(c, n)
	}
}

// sync makes last what was done before the call began.
func (d *disk) sync(c recorded, n *inode) {
	if n != nil {
		i := 0
		for ; i < len(n.pending) && n.pending[i].call < c.begun; i++ {
			n.durable = n.pending[i].apply(n.durable)
		}
		n.pending = n.pending[i:]
		return
	}
	d.pending = slices.DeleteFunc(d.pending, func(change nameChange) bool {
		if filepath.Dir(change.path) != c.path || change.call >= c.begun {
			return false
		}
		d.last(change, d.lasting, d.dirs)
		return true
	})
}

func (*disk) last(change nameChange, names map[string]*inode, dirs map[string]bool) {
	switch {
	case change.dir:
		dirs[change.path] = true
	case change.to == nil:
		delete(names, change.path)
	default:
		names[change.path] = change.to
	}
}

// How a disk is after a call.
type after int

const (
	afterKill after = iota // the process is gone, the system goes on: everything is there
	powerCut               // only what was synced
	powerTorn              // and some of the rest
)

// make makes the files anew in another directory.
func (d *disk) make(t *testing.T, dir string, how after, random *rand.Rand) {
	t.Helper()
	names, dirs := d.names, map[string]bool{}
	for path := range d.dirs {
		dirs[path] = true
	}
	kept := 0
	switch how {
	case afterKill:
		kept = len(d.pending)
	case powerTorn:
		kept = random.IntN(len(d.pending) + 1)
	}
	if how != afterKill {
		names = map[string]*inode{}
		for path, n := range d.lasting {
			names[path] = n
		}
	}
	for _, change := range d.pending[:kept] { // a file system writes what it does to names in order
		if change.dir || how != afterKill {
			d.last(change, names, dirs)
		}
	}
	for path := range dirs {
		if lasts(dirs, d.root, path) {
			if err := os.MkdirAll(filepath.Join(dir, strings.TrimPrefix(path, d.root)), 0o700); err != nil {
				t.Fatal(err)
			}
		}
	}
	for path, n := range names {
		if n == nil || !lasts(dirs, d.root, filepath.Dir(path)) || strings.HasSuffix(path, "-shm") {
			continue
		}
		content := n.durable
		switch how {
		case afterKill:
			content = n.now()
		case powerTorn:
			content = n.torn(random)
		}
		if err := os.WriteFile(filepath.Join(dir, strings.TrimPrefix(path, d.root)), bytes.Clone(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// lasts says whether a directory, and all above it, are there.
func lasts(dirs map[string]bool, root, path string) bool {
	for ; path != root; path = filepath.Dir(path) {
		if !dirs[path] {
			return false
		}
	}
	return true
}
