package audit

import (
	"bytes"
	"database/sql"
	"os"
	"path/filepath"
	"testing"

	"sfmcp-proxy/authproxy/audit/logfile"
	"sfmcp-proxy/authproxy/audit/logrows"
	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/db/dbtest"
)

// machineName is of whom the log is, where it is in the database.
const machineName = "replica-0"

// newRows is a store whose log is in the database. That of newStore is so on PostgreSQL, so that
// all that holds of one kind of log is tested of both.
func newRows(t testing.TB) *store {
	s := newStore(t)
	s.rows = true
	return s
}

// newFiles is one whose log is a directory.
func newFiles(t testing.TB) *store {
	s := newStore(t)
	s.rows = false
	return s
}

// segments are those of the log.
func (s *store) segments() []logfile.Segment {
	s.t.Helper()
	stored := storage(files{dir: filepath.Join(s.dir, "audit"), listed: &logfile.Directory{Path: filepath.Join(s.dir, "audit")}})
	if s.rows {
		stored = rows{Rows: logrows.Rows{DB: s.db(), Machine: machineName}}
	}
	all, err := stored.segments()
	if err != nil {
		s.t.Fatal(err)
	}
	return all
}

func (s *store) db() *db.DB { return dbtest.OpenURL(s.t, s.url) }

// log is the log's directory. Of one in the database it is a copy of what its rows say, which
// [store.push] makes them say again after somebody has changed it.
func (s *store) log() string {
	s.t.Helper()
	if !s.rows {
		return filepath.Join(s.dir, "audit")
	}
	dir := s.t.TempDir()
	d := s.db()
	found, err := d.Reads.Query(`SELECT segment, head, content FROM audit_groups WHERE log = (SELECT value FROM meta WHERE name = $1) ORDER BY segment, place`, "audit_log "+machineName)
	if err != nil {
		s.t.Fatal(err)
	}
	defer found.Close()
	texts := map[int64][]byte{}
	for found.Next() {
		var segment int64
		var head, content string
		if err := found.Scan(&segment, &head, &content); err != nil {
			s.t.Fatal(err)
		}
		texts[segment] = append(append(texts[segment], head...), content...)
	}
	if err := found.Err(); err != nil {
		s.t.Fatal(err)
	}
	for first, text := range texts {
		if err := os.WriteFile(filepath.Join(dir, logfile.SegmentName(first)), text, 0o600); err != nil {
			s.t.Fatal(err)
		}
	}
	var checkpoint string
	if err := d.Reads.QueryRow(`SELECT value FROM meta WHERE name LIKE 'audit_checkpoint %'`).Scan(&checkpoint); err == nil {
		if err := os.WriteFile(filepath.Join(dir, checkpointFile), []byte(checkpoint), 0o600); err != nil {
			s.t.Fatal(err)
		}
	}
	s.pulled = dir
	return dir
}

// push has the rows say what the files of the last [store.log] say, as somebody would write them who
// knows how they have to look. A log that is a directory has it already.
func (s *store) push() {
	s.t.Helper()
	if !s.rows {
		return
	}
	segments, err := logfile.Segments(s.pulled)
	if err != nil {
		s.t.Fatal(err)
	}
	if err := s.db().Tx(s.t.Context(), func(tx *sql.Tx) error {
		if _, err := tx.Exec(`DELETE FROM audit_groups`); err != nil {
			return err
		}
		for _, segment := range segments {
			if err := pushSegment(tx, segment, checkpointOf(s.t, segment.Path)); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		s.t.Fatal(err)
	}
}

func checkpointOf(t testing.TB, path string) []byte {
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// pushSegment writes the rows of one. What looks like no group stands in the row before it, or in the
// last one.
func pushSegment(tx *sql.Tx, s logfile.Segment, text []byte) error {
	at := bytes.IndexByte(text, '\n') + 1
	head, rest := string(text[:at]), text[at:]
	seq, place := s.First, 0
	for first := true; first || len(rest) > 0; first = false {
		size := groupSize(rest)
		next := seq + int64(bytes.Count(rest[:size], []byte("\n"))) - 1
		if _, err := tx.Exec(`INSERT INTO audit_groups (log, seq, next_seq, segment, place, head, content, writer)
			SELECT value, CAST($1 AS BIGINT), CAST($2 AS BIGINT), CAST($3 AS BIGINT), CAST($4 AS BIGINT), CAST($5 AS TEXT), CAST($6 AS TEXT), '' FROM meta WHERE name = $7
			ON CONFLICT (log, seq) DO NOTHING`, seq, next, s.First, place, head, string(rest[:size]), "audit_log "+machineName); err != nil {
			return err
		}
		seq, place, head, rest = next, place+len(head)+size, "", rest[size:]
	}
	return nil
}

// groupSize is how many bytes the group at the beginning has; all, if there is none.
func groupSize(b []byte) int {
	for end := 19; end < len(b); {
		i := bytes.Index(b[end:], []byte("\n#"))
		if i < 0 {
			break
		}
		end += i + 1
		if whole := b[:end]; bytes.HasPrefix(whole, []byte("#")) {
			return end
		}
	}
	return len(b)
}
