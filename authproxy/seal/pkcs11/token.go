//go:build pkcs11 && cgo

package pkcs11

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"

	"github.com/miekg/pkcs11"
)

// loaded are the libraries of this process by path, while one has the turn. None is unloaded:
// what a library leaves behind (handlers for the process's end) would point nowhere.
var loaded = map[string]*pkcs11.Ctx{}

func load(path string) (*pkcs11.Ctx, error) {
	if library := loaded[path]; library != nil {
		return library, nil
	}
	if err := checkModule(path); err != nil {
		return nil, err
	}
	library := pkcs11.New(path)
	if library == nil {
		return nil, fmt.Errorf("%s (key_service.module) cannot be loaded as a PKCS #11 library: 'ldd %[1]s' names libraries that it misses, 'file %[1]s' the processor that it is for", path)
	}
	loaded[path] = library
	return library, nil
}

// slotOf finds the slot that has the token with a label.
func slotOf(library *pkcs11.Ctx, label string) (uint, error) {
	slots, err := library.GetSlotList(true)
	if err != nil {
		return 0, fmt.Errorf("listing tokens: %w", err)
	}
	var found []uint
	var others []string
	for _, slot := range slots {
		token, err := library.GetTokenInfo(slot)
		switch {
		case err != nil: // taken out meanwhile, or not ready: it is not the one
		case strings.TrimRight(token.Label, " \x00") == label:
			found = append(found, slot)
		case len(others) < 8 && token.Flags&pkcs11.CKF_TOKEN_INITIALIZED != 0:
			others = append(others, fmt.Sprintf("%q", strings.TrimRight(token.Label, " \x00")))
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		return 0, fmt.Errorf("%d tokens have the label %q (key_service.token): give them different ones", len(found), label)
	case len(others) == 0:
		return 0, fmt.Errorf("no token is there: see that %q is put in, and that this user may reach it", label)
	}
	return 0, fmt.Errorf("no token has the label %q (key_service.token): there are %s; see that it is put in", label, strings.Join(others, ", "))
}

func openSession(library *pkcs11.Ctx, slot uint) (pkcs11.SessionHandle, error) {
	session, err := library.OpenSession(slot, pkcs11.CKF_SERIAL_SESSION) // reads alone
	if err != nil {
		return 0, fmt.Errorf("opening a session: %w", err)
	}
	return session, nil
}

var errRefusedBefore = errors.New("the token has refused this PIN before; it is not tried again, as a token locks itself after a few: put the right one into key_service.pin_file")

// login gives the PIN, which is not tried where that could lock the token.
func (s *Service) login(library *pkcs11.Ctx, slot uint, session pkcs11.SessionHandle, pin string) error {
	sum := sha256.Sum256([]byte(pin))
	if last := s.refused.Load(); last != nil && *last == sum {
		return errRefusedBefore
	}
	token, err := library.GetTokenInfo(slot)
	if err != nil {
		return fmt.Errorf("looking at the token: %w", err)
	}
	if err := mayTry(token.Flags); err != nil {
		return err
	}
	err = library.Login(session, pkcs11.CKU_USER, pin)
	if errors.Is(err, pkcs11.Error(pkcs11.CKR_PIN_INCORRECT)) {
		s.refused.Store(&sum)
	}
	if err != nil {
		return fmt.Errorf("logging in: %w", err)
	}
	return nil
}

// mayTry says whether a token's flags let a program try a PIN. The last try is a person's: a
// service manager that starts this again and again would use it up.
func mayTry(flags uint) error {
	switch {
	case flags&pkcs11.CKF_USER_PIN_LOCKED != 0:
		return pkcs11.Error(pkcs11.CKR_PIN_LOCKED)
	case flags&pkcs11.CKF_USER_PIN_FINAL_TRY != 0:
		return errors.New("the token allows one more try of its PIN, which is not used up from here: log in once by the token's own tool with the right PIN, then start this again")
	case flags&pkcs11.CKF_USER_PIN_TO_BE_CHANGED != 0:
		return errors.New("the token wants its PIN changed first: do that by the token's own tool, and put the new one into key_service.pin_file")
	}
	return nil
}

// tokenKey is a key of a token, for as long as the session is open.
type tokenKey struct {
	library *pkcs11.Ctx
	session pkcs11.SessionHandle
	handle  pkcs11.ObjectHandle
}

// findKey finds the one AES key of the token with a label, and refuses one that is not kept as
// it has to be.
func findKey(library *pkcs11.Ctx, session pkcs11.SessionHandle, label string) (tokenKey, error) {
	key := tokenKey{library: library, session: session}
	if err := library.FindObjectsInit(session, []*pkcs11.Attribute{
		pkcs11.NewAttribute(pkcs11.CKA_CLASS, pkcs11.CKO_SECRET_KEY),
		pkcs11.NewAttribute(pkcs11.CKA_TOKEN, true),
		pkcs11.NewAttribute(pkcs11.CKA_LABEL, label),
	}); err != nil {
		return key, fmt.Errorf("looking for the key: %w", err)
	}
	found, _, err := library.FindObjects(session, 2)
	if err := errors.Join(err, library.FindObjectsFinal(session)); err != nil {
		return key, fmt.Errorf("looking for the key: %w", err)
	}
	switch {
	case len(found) == 0:
		return key, fmt.Errorf("the token has no secret key with the label %q (key_service.key): whoever administers it makes one, an AES-256 key that is sensitive, not extractable, and encrypts and decrypts", label)
	case len(found) > 1:
		return key, fmt.Errorf("the token has several secret keys with the label %q (key_service.key): give them different ones", label)
	}
	key.handle = found[0]
	return key, key.check()
}

// check looks at what the token says of the key.
func (k tokenKey) check() error {
	for _, c := range []struct {
		want    *pkcs11.Attribute
		problem string
	}{
		{pkcs11.NewAttribute(pkcs11.CKA_KEY_TYPE, pkcs11.CKK_AES), "is no AES key"},
		{pkcs11.NewAttribute(pkcs11.CKA_VALUE_LEN, keySize), "is no key of 256 bits"},
		{pkcs11.NewAttribute(pkcs11.CKA_SENSITIVE, true), "can be read out of the token (CKA_SENSITIVE is false)"},
		{pkcs11.NewAttribute(pkcs11.CKA_EXTRACTABLE, false), "can be taken out of the token (CKA_EXTRACTABLE is true)"},
		{pkcs11.NewAttribute(pkcs11.CKA_ENCRYPT, true), "may not encrypt (CKA_ENCRYPT is false)"},
		{pkcs11.NewAttribute(pkcs11.CKA_DECRYPT, true), "may not decrypt (CKA_DECRYPT is false)"},
	} {
		has, err := k.library.GetAttributeValue(k.session, k.handle, []*pkcs11.Attribute{pkcs11.NewAttribute(c.want.Type, nil)})
		if err != nil {
			return fmt.Errorf("looking at the key: %w", err)
		}
		if len(has) != 1 || !bytes.Equal(has[0].Value, c.want.Value) {
			return fmt.Errorf("the key with that label %s: whoever administers the token makes an AES-256 key that is sensitive, not extractable, and encrypts and decrypts", c.problem)
		}
	}
	return nil
}

// nonceSize and tagBits are those of AES-GCM by NIST SP 800-38D, 5.2.1.
const (
	nonceSize = 12
	tagBits   = 128
)

// bound goes with what is encrypted, and must be the same where it is decrypted: what the same
// key encrypts for others is no data key of ours.
var bound = []byte("sfmcp-proxy sealing keys")

// encrypt returns a nonce and what is encrypted under it. The nonce is ours, or the token's
// where that takes none from outside (FIPS 140-3 has modules make it): then it wrote its own in
// the place of ours.
func (k tokenKey) encrypt(plain []byte) ([]byte, error) {
	nonce := make([]byte, nonceSize)
	rand.Read(nonce)
	params := pkcs11.NewGCMParams(nonce, bound, tagBits)
	defer params.Free()
	if err := k.library.EncryptInit(k.session, []*pkcs11.Mechanism{pkcs11.NewMechanism(pkcs11.CKM_AES_GCM, params)}, k.handle); err != nil {
		return nil, fmt.Errorf("encrypting: %w", err)
	}
	box, err := k.library.Encrypt(k.session, plain)
	if err != nil {
		return nil, fmt.Errorf("encrypting: %w", err)
	}
	if nonce = params.IV(); len(nonce) != nonceSize {
		return nil, fmt.Errorf("encrypting: the token made a nonce of %d bytes, expected %d", len(nonce), nonceSize)
	}
	return append(nonce, box...), nil
}

func (k tokenKey) decrypt(encrypted []byte) ([]byte, error) {
	if len(encrypted) < nonceSize+tagBits/8 {
		return nil, errNotOurs
	}
	params := pkcs11.NewGCMParams(encrypted[:nonceSize], bound, tagBits)
	defer params.Free()
	if err := k.library.DecryptInit(k.session, []*pkcs11.Mechanism{pkcs11.NewMechanism(pkcs11.CKM_AES_GCM, params)}, k.handle); err != nil {
		return nil, fmt.Errorf("decrypting: %w", err)
	}
	plain, err := k.library.Decrypt(k.session, encrypted[nonceSize:])
	if err != nil {
		return nil, fmt.Errorf("%w (%w)", errNotOurs, err)
	}
	return plain, nil
}

var errNotOurs = errors.New("this key does not open it: another key encrypted it, or it was changed")
