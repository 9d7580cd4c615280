package server

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/server/auth"
	"github.com/upscaled-media/upscaled/server/playback"
	"github.com/upscaled-media/upscaled/server/problem"
	"github.com/upscaled-media/upscaled/worker/workertest"
)

// raw opens a connection and sends text on it.
func (d *daemon) raw(text string) (net.Conn, *bufio.Reader) {
	d.t.Helper()
	conn, err := new(net.Dialer).DialContext(d.t.Context(), "tcp", strings.TrimPrefix(d.url, "http://"))
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { _ = conn.Close() }) // it may be closed
	must(d.t, conn.SetDeadline(time.Now().Add(patience)))
	_, err = io.WriteString(conn, text)
	must(d.t, err)
	return conn, bufio.NewReader(conn)
}

func TestSlowBodyIsRefused(t *testing.T) {
	c := settings(t)
	c.Limits.HeaderTimeout = 200 * time.Millisecond
	d := begin(t, c)
	_, in := d.raw("POST /v1/sessions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"source")
	response, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(response.Body)
	must(t, errors.Join(err, response.Body.Close()))
	p := refused(t, answer{response.StatusCode, response.Header, body}, problem.BadRequest)
	if !strings.Contains(p.Detail, "200ms") {
		t.Error(p.Detail)
	}
}

func TestSlowHeaderIsHungUpOn(t *testing.T) {
	c := settings(t)
	c.Limits.HeaderTimeout = 200 * time.Millisecond
	d := begin(t, c)
	_, in := d.raw("GET /health HTTP/1.1\r\nHost: local")
	if _, err := io.ReadAll(in); err != nil { // to its end, in time
		t.Error(err)
	}
}

func TestLargeHeaderIsRefused(t *testing.T) {
	c := settings(t)
	c.Limits.Header = 4 << 10
	d := begin(t, c)
	if a := d.ask("GET", "/health", "", "X-Long", strings.Repeat("a", 64<<10)); a.status != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("status %d", a.status)
	}
}

// TestConnectionsAreCounted opens as many as may be; the next one waits until
// another has gone.
func TestConnectionsAreCounted(t *testing.T) {
	c := settings(t)
	c.Limits.Connections = 8
	d := begin(t, c)
	const request = "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
	var open []net.Conn
	for range 8 {
		conn, in := d.raw(request)
		if line, err := in.ReadString('\n'); err != nil || !strings.Contains(line, "200") {
			t.Fatalf("%q, %v", line, err)
		}
		open = append(open, conn)
	}
	waiting, in := d.raw(request)
	must(t, waiting.SetReadDeadline(time.Now().Add(100*time.Millisecond)))
	if line, err := in.ReadString('\n'); err == nil {
		t.Errorf("a ninth connection is answered: %q", line)
	}
	must(t, open[0].Close())
	must(t, waiting.SetReadDeadline(time.Now().Add(patience)))
	if line, err := in.ReadString('\n'); err != nil || !strings.Contains(line, "200") {
		t.Errorf("%q, %v", line, err)
	}
}

// TestWaitEndsWithTheClient goes away while a segment is waited for; the session
// makes nothing for it any more, and the server can end.
func TestWaitEndsWithTheClient(t *testing.T) {
	d := begin(t, settings(t))
	s := d.play(d.add("slow.mkv", workertest.Film{Speed: 0.01, Duration: workertest.Length(time.Minute)}))
	ctx, cancel := context.WithCancel(t.Context())
	url := d.url + strings.TrimSuffix(s.URLs.Master, "master.m3u8") + "video/0/30.m4s"
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	must(t, err)
	ended := make(chan error, 1)
	go func() {
		response, err := http.DefaultTransport.RoundTrip(r)
		if err == nil {
			err = response.Body.Close()
		}
		ended <- err
	}()
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if a := d.ask("DELETE", "/v1/sessions/"+s.ID, ""); a.status != 204 {
		t.Error(a.status)
	}
}

