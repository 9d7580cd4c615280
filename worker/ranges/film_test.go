package ranges

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"testing"
)

// memory is a film in memory. Its gate, if it has one, lets a read go on with
// each value, and its fault fails reads of what lies behind.
type memory struct {
	data    []byte
	gate    chan struct{}
	fault   error
	faultAt int64

	mu   sync.Mutex
	now  int // guarded by mu: reads that go on
	most int // guarded by mu
}

func (m *memory) Size() int64 { return int64(len(m.data)) }

func (m *memory) ReadAtContext(ctx context.Context, p []byte, off int64) (int, error) {
	m.count(1)
	defer m.count(-1)
	if m.gate != nil {
		select {
		case <-m.gate:
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
	}
	if m.fault != nil && off+int64(len(p)) > m.faultAt {
		return 0, m.fault
	}
	return copy(p, m.data[off:]), nil
}

func (m *memory) count(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now += n
	m.most = max(m.most, m.now)
}

// noise is a film of size bytes, the same each time.
func noise(size int) []byte {
	data, draw := make([]byte, size), rand.New(rand.NewPCG(1, 2))
	for i := range data {
		data[i] = byte(draw.Uint32())
	}
	return data
}

// ends are both ends of a connection at work.
type ends struct {
	client         *Client
	worker, server net.Conn
	cancel         context.CancelCauseFunc // of the server's end
	served, ran    chan error
}

var errStop = errors.New("the test is over")

// connect starts both ends over a pipe within a bubble of synctest, which fails
// the test when a goroutine is left behind.
func connect(t *testing.T, film Film) *ends {
	t.Helper()
	server, worker := net.Pipe()
	ctx, cancel := context.WithCancelCause(t.Context())
	e := &ends{
		client: NewClient(worker, film.Size()), worker: worker, server: server,
		cancel: cancel, served: make(chan error, 1), ran: make(chan error, 1),
	}
	go func() { e.served <- Serve(ctx, server, film) }()
	go func() { e.ran <- e.client.Run(t.Context()) }()
	return e
}

// descriptors returns how many this process has open.
func descriptors(t *testing.T) int {
	t.Helper()
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(open)
}
