package source

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestReadsThroughFaults reads a whole film from servers that fail on the way and
// go on.
func TestReadsThroughFaults(t *testing.T) {
	t.Parallel()
	film := noise(12*blockBytes + 12345)
	serve := func(w http.ResponseWriter, r *http.Request) bool {
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(film))
		return true
	}
	for name, fault := range map[string]func(n int, w http.ResponseWriter, r *http.Request) bool{
		"none": nil,
		"drops every 100000 bytes": from(2, func(_ int, w http.ResponseWriter, r *http.Request) bool {
			return serve(&dropped{w, 100_000}, r)
		}),
		"503 in between": func(n int, w http.ResponseWriter, r *http.Request) bool {
			if n%2 == 0 {
				return status(503, "Retry-After", "2")(n, w, r)
			}
			return n > 1 && serve(&dropped{w, 700_000}, r)
		},
		"falls silent": from(2, func(n int, w http.ResponseWriter, r *http.Request) bool {
			if n%3 == 0 {
				return stall(0)(n, w, r)
			}
			return serve(&dropped{w, 300_000}, r)
		}),
		"sends 300000 bytes at most": from(2, func(_ int, w http.ResponseWriter, r *http.Request) bool {
			var at int64
			_, _ = fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &at)
			r.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", at, at+300_000-1))
			return serve(w, r)
		}),
		"has another, weak tag, and the date": func(_ int, w http.ResponseWriter, r *http.Request) bool {
			w.Header().Set("ETag", `W/"weak"`)
			http.ServeContent(w, r, "", time.Unix(1e9, 0), bytes.NewReader(film))
			return true
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				o := newOrigin(t, film)
				o.fault = fault
				if err := readAll(t, o.remote(t), film); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// TestFailsOnTheWay reads a film from servers that do not go on.
func TestFailsOnTheWay(t *testing.T) {
	t.Parallel()
	film := noise(4 * blockBytes)
	other := func(film []byte, etag string) func(int, http.ResponseWriter, *http.Request) bool {
		return from(2, func(_ int, w http.ResponseWriter, r *http.Request) bool {
			w.Header().Set("ETag", etag)
			http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(film))
			return true
		})
	}
	for name, row := range map[string]struct {
		fault func(n int, w http.ResponseWriter, r *http.Request) bool
		code  Code
	}{
		"another tag":            {other(film, `"two"`), CodeChanged},
		"another size":           {other(film[1:], `"one"`), CodeChanged},
		"shorter than the range": {other(film[:100], `"one"`), CodeChanged},
		"whole at once":          {from(2, status(200)), CodeChanged},
		"tag changed, If-Range not heeded": {from(2, func(_ int, w http.ResponseWriter, r *http.Request) bool {
			r.Header.Del("If-Range")
			w.Header().Set("ETag", `"two"`)
			http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(film))
			return true
		}), CodeChanged},
		"another range":     {from(2, status(206, "Content-Range", fmt.Sprintf("bytes 0-9/%d", len(film)))), CodeNotSeekable},
		"no range any more": {from(2, status(206)), CodeNotSeekable},
		"deleted":           {from(2, status(404)), CodeNotFound},
		"forbidden":         {from(2, status(403)), CodeUnreadable},
		"sends them away":   {from(2, redirectTo("http://evil.test/")), CodeRefused},
		"drops each time":   {from(2, func(int, http.ResponseWriter, *http.Request) bool { panic(http.ErrAbortHandler) }), CodeUnreachable},
		"drops at each byte": {from(2, func(_ int, w http.ResponseWriter, r *http.Request) bool {
			http.ServeContent(&dropped{w, 1}, r, "", time.Time{}, bytes.NewReader(film))
			return true
		}), CodeUnreachable},
		"silent": {from(2, stall(0)), CodeUnreachable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				o := newOrigin(t, film)
				o.fault = row.fault
				r := o.remote(t)
				begun := time.Now()
				err := readAll(t, r, film)
				if CodeOf(err) != row.code {
					t.Fatalf("got %s: %v", CodeOf(err), err)
				}
				clean(t, err)
				if took := time.Since(begun); took > 31*time.Second {
					t.Errorf("failed after %v", took)
				}
				o.mu.Lock()
				o.fault = nil // the server is well again
				o.mu.Unlock()
				switch err := readAll(t, r, film); {
				case row.code == CodeChanged && CodeOf(err) != CodeChanged:
					t.Errorf("a film that was changed could be read on: %v", err)
				case row.code != CodeChanged && err != nil:
					t.Errorf("could not be read after the trouble: %v", err)
				}
			})
		})
	}
}

