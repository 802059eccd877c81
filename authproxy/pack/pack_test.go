package pack

import (
	"archive/tar"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/db/dbtest"
	"sfmcp-proxy/authproxy/seal"
)

// bench is a log with calls in it, and its public key.
type bench struct {
	t   testing.TB
	log *audit.Log
	key string
	// as is the entry that binds a pack; empty members: as whoever makes one writes it.
	as audit.Entry
}

func newBench(t testing.TB) *bench {
	t.Helper()
	dir := t.TempDir()
	keys := filepath.Join(dir, "keys")
	if err := seal.CreateKeyFile(keys); err != nil {
		t.Fatal(err)
	}
	ring, err := seal.LoadKeyRing(keys)
	if err != nil {
		t.Fatal(err)
	}
	log, err := audit.New(audit.Config{Dir: filepath.Join(dir, "audit"), Name: "mcp.example.com", DB: dbtest.OpenURL(t, dbtest.URL(t)), Ring: ring})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { log.Close(context.Background()) })
	b := &bench{t: t, log: log}
	for i := range 9 {
		e := audit.Entry{Actor: actor.User("005xx000001Sv6AAAS"), Action: audit.ToolCall, Object: "soqlQuery", Outcome: audit.Denied, Org: "acme", Subject: "005xx000001Sv6AAAS",
			Username: "rep@acme.example", Server: "sales", Tool: "soqlQuery", Reason: fmt.Sprint("masked field ", i)}
		if i%3 == 2 {
			e = audit.Entry{Actor: actor.Proxy, Action: audit.PolicyChange, Object: "read-only", Outcome: audit.OK}
		}
		if _, err := log.Append(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	all, err := log.Keys()
	if err != nil {
		t.Fatal(err)
	}
	b.key = strings.Join(all, "\n")
	return b
}

// make packs what a filter selects; change may do something to the builder before it is finished.
func (b *bench) make(path string, filter audit.Filter, change func(*Builder)) error {
	b.t.Helper()
	ctx := b.t.Context()
	prover, err := b.log.Published().Prover(ctx)
	if err != nil {
		b.t.Fatal(err)
	}
	p, err := Create(path, Manifest{Created: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), By: "operator:o", About: "period",
		Log: Log{Origin: prover.Checkpoint.Origin, Oldest: 1, Size: prover.Checkpoint.Size}})
	if err != nil {
		return err
	}
	err = b.log.Published().Records(ctx, filter, func(line []byte, e audit.Entry) error {
		readable, _ := e.MarshalJSON()
		hashes, err := prover.Prove(e.Seq)
		return errors.Join(err, p.Add(Entry{line, readable, hashes}))
	})
	err = errors.Join(err, p.File("table.csv", func(w io.Writer) error { _, err := io.WriteString(w, "a,b\n"); return err }))
	if err != nil {
		return errors.Join(err, p.Abandon())
	}
	if change != nil {
		change(p)
	}
	return p.Finish(prover.Signed, b.bind)
}

// bind records a manifest, as whoever makes a pack does.
func (b *bench) bind(digest string) (line, proof []byte, err error) {
	seq, err := b.log.Append(b.t.Context(), audit.Entry{Actor: actor.Operator("o", ""), Action: cmp.Or(b.as.Action, audit.EvidenceMake), Object: digest, Outcome: cmp.Or(b.as.Outcome, audit.OK)})
	if err != nil {
		return nil, nil, err
	}
	if _, line, err = b.log.Entry(b.t.Context(), seq); err != nil {
		return nil, nil, err
	}
	proof, err = b.log.Published().Prove(b.t.Context(), seq)
	return line, proof, err
}

