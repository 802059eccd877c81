package witness

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"sfmcp-proxy/authproxy/audit/tree"
)

const (
	origin = "proxy.example.com/audit/1"
	name   = "witness.example/w1"
)

// log is a log of which every hash is kept.
type log struct {
	hashes []tlog.Hash
	signer note.Signer
}

func (l *log) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	var out []tlog.Hash
	for _, i := range indexes {
		out = append(out, l.hashes[i])
	}
	return out, nil
}

// newLog returns a log of size records; those of two names differ from fork on.
func newLog(t *testing.T, name string, size, fork int64) *log {
	t.Helper()
	signer, err := tree.NewSigner(origin, [32]byte{1})
	if err != nil {
		t.Fatal(err)
	}
	l := &log{signer: signer}
	for n := range size {
		text := fmt.Sprint("record ", n)
		if n >= fork {
			text += name
		}
		hashes, err := tlog.StoredHashes(n, []byte(text), l)
		if err != nil {
			t.Fatal(err)
		}
		l.hashes = append(l.hashes, hashes...)
	}
	return l
}

func (l *log) checkpoint(t *testing.T, size int64) (tree.Checkpoint, []byte) {
	t.Helper()
	root, err := tlog.TreeHash(size, l)
	if err != nil {
		t.Fatal(err)
	}
	c := tree.Checkpoint{Origin: origin, Size: size, Root: root}
	signed, err := c.Sign(l.signer)
	if err != nil {
		t.Fatal(err)
	}
	return c, signed
}

// prove proves growth to size.
func (l *log) prove(size int64) func(int64) ([]tlog.Hash, error) {
	return func(older int64) ([]tlog.Hash, error) { return tree.ProveConsistency(older, size, l) }
}

// server is a witness that does what the specification says a witness must.
type server struct {
	t     *testing.T
	key   ed25519.PrivateKey
	log   note.Verifier
	mu    sync.Mutex
	last  tree.Checkpoint
	asked int
}

func newServer(t *testing.T) (*server, Witness) {
	t.Helper()
	text, err := tree.VerifierKey(origin, [32]byte{1})
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := note.NewVerifier(text)
	if err != nil {
		t.Fatal(err)
	}
	s := &server{t: t, key: ed25519.NewKeyFromSeed(make([]byte, 32)), log: verifier, last: tree.Checkpoint{Origin: origin}}
	return s, serve(t, s)
}

// serve returns the witness at an address that handler answers, with the key of [server].
func serve(t *testing.T, handler http.Handler) Witness {
	t.Helper()
	listening := httptest.NewServer(handler)
	t.Cleanup(listening.Close)
	public := ed25519.NewKeyFromSeed(make([]byte, 32)).Public().(ed25519.PublicKey)
	key, err := tree.WitnessKey(fmt.Sprintf("%s+%08x+%s", name, keyID(public), base64.StdEncoding.EncodeToString(append([]byte{4}, public...))))
	if err != nil {
		t.Fatal(err)
	}
	return Witness{URL: listening.URL + "/witness/", Key: key, Client: listening.Client()}
}

func keyID(public ed25519.PublicKey) uint32 {
	sum := sha256.Sum256(append([]byte(name+"\n\x04"), public...))
	return binary.BigEndian.Uint32(sum[:])
}

