package oracle

import (
	"bufio"
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
	"golang.org/x/mod/sumdb/tlog"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"sfmcp-proxy/authproxy/audit/tree"
	"sfmcp-proxy/authproxy/audit/witness"
)

const witnessName = "witness.example/w1"

// programs is where TestMain has built litewitness, of the version in go.mod, and the verifier.
var programs string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		var err error
		if programs, err = os.MkdirTemp("", "oracle"); err != nil {
			log.Fatal(err)
		}
		defer os.RemoveAll(programs)
		command := exec.Command("go", "build", "-o", programs+string(filepath.Separator), "filippo.io/torchwood/cmd/litewitness", "sfmcp-proxy/examples/verifier")
		if out, err := command.CombinedOutput(); err != nil {
			log.Printf("building what the log is read by: %v\n%s", err, out)
			return 1
		}
		return m.Run()
	}())
}

// startWitness runs litewitness as a process that knows our log.
func startWitness(t *testing.T, l *auditLog) (w witness.Witness, key string) {
	t.Helper()
	database := filepath.Join(t.TempDir(), "db")
	addLog(t, database, l.key)
	socket, fingerprint := startAgent(t)
	address := freeAddress(t)
	command := exec.Command(filepath.Join(programs, "litewitness"), "-db", database, "-name", witnessName, "-ssh-agent", socket, "-key", fingerprint, "-listen", address)
	output, err := command.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	keys := make(chan string, 1)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for lines := bufio.NewScanner(output); lines.Scan(); {
			if _, key, ok := strings.Cut(lines.Text(), "vkey="); ok {
				keys <- strings.Trim(key, `"`)
			}
		}
	}()
	t.Cleanup(func() {
		command.Process.Kill()
		<-done
		command.Wait()
	})
	select {
	case key = <-keys:
	case <-done:
		t.Fatal("litewitness ended")
	}
	verifier, err := tree.WitnessKey(key)
	if err != nil {
		t.Fatalf("%s: %v", key, err)
	}
	w = witness.Witness{URL: "http://" + address, Key: verifier, Client: &http.Client{}}
	waitFor(t, address)
	return w, key
}

// addLog makes a log known to litewitness, as its command witnessctl does: that one needs a
// module that is not everywhere to be had.
func addLog(t *testing.T, database, key string) {
	t.Helper()
	db, err := sqlite.OpenConn(database)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	err = sqlitex.ExecuteScript(db, `
		CREATE TABLE log (origin TEXT PRIMARY KEY, tree_size INTEGER NOT NULL, tree_hash TEXT NOT NULL);
		CREATE TABLE key (origin TEXT NOT NULL, key TEXT NOT NULL, FOREIGN KEY(origin) REFERENCES log(origin));`, nil)
	if err == nil {
		empty := sha256.Sum256(nil)
		err = sqlitex.Execute(db, `INSERT INTO log VALUES (?, 0, ?)`, &sqlitex.ExecOptions{Args: []any{origin, tlog.Hash(empty).String()}})
	}
	if err == nil {
		err = sqlitex.Execute(db, `INSERT INTO key VALUES (?, ?)`, &sqlitex.ExecOptions{Args: []any{origin, key}})
	}
	if err != nil {
		t.Fatal(err)
	}
}

// startAgent serves a fresh key as an SSH agent does, where litewitness looks for one.
func startAgent(t *testing.T) (socket, fingerprint string) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	ring := agent.NewKeyring()
	if err := ring.Add(agent.AddedKey{PrivateKey: &private}); err != nil {
		t.Fatal(err)
	}
	sshKey, err := ssh.NewPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	// The path of a socket is short, that of a test's folder may not be.
	dir, err := os.MkdirTemp("", "agent")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket = filepath.Join(dir, "s")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go agent.ServeAgent(ring, conn)
		}
	}()
	return socket, ssh.FingerprintSHA256(sshKey)
}

func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