// A pack verifies by the public key alone, as a directory and as an archive, of all entries and of
// some, and says which.
func TestPackVerifies(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, tt := range []struct {
		name         string
		filter       audit.Filter
		count, first int64
		whole        bool
	}{
		{"all", audit.Filter{Before: 10}, 9, 1, true},
		{"some", audit.Filter{Action: string(audit.PolicyChange)}, 3, 3, false},
		{"none", audit.Filter{Action: string(audit.UserBlock)}, 0, 0, false},
	} {
		for _, ending := range []string{"", ".tar"} {
			path := filepath.Join(t.TempDir(), tt.name+ending)
			if err := b.make(path, tt.filter, nil); err != nil {
				t.Fatal(tt.name, err)
			}
			v, err := Verify(path, b.key)
			if e := v.Manifest.Entries; err != nil || v.Bound < 10 || e.Count != tt.count || e.First != tt.first || e.Whole != tt.whole {
				t.Errorf("%s%s: bound by %d, %+v, %v", tt.name, ending, v.Bound, e, err)
			}
			if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".*")); len(left) > 0 {
				t.Errorf("%s%s: left behind: %q", tt.name, ending, left)
			}
		}
	}
}

// A pack holds what people may read of people, and the records do not.
func TestPackSaysWhatRecordsHide(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	path := filepath.Join(t.TempDir(), "pack")
	if err := b.make(path, audit.Filter{Action: string(audit.ToolCall)}, nil); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{EntriesFile: false, ReadableFile: true} {
		text, err := os.ReadFile(filepath.Join(path, name))
		if err != nil || bytes.Contains(text, []byte("rep@acme.example")) != want || bytes.Contains(text, []byte("masked field")) != want {
			t.Errorf("%s: %v\n%s", name, err, text)
		}
	}
}

