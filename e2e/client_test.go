//go:build e2e

package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// url is where the server is.
func (d *server) url() string { return "http://" + d.run.Address() }

// client is that of every test; what waits longest is a segment that is being made.
var client = &http.Client{Timeout: patience, Transport: &http.Transport{MaxIdleConnsPerHost: 16}}

// session is what tests read of a session.
type session struct {
	ID         string
	Kind       string
	State      string
	Ended      time.Time
	Generation int
	Buffered   float64
	Film       struct {
		Duration, Segment float64
		Segments          int
		Video             struct {
			Rate              string
			Source, Delivered struct{ Width, Height int }
		}
		Audio     []struct{ Language string }
		Subtitles []struct{ Language string }
	}
	Stats struct {
		Model  string
		Frames struct{ Upscaled, Plain, Dropped, Repeated, Encoded int }
	}
	URLs struct {
		Master, WHEP string
		Stream       struct{ MP4, TS, MKV string }
	}
}

// ask sends a request, with a document unless it is nil, and reads the answer into
// another unless that is nil.
func (d *server) ask(method, path string, document, into any) {
	d.t.Helper()
	var body io.Reader
	if document != nil {
		text, err := json.Marshal(document)
		must(d.t, err)
		body = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(d.context(), method, d.url()+path, body)
	must(d.t, err)
	r.Header.Set("X-Api-Token", token)
	if document != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	status, data := d.send(r)
	if status >= http.StatusBadRequest {
		d.t.Fatalf("%s %s: %d %s\n%s", method, path, status, data, d.log)
	}
	if into != nil {
		must(d.t, json.Unmarshal(data, into))
	}
}

func (d *server) send(r *http.Request) (status int, body []byte) {
	d.t.Helper()
	response, err := client.Do(r)
	must(d.t, err)
	defer func() { _ = response.Body.Close() }() // it was read
	data, err := io.ReadAll(response.Body)
	must(d.t, err)
	return response.StatusCode, data
}

// get returns what is at a path.
func get[T any](d *server, path string) (document T) {
	d.t.Helper()
	d.ask(http.MethodGet, path, nil, &document)
	return document
}

// order is what tests ask for when they create a session.
type order map[string]any

// play creates a session of a film.
func (d *server) play(film string, more order) (s session) {
	d.t.Helper()
	body := order{"source": "films/" + film, "model": doubling}
	for key, value := range more {
		body[key] = value
	}
	d.ask(http.MethodPost, "/v1/sessions", body, &s)
	return s
}

// media is what a player gets below a session's master playlist.
func (d *server) media(s session, path string) []byte {
	d.t.Helper()
	status, data := d.fetch(s, path)
	if status != http.StatusOK {
		d.t.Fatalf("%s: %d %s\n%s", path, status, data, d.log)
	}
	return data
}

// fetch is media with whatever status it has.
func (d *server) fetch(s session, path string) (status int, body []byte) {
	d.t.Helper()
	r, err := http.NewRequestWithContext(d.context(), http.MethodGet, d.url()+strings.TrimSuffix(s.URLs.Master, "master.m3u8")+path, nil)
	must(d.t, err)
	return d.send(r)
}

// master is the URL that players are given.
func (d *server) master(s session) string { return fmt.Sprint(d.url(), s.URLs.Master) }
