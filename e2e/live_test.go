//go:build e2e

package e2e

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/elements/frame"
	"github.com/upscaled-media/upscaled/internal/daemon"
	"github.com/upscaled-media/upscaled/internal/testmedia"
)

// liveRate is how many pictures a second live sources have.
const liveRate = 15

// camera sends a clock: pictures that carry their numbers, each drawn when its time has come.
type camera struct {
	*httptest.Server
	mu    sync.Mutex
	drawn map[int]time.Time // guarded by mu: when, by the picture's number
}

// newCamera runs a camera until the test ends.
func newCamera(t *testing.T) *camera {
	t.Helper()
	c := &camera{drawn: map[int]time.Time{}}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := c.show(r.Context(), w); err != nil && r.Context().Err() == nil {
			t.Logf("camera: %v", err)
		}
	}))
	t.Cleanup(c.Close)
	return c
}

// show sends the clock as MPEG-TS, with a tone, until ctx ends.
func (c *camera) show(ctx context.Context, w http.ResponseWriter) error {
	encoder := exec.CommandContext(ctx, "ffmpeg", "-v", "error", "-fflags", "nobuffer", "-probesize", "32", "-analyzeduration", "0",
		"-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", fmt.Sprintf("%dx%d", width, height), "-r", strconv.Itoa(liveRate), "-i", "-",
		"-re", "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000", "-ac", "2", "-c:a", "aac",
		"-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-g", strconv.Itoa(liveRate), "-muxdelay", "0", "-flush_packets", "1", "-f", "mpegts", "-")
	encoder.Stdout = flushed{w}
	pictures, err := encoder.StdinPipe()
	if err != nil {
		return err
	}
	if err := encoder.Start(); err != nil {
		return err
	}
	err = c.draw(ctx, pictures)
	_ = pictures.Close() // the encoder's end says more
	if waited := encoder.Wait(); err == nil {
		err = waited
	}
	return err
}

// flushed hands on at once what is written.
type flushed struct{ http.ResponseWriter }

// Write implements io.Writer.
func (f flushed) Write(b []byte) (int, error) {
	n, err := f.ResponseWriter.Write(b)
	if err == nil {
		err = http.NewResponseController(f.ResponseWriter).Flush()
	}
	return n, err
}

// draw draws a picture whenever its time has come.
func (c *camera) draw(ctx context.Context, to io.Writer) error {
	clip, err := testmedia.NewCounted(testmedia.Spec{Width: width, Height: height, Rate: testmedia.Ratio{Num: liveRate, Den: 1}, Frames: 60 * liveRate})
	if err != nil {
		return err
	}
	picture := frame.New(clip.Layout, 1)
	begun := time.Now()
	for i := range clip.Frames {
		select {
		case <-time.After(time.Until(begun.Add(clip.PTS(i)))):
		case <-ctx.Done():
			return nil
		}
		now := time.Now()
		if err := clip.Draw(i, picture); err != nil {
			return err
		}
		c.mu.Lock()
		c.drawn[i] = now
		c.mu.Unlock()
		for p, plane := range picture.Planes {
			_, rows := clip.Layout.PlaneSize(p)
			if _, err := to.Write(plane.Data[:picture.RowBytes(p)*rows]); err != nil {
				return nil //nolint:nilerr // the encoder has ended, and says why
			}
		}
	}
	return nil
}

// follow plays a live session's picture for a time, as players of LL-HLS do.
func (d *server) follow(s session, lasts time.Duration) daemon.LiveStream {
	d.t.Helper()
	got, err := daemon.Follow(d.t.Context(), func(_ context.Context, path string) ([]byte, error) {
		return d.media(s, strings.TrimPrefix(path, "/")), nil //nolint:contextcheck // the test's own bounds it
	}, "/video1_stream.m3u8", lasts)
	must(d.t, err)
	return got
}

// delays returns how long after it was drawn each picture is shown by a player that stays as far behind the newest
// part as the playlist says: glass to glass.
func (d *server) delays(s session, got daemon.LiveStream, c *camera) (all []time.Duration) {
	d.t.Helper()
	path := filepath.Join(d.t.TempDir(), "live.mp4")
	must(d.t, os.WriteFile(path, got.MP4(), 0o600))
	pictures := read(d.t, path, s.size())
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, picture := range pictures {
		if i > 0 && picture.number <= pictures[i-1].number {
			d.t.Errorf("picture %d comes after %d", picture.number, pictures[i-1].number)
		}
		if at := got.Shown(picture.at - pictures[0].at); !at.IsZero() {
			all = append(all, at.Sub(c.drawn[picture.number]))
		}
	}
	slices.Sort(all)
	return all
}

// live begins a session of a live source.
func (d *server) live(source string) (s session) {
	d.t.Helper()
	d.ask(http.MethodPost, "/v1/sessions", order{"source": source, "live": true, "model": doubling}, &s)
	return s
}

