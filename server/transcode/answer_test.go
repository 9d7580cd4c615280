package transcode

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/upscaled-media/upscaled/server/problem"
	"github.com/upscaled-media/upscaled/worker/wire"
)

// begunAnswer is a transcode whose result has begun; the context is what ends it.
func begunAnswer(w http.ResponseWriter, r *http.Request, idle time.Duration) (context.Context, *transcode) {
	ctx, cancel := context.WithCancelCause(r.Context())
	t := &transcode{Endpoint: &Endpoint{}, answer: newAnswer(w, r, idle), cancel: cancel}
	t.answer.stalled = func() { cancel(stalledReader(idle)) }
	t.answer.begin(&Order{Output: wire.Output{Container: "mkv"}})
	return ctx, t
}

// TestResultPauses sends parts with so long a time between them that a part may not
// take.
func TestResultPauses(t *testing.T) {
	eachVersion(t, func(t *testing.T, major int) {
		part := bytes.Repeat([]byte("part"), 10000)
		exchange(t, major, nil, func(w http.ResponseWriter, r *http.Request) {
			ctx, tr := begunAnswer(w, r, time.Second)
			for range 3 {
				if err := tr.send(ctx, part); err != nil {
					t.Error(err)
				}
				time.Sleep(time.Minute)
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
		over := make(chan struct{})
		exchange(t, major, nil, func(w http.ResponseWriter, r *http.Request) {
			ctx, tr := begunAnswer(w, r, time.Minute)
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
			ctx, tr := begunAnswer(w, r, time.Minute)
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

// TestEndHurries ends a transcode right when a part begins to go to a client that does
// not read.
func TestEndHurries(t *testing.T) {
	eachVersion(t, func(t *testing.T, major int) {
		over := make(chan struct{})
		exchange(t, major, nil, func(w http.ResponseWriter, r *http.Request) {
			defer close(over)
			ctx, tr := begunAnswer(w, r, time.Hour)
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