func waitFor(t *testing.T, address string) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(20 * time.Millisecond) {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			conn.Close()
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

// A real witness follows the log as it grows, says where it stands when it is asked from
// elsewhere, and refuses a log that was put back or forked.
func TestS1LitewitnessFollowsTheLog(t *testing.T) {
	l := newLog(t)
	w, _ := startWitness(t, l)
	prove := func(c tree.Checkpoint) func(int64) ([]tlog.Hash, error) {
		return func(older int64) ([]tlog.Hash, error) {
			return tree.ProveConsistency(older, c.Size, tree.TileHashes(l.tiles, c))
		}
	}
	var first tree.Checkpoint
	var firstSigned []byte
	known := int64(0)
	for _, size := range []int64{3, 300, 300, 1000} {
		c := l.grow(t, size)
		lines, err := w.Cosign(t.Context(), c, l.signed, known, prove(c))
		if err != nil {
			t.Fatalf("%d records: %v", size, err)
		}
		cosigned, err := tree.Cosignatures(append(bytes.Clone(l.signed), lines...), w.Key)
		if err != nil || len(cosigned) != 1 || cosigned[0].Witness != witnessName || time.Since(cosigned[0].At).Abs() > time.Minute {
			t.Fatalf("%d records: %v, %v", size, cosigned, err)
		}
		if known = size; size == 300 {
			first, firstSigned = c, l.signed
		}
	}

	// Asked from where it does not stand, it says where it does: 409.
	c := l.grow(t, 1001)
	_, err := w.AddCheckpoint(t.Context(), 300, must(prove(c)(300))(t), l.signed)
	var conflict *witness.ConflictError
	if !errors.As(err, &conflict) || conflict.Size != 1000 {
		t.Errorf("asked from 300: %v", err)
	}
	for _, known := range []int64{0, 300} {
		if _, err := w.Cosign(t.Context(), c, l.signed, known, prove(c)); err != nil {
			t.Errorf("from %d: %v", known, err)
		}
	}

	// The log as it was before.
	_, err = w.Cosign(t.Context(), first, firstSigned, 300, prove(first))
	var ahead *witness.AheadError
	if !errors.As(err, &ahead) || ahead.Here != 300 || ahead.Seen != 1001 {
		t.Errorf("put back: %v", err)
	}

	// Another log of the same name and key.
	forked := newLog(t)
	fork := tree.Checkpoint{Origin: origin, Size: 1200, Root: tlog.RecordHash([]byte("fork"))}
	forked.signed = must(fork.Sign(l.signer))(t)
	proof := func(int64) ([]tlog.Hash, error) { return make([]tlog.Hash, 8), nil }
	if _, err := w.Cosign(t.Context(), fork, forked.signed, 1001, proof); !errors.Is(err, witness.ErrRefused) {
		t.Errorf("forked: %v", err)
	}
}

func must[T any](value T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

// The witness, Tessera's fsck and the verifier that stands alone agree on one log, whatever of
// it is changed.
func TestAllThreeAgree(t *testing.T) {
	l := newLog(t)
	w, key := startWitness(t, l)
	l.grow(t, 300)
	c := l.grow(t, 1234)
	lines, err := w.Cosign(t.Context(), c, l.signed, 0, func(older int64) ([]tlog.Hash, error) {
		return tree.ProveConsistency(older, c.Size, tree.TileHashes(l.tiles, c))
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.fsck(t); err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) (string, error) {
		out, err := exec.Command(filepath.Join(programs, "verifier"), append([]string{"-key", l.key, "-witness", key}, args...)...).CombinedOutput()
		return string(out), err
	}
	proof, entry := write(t, l.proof(t, c, 777, lines)), write(t, l.record(t, 777))
	if out, err := run("proof", proof, entry); err != nil || !strings.Contains(out, "this is entry 778 of the log") {
		t.Errorf("%v %s", err, out)
	}
	cosigned := write(t, append(bytes.Clone(l.signed), lines...))
	if out, err := run("log", l.dir, cosigned); err != nil || !strings.Contains(out, fmt.Sprintf("entries 1 to %d", c.Size)) {
		t.Errorf("%v %s", err, out)
	}

	if out, err := run("proof", write(t, l.proof(t, c, 777, nil)), entry); err == nil {
		t.Errorf("without the witness: %s", out)
	}
	if out, err := run("log", l.dir, write(t, l.signed)); err == nil {
		t.Errorf("without the witness: %s", out)
	}
	segments, err := filepath.Glob(filepath.Join(l.dir, "*.log"))
	if err != nil || len(segments) == 0 {
		t.Fatal(err, segments)
	}
	text, err := os.ReadFile(segments[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(segments[0], bytes.Replace(text, []byte("soqlQuery"), []byte("soqlquery"), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := run("log", l.dir, cosigned); err == nil {
		t.Errorf("an edited log: %s", out)
	}
}
