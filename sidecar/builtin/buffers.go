package builtin

import "sync"

// copyBuffer is the size of a buffer between an instance and a caller.
const copyBuffer = 32 << 10

// bufferPool keeps the buffers through which answers are copied.
type bufferPool struct{ pool sync.Pool }

func newBufferPool() *bufferPool {
	return &bufferPool{pool: sync.Pool{New: func() any {
		b := make([]byte, copyBuffer)
		return &b
	}}}
}

func (p *bufferPool) Get() []byte  { return *p.pool.Get().(*[]byte) }
func (p *bufferPool) Put(b []byte) { p.pool.Put(&b) }