// TestRequestsAreFew holds how often a server is asked.
func TestRequestsAreFew(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		film := noise(100 * blockBytes)
		o := newOrigin(t, film)
		r := o.remote(t)
		read := func(block int64, want ...string) {
			t.Helper()
			before := len(o.requests())
			p := make([]byte, 1000)
			if _, err := r.ReadAtContext(t.Context(), p, block*blockBytes); err != nil || !bytes.Equal(p, film[block*blockBytes:][:1000]) {
				t.Fatalf("block %d: %v", block, err)
			}
			synctest.Wait()
			if asked := o.requests()[before:]; !slices.Equal(asked, want) {
				t.Errorf("for block %d %q was asked, want %q", block, asked, want)
			}
		}
		begin := func(block int64) string { return fmt.Sprintf("bytes=%d-", block*blockBytes) }
		read(0) // known from opening
		read(1, begin(1))
		for block := int64(2); block < 40; block++ {
			read(block)
		}
		read(20)            // a little back
		read(90, begin(90)) // far
		read(93)            // near
		read(40)            // the first reader goes on
		read(5)
		read(70, begin(70))
		read(76, begin(76)) // not near enough to the 71 that the last would go on with
		read(69, begin(69)) // before one that was read
		read(99)            // near to the 95 that 93 was read ahead to
		read(3)             // still there
	})
}

// TestOneFetchForManyReaders has many readers want the same at once.
func TestOneFetchForManyReaders(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		film := noise(30 * blockBytes)
		o := newOrigin(t, film)
		r := o.remote(t)
		var readers sync.WaitGroup
		for range 20 {
			readers.Go(func() {
				if err := readAll(t, r, film); err != nil {
					t.Error(err)
				}
			})
		}
		readers.Wait()
		if n := len(o.requests()); n != 2 {
			t.Errorf("asked %d times: %q", n, o.requests())
		}
	})
}

// TestManyReadersFarApart has more readers than fetchers, each at its own place of
// a film that is larger than what is kept of it.
func TestManyReadersFarApart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		film := noise((maxBlocks + 40) * blockBytes)
		o := newOrigin(t, film)
		o.fault = from(3, func(_ int, w http.ResponseWriter, r *http.Request) bool {
			http.ServeContent(&dropped{w, 3 << 20}, r, "", time.Time{}, bytes.NewReader(film))
			return true
		})
		r := o.remote(t)
		var readers sync.WaitGroup
		for seed := range uint64(3 * fetchers) {
			readers.Go(func() {
				draw := rand.New(rand.NewPCG(seed, 0))
				for range 40 {
					at := draw.IntN(len(film))
					p := make([]byte, min(draw.IntN(3*blockBytes), len(film)-at))
					if n, err := r.ReadAtContext(t.Context(), p, int64(at)); err != nil || n != len(p) || !bytes.Equal(p, film[at:at+n]) {
						t.Errorf("%d bytes at %d: %d, %v", len(p), at, n, err)
					}
					r.mu.Lock()
					if there := r.recent.Len(); there > maxBlocks || len(r.blocks) > maxBlocks+3*fetchers+fetchers {
						t.Errorf("%d blocks are there, %d with those to come", there, len(r.blocks))
					}
					r.mu.Unlock()
				}
			})
		}
		readers.Wait()
		synctest.Wait()
		if open := o.connections(); open > 2*fetchers {
			t.Errorf("%d connections are open", open)
		}
	})
}

// TestReadAhead holds how far is read before it is wanted.
func TestReadAhead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		film := noise(100 * blockBytes)
		r := newOrigin(t, film).remote(t)
		ahead := func(block int64, want int) {
			t.Helper()
			if _, err := r.ReadAtContext(t.Context(), make([]byte, 10), block*blockBytes); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			r.mu.Lock()
			defer r.mu.Unlock()
			got := 0
			for next := block + 1; r.blocks[next] != nil; next++ {
				got++
			}
			if got != want {
				t.Errorf("after a read of block %d there are %d behind it, want %d", block, got, want)
			}
		}
		ahead(50, 0) // may be a look at an index
		ahead(51, 1)
		ahead(51, 1) // stands still
		ahead(52, 2)
		ahead(53, 4)
		ahead(54, 8)
		ahead(55, 16)
		ahead(56, 16)
		ahead(95, 0)
		ahead(96, 1)
		ahead(97, 2)
		ahead(98, 1) // the end
	})
}

