package apitoken

import (
	"errors"
	"testing"

	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/db/dbtest"
)

// FT-39: a token with a role that only a newer version knows opens nothing here.
func TestFaultFT39RoleOfALaterVersion(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t)
	secret, _ := create(t, s, "siem", "auditor")
	if _, err := s.DB.Writes.Exec(`UPDATE api_tokens SET role = 'of_a_later_version'`); err != nil {
		t.Fatal(err)
	}
	dbtest.Sign(t, s.DB, db.APITokens)
	if used, err := s.Use(t.Context(), secret); !errors.Is(err, ErrUnknown) {
		t.Errorf("%+v, %v", used, err)
	}
}
