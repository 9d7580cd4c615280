package server

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/filters"
	"github.com/upscaled-media/upscaled/models"
	"github.com/upscaled-media/upscaled/server/playback"
	"github.com/upscaled-media/upscaled/server/problem"
	"github.com/upscaled-media/upscaled/server/transcode"
	"github.com/upscaled-media/upscaled/worker/wire"
	"github.com/upscaled-media/upscaled/worker/workertest"
)

// upload is a film as the body of a request, and what is fed behind it.
func upload(film workertest.Film, fed []byte) []byte {
	return append(append(film.Bytes(), '\n'), fed...)
}

// plain is what a request without a query asks a worker for.
func plain() wire.Prepare {
	return wire.Prepare{
		Upscale: wire.Upscale{Model: models.Default, Provider: "auto", Strength: 1, Filters: filters.Neutral()},
		Output:  wire.Output{Container: "mkv", Speed: "balanced", Quality: -1, Track: -1, Stream: true},
	}
}

// put begins a request for a transcode.
func (d *daemon) put(query string, body io.Reader, headers ...string) *http.Response {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), patience)
	d.t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, http.MethodPut, d.url+"/v1/transcode"+query, body)
	if err != nil {
		d.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	response, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { _ = response.Body.Close() }) // it may be broken
	return response
}

// concluded checks how a session ended, and with which code if that was a failure.
func (d *daemon) concluded(id, cause string, code problem.Code) playback.Session {
	d.t.Helper()
	s := d.told(id)
	got := problem.Code("")
	if s.Failure != nil {
		got = s.Failure.Code
	}
	if s.State != "ended" || string(s.Cause) != cause || got != code {
		d.t.Errorf("session %s ended with %s (%s), want %s (%s): %+v", id, s.Cause, got, cause, code, s.Failure)
	}
	return s
}

// sessions returns the ids of those of a state.
func (d *daemon) sessionsIn(state string) (ids []string) {
	d.t.Helper()
	list := want[struct{ Sessions []playback.Session }](d.t, d.ask("GET", "/v1/sessions", ""), 200)
	for _, s := range list.Sessions {
		if string(s.State) == state {
			ids = append(ids, s.ID)
		}
	}
	return ids
}

// until waits until something is so.
func until(t *testing.T, what string, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !so(); <-time.After(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("in vain waited until %s", what)
		}
	}
}

// told returns what the server tells of a session once it has ended.
func (d *daemon) told(id string) playback.Session {
	d.t.Helper()
	for deadline := time.Now().Add(patience); ; <-time.After(5 * time.Millisecond) {
		s := want[playback.Session](d.t, d.ask("GET", "/v1/sessions/"+id, ""), 200)
		if s.State == "ended" || time.Now().After(deadline) {
			return s
		}
	}
}

func TestTranscode(t *testing.T) {
	d := begin(t, settings(t))
	film, fed := workertest.Film{Feed: 1000}, bytes.Repeat([]byte("frames "), 20000)
	response := d.put("", bytes.NewReader(upload(film, fed)))
	got, err := io.ReadAll(response.Body)
	must(t, err)
	if want := workertest.Transcoded(plain(), film, fed); response.StatusCode != 200 || !bytes.Equal(got, want) {
		t.Fatalf("status %d, %d bytes, want %d: %.300s", response.StatusCode, len(got), len(want), got)
	}
	h := response.Header
	if h.Get("Content-Type") != "video/x-matroska" || h.Get("X-Accel-Buffering") != "no" || h.Get(transcode.HeaderSpooled) != "no" ||
		!strings.Contains(h.Get("Content-Disposition"), "upscaled.mkv") || h.Get("Cache-Control") != "no-store" {
		t.Errorf("%v", h)
	}
	s := d.told(h.Get(transcode.HeaderSession))
	if s.Kind != "transcode" || s.Cause != "eos" || s.Source != "upload" || s.Progress == nil || s.Progress.Encoded != 140 ||
		s.Progress.Written != int64(len(got)) || s.Progress.Read != int64(len(upload(film, fed))) || s.Progress.Upscaled != 140 {
		t.Errorf("%+v, %+v", s, s.Progress)
	}
}

