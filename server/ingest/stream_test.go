package ingest

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/bluenviron/gohlslib/v2"

	"github.com/upscaled-media/upscaled/worker/wire"
)

// watch takes a source in until its feed has some seconds, and returns what is in it.
func watch(t *testing.T, url string, lasts time.Duration, set func(*Options)) (probed, Figures) {
	t.Helper()
	o := options(outside(t, url))
	if set != nil {
		set(&o)
	}
	intake, err := New(url, o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var feed bytes.Buffer
	ended := make(chan error, 1)
	go func() { ended <- intake.Run(ctx, &feed) }()
	for intake.Figures().Newest < lasts {
		select {
		case err := <-ended:
			t.Fatalf("after %s: %v (%s)", intake.Figures().Newest, err, code(err))
		case <-time.After(20 * ms):
		}
	}
	cancel()
	if err := <-ended; err == nil {
		t.Error("a source without an end has ended")
	}
	return probe(t, feed.Bytes()), intake.Figures()
}

// check holds that there is H.264 and AAC of a program without gaps.
func (p probed) check(t *testing.T, lasts time.Duration) {
	t.Helper()
	if len(p.Streams) != 2 || p.Streams[0].Codec != "h264" || p.Streams[1].Codec != "aac" {
		t.Fatalf("%+v", p.Streams)
	}
	pictures, sounds := p.pictures(t), p.sounds(t)
	if len(pictures) < int(lasts/(40*ms)) || steady(pictures, 40*ms, 2*ms) != "" {
		t.Errorf("%d pictures, %s", len(pictures), steady(pictures, 40*ms, 2*ms))
	}
	each := time.Second * 1024 / 48000
	if len(sounds) < int((lasts-500*ms)/each) || steady(sounds, each, 12*ms) != "" {
		t.Errorf("%d frames of sound, %s", len(sounds), steady(sounds, each, 12*ms))
	}
}

func TestHLS(t *testing.T) {
	t.Parallel()
	p := newProgram(t, 2)
	for name, variant := range map[string]gohlslib.MuxerVariant{
		"ts": gohlslib.MuxerVariantMPEGTS, "fmp4": gohlslib.MuxerVariantFMP4, "low latency": gohlslib.MuxerVariantLowLatency,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := hlsStation(t, p, variant)
			got, _ := watch(t, s.URL+"/index.m3u8", 2*time.Second, nil)
			got.check(t, 2*time.Second)
		})
	}
}

// TestHLSUnknownSound leaves sound out that the library does not know, in pieces of fMP4.
func TestHLSUnknownSound(t *testing.T) {
	t.Parallel()
	for _, codec := range []string{"ac3", "libmp3lame"} {
		t.Run(codec, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			encode(t, 4, "-c:v", "libx264", "-preset", "ultrafast", "-c:a", codec, "-f", "hls", "-hls_time", "1", "-hls_list_size", "0",
				"-hls_segment_type", "fmp4", "-y", filepath.Join(folder, "live.m3u8"), "-t", "0.1", "-f", "null")
			s := httptest.NewServer(http.FileServer(http.Dir(folder)))
			t.Cleanup(s.Close)
			var warned []wire.Warning
			o := options(outside(t, s.URL))
			o.Warn = func(w wire.Warning) { warned = append(warned, w) }
			intake, err := New(s.URL+"/live.m3u8", o)
			if err != nil {
				t.Fatal(err)
			}
			feed, err := taken(t, intake)
			if err != nil {
				t.Fatalf("%v (%s)", err, code(err))
			}
			if p := probe(t, feed); len(p.Streams) != 1 || len(p.pictures(t)) != 100 {
				t.Errorf("%+v, %d pictures", p.Streams, len(p.pictures(t)))
			}
			if len(warned) != 1 || warned[0].Code != CodeMute {
				t.Errorf("warned of %+v", warned)
			}
		})
	}
}

