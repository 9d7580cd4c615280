package server

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/server/problem"
	"github.com/upscaled-media/upscaled/server/transcode"
	"github.com/upscaled-media/upscaled/worker/workertest"
)

// two returns a client that speaks HTTP/2 alone.
func two(t *testing.T, trust *x509.CertPool) *http.Transport {
	t.Helper()
	protocols := new(http.Protocols)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	transport := &http.Transport{Protocols: protocols, TLSClientConfig: &tls.Config{RootCAs: trust}}
	t.Cleanup(transport.CloseIdleConnections)
	return transport
}

// TestHTTP2 transcodes by HTTP/2 without TLS, well and with a failure.
func TestHTTP2(t *testing.T) {
	d := begin(t, settings(t))
	for _, film := range []workertest.Film{
		{Feed: 1000},
		{Feed: 1000, Trouble: workertest.Trouble{Kind: workertest.Fail, After: 3, Code: "damaged", Sentence: "It is damaged."}},
	} {
		fed := make([]byte, 200_000)
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, d.url+"/v1/transcode", io.MultiReader(bytes.NewReader(upload(film, fed))))
		must(t, err)
		response, err := two(t, nil).RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(response.Body)
		_ = response.Body.Close() // it may be broken
		fails := film.Trouble.Kind != ""
		if response.ProtoMajor != 2 || fails == (err == nil) || !fails && !bytes.Equal(got, workertest.Transcoded(plain(), film, fed)) {
			t.Errorf("%s: %d bytes, %v", response.Proto, len(got), err)
		}
		if fails && !strings.Contains(err.Error(), "INTERNAL_ERROR") {
			t.Errorf("not reset: %v", err)
		}
	}
}

// TestHTTP2ClientHangsUp cancels a stream.
func TestHTTP2ClientHangsUp(t *testing.T) {
	d := begin(t, unhurried(t))
	body, write := io.Pipe()
	defer func() { _ = write.Close() }() // it cannot fail
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, d.url+"/v1/transcode",
		struct {
			io.Reader
			io.Closer
		}{io.MultiReader(bytes.NewReader(upload(endless(1000), make([]byte, 5000))), body), body})
	must(t, err)
	response, err := two(t, nil).RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	must(t, response.Body.Close())
	d.concluded(response.Header.Get(transcode.HeaderSession), "failed", problem.BodyIncomplete)
}

// TestHTTP2ReaderThatStops takes nothing of a result.
func TestHTTP2ReaderThatStops(t *testing.T) {
	c := settings(t)
	c.Transcode.ReaderIdle = 300 * time.Millisecond
	d := begin(t, c)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, d.url+"/v1/transcode", bytes.NewReader(upload(endless(0), nil)))
	must(t, err)
	response, err := two(t, nil).RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }() // it is broken
	d.concluded(response.Header.Get(transcode.HeaderSession), "failed", problem.ReaderStalled)
	if _, err := io.ReadAll(response.Body); err == nil {
		t.Error("the result has an end")
	}
}