// TestResultComesWhileTheBodyDoes sends the body piece by piece, each when what is
// made of the one before has come.
func TestResultComesWhileTheBodyDoes(t *testing.T) {
	d := begin(t, settings(t))
	film := workertest.Film{Feed: 1000}
	read, write := io.Pipe()
	answers := make(chan *http.Response, 1)
	go func() { answers <- d.put("?container=ts", io.MultiReader(bytes.NewReader(upload(film, nil)), read)) }()
	var response *http.Response
	block := make([]byte, 4096)
	for n := range 20 {
		_, err := write.Write(make([]byte, 1000))
		must(t, err)
		if response == nil {
			if response = <-answers; response.StatusCode != 200 {
				problem, _ := io.ReadAll(response.Body)
				t.Fatalf("%s", problem)
			}
			head := plain()
			head.Output.Container = "ts"
			_, err := io.ReadFull(response.Body, make([]byte, len(workertest.Head(head))))
			must(t, err)
		}
		if _, err := io.ReadFull(response.Body, block); err != nil || block[7] != byte(n) {
			t.Fatalf("block %d: %v, %x", n, err, block[:8])
		}
	}
	must(t, write.Close())
	if rest, err := io.ReadAll(response.Body); err != nil || len(rest) > 0 {
		t.Errorf("%d more bytes, %v", len(rest), err)
	}
	if kind := response.Header.Get("Content-Type"); kind != "video/mp2t" {
		t.Error(kind)
	}
}

// TestTranscodeTellsWhenItIsDone looks at a film of hours that is made as fast as it plays.
func TestTranscodeTellsWhenItIsDone(t *testing.T) {
	d := begin(t, settings(t))
	d.begunSlowly()
	id := d.sessionsIn("playing")[0]
	until(t, "something is made", func() bool {
		p := want[playback.Session](t, d.ask("GET", "/v1/sessions/"+id, ""), 200).Progress
		return p != nil && p.Position > 0 && p.ETA > 3600 && p.Duration == 5*3600
	})
}

// TestEveryKeyReachesTheWorker gives all keys and reads what the worker was asked for.
func TestEveryKeyReachesTheWorker(t *testing.T) {
	d := begin(t, settings(t))
	query := "?model=swift-s-x2&provider=cpu&strength=0.25&preset=warm&filters=gamma:1.5,contrast:9&height=720&video_codec=vp9" +
		"&quality=60&speed=best&audio=opus&track=2&container=mp4&start=1m1.5s&duration=2.5"
	response := d.put(query, bytes.NewReader(upload(workertest.Film{Duration: workertest.Length(2 * time.Minute)}, nil)))
	got, err := io.ReadAll(response.Body)
	must(t, err)
	asked := plain()
	asked.Upscale.Provider, asked.Upscale.Strength, asked.Upscale.Filters.Gamma = "cpu", 0.25, 1.5
	asked.Output = wire.Output{
		Container: "mp4", VideoCodec: "vp9", Height: 720, Quality: 60, Speed: "best", Audio: wire.AudioOpus, Track: 2,
		Start: 61500 * time.Millisecond, Duration: 2500 * time.Millisecond, Stream: true,
	}
	if want := workertest.Transcoded(asked, workertest.Film{Duration: workertest.Length(2 * time.Minute)}, nil); !bytes.Equal(got, want) {
		t.Errorf("%d bytes, want %d: %.300s", len(got), len(want), got)
	}
	if h := response.Header; h.Get(transcode.HeaderClamped) != "contrast" || h.Get("Content-Type") != "video/mp4" {
		t.Errorf("%v", h)
	}
	s := d.concluded(response.Header.Get(transcode.HeaderSession), "eos", "")
	if s.Settings.Filters.Contrast != 3 || s.Settings.Filters.Temperature == 6500 || s.Settings.Height != 720 || s.Progress.Duration != 2.5 {
		t.Errorf("%+v %+v", s.Settings, s.Progress)
	}
}

