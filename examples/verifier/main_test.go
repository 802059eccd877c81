package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"sfmcp-proxy/authproxy/audit/logfile"
	"sfmcp-proxy/authproxy/audit/tree"
)

const origin = "proxy.example.com/audit/1"

func TestMain(m *testing.M) {
	if os.Getenv("VERIFIER") != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// verifier runs the program, and returns what it said and whether it was content.
func verifier(t *testing.T, args ...string) (string, bool) {
	t.Helper()
	command := exec.CommandContext(t.Context(), os.Args[0], args...)
	command.Env = append(os.Environ(), "VERIFIER=yes")
	out, err := command.CombinedOutput()
	if content := strings.HasPrefix(string(out), "verified:"); content != (err == nil) {
		t.Errorf("%v: %v, and said %s", args, err, out)
	} else if !content && !strings.HasPrefix(string(out), "NOT VERIFIED:") && !strings.HasPrefix(string(out), "invalid value") {
		t.Errorf("%v: it said %s", args, out)
	}
	return string(out), err == nil
}

// edgeOf keeps the edge of the tree in the first line of segments, behind a checkpoint.
type edgeOf struct {
	tree.Frontier
	signer note.Signer
}

func (e *edgeOf) Record(r logfile.Record)    { e.Append(r.Text) }
func (e *edgeOf) Begin(h logfile.Head) error { return nil }
func (e *edgeOf) State() string {
	text, err := e.MarshalText()
	if err != nil {
		panic(err)
	}
	return "CHECKPOINT " + string(text)
}

// sample is a log on disk, in three segments or more, and its public key.
type sample struct {
	dir, key string
	records  [][]byte
	signer   note.Signer
	hashes   tlog.HashReader
}

func newSample(t *testing.T, size int64) *sample {
	t.Helper()
	signer, err := tree.NewSigner(origin, [32]byte{7})
	if err != nil {
		t.Fatal(err)
	}
	key, err := tree.VerifierKey(origin, [32]byte{7})
	if err != nil {
		t.Fatal(err)
	}
	s := &sample{dir: t.TempDir(), key: key, signer: signer}
	log, err := logfile.Open(logfile.Config{Dir: s.dir, Origin: origin, Follower: &edgeOf{signer: signer}, SegmentSize: 4000})
	if err != nil {
		t.Fatal(err)
	}
	var stored []tlog.Hash
	s.hashes = tlog.HashReaderFunc(func(indexes []int64) (hashes []tlog.Hash, err error) {
		for _, i := range indexes {
			hashes = append(hashes, stored[i])
		}
		return hashes, nil
	})
	for n := range size {
		record := fmt.Appendf(nil, `{"seq":%d,"action":"tool.call","tool":"query # of %d"}`, n+1, n)
		if err := log.Append(func(g *logfile.Group) { g.Add(record) }); err != nil {
			t.Fatal(err)
		}
		hashes, err := tlog.StoredHashes(n, record, s.hashes)
		if err != nil {
			t.Fatal(err)
		}
		stored, s.records = append(stored, hashes...), append(s.records, record)
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	return s
}

// checkpoint is the log's signed checkpoint at a size, and more signatures.
func (s *sample) checkpoint(t *testing.T, size int64, more ...note.Signer) []byte {
	t.Helper()
	root, err := tlog.TreeHash(size, s.hashes)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := tree.Checkpoint{Origin: origin, Size: size, Root: root}.Sign(append([]note.Signer{s.signer}, more...)...)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

func (s *sample) proof(t *testing.T, index, size int64, extra string) []byte {
	t.Helper()
	hashes, err := tree.ProveInclusion(index, size, s.hashes)
	if err != nil {
		t.Fatal(err)
	}
	text, err := tree.Proof{Extra: []byte(extra), Index: index, Hashes: hashes, Checkpoint: s.checkpoint(t, size)}.MarshalText()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func file(t *testing.T, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestProofOfAnEntry(t *testing.T) {
	s := newSample(t, 100)
	entry := file(t, append(s.records[41], '\n'))
	for _, extra := range []string{"", "more"} {
		out, ok := verifier(t, "-key", s.key, "proof", file(t, s.proof(t, 41, 100, extra)), entry)
		if !ok || out != "verified: this is entry 42 of the log proxy.example.com/audit/1, signed with 100 entries\n" {
			t.Error(out)
		}
	}
	good := string(s.proof(t, 41, 100, ""))
	other, err := tree.VerifierKey(origin, [32]byte{8})
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(good, "\n")
	swapped := slices.Clone(lines)
	swapped[2], swapped[3] = swapped[3], swapped[2]
	for name, bad := range map[string][3]string{
		"another entry":     {s.key, good, string(s.records[40])},
		"an edited entry":   {s.key, good, strings.Replace(string(s.records[41]), "query", "guery", 1)},
		"another key":       {other, good, ""},
		"another index":     {s.key, strings.Replace(good, "index 41", "index 40", 1), ""},
		"a huge index":      {s.key, strings.Replace(good, "index 41", "index 9223372036854775807", 1), ""},
		"another size":      {s.key, strings.Replace(good, "\n100\n", "\n101\n", 1), ""},
		"a huge size":       {s.key, strings.Replace(good, "\n100\n", "\n9223372036854775807\n", 1), ""},
		"a hash less":       {s.key, strings.Join(slices.Delete(slices.Clone(lines), 2, 3), ""), ""},
		"hashes swapped":    {s.key, strings.Join(swapped, ""), ""},
		"hash respelled":    {s.key, strings.Replace(good, "=\n", "\r=\n", 1), ""},
		"no checkpoint":     {s.key, good[:strings.Index(good, "\n\n")+2], ""},
		"trailing garbage":  {s.key, good + "x", ""},
		"nothing":           {s.key, "", ""},
		"only a header":     {s.key, lines[0], ""},
		"extra and nothing": {s.key, lines[0] + "extra AAAA\n", ""},
	} {
		record := bad[2]
		if record == "" {
			record = string(s.records[41])
		}
		if out, ok := verifier(t, "-key", bad[0], "proof", file(t, []byte(bad[1])), file(t, []byte(record))); ok {
			t.Errorf("%s: %s", name, out)
		}
	}
	if out, ok := verifier(t, "-key", s.key, "proof", file(t, []byte(good)), "gone"); ok || !strings.Contains(out, "gone") {
		t.Error(out)
	}
	if out, ok := verifier(t, "-key", s.key); ok || !strings.Contains(out, "usage") {
		t.Error(out)
	}
}

// Who has a key can sign what they like with it: it is still of the log whose name it has, and
// within what can be calculated with.
func TestCheckpointsThatAKeyShouldNotSign(t *testing.T) {
	s := newSample(t, 100)
	entry := file(t, s.records[41])
	good := string(s.proof(t, 41, 100, ""))
	head, signed, _ := strings.Cut(good, "\n\n")
	text := signed[:strings.Index(signed, "\n\n")+1]
	other, err := tree.NewSigner("other.example.com", [32]byte{9})
	if err != nil {
		t.Fatal(err)
	}
	otherKey, err := tree.VerifierKey("other.example.com", [32]byte{9})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		signer note.Signer
		text   string
	}{
		"the key of another log": {other, text},
		"a size without end":     {s.signer, strings.Replace(text, "\n100\n", "\n9223372036854775807\n", 1)},
		"an origin alone":        {s.signer, origin + "\n"},
	} {
		bad, err := note.Sign(&note.Note{Text: c.text}, c.signer)
		if err != nil {
			t.Fatal(err)
		}
		if out, ok := verifier(t, "-key", s.key, "-key", otherKey, "proof", file(t, []byte(head+"\n\n"+string(bad))), entry); ok {
			t.Errorf("%s: %s", name, out)
		}
	}
}

func TestLogAgainstItsCheckpoint(t *testing.T) {
	s := newSample(t, 300)
	for _, size := range []int64{0, 1, 63, 64, 299, 300} {
		out, ok := verifier(t, "-key", s.key, "log", s.dir, file(t, s.checkpoint(t, size)))
		if want := fmt.Sprintf("verified: entries 1 to %d are those that the log %s signed; %d came after\n", size, origin, 300-size); !ok || out != want {
			t.Errorf("%s, want %s", out, want)
		}
	}
}

// segments are the files of a log; each test changes them in a copy.
func (s *sample) changed(t *testing.T, change func(paths []string)) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(s.dir)); err != nil {
		t.Fatal(err)
	}
	paths, err := filepath.Glob(filepath.Join(dir, "*.log"))
	if err != nil || len(paths) < 4 {
		t.Fatalf("%v, %v", paths, err)
	}
	change(paths)
	return dir
}

func edit(t *testing.T, path string, change func(lines []string) []string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(strings.Join(change(strings.SplitAfter(string(text), "\n")), "")), 0o600); err != nil {
		t.Fatal(err)
	}
}

// AU-02, S1: whatever is done to the files, the checkpoint that left the machine tells.
func TestAU02ChangedLog(t *testing.T) {
	s := newSample(t, 300)
	signed := file(t, s.checkpoint(t, 300))
	for name, change := range map[string]func(paths []string){
		"edited": func(p []string) {
			edit(t, p[1], func(l []string) []string { l[2] = strings.Replace(l[2], "tool", "tοοl", 1); return l })
		},
		"deleted":        func(p []string) { edit(t, p[1], func(l []string) []string { return slices.Delete(l, 1, 3) }) },
		"put in":         func(p []string) { edit(t, p[1], func(l []string) []string { return slices.Insert(l, 2, l[2]) }) },
		"hidden":         func(p []string) { edit(t, p[1], func(l []string) []string { l[2] = "#" + l[2]; return l }) },
		"swapped":        func(p []string) { edit(t, p[1], func(l []string) []string { l[2], l[4] = l[4], l[2]; return l }) },
		"cut":            func(p []string) { edit(t, p[len(p)-1], func(l []string) []string { return l[:len(l)-2] }) },
		"half a line":    func(p []string) { edit(t, p[len(p)-1], func(l []string) []string { l[len(l)-2] = "{"; return l }) },
		"a segment less": func(p []string) { os.Remove(p[1]) },
		"last segment":   func(p []string) { os.Remove(p[len(p)-1]) },
		"emptied": func(p []string) {
			for _, path := range p {
				os.Remove(path)
			}
		},
		"a segment emptied": func(p []string) { edit(t, p[1], func([]string) []string { return nil }) },
		"removed by retention, with another edge": func(p []string) {
			os.Remove(p[0])
			edit(t, p[1], func(l []string) []string {
				i := strings.LastIndex(l[0], " ")
				l[0] = l[0][:i] + " " + tlog.Hash{}.String() + "\n"
				return l
			})
		},
		"removed by retention, with another number": func(p []string) {
			os.Remove(p[0])
			edit(t, p[1], func(l []string) []string {
				parts := strings.Split(l[0], " ")
				parts[5] = "9223372036854775807"
				l[0] = strings.Join(parts, " ")
				return l
			})
		},
	} {
		if out, ok := verifier(t, "-key", s.key, "log", s.changed(t, change), signed); ok {
			t.Errorf("%s: %s", name, out)
		}
	}
	// The oldest segments may be removed: what is left is checked, and it is said.
	dir := s.changed(t, func(p []string) { os.Remove(p[0]); os.Remove(p[1]) })
	if out, ok := verifier(t, "-key", s.key, "log", dir, signed); !ok || strings.Contains(out, "entries 1 to") || !strings.Contains(out, "to 300 are those") {
		t.Error(out)
	}
}

// cosigner is a witness; with a time of its own.
type cosigner struct{ key ed25519.PrivateKey }

func (c cosigner) text() string {
	public := append([]byte{4}, c.key.Public().(ed25519.PublicKey)...)
	return fmt.Sprintf("%s+%08x+%s", c.Name(), c.KeyHash(), base64.StdEncoding.EncodeToString(public))
}

func (c cosigner) Name() string { return "witness.example/w1" }

func (c cosigner) KeyHash() uint32 {
	sum := sha256.Sum256(append([]byte(c.Name()+"\n\x04"), c.key.Public().(ed25519.PublicKey)...))
	return binary.BigEndian.Uint32(sum[:])
}

func (c cosigner) Sign(message []byte) ([]byte, error) {
	const at = 1700000000
	signature := ed25519.Sign(c.key, fmt.Appendf(nil, "cosignature/v1\ntime %d\n%s", at, message))
	return append(binary.BigEndian.AppendUint64(nil, at), signature...), nil
}

// Where a witness must have cosigned, what it has not seen does not count.
func TestWitnessMustHaveCosigned(t *testing.T) {
	s := newSample(t, 100)
	one, other := cosigner{ed25519.NewKeyFromSeed(make([]byte, 32))}, cosigner{ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, 32))}
	cosigned := file(t, s.checkpoint(t, 100, one))
	// What is said to be the witness's, and is of an older checkpoint.
	older := string(s.checkpoint(t, 99, one))
	forged := file(t, append(s.checkpoint(t, 100), older[strings.LastIndex(older, "— "):]...))
	id := binary.BigEndian.AppendUint32(nil, one.KeyHash())
	short := "— " + one.Name() + " " + base64.StdEncoding.EncodeToString(append(id, 1)) + "\n"
	for name, c := range map[string]struct {
		key, checkpoint string
		want            bool
	}{
		"a signature of a byte": {one.text(), file(t, append(s.checkpoint(t, 100), short...)), false},
		"cosigned":              {one.text(), cosigned, true},
		"by another":            {other.text(), cosigned, false},
		"not at all":            {one.text(), file(t, s.checkpoint(t, 100)), false},
		"another checkpoint":    {one.text(), forged, false},
		"a key of another use":  {s.key, cosigned, false},
	} {
		if out, ok := verifier(t, "-key", s.key, "-witness", c.key, "log", s.dir, c.checkpoint); ok != c.want {
			t.Errorf("%s: %s", name, out)
		}
	}
}

// The program is short, and needs nothing that its reader would have to trust besides.
func TestVerifierStandsAlone(t *testing.T) {
	text, err := os.ReadFile("main.go")
	if err != nil {
		t.Fatal(err)
	}
	if lines := strings.Count(string(text), "\n"); lines > 200 {
		t.Errorf("%d lines", lines)
	}
	parsed, err := parser.ParseFile(token.NewFileSet(), "main.go", text, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	for _, spec := range parsed.Imports {
		if path := strings.Trim(spec.Path.Value, `"`); strings.Contains(strings.Split(path, "/")[0], ".") && !strings.HasPrefix(path, "golang.org/x/mod/") || strings.HasPrefix(path, "sfmcp-proxy") {
			t.Errorf("it imports %s", path)
		}
	}
}