// TestPausedFilmHoldsNoConnection leaves a film unread for a while.
func TestPausedFilmHoldsNoConnection(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		film := noise(50 * blockBytes)
		o := newOrigin(t, film)
		r := o.remote(t)
		if _, err := r.ReadAtContext(t.Context(), make([]byte, 10), 20*blockBytes); err != nil {
			t.Fatal(err)
		}
		if o.connections() == 0 {
			t.Error("no connection is open while it is read")
		}
		time.Sleep(2 * idleConnection) //nolint:forbidigo // simulated time
		synctest.Wait()
		if open := o.connections(); open != 0 {
			t.Errorf("%d connections are open", open)
		}
		if err := readAll(t, r, film); err != nil {
			t.Error(err)
		}
	})
}

// TestTheEndOfReads ends reads that wait for a silent server.
func TestTheEndOfReads(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := newOrigin(t, noise(50*blockBytes))
		o.fault = from(2, stall(0))
		r, err := openRemote(t.Context(), o.client(t, filmURL), slogDiscard)
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancelCause(t.Context())
		go r.run(ctx)
		begun := time.Now()
		why := errors.New("the reader leaves")
		reading, leave := context.WithCancelCause(t.Context())
		left := make(chan error, 1)
		go func() {
			_, err := r.ReadAtContext(reading, make([]byte, 10), 10*blockBytes)
			left <- err
		}()
		others := make(chan error, 3*fetchers)
		for i := range int64(cap(others)) {
			go func() {
				_, err := r.ReadAtContext(t.Context(), make([]byte, 10), (i+1)*3*blockBytes)
				others <- err
			}()
		}
		synctest.Wait()
		leave(why)
		if err := <-left; !errors.Is(err, why) {
			t.Errorf("the read that was left returned %v", err)
		}
		over := errors.New("the session is over")
		stop(over)
		for range cap(others) {
			if err := <-others; !errors.Is(err, over) && !errors.Is(err, ErrClosed) {
				t.Errorf("a read returned %v", err)
			}
		}
		synctest.Wait() // until run has ended, too
		if _, err := r.ReadAtContext(t.Context(), make([]byte, 10), 0); !errors.Is(err, ErrClosed) {
			t.Errorf("a later read returned %v", err)
		}
		if took := time.Since(begun); took > 0 {
			t.Errorf("took %v", took)
		}
		if _, err := r.ReadAtContext(t.Context(), make([]byte, 10), 50*blockBytes-9); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("a read beyond the end returned %v", err)
		}
	})
}

// TestAChangeEndsAllReads finds out by one of two reads that the film was changed,
// while the other's answer is on its way.
func TestAChangeEndsAllReads(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		film := noise(40 * blockBytes)
		o, gate := newOrigin(t, film), make(chan struct{})
		o.fault = func(n int, w http.ResponseWriter, _ *http.Request) bool {
			switch n {
			case 2:
				<-gate
			case 3:
				w.Header().Set("ETag", `"two"`)
			}
			return false
		}
		r := o.remote(t)
		failed := make(chan error, 2)
		for _, block := range []int64{10, 20} {
			go func() {
				_, err := r.ReadAtContext(t.Context(), make([]byte, 10), block*blockBytes)
				failed <- err
			}()
			synctest.Wait()
		}
		for range cap(failed) {
			if err := <-failed; CodeOf(err) != CodeChanged {
				t.Errorf("got %v", err)
			}
		}
		close(gate)
		synctest.Wait()
		r.mu.Lock()
		defer r.mu.Unlock()
		if len(r.blocks) != 0 || r.recent.Len() != 0 {
			t.Errorf("%d blocks of the changed film are kept", len(r.blocks))
		}
	})
}

// TestWhatIsReadIsKept reads one block again and again beside a long stretch.
func TestWhatIsReadIsKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := newOrigin(t, noise((maxBlocks+40)*blockBytes))
		r := o.remote(t)
		for block := int64(2); block < maxBlocks+30; block++ {
			for _, at := range []int64{1, block} {
				if _, err := r.ReadAtContext(t.Context(), make([]byte, 10), at*blockBytes); err != nil {
					t.Fatal(err)
				}
			}
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.blocks[2] != nil {
			t.Error("block 2 is still there")
		}
		if asked := o.requests(); len(asked) != 2 {
			t.Errorf("asked %q", asked)
		}
	})
}