// TestHLSBegins takes up a playlist that does not list enough segments yet.
func TestHLSBegins(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	list := filepath.Join(folder, "live.m3u8")
	show := exec.CommandContext(t.Context(), "ffmpeg", slices.Concat([]string{
		"-v", "error", "-re", "-f", "lavfi", "-i", "testsrc2=size=192x128:rate=25", "-re", "-f", "lavfi", "-i", "sine=sample_rate=48000",
		"-pix_fmt", "yuv420p", "-g", "25", "-ac", "2",
	}, avcWith("-c:a", "aac")[:6], []string{"-f", "hls", "-hls_time", "1", "-hls_list_size", "7", list})...)
	if err := show.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = show.Process.Kill() // it has no end
		_ = show.Wait()
	})
	s := httptest.NewServer(http.FileServer(http.Dir(folder)))
	t.Cleanup(s.Close)
	for deadline := time.Now().Add(20 * time.Second); ; <-time.After(20 * ms) {
		if text, _ := os.ReadFile(list); bytes.Contains(text, []byte(".ts")) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("ffmpeg makes nothing")
		}
	}
	got, _ := watch(t, s.URL+"/live.m3u8", 2*time.Second, func(o *Options) { o.Stall = 3 * time.Second })
	got.check(t, 2*time.Second)
}

func TestRTSP(t *testing.T) {
	t.Parallel()
	p := newProgram(t, 2)
	both, url := newRTSPStation(t, p, true)
	_, tcp := newRTSPStation(t, p, false)
	for name, row := range map[string]struct {
		url       string
		transport Transport
	}{
		"tcp": {tcp, TransportTCP}, "udp": {url, TransportUDP}, "auto": {url, TransportAuto},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, _ := watch(t, row.url, 2*time.Second, func(o *Options) { o.Transport = row.transport })
			got.check(t, 2*time.Second)
		})
	}
	t.Run("announced sound that does not come", func(t *testing.T) {
		t.Parallel()
		quiet := *p
		quiet.units = slices.DeleteFunc(slices.Clone(p.units), func(u programUnit) bool { return u.au == nil })
		_, url := newRTSPStation(t, &quiet, false)
		got, _ := watch(t, url, 2*time.Second, nil)
		if len(got.Streams) != 1 || len(got.pictures(t)) < 50 {
			t.Errorf("%+v, %d pictures", got.Streams, len(got.pictures(t)))
		}
	})
	t.Run("elsewhere", func(t *testing.T) {
		both.moved = tcp // which is not listed
		base := url[:len(url)-len("/program")]
		for path, want := range map[string]string{"/moved": "source_refused", "/none": "source_not_found"} {
			intake, err := New(base+path, options(outside(t, url)))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := taken(t, intake); code(err) != want {
				t.Errorf("%s: %v (%s), want %s", path, err, code(err), want)
			}
		}
	})
}

// TestRTSPS takes in over TLS what a host shows whose certificate is trusted, and nothing else.
func TestRTSPS(t *testing.T) {
	t.Parallel()
	known := httptest.NewTLSServer(http.NotFoundHandler()) // for its certificate, which is of 127.0.0.1
	defer known.Close()
	_, url := newStation(t, newProgram(t, 2), false, &tls.Config{Certificates: known.TLS.Certificates, MinVersion: tls.VersionTLS12})
	trusted := x509.NewCertPool()
	trusted.AddCert(known.Certificate())
	got, _ := watch(t, url, 2*time.Second, func(o *Options) {
		o.Outside = trustful(t, &tls.Config{RootCAs: trusted, MinVersion: tls.VersionTLS12}, url)
	})
	got.check(t, 2*time.Second)
	o := options(outside(t, url))
	o.Connect = time.Second
	intake, err := New(url, o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := taken(t, intake); code(err) != "source_unreachable" {
		t.Errorf("%v (%s)", err, code(err))
	}
}
