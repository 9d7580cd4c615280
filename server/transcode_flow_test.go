package server

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/server/config"
	"github.com/upscaled-media/upscaled/server/problem"
	"github.com/upscaled-media/upscaled/server/transcode"
	"github.com/upscaled-media/upscaled/worker/workertest"
)

// unhurried returns a configuration with which nothing but its client ends a transcode
// within patience.
func unhurried(t *testing.T) config.Config {
	t.Helper()
	c := settings(t)
	c.Transcode.QueueWait, c.Transcode.BodyIdle, c.Transcode.ReaderIdle = time.Hour, time.Hour, time.Hour
	return c
}

// endless is a film that does not come to its end in a test.
func endless(feed int) workertest.Film {
	return workertest.Film{Duration: workertest.Length(5 * time.Hour), Feed: feed, Block: 64 << 10}
}

// lastChunk ends a body.
const lastChunk = "0\r\n\r\n"

// begun sends the head of a request for a transcode and the begin of its body, and
// returns the connection with the answer once that begins.
func (d *daemon) begun(query string, film workertest.Film, fed int) (net.Conn, *http.Response) {
	d.t.Helper()
	return d.exchanged(query, film, fed, "")
}

// exchanged is begun with what follows the begin of the body at once.
func (d *daemon) exchanged(query string, film workertest.Film, fed int, end string) (net.Conn, *http.Response) {
	d.t.Helper()
	body := upload(film, make([]byte, fed))
	conn, in := d.raw("PUT /v1/transcode" + query + " HTTP/1.1\r\nHost: localhost\r\nTE: trailers\r\nTransfer-Encoding: chunked\r\n\r\n" +
		fmt.Sprintf("%x\r\n%s\r\n%s", len(body), body, end))
	answer, err := http.ReadResponse(in, nil)
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { _ = conn.Close() }) // it may be closed
	if answer.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(answer.Body)
		d.t.Fatalf("status %d: %s", answer.StatusCode, text)
	}
	return conn, answer
}

// begunSlowly begins a transcode that goes on until the test ends.
func (d *daemon) begunSlowly() {
	d.t.Helper()
	film := endless(0)
	film.Speed = 1
	d.exchanged("", film, 0, lastChunk)
}

// TestClientHangsUp closes the connection in each state that a transcode may be in.
func TestClientHangsUp(t *testing.T) {
	d := begin(t, unhurried(t))
	slow := endless(100)
	slow.Speed, slow.Block = 0.1, 4096
	whole := endless(0)
	whole.Speed = 1
	for name, c := range map[string]struct {
		film workertest.Film
		fed  int
		end  string
		code problem.Code
	}{
		"while the body comes":        {film: endless(1000), fed: 5000, code: problem.BodyIncomplete},
		"when the body is whole":      {film: whole, end: lastChunk, code: problem.ClientGone},
		"while the pipeline is slow":  {film: slow, fed: 500_000, code: problem.BodyIncomplete},
		"while it reads nothing":      {film: endless(0), end: lastChunk, code: problem.ClientGone},
		"while the worker only hangs": {film: workertest.Film{Trouble: workertest.Trouble{Kind: workertest.Stall, After: 1}}, end: lastChunk, code: problem.ClientGone},
	} {
		t.Run(name, func(t *testing.T) {
			conn, answer := d.exchanged("", c.film, c.fed, c.end)
			id := answer.Header.Get(transcode.HeaderSession)
			must(t, conn.Close())
			d.concluded(id, "failed", c.code)
		})
	}
}

