package edge

import (
	"crypto/rand"
	"encoding/base32"
	"sync"
)

// requestIDs makes names for requests: 80 random bits each, read a block at a time.
type requestIDs struct {
	mu    sync.Mutex
	block [640]byte
	left  []byte
}

var idEncoding = base32.StdEncoding.WithPadding(base32.NoPadding)

func (i *requestIDs) next() string {
	i.mu.Lock()
	defer i.mu.Unlock()
	if len(i.left) == 0 {
		rand.Read(i.block[:]) // does not fail: it ends the program first
		i.left = i.block[:]
	}
	id := idEncoding.EncodeToString(i.left[:10])
	i.left = i.left[10:]
	return id
}
