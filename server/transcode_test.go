package server

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/filters"
	"github.com/upscaled-media/upscaled/models"
	"github.com/upscaled-media/upscaled/server/playback"
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
	s := d.told(response.Header.Get(transcode.HeaderSession))
	if s.Cause != "failed" || s.Failure == nil || s.Failure.Code != "body_incomplete" {
		t.Errorf("%+v", s.Failure)
	}
}
