package ranges

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"testing/synctest"

	"github.com/upscaled-media/upscaled/worker/wire"
)

func TestReadsEqualTheFilm(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		film := &memory{data: noise(3*MaxLength + 7)}
		e := connect(t, film)
		var readers sync.WaitGroup
		for seed := range uint64(2 * MaxInFlight) {
			readers.Go(func() {
				draw := rand.New(rand.NewPCG(seed, 0))
				for range 20 {
					off, length := draw.IntN(len(film.data)), draw.IntN(2*MaxLength)
					p := make([]byte, length)
					n, err := e.client.ReadAt(p, int64(off))
					want := film.data[off:min(off+length, len(film.data))]
					if !bytes.Equal(p[:n], want) {
						t.Errorf("%d bytes at %d are not the film's", length, off)
					}
					if short := n < length; short != errors.Is(err, io.EOF) || !short && err != nil {
						t.Errorf("%d of %d bytes at %d: %v", n, length, off, err)
					}
				}
			})
		}
		readers.Wait()
		if err := iotest.TestReader(io.NewSectionReader(e.client, 100, 9000), film.data[100:9100]); err != nil {
			t.Error(err)
		}
		if film.most > slots {
			t.Errorf("%d reads of the film at once", film.most)
		}
		e.cancel(errStop)
		if err := <-e.served; !errors.Is(err, errStop) {
			t.Errorf("Serve returned %v", err)
		}
	})
}

func TestReadOutsideTheFilm(t *testing.T) {
	t.Parallel()
	client := NewClient(nil, 10) // asks nobody
	for _, off := range []int64{10, 11, 1 << 62} {
		if n, err := client.ReadAt(make([]byte, 1), off); n != 0 || !errors.Is(err, io.EOF) {
			t.Errorf("at %d: %d, %v", off, n, err)
		}
	}
	if _, err := client.ReadAt(make([]byte, 1), -1); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("at -1: %v", err)
	}
	if n, err := client.ReadAt(nil, 3); n != 0 || err != nil {
		t.Errorf("nothing at 3: %d, %v", n, err)
	}
}

func TestErrorsOfTheFilm(t *testing.T) {
	t.Parallel()
	changed := &wire.Error{Code: "source_changed", Sentence: "the film was changed"}
	for name, row := range map[string]struct {
		fault error
		want  wire.Error
	}{
		"told":   {fmt.Errorf("block 3: %w", changed), *changed},
		"secret": {errors.New("/srv/secret"), wire.Error{Code: "source_unreadable", Sentence: "the film could not be read; see the server's log"}},
		"long": {
			&wire.Error{Code: "c", Sentence: strings.Repeat("ä", maxText)},
			wire.Error{Code: "c", Sentence: strings.Repeat("ä", maxText/2)},
		},
		"longer still as JSON": {
			&wire.Error{Code: "c", Sentence: strings.Repeat("\x01", maxText)},
			wire.Error{Code: "source_unreadable", Sentence: "the film could not be read"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				film := &memory{data: noise(100), fault: row.fault, faultAt: 50}
				e := connect(t, film)
				var told *wire.Error
				if _, err := e.client.ReadAt(make([]byte, 60), 0); !errors.As(err, &told) || *told != row.want {
					t.Errorf("got %v (%+v)", err, told)
				}
				// It failed that read alone.
				if _, err := e.client.ReadAt(make([]byte, 50), 0); err != nil {
					t.Error(err)
				}
				_ = e.worker.Close()
				if err := <-e.served; err != nil {
					t.Errorf("Serve, with its worker gone, returned %v", err)
				}
			})
		})
	}
}

func TestAnAbandonedReadHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		film := &memory{data: noise(100), gate: make(chan struct{})}
		e := connect(t, film)
		ctx, cancel := context.WithCancelCause(t.Context())
		left := make(chan error, 1)
		p := make([]byte, 10)
		go func() {
			_, err := e.client.ReadAtContext(ctx, p, 0)
			left <- err
		}()
		synctest.Wait()
		cancel(errStop)
		if err := <-left; !errors.Is(err, errStop) {
			t.Errorf("read returned %v", err)
		}
		close(film.gate)
		q := make([]byte, 10)
		if _, err := e.client.ReadAt(q, 20); err != nil || !bytes.Equal(q, film.data[20:30]) {
			t.Errorf("later read: %v", err)
		}
		if !bytes.Equal(p, make([]byte, 10)) {
			t.Error("the memory of the abandoned read was written to")
		}
		e.client.mu.Lock()
		if len(e.client.calls) != 0 || len(e.client.slots) != 0 {
			t.Errorf("%d calls and %d slots are taken", len(e.client.calls), len(e.client.slots))
		}
		e.client.mu.Unlock()
		e.cancel(errStop)
	})
}

// TestTheEndFailsWhatWaits ends a connection, in each way that it can, under more
// reads than may be in flight.
func TestTheEndFailsWhatWaits(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(e *ends){
		"server stops":      func(e *ends) { e.cancel(errStop) },
		"server's end dies": func(e *ends) { _ = e.server.Close() },
		"worker's end dies": func(e *ends) { _ = e.worker.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				e := connect(t, &memory{data: noise(100), gate: make(chan struct{})})
				failed := make(chan error, 2*MaxInFlight)
				for range cap(failed) {
					go func() {
						_, err := e.client.ReadAt(make([]byte, 10), 0)
						failed <- err
					}()
				}
				synctest.Wait()
				end(e)
				for range cap(failed) {
					if err := <-failed; !errors.Is(err, ErrClosed) {
						t.Errorf("a read returned %v", err)
					}
				}
				if _, err := e.client.ReadAt(make([]byte, 10), 0); !errors.Is(err, ErrClosed) {
					t.Errorf("a later read returned %v", err)
				}
				if err := <-e.ran; !errors.Is(err, ErrClosed) {
					t.Errorf("Run returned %v", err)
				}
			})
		})
	}
}

// TestRequestsWithoutAnEnd asks without taking a reply in, from a film that
// answers and from one that does not.
func TestRequestsWithoutAnEnd(t *testing.T) {
	t.Parallel()
	for name, film := range map[string]*memory{
		"answers":  {data: noise(100)},
		"stalling": {data: noise(100), gate: make(chan struct{})},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				if film.gate != nil {
					film.gate = make(chan struct{}) // of this bubble
				}
				server, worker := net.Pipe()
				served := make(chan error, 1)
				go func() { served <- Serve(t.Context(), server, film) }()
				asked := 0
				for {
					if _, err := worker.Write(request{id: uint32(asked), length: 100}.encode()); err != nil {
						break
					}
					asked++
				}
				if err := <-served; !errors.Is(err, ErrProtocol) {
					t.Errorf("Serve returned %v", err)
				}
				if asked != slots+1 {
					t.Errorf("%d requests were taken in", asked)
				}
			})
		})
	}
}

func TestHostileRequests(t *testing.T) {
	t.Parallel()
	good := request{id: 1, offset: 0, length: 100}.encode()
	change := func(at int, to ...byte) []byte {
		b := bytes.Clone(good)
		copy(b[at:], to)
		return b
	}
	for name, sent := range map[string][]byte{
		"another version":  change(0, 2),
		"no zero":          change(3, 1),
		"negative offset":  change(8, 0xff),
		"beyond the end":   change(15, 1),
		"offset overflows": change(8, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff),
		"no bytes":         change(16, 0, 0, 0, 0),
		"too many bytes":   change(16, 0, 0x10, 0, 1),
		"breaks off":       good[:requestBytes-1],
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				server, worker := net.Pipe()
				go func() {
					_, _ = worker.Write(sent)
					_ = worker.Close()
				}()
				if err := Serve(t.Context(), server, &memory{data: noise(100)}); !errors.Is(err, ErrProtocol) {
					t.Errorf("Serve returned %v", err)
				}
			})
		})
	}
}

