//go:build unix

package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"sfmcp-proxy/config"
)

// handBack gives what root has made in the places of the proxy to whoever owns these places: a command that an
// administrator runs as root leaves nothing there that the proxy, which runs as somebody else, cannot read or replace.
func handBack(c *config.Config) error {
	if os.Geteuid() != 0 {
		return nil
	}
	err := handBackBeside(c.KeysFile)
	if path, ok := strings.CutPrefix(c.Database, "sqlite:"); ok {
		err = errors.Join(err, handBackBeside(path))
	}
	if !c.Audit.InDatabase() && c.Audit.Dir != "" {
		err = errors.Join(err, handBackIn(c.Audit.Dir, ownerOfLog, func(string, bool) bool { return true }))
	}
	for _, e := range c.Exports { // 'export test' writes there
		err = errors.Join(err, handBackBeside(e.Path))
	}
	for _, place := range c.Audit.Checkpoints { // so does 'audit acknowledge'
		if folder, is := strings.CutSuffix(place.File, "/"); is {
			err = errors.Join(err, handBackIn(folder, ownerOfFolder, func(_ string, isDir bool) bool { return !isDir }))
		} else {
			err = errors.Join(err, handBackBeside(place.File))
		}
	}
	return err
}

// handBackBeside does so with a file and what is named after it, in its folder.
func handBackBeside(file string) error {
	if file == "" || os.Geteuid() != 0 {
		return nil
	}
	base := filepath.Base(file)
	return handBackIn(filepath.Dir(file), ownerOfFolder, func(name string, isDir bool) bool {
		return !isDir && (name == base || strings.HasPrefix(name, base+".") || strings.HasPrefix(name, base+"-"))
	})
}

// ownerOfFolder is who an open folder belongs to.
func ownerOfFolder(folder *os.Root) (syscall.Stat_t, error) {
	is, err := folder.Stat(".")
	if err != nil {
		return syscall.Stat_t{}, err
	}
	return ownerOf(is), nil
}

// ownerOfLog is who that of the audit log belongs to: root's, which a command before the first start has made,
// to whoever owns the one above it.
func ownerOfLog(folder *os.Root) (syscall.Stat_t, error) {
	of, err := ownerOfFolder(folder)
	if err != nil || of.Uid != 0 {
		return of, err
	}
	real, err := filepath.EvalSymlinks(folder.Name())
	if err != nil {
		return of, err
	}
	if real, err = filepath.Abs(real); err != nil {
		return of, err
	}
	is, err := os.Stat(filepath.Dir(real))
	if err != nil {
		return of, err
	}
	return ownerOf(is), nil
}

func ownerOf(is fs.FileInfo) syscall.Stat_t {
	if of, ok := is.Sys().(*syscall.Stat_t); ok {
		return *of
	}
	return syscall.Stat_t{} // root's: nothing is given away
}

// handBackIn gives those of root's files in a folder that are ours to the owner of the folder. A folder that is a symbolic
// link is the one that it leads to; below it nothing leads out of it, whoever writes there meanwhile.
func handBackIn(dir string, owner func(*os.Root) (syscall.Stat_t, error), ours func(name string, isDir bool) bool) error {
	folder, err := os.OpenRoot(dir)
	if err != nil {
		return nil // nothing was made there
	}
	defer folder.Close()
	to, err := owner(folder)
	if err != nil || to.Uid == 0 {
		return err
	}
	return fs.WalkDir(folder.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist): // removed meanwhile
			return nil
		case err != nil:
			return err
		case !ours(name, entry.IsDir()) && entry.IsDir() && name != ".":
			return fs.SkipDir
		case !ours(name, entry.IsDir()):
			return nil
		}
		info, err := folder.Lstat(name)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		if of := ownerOf(info); of.Uid != 0 || of.Nlink > 1 && !info.IsDir() || !(info.IsDir() || info.Mode().IsRegular()) {
			return nil
		}
		if err := folder.Lchown(name, int(to.Uid), int(to.Gid)); !keepsOwner(err) {
			return err
		}
		return nil
	})
}

// keepsOwner reports whether an error says that there is nothing to be given: the file was removed meanwhile, or its place takes no
// other owner, as one that is mounted to be read does, in which a command makes nothing.
func keepsOwner(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.EROFS) || errors.Is(err, syscall.EPERM)
}