// S1: whoever changes a pack without the log's key is found out, whatever they change.
func TestS1PackShowsWhatWasChanged(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	other := newBench(t)
	whole := filepath.Join(t.TempDir(), "pack")
	if err := b.make(whole, audit.Filter{Action: string(audit.ToolCall)}, nil); err != nil {
		t.Fatal(err)
	}
	older := filepath.Join(t.TempDir(), "older")
	if err := b.make(older, audit.Filter{Action: string(audit.PolicyChange)}, nil); err != nil {
		t.Fatal(err)
	}
	foreign := filepath.Join(t.TempDir(), "foreign")
	if err := other.make(foreign, audit.Filter{Action: string(audit.ToolCall)}, nil); err != nil {
		t.Fatal(err)
	}
	edit := func(name string, do func(string) string) func(dir string) {
		return func(dir string) {
			text, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			changed := do(string(text))
			if changed == string(text) {
				t.Fatalf("%s: nothing to change", name)
			}
			if err := os.WriteFile(filepath.Join(dir, name), []byte(changed), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	replace := func(old, new string) func(string) string {
		return func(s string) string { return strings.Replace(s, old, new, 1) }
	}
	dropLine := func(s string) string { _, rest, _ := strings.Cut(s, "\n"); return rest }
	for name, tt := range map[string]struct {
		change func(dir string)
		want   string
	}{
		"a record":             {edit(EntriesFile, replace("denied", "ok")), "entries.jsonl was changed"},
		"a record left out":    {edit(EntriesFile, dropLine), "entries.jsonl was changed"},
		"what it says":         {edit(ReadableFile, replace("rep@acme", "boss@acme")), "readable.jsonl was changed"},
		"a proof":              {edit(ProofsFile, dropLine), "proofs.jsonl was changed"},
		"another file":         {edit("table.csv", replace("a", "z")), "table.csv was changed"},
		"the checkpoint":       {func(dir string) { copyFile(t, foreign, dir, CheckpointFile) }, "checkpoint was changed"},
		"the manifest":         {edit(ManifestFile, replace("period", "all of it")), "manifest.json is not what entry"},
		"the manifest's lines": {edit(ManifestFile, replace(`"count": 6`, `"count": 7`)), "manifest.json is not what entry"},
		"an unknown member":    {edit(ManifestFile, replace(`"format"`, `"x": 1, "format"`)), "unknown field"},
		"the manifest of another pack, with its proof": {func(dir string) {
			for _, name := range []string{ManifestFile, EntryFile, ProofFile} {
				copyFile(t, older, dir, name)
			}
		}, "entries.jsonl was changed"},
		"the entry of another pack": {func(dir string) {
			copyFile(t, older, dir, EntryFile)
			copyFile(t, older, dir, ProofFile)
		}, "is not what entry"},
		"the entry itself": {edit(EntryFile, replace("operator", "Operator")), "does not show"},
		"another log's proof": {func(dir string) {
			for _, name := range []string{ManifestFile, EntryFile, ProofFile} {
				copyFile(t, foreign, dir, name)
			}
		}, "manifest.tlog-proof"},
		"a file that is not in it": {func(dir string) { write(t, filepath.Join(dir, "more.csv"), "x") }, "more.csv is not in the manifest"},
		"a file that is gone":      {func(dir string) { remove(t, filepath.Join(dir, "table.csv")) }, "table.csv is missing"},
		"no manifest":              {func(dir string) { remove(t, filepath.Join(dir, ManifestFile)) }, "manifest.json is missing"},
		"no proof":                 {func(dir string) { remove(t, filepath.Join(dir, ProofFile)) }, "manifest.tlog-proof is missing"},
		"a link": {func(dir string) {
			remove(t, filepath.Join(dir, "table.csv"))
			if err := os.Symlink("/etc/hostname", filepath.Join(dir, "table.csv")); err != nil {
				t.Fatal(err)
			}
		}, "no regular file"},
	} {
		dir := t.TempDir()
		if err := os.CopyFS(dir, os.DirFS(whole)); err != nil {
			t.Fatal(err)
		}
		tt.change(dir)
		if _, err := Verify(dir, b.key); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
	if _, err := Verify(whole, other.key); err == nil {
		t.Error("it verifies by the key of another log")
	}
	if _, err := Verify(whole, "x"); err == nil || !strings.Contains(err.Error(), "audit key") {
		t.Errorf("without a key: %v", err)
	}
}

// Who makes a pack is bound by the log too: what its manifest counts, what a readable entry says
// besides people, and each proof are compared with the records.
func TestS1PackOfALiarShowsIt(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, tt := range []struct {
		name   string
		change func(*Builder)
		want   string
	}{
		{"counts", func(p *Builder) { p.Manifest.Entries.Count-- }, "the entries are not as many"},
		{"whole", func(p *Builder) { p.Manifest.Entries.Whole = true }, "the entries are not as many"},
		{"another log", func(p *Builder) { p.Manifest.Log.Origin = "other" }, "the checkpoint is of"},
		{"one more line", func(p *Builder) { io.WriteString(p.lines.readable, "{}\n") }, "ends before"},
		{"a forged record", func(p *Builder) { forge(p, "denied", "denied") }, "entry 100: "},
		{"another decision", func(p *Builder) { forge(p, "denied", "ok") }, "entry 100: "},
	} {
		path := filepath.Join(t.TempDir(), "pack")
		if err := b.make(path, audit.Filter{Action: string(audit.ToolCall)}, tt.change); err != nil {
			t.Fatal(tt.name, err)
		}
		if _, err := Verify(path, b.key); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
	if err := sameFacts(1, []byte(`{"seq":1,"outcome":"denied","subject":"user-1"}`), []byte(`{"seq":1,"outcome":"ok","subject":"005"}`)); err == nil || !strings.Contains(err.Error(), "another outcome") {
		t.Error(err)
	}
}

// S1: a client chooses the names of the tools that it calls, and so what entries are of. An entry
// that names a manifest binds it only if it says that a pack was made.
func TestS1PackIsBoundByNoOtherEntry(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, as := range []audit.Entry{{Action: audit.ToolCall, Outcome: audit.Denied}, {Action: audit.ToolCall}, {Outcome: audit.Intent}} {
		b.as = as
		path := filepath.Join(t.TempDir(), "pack")
		if err := b.make(path, audit.Filter{}, nil); err != nil {
			t.Fatal(err)
		}
		if _, err := Verify(path, b.key); err == nil || !strings.Contains(err.Error(), "manifest.json is not what entry") {
			t.Errorf("%s %s: %v", as.Action, as.Outcome, err)
		}
	}
}

// forge adds an entry that the log does not have.
func forge(p *Builder, outcome, says string) {
	line := func(outcome string) []byte {
		return fmt.Appendf(nil, `{"seq":100,"action":"%s","outcome":%q}`, audit.ToolCall, outcome)
	}
	if err := p.Add(Entry{Record: line(outcome), Readable: line(says)}); err != nil {
		panic(err)
	}
}

// An archive from anybody is read within bounds, and unpacked nowhere.
func TestPackArchiveOfAStranger(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	archive := func(headers ...tar.Header) string {
		path := filepath.Join(t.TempDir(), "p.tar")
		var out bytes.Buffer
		w := tar.NewWriter(&out)
		for _, h := range headers {
			if err := w.WriteHeader(&h); err != nil {
				t.Fatal(err)
			}
			w.Write(make([]byte, h.Size))
		}
		w.Flush()
		write(t, path, out.String())
		return path
	}
	plain := func(name string) tar.Header {
		return tar.Header{Typeflag: tar.TypeReg, Name: name, Size: 1, Mode: 0o600}
	}
	var many []tar.Header
	for i := range Bounds.Files + 10 {
		many = append(many, plain(fmt.Sprint("f", i)))
	}
	for name, tt := range map[string]struct{ path, want string }{
		"a folder above": {archive(plain("../manifest.json")), "no plain file"},
		"a folder":       {archive(plain("x/manifest.json")), "no plain file"},
		"a link":         {archive(tar.Header{Typeflag: tar.TypeSymlink, Name: "manifest.json", Linkname: "/etc/passwd"}), "no plain file"},
		"twice":          {archive(plain(ManifestFile), plain(ManifestFile)), "is there twice"},
		"many":           {archive(many...), "more than"},
		"no archive":     {func() string { p := filepath.Join(t.TempDir(), "x"); write(t, p, strings.Repeat("x", 2000)); return p }(), "not an archive"},
		"empty":          {archive(), "manifest.json is missing"},
		"no JSON":        {archive(plain(ManifestFile)), "manifest.json: "},
	} {
		if _, err := Verify(tt.path, b.key); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
	cut := filepath.Join(t.TempDir(), "pack.tar")
	if err := b.make(cut, audit.Filter{}, nil); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(cut, 3000); err != nil {
		t.Fatal(err)
	}
	if _, err := Verify(cut, b.key); err == nil {
		t.Error("an archive that was cut off verifies")
	}
}

// A pack is written beside what is there, never over it, and not by halves.
func TestPackIsWholeOrAbsent(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	dir := t.TempDir()
	full := filepath.Join(dir, "full")
	if err := os.Mkdir(full, 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(full, "x"), "")
	write(t, full+".tar", "")
	for _, path := range []string{full, full + ".tar"} {
		if err := b.make(path, audit.Filter{}, nil); err == nil || !strings.Contains(err.Error(), full) {
			t.Errorf("%s: %v", path, err)
		}
	}
	if err := b.make(filepath.Join(dir, "new"), audit.Filter{}, func(p *Builder) { p.Manifest.Log.Size = 1 }); err != nil {
		t.Error(err) // it is made, and does not verify
	}
	p, err := Create(filepath.Join(dir, "failed.tar"), Manifest{})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Finish(nil, func(string) ([]byte, []byte, error) { return nil, nil, errors.New("the log is full") }); err == nil {
		t.Error("a pack that nothing binds is finished")
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 3 {
		t.Errorf("%v, %v", left, err)
	}
}

// What cannot be had is written down in the manifest, and the rest is packed.
func TestPackSaysWhatItLacks(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	path := filepath.Join(t.TempDir(), "p.tar")
	if err := b.make(path, audit.Filter{}, func(p *Builder) {
		p.File("connections.json", func(io.Writer) error { return errors.New("the database is gone") })
	}); err != nil {
		t.Fatal(err)
	}
	v, err := Verify(path, b.key)
	if err != nil || len(v.Manifest.Missing) != 1 || v.Manifest.Missing[0] != "connections.json: the database is gone" {
		t.Errorf("%+v, %v", v.Manifest, err)
	}
	if text, err := json.Marshal(v.Manifest); err != nil || !bytes.Contains(text, []byte(`"format":"sfmcp-proxy evidence 1"`)) {
		t.Errorf("%s, %v", text, err)
	}
}

func copyFile(t *testing.T, from, to, name string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(from, name))
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(to, name), string(text))
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}
