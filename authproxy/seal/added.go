package seal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
)

// addedMark is the line before a key that was added and does not seal yet. Lines that begin with # are skipped by
// every version, and only the first key seals, so that an earlier version reads such a file as this one does.
const addedMark = "# added, opens only: 'key rotate --use' has it seal"

// errNoneAdded: there is nothing that Use could do.
var errNoneAdded = errors.New("no key was added that does not seal yet: 'key rotate --add' adds one")

// AddKey puts a new key behind those of the key file: whoever reads the file opens what it has sealed, and nobody seals
// with it before [Source.UseKey]. So several machines have a key before any of them seals with it.
func (s Source) AddKey(ctx context.Context) error {
	return s.exclusively(func() error {
		return s.change(ctx, func(plain []byte) ([]byte, error) {
			if _, _, found := cutAdded(plain); found {
				return nil, errAdded
			}
			if n := len(plain); n > 0 && plain[n-1] != '\n' {
				plain = append(plain, '\n')
			}
			return append(plain, addedMark+"\n"+NewKeyLine()...), nil
		})
	})
}

// errAdded: a key waits.
var errAdded = errors.New("a key was added that does not seal yet: copy the file to every machine, then 'key rotate --use'")

// UseKey puts the key that was added in front of the others: it seals once the file is read again.
func (s Source) UseKey(ctx context.Context) error {
	return s.exclusively(func() error {
		return s.change(ctx, func(plain []byte) ([]byte, error) {
			line, rest, found := cutAdded(plain)
			if !found {
				return nil, errNoneAdded
			}
			return append(line, rest...), nil
		})
	})
}

// cutAdded takes the line of the key that was added, with what marks it, out of the lines of a key file.
func cutAdded(plain []byte) (line, rest []byte, found bool) {
	mark := []byte(addedMark + "\n")
	at := bytes.Index(plain, mark)
	if at < 0 || at > 0 && plain[at-1] != '\n' {
		return nil, plain, false
	}
	line, after, _ := bytes.Cut(plain[at+len(mark):], []byte("\n"))
	if len(bytes.TrimSpace(line)) == 0 {
		return nil, plain, false
	}
	return append(bytes.Clone(line), '\n'), slices.Concat(plain[:at], after), true
}

// change replaces the lines with keys by what f makes of them.
func (s Source) change(ctx context.Context, f func(plain []byte) ([]byte, error)) error {
	text, err := s.read()
	if err != nil {
		return err
	}
	plain, err := s.decrypt(ctx, text)
	if err != nil {
		return err
	}
	if _, err := s.parse(plain); err != nil {
		return err
	}
	if plain, err = f(bytes.Clone(plain)); err != nil {
		return fmt.Errorf("%s: %w", s.where(), err)
	}
	if _, err := s.parse(plain); err != nil {
		return err
	}
	if text, err = s.encrypt(ctx, plain); err != nil {
		return err
	}
	return s.put(text)
}

// Added reports whether the key of that id was added to the ring and does not seal yet here: what it has
// sealed is newer than what the sealing key here does.
func (r *KeyRing) Added(id string) bool {
	k, known := r.find(id)
	return known && k.added
}
