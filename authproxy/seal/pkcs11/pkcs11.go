// Package pkcs11 has sealing keys encrypted by a key of a token that speaks PKCS #11 (a hardware
// security module, a smart card, SoftHSM), which never leaves it: it is a [seal.KeyService] on
// C_Encrypt and C_Decrypt with CKM_AES_GCM (PKCS #11 v2.40, 2.12; v3.0, 2.13.4).
//
// A token's library is written in C and loaded at run time, which needs cgo. The package is
// therefore empty but for its errors unless it is built with cgo and -tags pkcs11 ([Built]);
// what is built without is one static binary.
//
// The token has to have one AES-256 key with the label that the configuration names, sensitive
// and not extractable, that encrypts and decrypts. The proxy makes none: who makes keys of a
// token, and who may use them, are two people. ../DESIGN.md says why so.
package pkcs11

import (
	"errors"
	"fmt"
)

// Config says which key of which token, and how it is reached.
type Config struct {
	// Module is the absolute path of the token's library, as /usr/lib/softhsm/libsofthsm2.so. It
	// runs in this process.
	Module string
	// Token is the label of the token (CK_TOKEN_INFO.label).
	Token string
	// Key is the label of the key in it (CKA_LABEL).
	Key string
	// PINFile holds the PIN of the token's user (CKU_USER). It is read each time.
	PINFile string
}

// String names token and key for people.
func (c Config) String() string {
	return fmt.Sprintf("the PKCS #11 token %q (key %q)", c.Token, c.Key)
}

// ErrNotBuilt says that this program cannot speak with tokens, and how one is built that can.
var ErrNotBuilt = errors.New("this program was built without PKCS #11, which loads a library in C: build it with 'CGO_ENABLED=1 go build -tags pkcs11 ./cmd/sfmcp-proxy'")
