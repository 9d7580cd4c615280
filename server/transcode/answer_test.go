package transcode

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/upscaled-media/upscaled/server/problem"
	"github.com/upscaled-media/upscaled/worker/wire"
)

// begunAnswer is a transcode whose result has begun, and which cancel ends.
func begunAnswer(w http.ResponseWriter, r *http.Request, idle time.Duration, cancel context.CancelCauseFunc) *transcode {
	t := &transcode{Endpoint: &Endpoint{}, answer: newAnswer(w, r, idle), cancel: cancel}
	t.answer.stalled = func() { cancel(stalledReader(idle)) }
	t.answer.begin(&Order{Output: wire.Output{Container: "mkv"}})
	return t
}

// TestResultPauses sends parts with so long a time between them that a part may not
// take.
func TestResultPauses(t *testing.T) {
	eachVersion(t, func(t *testing.T, major int) {
		t.Helper()
		part := bytes.Repeat([]byte("part"), 10000)
		exchange(t, major, nil, func(w http.ResponseWriter, r *http.Request) {
			ctx, cancel := context.WithCancelCause(r.Context())
			tr := begunAnswer(w, r, time.Second, cancel)
			for range 3 {
				if err := tr.send(ctx, part); err != nil {
					t.Error(err)
				}
				<-time.After(time.Minute)
			}
			tr.answer.end(false)
		}, func(answer *http.Response, err error) {
			if err != nil {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(answer.Body); err != nil || !bytes.Equal(got, bytes.Repeat(part, 3)) {
				t.Errorf("%d bytes, %v", len(got), err)
			}
		})
	})
}

// TestReaderTakesNothing sends more than the way holds to a client that does not read.
func TestReaderTakesNothing(t *testing.T) {
	eachVersion(t, func(t *testing.T, major int) {
		t.Helper()
		over := make(chan struct{})
		exchange(t, major, nil, func(w http.ResponseWriter, r *http.Request) {
			ctx, cancel := context.WithCancelCause(r.Context())
			tr := begunAnswer(w, r, time.Minute, cancel)
			defer close(over)
			began, err := time.Now(), error(nil)
			for err == nil {
				err = tr.send(ctx, make([]byte, block))
			}
			if took := time.Since(began); problem.From(err).Code != problem.ReaderStalled || took < time.Minute || took > time.Minute+lastPart {
				t.Errorf("%v after %s", err, took)
			}
			panic(http.ErrAbortHandler)
		}, func(answer *http.Response, err error) {
			if err != nil {
				t.Fatal(err)
			}
			<-over
			if _, err := io.ReadAll(answer.Body); err == nil {
				t.Error("the result has an end")
			}
		})
	})
}

// TestReaderTakesLittle takes so little that no part goes out for long, and then nothing.
func TestReaderTakesLittle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		over := make(chan struct{})
		exchange(t, 1, nil, func(w http.ResponseWriter, r *http.Request) {
			defer close(over)
			ctx, cancel := context.WithCancelCause(r.Context())
			tr := begunAnswer(w, r, time.Minute, cancel)
			began := time.Now()
			tr.answer.unsent = func() int { return max(0, 100-int(time.Since(began).Seconds()/10)) } // nothing more after 1000 s
			err := tr.send(ctx, make([]byte, 1<<20))
			if took := time.Since(began); problem.From(err).Code != problem.ReaderStalled || took < 1050*time.Second || took > 1070*time.Second {
				t.Errorf("%v after %s", err, took)
			}
			panic(http.ErrAbortHandler)
		}, func(*http.Response, error) { <-over })
	})
}

// TestEndIsTakenLate ends a result whose client still sends, and does not read for long.
func TestEndIsTakenLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		read, write := io.Pipe()
		exchange(t, 1, read, func(w http.ResponseWriter, r *http.Request) {
			ctx, cancel := context.WithCancelCause(r.Context())
			tr := begunAnswer(w, r, time.Minute, cancel)
			if err := tr.send(ctx, []byte("the result")); err != nil {
				t.Error(err)
			}
			tr.answer.end(true)
		}, func(answer *http.Response, err error) {
			if err != nil {
				t.Fatal(err)
			}
			<-time.After(50 * time.Second)
			if got, err := io.ReadAll(answer.Body); err != nil || string(got) != "the result" {
				t.Errorf("%q, %v", got, err)
			}
			_ = write.Close() // cannot fail
		})
	})
}

// hijacked is a connection, and the answer that goes over it. What is written is kept, as
// in a system's buffer.
type hijacked struct {
	http.ResponseWriter
	net.Conn
	sent bytes.Buffer
}

func (h *hijacked) Hijack() (net.Conn, *bufio.ReadWriter, error) { return h, nil, nil }
func (h *hijacked) Write(p []byte) (int, error)                  { return h.sent.Write(p) }
func (h *hijacked) CloseWrite() error                            { return nil }

// TestRestIsTaken ends answers whose client still sends and does not hang up: the connection
// is there until all was taken, or nothing is for too long.
func TestRestIsTaken(t *testing.T) {
	const idle = time.Minute
	for name, c := range map[string]struct {
		takes       time.Duration // a tenth of what the system holds
		whole       bool
		least, most time.Duration // the connection is there
	}{
		"slowly":             {30 * time.Second, true, 300 * time.Second, 300*time.Second + lastWords},
		"at once":            {time.Millisecond, true, lastWords, lastWords},
		"not at all":         {time.Hour, true, idle, idle + idle/8},
		"and was broken off": {30 * time.Second, false, lastWords, lastWords},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				theirs, ours := net.Pipe()
				client, began := make(chan int), time.Now()
				go func() {
					n, err := 0, error(nil)
					for ; err == nil; n++ {
						<-time.After(time.Second)
						_, err = theirs.Write([]byte("more"))
					}
					client <- n
				}()
				h := &hijacked{Conn: ours}
				a := &answer{control: http.NewResponseController(h), idle: idle}
				a.unsent = func() int { return max(0, 10-int(time.Since(began)/c.takes)) }
				a.part("the end", c.whole)
				if took := time.Since(began); took < c.least || took > c.most || h.sent.String() != "the end" {
					t.Errorf("%q, and it ends after %s", &h.sent, took)
				}
				if n := <-client; time.Duration(n)*time.Second < c.least-time.Second {
					t.Errorf("of what it still sends %d parts are read", n)
				}
			})
		})
	}
}

// TestEndHurries ends a transcode right when a part begins to go to a client that does
// not read.
func TestEndHurries(t *testing.T) {
	eachVersion(t, func(t *testing.T, major int) {
		t.Helper()
		over := make(chan struct{})
		exchange(t, major, nil, func(w http.ResponseWriter, r *http.Request) {
			defer close(over)
			ctx, cancel := context.WithCancelCause(r.Context())
			tr := begunAnswer(w, r, time.Hour, cancel)
			why := errors.New("ended")
			tr.cancel(why)
			began := time.Now()
			if err := tr.send(ctx, make([]byte, 16<<20)); !errors.Is(err, why) || time.Since(began) > lastPart {
				t.Errorf("%v after %s", err, time.Since(began))
			}
			panic(http.ErrAbortHandler)
		}, func(*http.Response, error) { <-over })
	})
}
