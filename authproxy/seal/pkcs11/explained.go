//go:build pkcs11 && cgo

package pkcs11

import (
	"errors"
	"fmt"

	"github.com/miekg/pkcs11"
)

// hints say what to look at for return values of libraries (PKCS #11, "Cryptoki return values")
// that the operator can do something about.
var hints = map[pkcs11.Error]string{
	pkcs11.CKR_PIN_INCORRECT:                "put the token's PIN into key_service.pin_file; the one that is there is not tried again by this process, as a token locks itself after a few",
	pkcs11.CKR_PIN_INVALID:                  "put the token's PIN into key_service.pin_file: what is there cannot be one",
	pkcs11.CKR_PIN_LEN_RANGE:                "put the token's PIN into key_service.pin_file: what is there is too short or too long for one",
	pkcs11.CKR_PIN_EXPIRED:                  "the PIN has expired: change it by the token's own tool",
	pkcs11.CKR_PIN_LOCKED:                   "the PIN is locked after too many wrong ones: the token's security officer unlocks it",
	pkcs11.CKR_USER_PIN_NOT_INITIALIZED:     "the token has no user PIN yet: its security officer sets one",
	pkcs11.CKR_TOKEN_NOT_PRESENT:            "the token was taken out: put it back",
	pkcs11.CKR_TOKEN_NOT_RECOGNIZED:         "what is in the slot is no token that the library knows",
	pkcs11.CKR_DEVICE_REMOVED:               "the token was taken out while it was asked: put it back",
	pkcs11.CKR_DEVICE_ERROR:                 "the token reports an error of its own: look at its log",
	pkcs11.CKR_SESSION_HANDLE_INVALID:       "the token was taken out while it was asked: put it back",
	pkcs11.CKR_SESSION_COUNT:                "the token has no session left: end programs that hold some",
	pkcs11.CKR_MECHANISM_INVALID:            "the token has no CKM_AES_GCM, or not for this key",
	pkcs11.CKR_MECHANISM_PARAM_INVALID:      "the token takes no nonce of 12 bytes and tag of 128 bits for CKM_AES_GCM",
	pkcs11.CKR_KEY_FUNCTION_NOT_PERMITTED:   "the key may not encrypt or decrypt",
	pkcs11.CKR_CRYPTOKI_ALREADY_INITIALIZED: "something else in this process uses the library",
	pkcs11.CKR_GENERAL_ERROR:                "see that this user may read what the library is configured by, and reach the token",
}

// explained adds to an error of a library what to look at.
func explained(err error) error {
	var code pkcs11.Error
	if errors.As(err, &code) && !errors.Is(err, errNotOurs) {
		if hint, ok := hints[code]; ok {
			return fmt.Errorf("%w: %s", err, hint)
		}
	}
	return err
}