func TestTranscodeOfANamedSource(t *testing.T) {
	d := begin(t, settings(t))
	film := workertest.Film{}
	name := d.add("night train.mkv", film)
	response := d.put("?container=ts&source="+url.QueryEscape(name), nil)
	got, err := io.ReadAll(response.Body)
	must(t, err)
	asked := plain()
	asked.Output.Container = "ts"
	if !bytes.Equal(got, workertest.Transcoded(asked, film, nil)) {
		t.Errorf("%d bytes: %.300s", len(got), got)
	}
	if got := response.Header.Get("Content-Disposition"); got != `attachment; filename="night train.upscaled.ts"` {
		t.Error(got)
	}
	if s := d.concluded(response.Header.Get(transcode.HeaderSession), "eos", ""); s.Source != name || s.Progress.Read != 0 {
		t.Errorf("%+v", s)
	}
}

// lastIndex returns an MP4 file whose index, with a film in it, is at its end.
func lastIndex(film workertest.Film, media int) []byte {
	box := func(kind string, data []byte) []byte {
		return append(append(binary.BigEndian.AppendUint32(nil, uint32(8+len(data))), kind...), data...)
	}
	return slices.Concat(box("ftyp", []byte("isom")), box("mdat", make([]byte, media)), box("moov", upload(film, nil)))
}

func TestIndexAtTheEndIsSpooled(t *testing.T) {
	c := settings(t)
	c.Transcode.Spool, c.Transcode.SpoolMax = t.TempDir(), 1<<20
	d := begin(t, c)
	body := lastIndex(workertest.Film{}, 900_000)
	for _, length := range []bool{true, false} {
		reader := io.Reader(bytes.NewReader(body))
		if !length {
			reader = io.MultiReader(reader) // chunked
		}
		response := d.put("", reader)
		got, err := io.ReadAll(response.Body)
		must(t, err)
		if !bytes.Equal(got, workertest.Transcoded(plain(), workertest.Film{}, nil)) || response.Header.Get(transcode.HeaderSpooled) != "yes" {
			t.Errorf("%v, %d bytes: %.300s", response.Header, len(got), got)
		}
		d.concluded(response.Header.Get(transcode.HeaderSession), "eos", "")
	}
	if left, err := os.ReadDir(c.Transcode.Spool); err != nil || len(left) > 0 {
		t.Errorf("%v, %v are left", err, left)
	}
	if used := d.transcode.Stats(); used.Spool != 0 || used.Spooled != 2 {
		t.Errorf("%+v", used)
	}
}

// TestResultIsAbortedOn looks at what a client gets of each of the failures after
// the first byte, on the wire.
func TestResultIsAbortedOn(t *testing.T) {
	const head = "PUT /v1/transcode HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n"
	const block = 256 << 10 // more than a pipe holds: there was a first byte when the trouble comes
	failing := workertest.Film{Block: block, Trouble: workertest.Trouble{Kind: workertest.Fail, After: 3, Code: "damaged", Sentence: "It is\r\ndamaged."}}
	lost := workertest.Film{Block: block, Trouble: workertest.Trouble{Kind: workertest.Kill, After: 3}}
	d := begin(t, settings(t))
	for name, c := range map[string]struct {
		head string
		film workertest.Film
		code problem.Code
		tail string
	}{
		"a failure, told in a trailer": {
			head + "TE: trailers\r\n", failing, "damaged", "\r\n0\r\nUpscaled-Error-Code: damaged\r\nUpscaled-Error: It is  damaged.\r\n",
		},
		"a failure": {head, failing, "damaged", ""},
		"a worker that is killed": {
			head + "TE: gzip, Trailers;q=0.5\r\n", lost, problem.WorkerFailed,
			"\r\n0\r\nUpscaled-Error-Code: worker_failed\r\nUpscaled-Error: The process that made the picture failed.\r\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			body := upload(c.film, nil)
			_, in := d.raw(c.head + "\r\n" + fmt.Sprintf("%x\r\n%s\r\n", len(body), body))
			got, err := io.ReadAll(in)
			must(t, err) // closed, and not reset: else what was sent might be lost
			answer, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(got)), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = answer.Body.Close() }() // it is broken
			if _, err := io.ReadAll(answer.Body); err == nil {
				t.Errorf("the message has an end: %q", got[max(0, len(got)-100):])
			}
			announced := answer.Trailer != nil
			if answer.StatusCode != 200 || !bytes.HasSuffix(got, []byte(c.tail)) || announced != (c.tail != "") {
				t.Errorf("status %d, %v, %v, it ends with %q", answer.StatusCode, answer.Header, answer.Trailer, got[max(0, len(got)-200):])
			}
			d.concluded(answer.Header.Get(transcode.HeaderSession), "failed", c.code)
		})
	}
}

