package seal

import (
	"bytes"
	"errors"
	"testing"
)

// FuzzOpen edits what was sealed, and where it is opened: nothing opens but the text that
// Seal returned, for the place it was given, and then as what was sealed.
func FuzzOpen(f *testing.F) {
	f.Add([]byte("canary"), uint16(0), uint16(0), "", "links", "1", "acme", "005A", "refresh")
	for _, inserted := range []string{"=", "\n", "\r\n", ".", "A", "v1.", "v2.k.AAAA", "\x00"} {
		f.Add([]byte("canary"), uint16(0xffff), uint16(0), inserted, "links", "1", "acme", "005A", "refresh")
		f.Add([]byte("canary"), uint16(20), uint16(1), inserted, "links", "1", "acme", "005A", "refresh")
	}
	f.Add([]byte(""), uint16(0), uint16(0), "", "links", "1a", "cme", "005A", "refresh")
	f.Add([]byte("x"), uint16(3), uint16(40), "", "links", "2", "acme", "005B", "access")
	r := ring(f)
	f.Fuzz(func(t *testing.T, plaintext []byte, at, cut uint16, inserted, table, row, org, subject, purpose string) {
		sealed, err := r.Seal(place, plaintext)
		if err != nil {
			t.Fatal(err)
		}
		before := min(int(at), len(sealed))
		after := min(before+int(cut), len(sealed))
		edited := sealed[:before] + inserted + sealed[after:]
		elsewhere := Place{Table: table, Row: row, Org: org, Subject: subject, Purpose: purpose}
		got, err := r.Open(elsewhere, edited)
		switch {
		case elsewhere == place && edited == sealed:
			if err != nil || !bytes.Equal(got, plaintext) {
				t.Fatalf("what was sealed opens as %q, %v", got, err)
			}
		case err == nil:
			t.Fatalf("%q opens at %+v as %q; it was sealed as %q at %+v", edited, elsewhere, got, sealed, place)
		case !errors.Is(err, ErrSealed) && !errors.Is(err, ErrUnknownKey) || got != nil:
			t.Fatalf("got %q, %v", got, err)
		}
		if _, err := r.Open(elsewhere, inserted); err == nil {
			t.Fatalf("%q, which was never sealed, opens", inserted)
		}
	})
}
