// Command verifier checks the audit log of sfmcp-proxy, for somebody who has its public key and
// need not trust sfmcp-proxy, its operator, or anything of this repository but this one file.
//
//	verifier -key KEY proof FILE.tlog-proof ENTRY   # is this entry in the log?
//	verifier -key KEY log DIRECTORY CHECKPOINT      # is the log the one that was signed?
//
// KEY is the log's public key "ORIGIN+ID+KEY", which you have by another way than the log; give
// every key that it has had. With -witness KEY, which may be repeated too, the checkpoint must be
// cosigned by this witness: a server of somebody else that has seen the log do nothing but grow.
//
// ENTRY is a file with one line, as exported; "sfmcp-proxy audit prove" makes the proof. CHECKPOINT
// is a file that has left the machine. An entry is a leaf of a Merkle tree (RFC 6962), a
// checkpoint a signed note with its root (C2SP tlog-checkpoint, tlog-cosignature, tlog-proof).
// DIRECTORY has the log's segments, files *.log in which every line that does not begin with # is an
// entry. The first, "#segment 1 ORIGIN FIRST CHECKPOINT SIZE HASHES", has the roots of the full
// subtrees of all entries before, so that a log whose oldest segments were removed can be checked.
package main

import (
	"bytes"
	"cmp"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"math/bits"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

var keys, witnesses []note.Verifier

func main() {
	flag.Func("key", "public `key` of the log", func(text string) error { return add(&keys, note.NewVerifier, text) })
	flag.Func("witness", "public `key` of a witness that must have cosigned", func(text string) error { return add(&witnesses, newWitness, text) })
	flag.Parse()
	report, err := "", errors.New("usage: verifier -key KEY proof FILE.tlog-proof ENTRY, or verifier -key KEY log DIRECTORY CHECKPOINT")
	if args := flag.Args(); len(args) == 3 && args[0] == "proof" {
		report, err = checkProof(args[1], args[2])
	} else if len(args) == 3 && args[0] == "log" {
		report, err = checkLog(args[1], args[2])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "NOT VERIFIED:", err)
		os.Exit(1)
	}
	fmt.Println("verified:", report)
}

func add(list *[]note.Verifier, read func(string) (note.Verifier, error), text string) error {
	v, err := read(text)
	*list = append(*list, v)
	return err
}

// witness is a witness's Ed25519 key; what it signs begins with the time.
type witness struct {
	name string
	id   uint32
	key  ed25519.PublicKey
}

func (w witness) Name() string    { return w.name }
func (w witness) KeyHash() uint32 { return w.id }
func (w witness) Verify(message, signature []byte) bool {
	return len(signature) == 72 && ed25519.Verify(w.key, fmt.Appendf(nil, "cosignature/v1\ntime %d\n%s", binary.BigEndian.Uint64(signature), message), signature[8:])
}

func newWitness(text string) (note.Verifier, error) {
	parts := strings.SplitN(text, "+", 3)
	key, err := base64.StdEncoding.DecodeString(parts[len(parts)-1])
	if err != nil || len(parts) != 3 || len(key) != 33 || key[0] != 4 {
		return nil, errors.New("not the Ed25519 key of a witness")
	}
	id := sha256.Sum256(slices.Concat([]byte(parts[0]+"\n"), key))
	return witness{parts[0], binary.BigEndian.Uint32(id[:]), key[1:]}, nil
}

// readCheckpoint returns what the log has signed, and every witness that must have.
func readCheckpoint(signed []byte) (origin string, tree tlog.Tree, err error) {
	opened, err := note.Open(signed, note.VerifierList(keys...))
	if err != nil {
		return "", tree, err
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) < 4 || !slices.ContainsFunc(opened.Sigs, func(s note.Signature) bool { return s.Name == lines[0] }) {
		return "", tree, errors.New("not a checkpoint, or not signed by the log that it names")
	}
	for _, w := range witnesses {
		if _, err := note.Open(signed, note.VerifierList(w)); err != nil {
			return "", tree, fmt.Errorf("the witness %s has not cosigned: %w", w.Name(), err)
		}
	}
	n, err := readNumber(lines[1])
	root, err2 := readHashes(lines[2:3])
	return lines[0], tlog.Tree{N: n, Hash: append(root, tlog.Hash{})[0]}, cmp.Or(err, err2)
}