// TestDeleteAnswersWhoWaits ends a session while its player waits for a segment.
func TestDeleteAnswersWhoWaits(t *testing.T) {
	d := begin(t, settings(t))
	s := d.play(d.add("slow.mkv", workertest.Film{Speed: 0.01, Duration: workertest.Length(time.Minute)}))
	path := strings.TrimPrefix(strings.TrimSuffix(s.URLs.Master, "master.m3u8"), d.url) + "video/0/30.m4s"
	_, in := d.raw("GET " + path + " HTTP/1.1\r\nHost: localhost\r\n\r\n")
	if a := d.ask("DELETE", "/v1/sessions/"+s.ID, ""); a.status != 204 {
		t.Error(a.status)
	}
	response, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	must(t, response.Body.Close())
	if response.StatusCode != http.StatusGone {
		t.Errorf("status %d", response.StatusCode)
	}
}

func TestPlaylistsAreCompressed(t *testing.T) {
	d := begin(t, settings(t))
	s := d.play(d.add("a.mkv", workertest.Film{Duration: workertest.Length(time.Hour)}))
	path := strings.TrimSuffix(s.URLs.Master, "master.m3u8") + "video/index.m3u8"
	plain, packed := d.ask("GET", path, ""), d.ask("GET", path, "", "Accept-Encoding", "gzip")
	if packed.header.Get("Content-Encoding") != "gzip" || len(packed.body)*5 > len(plain.body) {
		t.Fatalf("%v: %d of %d bytes", packed.header, len(packed.body), len(plain.body))
	}
	z, err := gzip.NewReader(bytes.NewReader(packed.body))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil || !bytes.Equal(text, plain.body) {
		t.Errorf("%v, %d of %d bytes", err, len(text), len(plain.body))
	}
}

// TestPagesOfListedOrigins may use everything, media among it.
func TestPagesOfListedOrigins(t *testing.T) {
	c := guarded(t)
	c.Auth.Origins = []auth.Origin{"https://films.example"}
	d := begin(t, c)
	film := d.add("a.mkv", workertest.Film{})
	s := want[playback.Session](t, d.ask("POST", "/v1/sessions", `{"source":"`+film+`"}`,
		"Origin", "https://films.example", auth.TokenHeader, token), 201)
	segment := strings.TrimSuffix(s.URLs.Master, "master.m3u8") + "video/0/0.m4s"
	got := d.ask("GET", segment, "", "Origin", "https://films.example")
	if got.status != 200 || got.header.Get("Access-Control-Allow-Origin") != "https://films.example" {
		t.Errorf("%d %v", got.status, got.header)
	}
	preflight := d.ask("OPTIONS", "/v1/sessions", "", "Origin", "https://films.example",
		"Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "x-api-token")
	if preflight.status != 204 || !strings.Contains(preflight.header.Get("Access-Control-Allow-Headers"), "X-Api-Token") {
		t.Errorf("%d %v", preflight.status, preflight.header)
	}
	refused(t, d.ask("GET", segment, "", "Origin", "https://other.example"), problem.OriginRefused)
}

// TestStreamsAreCounted reads from the server's SETTINGS how many requests it takes at
// once on a connection of HTTP/2 (RFC 9113 §6.5.2).
func TestStreamsAreCounted(t *testing.T) {
	_, in := begin(t, settings(t)).raw("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")
	head := make([]byte, 9)
	_, err := io.ReadFull(in, head)
	all := make([]byte, binary.BigEndian.Uint32(head)>>8)
	_, failed := io.ReadFull(in, all)
	if err := errors.Join(err, failed); err != nil || head[3] != 4 {
		t.Fatalf("%v: %v", head, err)
	}
	for setting := range slices.Chunk(all, 6) {
		if binary.BigEndian.Uint16(setting) == 3 {
			if streams := binary.BigEndian.Uint32(setting[2:]); streams != maxStreams {
				t.Errorf("%d streams", streams)
			}
			return
		}
	}
	t.Errorf("no bound in %v", all)
}
