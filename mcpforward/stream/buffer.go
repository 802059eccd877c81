package stream

import (
	"sync"

	"sfmcp-proxy/mcpforward/jsonrpc"
)

// maxKept is how large a buffer is kept for the next message.
const maxKept = 64 << 10

// buffer holds one message on its way out.
type buffer []byte

var buffers = sync.Pool{New: func() any { return new(buffer) }}

// encoded is m with something before and behind it, until free is called.
func encoded(m *jsonrpc.Message, before, behind string) *buffer {
	b := buffers.Get().(*buffer)
	*b = append(jsonrpc.AppendEncode(append((*b)[:0], before...), m), behind...)
	return b
}

func (b *buffer) free() {
	if cap(*b) <= maxKept {
		buffers.Put(b)
	}
}
