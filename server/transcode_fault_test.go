package server

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime/debug"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/server/problem"
	"github.com/upscaled-media/upscaled/server/transcode"
	"github.com/upscaled-media/upscaled/worker/workertest"
)

// announced sends a film whose length is told to be another one than it is.
func (d *daemon) announced(body []byte, length int) (net.Conn, *http.Response) {
	d.t.Helper()
	conn, in := d.raw(fmt.Sprintf("PUT /v1/transcode HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s", length, body))
	answer, err := http.ReadResponse(in, nil)
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { _ = answer.Body.Close() }) // it may be broken
	return conn, answer
}

// TestBodyShorterThanItSays fails a transcode whose body ends, or stops, before the
// length that it announced, whatever the worker makes of what came.
func TestBodyShorterThanItSays(t *testing.T) {
	for name, c := range map[string]struct {
		ends bool
		code problem.Code
	}{
		"and ends":       {true, problem.BodyIncomplete},
		"and stays open": {false, problem.BodyStalled},
	} {
		t.Run(name, func(t *testing.T) {
			set := settings(t)
			if !c.ends {
				set.Transcode.BodyIdle = 200 * time.Millisecond
			}
			d := begin(t, set)
			body := upload(workertest.Film{Feed: 1000}, make([]byte, 50_000))
			conn, answer := d.announced(body, len(body)+1)
			if c.ends {
				must(t, conn.(*net.TCPConn).CloseWrite())
			}
			// Where the machine is slow the body's time is over before there is a result.
			if got, err := io.ReadAll(answer.Body); err == nil && answer.StatusCode == http.StatusOK {
				t.Errorf("%d bytes end well", len(got))
			}
			d.concluded(answer.Header.Get(transcode.HeaderSession), "failed", c.code)
		})
	}
}

// TestKeptBodyShorterThanItSays refuses such a body that is kept, and keeps nothing of it.
func TestKeptBodyShorterThanItSays(t *testing.T) {
	d := begin(t, settings(t))
	body := lastIndex(workertest.Film{}, 100_000)
	conn, in := d.raw(fmt.Sprintf("PUT /v1/transcode HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s", len(body)+1, body))
	until(t, "it is being kept", func() bool { return d.transcode.Stats().Received == int64(len(body)) })
	must(t, conn.(*net.TCPConn).CloseWrite())
	answer, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(answer.Body)
	must(t, errors.Join(err, answer.Body.Close()))
	refused(t, answerOf(answer, text), problem.BodyIncomplete)
	if kept := d.transcode.Stats().Spool; kept != 0 {
		t.Errorf("%d bytes are kept still", kept)
	}
}

// TestBodyLongerThanItSays takes what was announced, and nothing of what comes behind it.
func TestBodyLongerThanItSays(t *testing.T) {
	d := begin(t, settings(t))
	film, fed := workertest.Film{Feed: 1000}, make([]byte, 50_000)
	body := upload(film, fed)
	_, in := d.raw(fmt.Sprintf("PUT /v1/transcode HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%smore than that\r\n\r\n", len(body), body))
	answer, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(answer.Body)
	must(t, errors.Join(err, answer.Body.Close()))
	if !bytes.Equal(got, workertest.Transcoded(plain(), film, fed)) {
		t.Errorf("%d bytes: %.300s", len(got), got)
	}
	if s := d.concluded(answer.Header.Get(transcode.HeaderSession), "eos", ""); s.Progress.Read != int64(len(body)) {
		t.Errorf("%d bytes of %d were read", s.Progress.Read, len(body))
	}
	next, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	if must(t, next.Body.Close()); next.StatusCode != http.StatusBadRequest {
		t.Errorf("what comes behind the body is answered with %d", next.StatusCode)
	}
}

// TestNoWorkerLeavesNoDescriptors asks again and again for transcodes that no worker can be
// had for.
func TestNoWorkerLeavesNoDescriptors(t *testing.T) {
	c := settings(t)
	c.Workers.Command, c.Workers.Spare = fakeWorker(t, workertest.ExitAtStart), 0
	d := begin(t, c)
	ask := func() {
		response := d.put("", bytes.NewReader(upload(workertest.Film{}, nil)))
		text, err := io.ReadAll(response.Body)
		must(t, err)
		refused(t, answerOf(response, text), problem.WorkerUnavailable)
	}
	ask()
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // which would close what nobody has any more
	before := held(t).descriptors
	for range 20 {
		ask()
	}
	until(t, "no more descriptors are open than before", func() bool { return held(t).descriptors <= before+5 }) // connections come and go
}
