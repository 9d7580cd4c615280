package ingest

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os/exec"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/server/source"
	"github.com/upscaled-media/upscaled/worker/wire"
)

// outside returns a network of the hosts of some URLs.
func outside(t *testing.T, urls ...string) *source.Outside {
	t.Helper()
	return trustful(t, nil, urls...)
}

// trustful is outside, with certificates checked in another way.
func trustful(t *testing.T, trust *tls.Config, urls ...string) *source.Outside {
	t.Helper()
	var hosts []string
	for _, rawURL := range urls {
		u, err := url.Parse(rawURL)
		if err != nil {
			t.Fatal(err)
		}
		hosts = append(hosts, u.Host)
	}
	opener, err := source.New(source.Options{Hosts: hosts, Limits: source.DefaultLimits(), Trust: trust, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return opener.Outside()
}

// options are patient enough for a slow machine, and no longer.
func options(o *source.Outside) Options {
	return Options{Outside: o, Connect: 20 * time.Second, Reconnect: 20 * time.Second, Stall: 10 * time.Second, Log: slog.New(slog.DiscardHandler)}
}

// encode has ffmpeg draw seconds of a test pattern, 25 pictures and a key picture a second, and return them in a container.
func encode(t *testing.T, seconds float64, args ...string) []byte {
	t.Helper()
	all := slices.Concat([]string{
		"-v", "error", "-f", "lavfi", "-i", "testsrc2=size=192x128:rate=25", "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000",
		"-t", strconv.FormatFloat(seconds, 'f', -1, 64), "-ac", "2", "-pix_fmt", "yuv420p", "-g", "25", "-sc_threshold", "0",
	}, args, []string{"pipe:1"})
	var out, trouble bytes.Buffer
	cmd := exec.CommandContext(t.Context(), "ffmpeg", all...)
	cmd.Stdout, cmd.Stderr = &out, &trouble
	if err := cmd.Run(); err != nil {
		t.Fatalf("ffmpeg: %v\n%s", err, &trouble)
	}
	return out.Bytes()
}

// Codecs in a transport stream, for encode.
var (
	avcAAC  = []string{"-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac", "-f", "mpegts"}
	bframes = []string{"-c:v", "libx264", "-preset", "veryfast", "-bf", "2", "-c:a", "aac", "-f", "mpegts"}
	hevcAAC = []string{"-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=error:keyint=25:min-keyint=25", "-c:a", "aac", "-f", "mpegts"}
	avcOpus = []string{"-c:v", "libx264", "-preset", "ultrafast", "-c:a", "libopus", "-f", "mpegts"}
	mpeg2   = []string{"-c:v", "mpeg2video", "-c:a", "mp2", "-f", "mpegts"}
	voice   = []string{"-vn", "-c:a", "aac", "-f", "mpegts"}
)

// avcWith is H.264 with sound of other codecs.
func avcWith(sound ...string) []string {
	return slices.Concat([]string{"-c:v", "libx264", "-preset", "ultrafast"}, sound, []string{"-f", "mpegts"})
}

// taken runs an intake until it ends, and returns what it wrote.
func taken(t *testing.T, i *Intake) ([]byte, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var feed bytes.Buffer
	err := i.Run(ctx, &feed)
	return feed.Bytes(), err
}

// code returns the code of an error, "" where it has none.
func code(err error) string {
	var told *wire.Error
	if errors.As(err, &told) {
		return told.Code
	}
	return ""
}

// probed is what ffprobe finds in a feed.
type probed struct {
	Streams []struct {
		Codec         string `json:"codec_name"`
		Width, Height int
		SampleRate    string `json:"sample_rate"`
		Channels      int
	}
	Found []struct {
		Type  string // packet or frame
		Codec string `json:"codec_type"`
		Kind  string `json:"media_type"`
		PTS   string `json:"pts_time"`
	} `json:"packets_and_frames"`
}

// probe has ffprobe decode a feed. Anything that it finds wrong is an error.
func probe(t *testing.T, feed []byte) probed {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "ffprobe", "-v", "error", "-of", "json", "-show_entries",
		"stream=codec_name,width,height,sample_rate,channels:packet=codec_type,pts_time:frame=media_type,pts_time", "-i", "-")
	cmd.Stdin = bytes.NewReader(feed)
	var trouble bytes.Buffer
	cmd.Stderr = &trouble
	out, err := cmd.Output()
	if err != nil || trouble.Len() > 0 {
		t.Fatalf("ffprobe: %v\n%s", err, &trouble)
	}
	var p probed
	if err := json.Unmarshal(out, &p); err != nil {
		t.Fatal(err)
	}
	return p
}

// pictures returns the times of the pictures that were decoded, in the order of showing.
func (p probed) pictures(t *testing.T) []time.Duration {
	t.Helper()
	var all []time.Duration
	for _, f := range p.Found {
		if f.Type == "frame" && f.Kind == "video" {
			all = append(all, seconds(t, f.PTS))
		}
	}
	return all
}

// sounds returns the times of the packets of sound.
func (p probed) sounds(t *testing.T) []time.Duration {
	t.Helper()
	var all []time.Duration
	for _, packet := range p.Found {
		if packet.Type == "packet" && packet.Codec == "audio" {
			all = append(all, seconds(t, packet.PTS))
		}
	}
	return all
}

func seconds(t *testing.T, text string) time.Duration {
	t.Helper()
	s, err := strconv.ParseFloat(text, 64)
	if err != nil {
		t.Fatal(err)
	}
	return time.Duration(s * float64(time.Second)).Round(100 * time.Microsecond)
}

// steady reports the first step between times that is not the wished one, "" for none.
func steady(times []time.Duration, step, tolerance time.Duration) string {
	for i := 1; i < len(times); i++ {
		if got := times[i] - times[i-1]; got < step-tolerance || got > step+tolerance {
			return fmt.Sprintf("%s after %s, number %d", got, times[i-1], i)
		}
	}
	return ""
}
