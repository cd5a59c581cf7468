package builtin

import "sync"

// copyBuffer is the size of a buffer between an instance and a caller.
const copyBuffer = 32 << 10

// bufferPool keeps the buffers through which answers are copied.
type bufferPool struct{ pool sync.Pool }

func newBufferPool() *bufferPool {
	return &bufferPool{pool: sync.Pool{New: func() any { return new(buffer) }}}
}

// A buffer is an array, so that a slice of it goes back without another
// allocation.
type buffer [copyBuffer]byte

func (p *bufferPool) Get() []byte  { return p.pool.Get().(*buffer)[:] }
func (p *bufferPool) Put(b []byte) { p.pool.Put((*buffer)(b)) }
