package transcode

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/upscaled-media/upscaled/server/problem"
)

// eachVersion runs a test for each version of HTTP, in a bubble.
func eachVersion(t *testing.T, test func(t *testing.T, major int)) {
	t.Helper()
	for major := 1; major <= 2; major++ {
		t.Run(fmt.Sprint(major), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test(t, major) })
		})
	}
}

// given is the upload of a request.
func given(w http.ResponseWriter, r *http.Request, idle time.Duration) *upload {
	control := http.NewResponseController(w)
	_ = control.EnableFullDuplex() // HTTP/2 always is
	return &upload{body: r.Body, control: control, idle: idle, size: r.ContentLength}
}

// TestBodyIsHeldBack reads a body so slowly that its bound passes between the parts
// again and again: the client is not to blame.
func TestBodyIsHeldBack(t *testing.T) {
	eachVersion(t, func(t *testing.T, major int) {
		t.Helper()
		read, write := io.Pipe()
		go func() {
			for range 20 {
				_, _ = write.Write(make([]byte, 64<<10)) // who reads tells
			}
			_ = write.Close() // cannot fail
		}()
		exchange(t, major, read, func(w http.ResponseWriter, r *http.Request) {
			u, n := given(w, r, time.Second), 0
			for part := make([]byte, 16<<10); ; <-time.After(time.Minute) {
				m, err := io.ReadFull(u, part)
				if n += m; err != nil {
					if !errors.Is(err, io.EOF) || n != 20*64<<10 {
						t.Errorf("%d bytes, %v", n, err)
					}
					return
				}
			}
		}, func(_ *http.Response, err error) {
			if err != nil {
				t.Error(err)
			}
		})
	})
}

// TestBodyStops waits for a body that does not go on, until nobody wants it and in
// vain.
func TestBodyStops(t *testing.T) {
	for name, unwanted := range map[string]bool{"in vain": false, "until nobody wants it": true} {
		t.Run(name, func(t *testing.T) {
			eachVersion(t, func(t *testing.T, major int) {
				t.Helper()
				read, write := io.Pipe()
				go func() { _, _ = write.Write([]byte("part")) }() // who reads tells
				exchange(t, major, read, func(w http.ResponseWriter, r *http.Request) {
					u := given(w, r, time.Second)
					if unwanted {
						time.AfterFunc(500*time.Millisecond, u.stop)
					}
					got, err := io.ReadAll(u)
					if string(got) != "part" || unwanted != errors.Is(err, errStopped) || !unwanted && problem.From(err).Code != problem.BodyStalled {
						t.Errorf("%q, %v", got, err)
					}
				}, func(*http.Response, error) { _ = write.Close() }) // cannot fail
			})
		})
	}
}

// stops stops an upload as soon as its body cannot be read on, as the end of the request
// does, which net/http brings about.
type stops struct {
	io.Reader
	stop func()
}

func (s stops) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	if err != nil {
		s.stop()
	}
	return n, err
}

// TestBodyThatStopsEndsTheRequest says that the body does not go on also where nobody
// wants it any more because of that.
func TestBodyThatStopsEndsTheRequest(t *testing.T) {
	eachVersion(t, func(t *testing.T, major int) {
		t.Helper()
		read, write := io.Pipe()
		go func() { _, _ = write.Write([]byte("part")) }() // who reads tells
		exchange(t, major, read, func(w http.ResponseWriter, r *http.Request) {
			u := given(w, r, time.Second)
			u.body = stops{u.body, u.stop}
			if _, err := io.ReadAll(u); problem.From(err).Code != problem.BodyStalled {
				t.Errorf("%v", err)
			}
		}, func(*http.Response, error) { _ = write.Close() })
	})
}