// line is the signature line of the witness over a signed checkpoint.
func (s *server) line(signed []byte, at uint64) string {
	text := signed[:bytes.LastIndex(signed, []byte("\n\n"))+1]
	signature := ed25519.Sign(s.key, fmt.Appendf(nil, "cosignature/v1\ntime %d\n%s", at, text))
	content := binary.BigEndian.AppendUint32(nil, keyID(s.key.Public().(ed25519.PublicKey)))
	content = append(binary.BigEndian.AppendUint64(content, at), signature...)
	return "— " + name + " " + base64.StdEncoding.EncodeToString(content) + "\n"
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	body, err := io.ReadAll(r.Body)
	if err != nil {
		s.t.Error(err)
	}
	if r.Method != http.MethodPost || r.URL.Path != "/witness/add-checkpoint" {
		s.t.Errorf("asked by %s %s", r.Method, r.URL.Path)
	}
	head, signed, _ := bytes.Cut(body, []byte("\n\n"))
	lines := strings.Split(string(head), "\n")
	older, err := strconv.ParseInt(strings.TrimPrefix(lines[0], "old "), 10, 64)
	if err != nil {
		s.t.Errorf("the first line is %q", lines[0])
	}
	var proof []tlog.Hash
	for _, line := range lines[1:] {
		hash, err := tlog.ParseHash(line)
		if err != nil {
			s.t.Errorf("a line of the proof is %q", line)
		}
		proof = append(proof, hash)
	}
	c, err := tree.ParseCheckpoint(signed, s.log)
	switch {
	case err != nil:
		w.WriteHeader(http.StatusForbidden)
	case older > c.Size:
		w.WriteHeader(http.StatusBadRequest)
	case older != s.last.Size:
		w.Header().Set("Content-Type", "text/x.tlog.size")
		w.WriteHeader(http.StatusConflict)
		fmt.Fprintf(w, "%d\n", s.last.Size)
	case older > 0 && tree.CheckConsistency(s.last, c, proof) != nil:
		w.WriteHeader(http.StatusUnprocessableEntity)
	default:
		s.last = c
		fmt.Fprint(w, s.line(signed, 1700000000))
	}
}

func TestWitnessCosignsALogThatGrows(t *testing.T) {
	s, w := newServer(t)
	l := newLog(t, "", 50, 50)
	known := int64(0)
	for _, size := range []int64{1, 2, 2, 17, 32, 50} {
		c, signed := l.checkpoint(t, size)
		lines, err := w.Cosign(t.Context(), c, signed, known, l.prove(size))
		if err != nil {
			t.Fatalf("at %d: %v", size, err)
		}
		cosigned, err := tree.Cosignatures(append(signed, lines...), w.Key)
		if err != nil || len(cosigned) != 1 || cosigned[0].At.Unix() != 1700000000 {
			t.Fatalf("at %d: %v, %v", size, cosigned, err)
		}
		if s.last != c {
			t.Fatalf("the witness keeps %v", s.last)
		}
		known = size
	}
	if s.asked != 6 {
		t.Errorf("asked %d times for 6 checkpoints", s.asked)
	}
	// Nothing is known after a restart: it says where it stands.
	s.asked = 0
	c, signed := l.checkpoint(t, 50)
	for _, known := range []int64{0, 7, 1000, -1} {
		if _, err := w.Cosign(t.Context(), c, signed, known, l.prove(50)); err != nil {
			t.Errorf("from %d: %v", known, err)
		}
	}
}

// An older log that was put back, or a second one of the same name, finds no witness.
func TestS1WitnessRefusesARollbackAndAFork(t *testing.T) {
	_, w := newServer(t)
	l, forked := newLog(t, "", 60, 60), newLog(t, "forked", 60, 20)
	c, signed := l.checkpoint(t, 40)
	if _, err := w.Cosign(t.Context(), c, signed, 0, l.prove(40)); err != nil {
		t.Fatal(err)
	}

	c, signed = l.checkpoint(t, 30)
	_, err := w.Cosign(t.Context(), c, signed, 30, l.prove(30))
	var ahead *AheadError
	if !errors.As(err, &ahead) || ahead.Here != 30 || ahead.Seen != 40 || !strings.Contains(err.Error(), "entries are missing") {
		t.Errorf("rolled back: %v", err)
	}

	c, signed = forked.checkpoint(t, 60)
	if _, err := w.Cosign(t.Context(), c, signed, 40, forked.prove(60)); !errors.Is(err, ErrRefused) {
		t.Errorf("forked: %v", err)
	}
	c, signed = l.checkpoint(t, 60)
	if _, err := w.Cosign(t.Context(), c, signed, 40, l.prove(60)); err != nil {
		t.Errorf("the log itself: %v", err)
	}
}

