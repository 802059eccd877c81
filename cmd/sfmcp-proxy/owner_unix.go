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
func handBack(c *config.Config) (err error) {
	if os.Geteuid() != 0 {
		return nil
	}
	for _, dir := range []string{c.Audit.Dir, filepath.Dir(c.KeysFile), sqliteFolder(c.Database)} {
		err = errors.Join(err, handBackIn(dir, c))
	}
	return err
}

// sqliteFolder is where the file of a SQLite database is; "": it is none.
func sqliteFolder(url string) string {
	if path, ok := strings.CutPrefix(url, "sqlite:"); ok {
		return filepath.Dir(path)
	}
	return ""
}

// handBackIn does so in one folder: in all of the audit log's, and of another with the files that the configuration names and what
// is named after them.
func handBackIn(dir string, c *config.Config) error {
	is, err := os.Stat(dir)
	if dir == "" || err != nil || !is.IsDir() {
		return nil // the log is in the database, or nothing was made
	}
	owner, ok := is.Sys().(*syscall.Stat_t)
	if !ok || owner.Uid == 0 {
		return nil
	}
	return filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist): // removed meanwhile
			return nil
		case err != nil:
			return err
		case entry.IsDir() && dir != c.Audit.Dir && path != dir:
			return fs.SkipDir
		case dir != c.Audit.Dir && !strings.HasPrefix(path, c.KeysFile) && !strings.HasPrefix("sqlite:"+path, c.Database):
			return nil
		}
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		if of, ok := info.Sys().(*syscall.Stat_t); !ok || of.Uid != 0 || of.Nlink > 1 && !info.IsDir() || !(info.IsDir() || info.Mode().IsRegular()) {
			return nil
		}
		return os.Lchown(path, int(owner.Uid), int(owner.Gid))
	})
}