// TestLiveLatency measures a live stream glass to glass, from the drawing of a clock to the showing of it in LL-HLS:
// at most 3 s, in parts of at most 200 ms.
func TestLiveLatency(t *testing.T) {
	cam := newCamera(t)
	d := start(t, settings{"media.http.hosts": cam.Listener.Addr().String()})
	s := d.live(cam.URL + "/clock.ts")
	got := d.follow(s, 8*time.Second)
	delays, longest := d.delays(s, got, cam), got.Longest()
	if len(delays) < 4*liveRate || longest > 200*time.Millisecond+time.Millisecond {
		t.Fatalf("%d pictures in %d parts, the longest of %s", len(delays), len(got.Parts), longest)
	}
	median, late := delays[len(delays)/2], delays[len(delays)*95/100]
	t.Logf("glass to glass: median %s, 95 %% within %s; %d pictures in %d parts of at most %s, %s behind the newest",
		median.Round(time.Millisecond), late.Round(time.Millisecond), len(delays), len(got.Parts), longest, got.HoldBack)
	if late > 3*time.Second {
		t.Errorf("95 %% within %s", late)
	}
}

// rtspServer is GStreamer's rtsp server, which shows a moving pattern with a tone, in H.264 with AAC and in H.265 with MPEG
// audio. It writes its port.
const rtspServer = `
import gi, sys
gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer
Gst.init(None)
server = GstRtspServer.RTSPServer()
server.set_address("127.0.0.1")
server.set_service("0")
for path, picture, sound in (
    ("/ball", "x264enc tune=zerolatency speed-preset=ultrafast key-int-max=15 ! rtph264pay name=pay0 pt=96 config-interval=-1",
        "avenc_aac ! rtpmp4gpay name=pay1 pt=97"),
    ("/hevc", "x265enc tune=zerolatency speed-preset=ultrafast key-int-max=15 log-level=error ! rtph265pay name=pay0 pt=96 config-interval=-1",
        "avenc_mp2 ! mpegaudioparse ! rtpmpapay name=pay1 pt=14"),
):
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch("( videotestsrc is-live=true pattern=ball ! video/x-raw,format=I420,width=160,height=128,framerate=15/1 ! " +
        picture + " audiotestsrc is-live=true ! audioconvert ! audioresample ! audio/x-raw,rate=48000,channels=2 ! " + sound + " )")
    factory.set_shared(True)
    server.get_mount_points().add_factory(path, factory)
server.attach(None)
print(server.get_bound_port(), flush=True)
GLib.MainLoop().run()
`

// TestLiveRTSP plays all of GStreamer's rtsp server over TCP and over UDP, and has ffmpeg decode what comes out.
func TestLiveRTSP(t *testing.T) {
	t.Parallel()
	script := filepath.Join(t.TempDir(), "server.py")
	must(t, os.WriteFile(script, []byte(rtspServer), 0o600))
	gst := exec.CommandContext(t.Context(), "/usr/bin/python3", script) // Debian's own, which has its bindings
	var complaint bytes.Buffer
	gst.Stderr = &complaint
	out, err := gst.StdoutPipe()
	must(t, err)
	must(t, gst.Start())
	defer func() { _ = gst.Wait() }() // it is killed with the test's context
	defer func() { _ = gst.Process.Kill() }()
	port, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("GStreamer's rtsp server: %v (deploy/install-deps.sh test installs what is missing)\n%s", err, &complaint)
	}
	host := "127.0.0.1:" + strings.TrimSpace(port)
	for _, row := range []struct{ transport, path string }{{"tcp", "/ball"}, {"udp", "/ball"}, {"tcp", "/hevc"}, {"udp", "/hevc"}} {
		t.Run(row.transport+row.path, func(t *testing.T) {
			d := start(t, settings{"media.http.hosts": host, "live.rtsp": row.transport})
			s := d.live("rtsp://" + host + row.path)
			if got := s.size(); got != [2]int{2 * width, 2 * height} || len(s.Film.Audio) != 1 {
				t.Fatalf("%v with %d tracks of sound", got, len(s.Film.Audio))
			}
			raw := tool(t, nil, "ffmpeg", "-v", "error", "-nostdin", "-i", d.master(s), "-t", "3", "-map", "0:v:0", "-f", "framemd5", "-")
			pictures := map[string]bool{}
			for line := range strings.Lines(string(raw)) {
				if fields := strings.Split(line, ","); !strings.HasPrefix(line, "#") && len(fields) > 5 {
					pictures[fields[5]] = true
				}
			}
			if len(pictures) < 2*liveRate {
				t.Errorf("%d different pictures in 3 s", len(pictures))
			}
			loud := tool(t, nil, "ffmpeg", "-v", "error", "-nostdin", "-i", d.master(s), "-t", "1", "-map", "0:a:0", "-f", "s16le", "-")
			if len(bytes.Trim(loud, "\x00")) < len(loud)/2 || len(loud) < 48000 {
				t.Errorf("%d bytes of sound, of which %d are not silent", len(loud), len(bytes.Trim(loud, "\x00")))
			}
		})
	}
}
