package pkcs11

import (
	"errors"
	"strings"
	"testing"
)

// FT-54: a program without PKCS #11 says so, and how to build one with it.
func TestFaultFT54ProgramWithoutPKCS11(t *testing.T) {
	t.Parallel()
	service, err := Open(Config{})
	if Built {
		if service == nil || err != nil {
			t.Errorf("%v", err)
		}
		return
	}
	if service != nil || !errors.Is(err, ErrNotBuilt) || !strings.Contains(err.Error(), "CGO_ENABLED=1 go build -tags pkcs11") {
		t.Errorf("%v", err)
	}
}
