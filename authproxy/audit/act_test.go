package audit

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"sfmcp-proxy/authproxy/db"
)

// FT-35: nobody knows what came of a COMMIT that was not answered, whatever the database says while it is asked; what it refuses
// is known.
func TestFaultFT35WhatIsUnanswered(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		err  error
		want bool
	}{
		"in doubt, then a standby":       {fmt.Errorf("%w: %w", db.ErrInDoubt, &pgconn.PgError{Code: "25006"}), true},
		"in doubt, then a full disk":     {fmt.Errorf("%w: %w", db.ErrInDoubt, &pgconn.PgError{Code: "53100"}), true},
		"in doubt, then a wrong key":     {fmt.Errorf("%w: %w", db.ErrInDoubt, &pgconn.PgError{Code: "28P01"}), true},
		"in doubt, until the time ended": {fmt.Errorf("%w: %w", db.ErrInDoubt, context.Canceled), true},
		"a standby":                      {&pgconn.PgError{Code: "25006"}, false},
		"a full disk":                    {&pgconn.PgError{Code: "53100"}, false},
		"something else":                 {errors.New("it is not there"), false},
		"nothing":                        {nil, false},
	} {
		if got := Unanswered(tt.err); got != tt.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}
