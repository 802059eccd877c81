package audit

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/seal"
)

const (
	// checkpointFile is the name of the newest checkpoint in the log's directory, as in C2SP
	// tlog-tiles.
	checkpointFile = "checkpoint"
	// maxCheckpoint bounds a checkpoint that is read, in bytes.
	maxCheckpoint = 64 << 10
)

// checkpointRows begins the names of the rows of the table meta that have checkpoints.
const checkpointRows = "audit_checkpoint "

// place is where a checkpoint is kept.
type place struct {
	name  string
	read  func(context.Context) ([]byte, error) // nil: there is none
	write func(ctx context.Context, checkpoint []byte) error
	// optional: it may be one that nobody can write, such as a folder of secrets that is mounted
	// read-only. The others count then.
	optional bool
}

// isReadOnly says of an error in writing a file that this process may not, and never could.
func isReadOnly(err error) bool {
	return errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS)
}

func filePlace(name, path string) place {
	return place{
		name: name + " (" + path + ")",
		read: func(context.Context) ([]byte, error) {
			text, err := readCheckpoint(path)
			return text, seal.NameOwner(err)
		},
		write: func(_ context.Context, checkpoint []byte) error { return seal.NameOwner(writeFile(path, checkpoint)) },
	}
}

// readCheckpoint reads a file that may not be there.
func readCheckpoint(path string) ([]byte, error) {
	state, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil && state.Size() > maxCheckpoint {
		err = fmt.Errorf("%s: %d bytes are not a checkpoint", path, state.Size())
	}
	if err != nil {
		return nil, err
	}
	return os.ReadFile(path)
}

// writeFile puts a file in the place of the one that may be there: at any time it is one or
// the other, whole. Once it returns it is this one, also after a loss of power.
func writeFile(path string, content []byte) (err error) {
	file, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*") // only its owner may read it
	if err != nil {
		return err
	}
	seal.KeepOwner(file, path)
	_, err = file.Write(content)
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	return seal.SyncDirectory(filepath.Dir(path))
}

// checkpointRow keeps a checkpoint in the table meta.
type checkpointRow struct {
	db   *db.DB
	name string
	// seen is what was read before: only that is replaced. A write that was under way when the network
	// was lost may arrive late, and must not replace what was written since. nil: nothing was read.
	seen *string
}

func (r *checkpointRow) read(ctx context.Context) ([]byte, error) {
	var text string
	err := r.db.Reads.QueryRowContext(ctx, `SELECT value FROM meta WHERE name = $1`, r.name).Scan(&text)
	none := errors.Is(err, sql.ErrNoRows)
	if err != nil && !none {
		return nil, err
	}
	if r.seen = &text; none {
		return nil, nil
	}
	return []byte(text), nil
}

// errReplaced: the row is not as it was read. The next checkpoint looks at what is there.
var errReplaced = errors.New("another process has stored a checkpoint meanwhile")

func (r *checkpointRow) write(ctx context.Context, checkpoint []byte) error {
	if r.seen == nil || *r.seen == "" {
		end := ""
		if r.seen != nil {
			end = ` WHERE meta.value = ''`
		}
		return r.replaced(ctx, `
			INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value`+end, r.name, string(checkpoint))
	}
	return r.replaced(ctx, `UPDATE meta SET value = $2 WHERE name = $1 AND value = $3`, r.name, string(checkpoint), *r.seen)
}

func (r *checkpointRow) replaced(ctx context.Context, statement string, args ...any) error {
	n, err := db.Affected(ctx, r.db.Writes, statement, args...)
	if err == nil && n == 0 {
		err = errReplaced
	}
	return err
}