func TestWitnessThatAnswersWrongly(t *testing.T) {
	l := newLog(t, "", 20, 20)
	c, signed := l.checkpoint(t, 20)
	_, other := l.checkpoint(t, 19)
	s, _ := newServer(t)
	good := s.line(signed, 5)
	foreign := "— other.example/w AAAAAAAAAAAAAAAA\n"
	size := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/x.tlog.size")
			w.WriteHeader(http.StatusConflict)
			io.WriteString(w, text)
		}
	}
	answer := func(status int, text string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(status)
			io.WriteString(w, text)
		}
	}
	for name, tc := range map[string]struct {
		handler http.HandlerFunc
		want    string
	}{
		"nothing":                  {answer(200, ""), "no signature of its key"},
		"another key alone":        {answer(200, foreign), "no signature of its key"},
		"of another checkpoint":    {answer(200, s.line(other, 5)), "invalid signature"},
		"no time":                  {answer(200, s.line(signed, 0)), "invalid signature"},
		"a second, wrong one":      {answer(200, good+s.line(other, 5)), "invalid signature"},
		"text before it":           {answer(200, "hello\n"+good), "not a list of signatures"},
		"a checkpoint of its own":  {answer(200, string(other)+good), "not a list of signatures"},
		"an empty line":            {answer(200, "\n"+good), "not a list of signatures"},
		"cut":                      {answer(200, good[:len(good)-1]), "not a list of signatures"},
		"endless":                  {answer(200, strings.Repeat(foreign, 2000)), "more than"},
		"a redirect":               {answer(302, ""), "302"},
		"an error":                 {answer(500, "out of\norder"), `500, "out of"`},
		"an unknown log":           {answer(404, "x"), "does not know this log"},
		"an unknown key":           {answer(403, "x"), "does not know the key"},
		"refused":                  {answer(422, "x"), "does not follow"},
		"409 without a type":       {answer(409, "5\n"), "without saying which size"},
		"409 without a number":     {size("five\n"), "size that is none"},
		"409 without a newline":    {size("5"), "size that is none"},
		"409 with a negative":      {size("-5\n"), "size that is none"},
		"409 with a leading zero":  {size("05\n"), "size that is none"},
		"409 with a huge one":      {size("9223372036854775807\n"), "size that is none"},
		"409 with two lines":       {size("5\n6\n"), "size that is none"},
		"409 with what was asked":  {size("0\n"), "has cosigned the log with 0"},
		"409 with a longer one":    {size("21\n"), "entries are missing"},
		"409 with another in turn": {changing(), "has cosigned the log with"},
	} {
		w := serve(t, tc.handler)
		lines, err := w.Cosign(t.Context(), c, signed, 0, l.prove(20))
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %q, %v, want %q", name, lines, err, tc.want)
		}
	}
	w := serve(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("asked with a proof that is too long") }))
	if _, err := w.AddCheckpoint(t.Context(), 1, make([]tlog.Hash, maxProof+1), signed); err == nil {
		t.Error("a proof that is too long is sent")
	}
	// What is not its own is left out of what is.
	w = serve(t, answer(200, foreign+good+foreign))
	if lines, err := w.Cosign(t.Context(), c, signed, 0, l.prove(20)); err != nil || string(lines) != good {
		t.Errorf("%q, %v", lines, err)
	}
	// A cosignature that the checkpoint has already does not vouch for the answer.
	w = serve(t, answer(200, s.line(other, 5)))
	if lines, err := w.Cosign(t.Context(), c, append(signed, good...), 0, l.prove(20)); err == nil {
		t.Errorf("%q", lines)
	}
}

// changing answers each time with another size.
func changing() http.HandlerFunc {
	n := 0
	return func(w http.ResponseWriter, r *http.Request) {
		n++
		w.Header().Set("Content-Type", "text/x.tlog.size")
		w.WriteHeader(http.StatusConflict)
		fmt.Fprintf(w, "%d\n", n)
	}
}

func TestWitnessThatDoesNotAnswer(t *testing.T) {
	hangs := make(chan struct{})
	w := serve(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-hangs }))
	defer close(hangs)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	l := newLog(t, "", 3, 3)
	c, signed := l.checkpoint(t, 3)
	if _, err := w.Cosign(ctx, c, signed, 0, l.prove(3)); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	w.URL = "http://[::1"
	if _, err := w.Cosign(t.Context(), c, signed, 0, l.prove(3)); err == nil {
		t.Error("an address that is none")
	}
}
