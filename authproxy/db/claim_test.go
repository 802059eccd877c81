package db

import (
	"path/filepath"
	"testing"

	"sfmcp-proxy/authproxy/seal"
)

func ring(t *testing.T) *seal.KeyRing {
	t.Helper()
	path := filepath.Join(t.TempDir(), "keys")
	if err := seal.CreateKeyFile(path); err != nil {
		t.Fatal(err)
	}
	r, err := seal.LoadKeyRing(path)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestClaimRefusesAnotherRing(t *testing.T) {
	d := open(t, filepath.Join(t.TempDir(), "p.db"))
	mine, other := ring(t), ring(t)
	for range 2 {
		if err := d.Claim(t.Context(), mine); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Claim(t.Context(), other); err == nil {
		t.Error("another ring claims the database")
	}
}