// TestOldClientsSeeAnAbort speaks HTTP/1.0, in which the end of a connection is that of
// a result.
func TestOldClientsSeeAnAbort(t *testing.T) {
	d := begin(t, settings(t))
	for _, fails := range []bool{false, true} {
		film := workertest.Film{}
		if fails {
			film.Trouble = workertest.Trouble{Kind: workertest.Fail, After: 3, Code: "damaged", Sentence: "It is damaged."}
		}
		body := upload(film, nil)
		_, in := d.raw(fmt.Sprintf("PUT /v1/transcode HTTP/1.0\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s", len(body), body))
		got, err := io.ReadAll(in)
		if fails != errors.Is(err, syscall.ECONNRESET) || !bytes.Contains(got, []byte("200 OK")) {
			t.Errorf("failure %t: %d bytes, %v", fails, len(got), err)
		}
	}
}

// TestExpectations has the server say that it takes the body before it is sent, and
// that it does not.
func TestExpectations(t *testing.T) {
	d := begin(t, settings(t))
	body := upload(workertest.Film{Duration: workertest.Length(time.Second)}, nil)
	request := fmt.Sprintf(" HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n", len(body))
	conn, in := d.raw("PUT /v1/transcode" + request)
	if line, err := in.ReadString('\n'); err != nil || line != "HTTP/1.1 100 Continue\r\n" {
		t.Fatalf("%q, %v", line, err)
	}
	_, err := in.ReadString('\n')
	must(t, err)
	_, err = conn.Write(body)
	must(t, err)
	answer, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(answer.Body)
	must(t, errors.Join(err, answer.Body.Close()))
	if !bytes.Equal(got, workertest.Transcoded(plain(), workertest.Film{Duration: workertest.Length(time.Second)}, nil)) {
		t.Errorf("%d bytes", len(got))
	}
	_, in = d.raw("PUT /v1/transcode?height=tall" + request)
	if line, err := in.ReadString('\n'); err != nil || line != "HTTP/1.1 400 Bad Request\r\n" {
		t.Errorf("%q, %v", line, err)
	}
}

// TestOnlyAPartIsWanted ends a result while the body goes on.
func TestOnlyAPartIsWanted(t *testing.T) {
	d := begin(t, settings(t))
	film := workertest.Film{Duration: workertest.Length(time.Hour), Feed: 100}
	head := upload(film, nil)
	conn, in := d.raw("PUT /v1/transcode?duration=2 HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n" +
		fmt.Sprintf("%x\r\n%s\r\n", len(head), head))
	go func() {
		for {
			if _, err := fmt.Fprintf(conn, "3e8\r\n%s\r\n", make([]byte, 1000)); err != nil {
				return
			}
		}
	}()
	answer, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(answer.Body)
	must(t, errors.Join(err, answer.Body.Close()))
	asked := plain()
	asked.Output.Duration = 2 * time.Second
	if !bytes.Equal(got, workertest.Transcoded(asked, film, make([]byte, 1<<20))) {
		t.Errorf("%d bytes", len(got))
	}
	d.concluded(answer.Header.Get(transcode.HeaderSession), "eos", "")
}

// TestBrokenBodyFailsTheTranscode breaks a body off where the worker would see its end.
func TestBrokenBodyFailsTheTranscode(t *testing.T) {
	d := begin(t, settings(t))
	read, write := io.Pipe()
	response := d.put("", io.MultiReader(bytes.NewReader(upload(workertest.Film{Feed: 1000}, make([]byte, 50_000))), read))
	must(t, write.CloseWithError(errors.New("the line is cut")))
	got, err := io.ReadAll(response.Body)
	if err == nil {
		t.Errorf("%d bytes end well", len(got))
	}
	d.concluded(response.Header.Get(transcode.HeaderSession), "failed", problem.BodyIncomplete)
}
