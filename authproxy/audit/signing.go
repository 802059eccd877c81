package audit

import (
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/note"

	"sfmcp-proxy/authproxy/audit/tree"
	"sfmcp-proxy/authproxy/seal"
)

// checkpointKey is what the Ed25519 keys that sign checkpoints are derived for.
const checkpointKey = "audit checkpoint"

// signing makes and checks signed checkpoints with the keys of a ring.
type signing struct{ ring *seal.KeyRing }

// seeds are those of the keys that sign, the one in force first.
func (s signing) seeds() (seeds [][32]byte, err error) {
	keys, err := s.ring.Keys(checkpointKey)
	if err != nil {
		return nil, fmt.Errorf("deriving the keys of checkpoints: %w", err)
	}
	for _, key := range keys {
		seeds = append(seeds, [32]byte(key.Key))
	}
	return seeds, nil
}

// sign returns the signed checkpoint of a tree. Every key of the ring signs, so that whoever
// knows an earlier public key can go on with it while that key is in the ring.
func (s signing) sign(origin string, edge *tree.Frontier) ([]byte, error) {
	seeds, err := s.seeds()
	if err != nil {
		return nil, err
	}
	var signers []note.Signer
	for _, seed := range seeds {
		signer, err := tree.NewSigner(origin, seed)
		if err != nil {
			return nil, fmt.Errorf("signing a checkpoint: %w", err)
		}
		signers = append(signers, signer)
	}
	return tree.Checkpoint{Origin: origin, Size: edge.Size(), Root: edge.Root()}.Sign(signers...)
}

// publicKeys are those of a log of that name, the one in force first, as "ORIGIN+ID+KEY" (C2SP
// signed-note).
func (s signing) publicKeys(origin string) (keys []string, err error) {
	seeds, err := s.seeds()
	if err != nil {
		return nil, err
	}
	for _, seed := range seeds {
		key, err := tree.VerifierKey(origin, seed)
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// verifiers are the public keys as they verify.
func (s signing) verifiers(origin string) (keys []note.Verifier, err error) {
	texts, err := s.publicKeys(origin)
	if err != nil {
		return nil, err
	}
	for _, text := range texts {
		key, err := note.NewVerifier(text)
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// parse reads a checkpoint of the log of that name that one of the keys signed.
func (s signing) parse(origin string, signed []byte) (tree.Checkpoint, error) {
	keys, err := s.verifiers(origin)
	if err != nil {
		return tree.Checkpoint{}, err
	}
	return tree.ParseCheckpoint(signed, keys...)
}

// checkState returns an error unless one of the keys has signed the state of a segment of the
// log of that name.
func (s signing) checkState(origin string, state segmentState) error {
	c, err := s.parse(origin, state.checkpoint)
	if err == nil && (c.Size != state.edge.Size() || c.Root != state.edge.Root()) {
		err = errors.New("its checkpoint is of other entries")
	}
	return err
}