func TestHostileReplies(t *testing.T) {
	t.Parallel()
	reply := func(h replyHead, body string) []byte {
		b := make([]byte, replyBytes)
		h.put(b)
		return append(b, body...)
	}
	good := replyHead{id: 1, length: 4}
	for name, sent := range map[string][]byte{
		"another version":  append([]byte{2}, reply(good, "data")[1:]...),
		"no zero":          append([]byte{Version, 0, 1}, reply(good, "data")[3:]...),
		"unknown status":   reply(replyHead{status: 2, id: 1, length: 4}, "data"),
		"unknown id":       reply(replyHead{id: 2, length: 4}, "data"),
		"id 0":             reply(replyHead{id: 0, length: 4}, "data"),
		"fewer bytes":      reply(replyHead{id: 1, length: 3}, "dat"),
		"more bytes":       reply(replyHead{id: 1, length: 5}, "data!"),
		"far more bytes":   reply(replyHead{id: 1, length: 1 << 31}, "data"),
		"breaks off":       reply(good, "dat"),
		"long error":       reply(replyHead{status: statusError, id: 1, length: maxError + 1}, "{"),
		"error not JSON":   reply(replyHead{status: statusError, id: 1, length: 4}, "data"),
		"error with more":  reply(replyHead{status: statusError, id: 1, length: 33}, `{"code":"a","sentence":"b","c":1}`),
		"error and more":   reply(replyHead{status: statusError, id: 1, length: 31}, `{"code":"aa","sentence":"bb"} {}`[:31]),
		"error of nothing": reply(replyHead{status: statusError, id: 1, length: 2}, `{}`),
		"answered twice":   append(reply(good, "data"), reply(good, "data")...),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				server, worker := net.Pipe()
				client := NewClient(worker, 4)
				go func() {
					_, _ = io.ReadFull(server, make([]byte, requestBytes))
					_, _ = server.Write(sent)
					_ = server.Close()
				}()
				read := make(chan error, 1)
				go func() {
					_, err := client.ReadAt(make([]byte, 4), 0)
					read <- err
				}()
				if err := client.Run(t.Context()); !errors.Is(err, ErrProtocol) || !errors.Is(err, ErrClosed) {
					t.Errorf("Run returned %v", err)
				}
				if err := <-read; name != "answered twice" && !errors.Is(err, ErrProtocol) {
					t.Errorf("the read returned %v", err)
				}
			})
		})
	}
}

// TestPair reads through real sockets, the worker's end made from its descriptor,
// and counts descriptors.
func TestPair(t *testing.T) {
	before := descriptors(t)
	film := &memory{data: noise(2 * MaxLength)}
	for range 50 {
		ours, theirs, err := Pair()
		if err != nil {
			t.Fatal(err)
		}
		conn, err := net.FileConn(theirs)
		if err := errors.Join(err, theirs.Close()); err != nil {
			t.Fatal(err)
		}
		client := NewClient(conn, film.Size())
		ctx, cancel := context.WithCancelCause(t.Context())
		var both sync.WaitGroup
		both.Go(func() {
			if err := Serve(t.Context(), ours, film); err != nil {
				t.Errorf("Serve, with its worker gone, returned %v", err)
			}
		})
		both.Go(func() {
			if err := client.Run(ctx); !errors.Is(err, errStop) {
				t.Errorf("Run returned %v", err)
			}
		})
		p := make([]byte, MaxLength+1000)
		if _, err := client.ReadAt(p, 1000); err != nil || !bytes.Equal(p, film.data[1000:1000+len(p)]) {
			t.Errorf("read: %v", err)
		}
		cancel(errStop)
		both.Wait()
	}
	if after := descriptors(t); after > before {
		t.Errorf("%d descriptors were open before, %d are after", before, after)
	}
}

// TestAWorkerThatDiesWithAReplyUnread is no error of Serve's.
func TestAWorkerThatDiesWithAReplyUnread(t *testing.T) {
	t.Parallel()
	ours, theirs, err := Pair()
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- Serve(t.Context(), ours, &memory{data: noise(100)}) }()
	if _, err := theirs.Write(request{id: 1, length: 100}.encode()); err != nil {
		t.Fatal(err)
	}
	if _, err := theirs.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if err := theirs.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-served; err != nil {
		t.Errorf("Serve returned %v", err)
	}
}
