package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"

	"sfmcp-proxy/authproxy/audit/logfile"
)

// Copy writes the log to a directory as [VerifyFiles] reads it: its segments, byte for byte, and a
// checkpoint of what it has now, of which it returns how many entries that are. In a directory that has an earlier copy
// of the same log only what is new is written. The error is a [*logfile.Damage] where the log has one: what is
// before that is there.
func (p Published) Copy(ctx context.Context, dir string) (entries int64, err error) {
	l := p.log
	if err := l.Checkpoint(ctx); err != nil {
		return 0, err
	}
	c, signed, err := l.checkpoints.newest()
	if err != nil {
		return 0, err
	}
	segments, err := l.stored.segments()
	if err != nil {
		return 0, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return 0, fmt.Errorf("copying the audit log: %w", err)
	}
	if err := isEarlier(dir, c.Origin, segments); err != nil {
		return 0, err
	}
	for i, s := range segments {
		err := ctx.Err()
		if err == nil {
			err = copySegment(s, filepath.Join(dir, logfile.SegmentName(s.First)), i+1 == len(segments))
		}
		if err != nil {
			return 0, fmt.Errorf("copying the audit log: %w", err)
		}
	}
	if err := writeFile(filepath.Join(dir, checkpointFile), signed); err != nil {
		return 0, fmt.Errorf("copying the audit log: %w", err)
	}
	return c.Size, nil
}

// isEarlier refuses a directory that has another log, or more of this one than its segments.
func isEarlier(dir, origin string, segments []logfile.Segment) error {
	there, err := logfile.Segments(dir)
	if err != nil || len(there) == 0 {
		return err
	}
	head, err := logfile.ReadHead(there[0])
	if err == nil && head.Origin != origin {
		err = fmt.Errorf("copying the audit log: %s has the log %s, and this is %s: expected another directory", dir, head.Origin, origin)
	}
	if newest := there[len(there)-1]; err == nil && (len(segments) == 0 || newest.First > segments[len(segments)-1].First) {
		err = errHasMore(newest.Path)
	}
	return err
}

// errHasMore: a copy is not overwritten by less, because it may be the only place that still has it.
func errHasMore(path string) error {
	return fmt.Errorf("%s has what the log does not have any more: rows or files were removed, or put back; expected another directory", path)
}

// copySegment writes a segment to a file, unless that has it whole. The last one may have grown since
// it was copied. Of files the last bytes may be others: a group that a crash has cut off.
func copySegment(s logfile.Segment, path string, last bool) (err error) {
	content, err := s.Open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, content.Close()) }()
	if there, err := os.Stat(path); err == nil && !last {
		if size, err := content.Size(); err != nil || size == there.Size() {
			return err
		}
	}
	text, err := io.ReadAll(io.NewSectionReader(content, 0, math.MaxInt64))
	if err != nil {
		return fmt.Errorf("reading a segment of the audit log: %w", err)
	}
	if s.Store != nil {
		if there, err := os.ReadFile(path); err == nil && !bytes.HasPrefix(text, there) {
			return errors.Join(content.End(), errHasMore(path))
		} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return errors.Join(writeFile(path, text), content.End())
}
