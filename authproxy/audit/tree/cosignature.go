package tree

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
)

const (
	// cosignatureType is the signature type of a witness's Ed25519 key, mlDSAType that of its
	// ML-DSA-44 key (C2SP signed-note, "Signature types").
	cosignatureType = 0x04
	mlDSAType       = 0x06
	// timeSize is the length of the time in front of a witness's signature.
	timeSize = 8
)

// Cosignature says that a witness has seen a checkpoint, and every earlier one that it was
// shown of this log to be consistent with it.
type Cosignature struct {
	Witness string    // name of its key
	At      time.Time // when it signed, by its own clock
}

// cosignatureVerifier verifies the Ed25519 cosignatures of one witness (C2SP tlog-cosignature).
type cosignatureVerifier struct {
	name string
	hash uint32
	key  ed25519.PublicKey
}

func (v *cosignatureVerifier) Name() string    { return v.name }
func (v *cosignatureVerifier) KeyHash() uint32 { return v.hash }

func (v *cosignatureVerifier) Verify(message, signature []byte) bool {
	if len(signature) != timeSize+ed25519.SignatureSize {
		return false
	}
	at := binary.BigEndian.Uint64(signature)
	// What is cosigned is a checkpoint, whatever else may have the key's signature.
	if _, err := parseText(string(message)); err != nil || at == 0 || at > math.MaxInt64 {
		return false
	}
	return ed25519.Verify(v.key, fmt.Appendf(nil, "cosignature/v1\ntime %d\n%s", at, message), signature[timeSize:])
}

// WitnessKey reads the public key of a witness, "NAME+ID+KEY".
func WitnessKey(text string) (note.Verifier, error) {
	parts := strings.SplitN(text, "+", 3)
	if len(parts) != 3 {
		return nil, errWitnessKey
	}
	key, err := base64.StdEncoding.Strict().DecodeString(parts[2])
	if err != nil || len(parts[1]) != 8 || len(key) == 0 || checkOrigin(parts[0]) != nil || strings.ContainsAny(parts[2], "\r\n") {
		return nil, errWitnessKey
	}
	switch {
	case key[0] == mlDSAType:
		return nil, fmt.Errorf("the key of the witness %s is of the kind ML-DSA-44, which is not supported yet: use its Ed25519 key", parts[0])
	case key[0] != cosignatureType || len(key) != 1+ed25519.PublicKeySize:
		return nil, fmt.Errorf("the key of %s is not one that a witness cosigns with", parts[0])
	}
	v := &cosignatureVerifier{name: parts[0], hash: keyID(parts[0], cosignatureType, key[1:]), key: key[1:]}
	if fmt.Sprintf("%08x", v.hash) != parts[1] {
		return nil, fmt.Errorf("the key of the witness %s does not fit its id: part of it was mistyped", v.name)
	}
	return v, nil
}

var errWitnessKey = errors.New("the public key of a witness looks like witness.example/w1+0a1b2c3d+BASE64")

// Cosignatures returns which of these witnesses, by their keys as [WitnessKey] reads them, have
// cosigned a checkpoint. One whose signature does not verify is an error; those that have not
// signed are left out.
func Cosignatures(signed []byte, witnesses ...note.Verifier) ([]Cosignature, error) {
	if len(signed) > maxCheckpoint {
		return nil, errLong
	}
	for _, v := range witnesses {
		if _, ok := v.(*cosignatureVerifier); !ok {
			return nil, fmt.Errorf("the key of %s is not one that a witness cosigns with", v.Name())
		}
	}
	opened, err := note.Open(signed, note.VerifierList(witnesses...))
	var unverified *note.UnverifiedNoteError
	if errors.As(err, &unverified) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	var all []Cosignature
	for _, signature := range opened.Sigs {
		decoded, err := base64.StdEncoding.Strict().DecodeString(signature.Base64)
		if err != nil || len(decoded) < 4+timeSize {
			return nil, errors.New("checkpoint: a cosignature is not spelled as base64 is")
		}
		all = append(all, Cosignature{signature.Name, time.Unix(int64(binary.BigEndian.Uint64(decoded[4:])), 0).UTC()})
	}
	return all, nil
}
