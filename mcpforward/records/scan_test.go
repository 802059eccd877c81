package records

import (
	"bytes"
	"testing"
)

func TestBackslashIsFoundWhereverItIs(t *testing.T) {
	t.Parallel()
	for length := range 20 {
		for at := range length + 1 {
			for other := range 256 {
				text := bytes.Repeat([]byte{byte(other)}, length)
				if at < length {
					text[at] = '\\'
				}
				want := bytes.IndexByte(text, '\\')
				if want < 0 {
					want = length
				}
				if got := backslash(text); got != want {
					t.Fatalf("%q: %d, want %d", text, got, want)
				}
			}
		}
	}
}