// TestSlowReaderHoldsBackTheBody sends without end and reads nothing: what is taken
// in stays within what the buffers hold.
func TestSlowReaderHoldsBackTheBody(t *testing.T) {
	d := begin(t, settings(t))
	conn, answer := d.begun("", endless(64<<10), 64<<10)
	sent := make(chan error, 1)
	go func() {
		var err error
		for data := make([]byte, 1<<20); err == nil; {
			_, err = fmt.Fprintf(conn, "%x\r\n%s\r\n", len(data), data)
		}
		sent <- err
	}()
	before, still := int64(0), 0
	until(t, "nothing more comes", func() bool {
		<-time.After(50 * time.Millisecond)
		now := d.transcode.Stats().Received
		if still++; now != before {
			before, still = now, 0
		}
		return before > 0 && still == 20 // one look may be a hiccup
	})
	if before > 32<<20 { // most of it are the sockets' own buffers
		t.Errorf("%d bytes were taken in for nothing", before)
	}
	_, err := io.CopyN(io.Discard, answer.Body, 64<<20) // and it goes on
	must(t, err)
	until(t, "what was read is counted", func() bool { // which is done after it was sent
		after := d.transcode.Stats()
		return after.Received >= before+32<<20 && after.Sent >= 64<<20
	})
	must(t, conn.Close())
	if err := <-sent; err == nil {
		t.Error("sending ends well")
	}
	d.told(answer.Header.Get(transcode.HeaderSession))
}

func TestBodyThatStops(t *testing.T) {
	c := settings(t)
	c.Transcode.BodyIdle = time.Second
	d := begin(t, c)
	_, answer := d.begun("", endless(1000), 5000)
	if _, err := io.ReadAll(answer.Body); err == nil {
		t.Error("the result has an end")
	}
	d.concluded(answer.Header.Get(transcode.HeaderSession), "failed", problem.BodyStalled)
}

func TestReaderThatStops(t *testing.T) {
	c := settings(t)
	c.Transcode.ReaderIdle = 300 * time.Millisecond
	d := begin(t, c)
	_, answer := d.exchanged("", endless(0), 0, lastChunk)
	d.concluded(answer.Header.Get(transcode.HeaderSession), "failed", problem.ReaderStalled)
	if _, err := io.ReadAll(answer.Body); err == nil {
		t.Error("the result has an end")
	}
}

// TestDeleteAbortsTheResult ends a session by the API.
func TestDeleteAbortsTheResult(t *testing.T) {
	d := begin(t, settings(t))
	_, answer := d.begun("", endless(1000), 5000)
	id := answer.Header.Get(transcode.HeaderSession)
	if a := d.ask("DELETE", "/v1/sessions/"+id, ""); a.status != 204 {
		t.Fatal(a.status)
	}
	got, err := io.ReadAll(answer.Body)
	if err == nil {
		t.Errorf("the result has an end: %q", got[max(0, len(got)-100):])
	}
	d.concluded(id, "client", "")
}

// TestQueue fills the machine's one place; one transcode waits for it, in turn, and
// one is refused.
func TestQueue(t *testing.T) {
	c := settings(t)
	c.Sessions.Max, c.Transcode.Queue, c.Transcode.QueueWait = 1, 1, patience
	d := begin(t, c)
	first, answer := d.begun("", endless(1000), 5000)
	second := make(chan *http.Response, 1)
	go func() {
		second <- d.put("", bytes.NewReader(upload(workertest.Film{}, nil)))
	}()
	until(t, "the second waits", func() bool { return d.transcode.Stats().Waiting == 1 })
	third := d.put("", bytes.NewReader(upload(workertest.Film{}, nil)))
	text, err := io.ReadAll(third.Body)
	must(t, err)
	p := refused(t, answerOf(third, text), problem.QueueFull)
	if p.Figures["queue_limit"] != 1 || third.Header.Get("Retry-After") == "" || !strings.Contains(p.Detail, "sessions") {
		t.Errorf("%s", text)
	}
	must(t, first.Close())
	d.told(answer.Header.Get(transcode.HeaderSession))
	response := <-second
	got, err := io.ReadAll(response.Body)
	if err != nil || !bytes.Equal(got, workertest.Transcoded(plain(), workertest.Film{}, nil)) {
		t.Errorf("status %d, %d bytes, %v", response.StatusCode, len(got), err)
	}
}

func answerOf(r *http.Response, body []byte) answer { return answer{r.StatusCode, r.Header, body} }