// readNumber bounds what tlog calculates with: near 2^63 it would not end.
func readNumber(text string) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 || n > 1<<48 || strconv.FormatInt(n, 10) != text {
		return 0, fmt.Errorf("%q is not a number of entries", text)
	}
	return n, nil
}

func readHashes(lines []string) (hashes []tlog.Hash, err error) {
	for _, line := range lines {
		hash, err := tlog.ParseHash(line)
		if err != nil || hash.String() != line || len(hashes) == 63 {
			return nil, errors.New("something else than a hash where one belongs")
		}
		hashes = append(hashes, hash)
	}
	return hashes, nil
}

func checkProof(proofPath, entryPath string) (string, error) {
	text, err := os.ReadFile(proofPath)
	entry, missing := os.ReadFile(entryPath)
	head, signed, _ := bytes.Cut(text, []byte("\n\n"))
	lines := strings.Split(string(head), "\n")
	if len(lines) > 1 && strings.HasPrefix(lines[1], "extra ") { // not signed, not needed
		lines = slices.Delete(lines, 1, 2)
	}
	if len(lines) < 2 || lines[0] != "c2sp.org/tlog-proof@v1" || !strings.HasPrefix(lines[1], "index ") {
		return "", cmp.Or(err, errors.New("not a proof of c2sp.org/tlog-proof@v1"))
	}
	index, err := readNumber(strings.TrimPrefix(lines[1], "index "))
	hashes, err2 := readHashes(lines[2:])
	origin, tree, err3 := readCheckpoint(signed)
	if err := cmp.Or(missing, err, err2, err3); err != nil {
		return "", err
	}
	if tlog.CheckRecord(hashes, tree.N, tree.Hash, index, tlog.RecordHash(bytes.TrimSuffix(entry, []byte("\n")))) != nil {
		return "", fmt.Errorf("this is not entry %d of the log %s", index+1, origin)
	}
	return fmt.Sprintf("this is entry %d of the log %s, signed with %d entries", index+1, origin, tree.N), nil
}

// checkLog makes the tree of the entries in the segments, up to the size that was signed.
func checkLog(dir, checkpointPath string) (string, error) {
	signed, err := os.ReadFile(checkpointPath)
	origin, tree, err2 := readCheckpoint(signed)
	segments, err3 := filepath.Glob(filepath.Join(dir, "*.log")) // sorted, which is in order
	if err := cmp.Or(err, err2, err3); err != nil {
		return "", err
	}
	var size, removed, unsigned int64
	var roots []tlog.Hash // of the full subtrees, the largest first
	for _, path := range segments {
		text, err := os.ReadFile(path)
		if err != nil {
			return "", err
		}
		first, _, _ := strings.Cut(string(text[:min(len(text), 64<<10)]), "\n")
		if head := strings.Split(first, " "); path == segments[0] && len(head) > 6 { // older ones were removed
			removed, err = readNumber(head[5])
			roots, err2 = readHashes(head[6:])
			if size = removed; cmp.Or(err, err2) != nil || len(roots) != bits.OnesCount64(uint64(size)) {
				return "", fmt.Errorf("%s: its first line does not say what came before", path)
			}
		}
		for line := range bytes.Lines(text) {
			if line[0] == '#' {
				continue
			}
			if size >= tree.N {
				unsigned++
				continue
			}
			hash := tlog.RecordHash(bytes.TrimSuffix(line, []byte("\n")))
			for n := size; n&1 == 1; n >>= 1 {
				hash, roots = tlog.NodeHash(roots[len(roots)-1], hash), roots[:len(roots)-1]
			}
			size, roots = size+1, append(roots, hash)
		}
	}
	root := tlog.Hash(sha256.Sum256(nil))
	for i, hash := range slices.Backward(roots) {
		if i < len(roots)-1 {
			hash = tlog.NodeHash(hash, root)
		}
		root = hash
	}
	if size != tree.N || root != tree.Hash {
		return "", fmt.Errorf("the first %d entries of the log %s are not the %d that were signed", size, origin, tree.N)
	}
	return fmt.Sprintf("entries %d to %d are those that the log %s signed; %d came after", removed+1, size, origin, unsigned), nil
}