// TestQueueEnds waits in vain, and hangs up while it waits.
func TestQueueEnds(t *testing.T) {
	c := settings(t)
	c.Sessions.Max, c.Transcode.QueueWait = 1, 200*time.Millisecond
	d := begin(t, c)
	d.begun("", endless(1000), 5000)
	response := d.put("", bytes.NewReader(upload(workertest.Film{}, nil)))
	text, err := io.ReadAll(response.Body)
	must(t, err)
	if p := refused(t, answerOf(response, text), problem.TooManySessions); p.Figures["sessions_limit"] != 1 || !p.Retryable {
		t.Errorf("%s", text)
	}
	if metrics := d.ask("GET", "/metrics", ""); !strings.Contains(string(metrics.body), `upscaled_admission_refusals_total{reason="sessions"} 1`+"\n") {
		t.Error("it is not counted as one refusal")
	}
	c = unhurried(t)
	c.Sessions.Max = 1
	d = begin(t, c)
	d.begun("", endless(1000), 5000)
	conn, _ := d.raw("PUT /v1/transcode HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n")
	until(t, "it waits", func() bool { return d.transcode.Stats().Waiting == 1 })
	must(t, conn.Close())
	until(t, "it does not wait any more", func() bool { return d.transcode.Stats().Waiting == 0 })
}

// TestSlowMachineTakesItsTime admits a film that costs more than the machine has: it
// takes all of it.
func TestSlowMachineTakesItsTime(t *testing.T) {
	d := begin(t, settings(t))
	film := workertest.Film{Cost: 1e6}
	response := d.put("", bytes.NewReader(upload(film, nil)))
	got, err := io.ReadAll(response.Body)
	if err != nil || !bytes.Equal(got, workertest.Transcoded(plain(), film, nil)) {
		t.Errorf("status %d, %v: %.300s", response.StatusCode, err, got)
	}
}

// certify writes a certificate for 127.0.0.1 with a serial number.
func certify(t *testing.T, c *x509.CertPool, cert, key string, serial int64) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "test"}, NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	must(t, err)
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	must(t, err)
	must(t, os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	must(t, os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600))
	parsed, err := x509.ParseCertificate(der)
	must(t, err)
	c.AddCert(parsed)
}

// TestTLS speaks HTTPS in both versions of HTTP, and renews the certificate.
func TestTLS(t *testing.T) {
	c, trust := settings(t), x509.NewCertPool()
	c.TLS.Cert, c.TLS.Key = filepath.Join(t.TempDir(), "crt"), filepath.Join(t.TempDir(), "key")
	certify(t, trust, c.TLS.Cert, c.TLS.Key, 1)
	d := begin(t, c)
	d.url = "https" + strings.TrimPrefix(d.url, "http")
	one := new(http.Protocols)
	one.SetHTTP1(true)
	ask := func(transport *http.Transport) *http.Response {
		t.Helper()
		defer transport.CloseIdleConnections()
		film, fed := workertest.Film{Feed: 1000}, make([]byte, 50_000)
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, d.url+"/v1/transcode", bytes.NewReader(upload(film, fed)))
		must(t, err)
		response, err := transport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(response.Body)
		must(t, errors.Join(err, response.Body.Close()))
		if !bytes.Equal(got, workertest.Transcoded(plain(), film, fed)) {
			t.Errorf("%s: %d bytes", response.Proto, len(got))
		}
		return response
	}
	if r := ask(two(t, trust)); r.ProtoMajor != 2 || r.TLS.PeerCertificates[0].SerialNumber.Int64() != 1 {
		t.Errorf("%s, %v", r.Proto, r.TLS.PeerCertificates[0].SerialNumber)
	}
	certify(t, trust, c.TLS.Cert, c.TLS.Key, 2)
	if r := ask(&http.Transport{Protocols: one, TLSClientConfig: &tls.Config{RootCAs: trust}}); r.ProtoMajor != 1 || r.TLS.PeerCertificates[0].SerialNumber.Int64() != 2 {
		t.Errorf("%s, %v", r.Proto, r.TLS.PeerCertificates[0].SerialNumber)
	}
	must(t, os.WriteFile(c.TLS.Key, []byte("half a key"), 0o600))
	if r := ask(two(t, trust)); r.TLS.PeerCertificates[0].SerialNumber.Int64() != 2 {
		t.Error("a broken file replaces a good certificate")
	}
}

// TestShutdownAbortsTheResult ends the server while a transcode goes on.
func TestShutdownAbortsTheResult(t *testing.T) {
	d := begin(t, settings(t))
	_, answer := d.begun("", endless(1000), 5000)
	d.stop()
	if _, err := io.ReadAll(answer.Body); err == nil {
		t.Error("the result has an end")
	}
}
