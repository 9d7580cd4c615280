package mpegts_test

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/server/fmp4/fmp4test"
	"github.com/upscaled-media/upscaled/server/mpegts"
	"github.com/upscaled-media/upscaled/worker/wire"
)

// pipe keeps what was written, and how often.
type pipe struct {
	bytes.Buffer
	writes int
}

func (p *pipe) Write(b []byte) (int, error) {
	p.writes++
	return p.Buffer.Write(b)
}

func at(ticks, scale int64) time.Duration { return time.Duration(ticks * int64(time.Second) / scale) }

// film writes four seconds of picture and sound; without sets, the pictures have none of their own.
func film(t *testing.T, out *pipe, sets bool) (pictures, sound []wire.Packet) {
	t.Helper()
	video, pictures := fmp4test.Video(t, [2]int{24000, 1001}, 24, 96, "-bf", "2")
	if sets {
		pictures = fmp4test.InBand(t, video, pictures)
	}
	audio, sound := fmp4test.Audio(t, 48000, 188)
	w, err := mpegts.NewWriter(out, video.CodecData, audio.CodecData)
	if err != nil {
		t.Fatal(err)
	}
	next := 0
	for _, p := range pictures {
		for ; next < len(sound) && at(sound[next].DTS, 48000) < at(p.DTS, 24000); next++ {
			if err := w.Audio(at(sound[next].PTS, 48000), sound[next].Data); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Video(at(p.PTS, 24000), at(p.DTS, 24000), p.Key, p.Data); err != nil {
			t.Fatal(err)
		}
	}
	for ; next < len(sound); next++ {
		if err := w.Audio(at(sound[next].PTS, 48000), sound[next].Data); err != nil {
			t.Fatal(err)
		}
	}
	if want := 1 + len(pictures) + len(sound); out.writes != want {
		t.Errorf("%d writes, want %d", out.writes, want)
	}
	return pictures, sound
}

func run(t *testing.T, in []byte, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Stdin = bytes.NewReader(in)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil || strings.Contains(stderr.String(), "ERROR") {
		t.Fatalf("%s: %v\n%.2000s", name, err, stderr.Bytes())
	}
	return string(out)
}

// TestFFmpegReadsTheStream reads it from a pipe: every packet is there, where it belongs, and
// decoders complain of nothing.
func TestFFmpegReadsTheStream(t *testing.T) {
	t.Parallel()
	for _, sets := range []bool{false, true} {
		t.Run(fmt.Sprint("sets in band ", sets), func(t *testing.T) {
			t.Parallel()
			out := &pipe{}
			pictures, sound := film(t, out, sets)
			for stream, want := range map[string]struct {
				packets []wire.Packet
				scale   int64
			}{"v": {pictures, 24000}, "a": {sound, 48000}} {
				lines := strings.Fields(run(t, out.Bytes(), "ffprobe", "-v", "error", "-select_streams", stream,
					"-show_entries", "packet=pts_time,flags", "-of", "csv=p=0", "-"))
				if len(lines) != len(want.packets) {
					t.Fatalf("%s: %d packets of %d", stream, len(lines), len(want.packets))
				}
				for n, line := range lines {
					var pts float64
					var flags string
					if _, err := fmt.Sscanf(strings.ReplaceAll(line, ",", " "), "%g %s", &pts, &flags); err != nil {
						t.Fatal(line, err)
					}
					p := want.packets[n]
					if off := pts - (at(p.PTS, want.scale) + mpegts.Lead).Seconds(); math.Abs(off) > 12e-6 || strings.HasPrefix(flags, "K") != p.Key {
						t.Fatalf("%s packet %d: %s, want %v", stream, n, line, at(p.PTS, want.scale)+mpegts.Lead)
					}
				}
			}
			if said := run(t, out.Bytes(), "ffmpeg", "-v", "warning", "-xerror", "-i", "-", "-f", "null", "-"); said != "" {
				t.Error(said)
			}
		})
	}
}

// TestOpus writes packets of silence, which ffmpeg finds and decodes.
func TestOpus(t *testing.T) {
	t.Parallel()
	video, pictures := fmp4test.Video(t, [2]int{25, 1}, 25, 25)
	out := &pipe{}
	w, err := mpegts.NewWriter(out, video.CodecData, []byte("OpusHead\x01\x02\x38\x01\x80\xbb\x00\x00\x00\x00\x00"))
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range pictures {
		if err := w.Video(at(p.PTS, 25), at(p.DTS, 25), p.Key, p.Data); err != nil {
			t.Fatal(err)
		}
		for n := range 2 {
			if err := w.Audio(time.Duration(2*i+n)*20*time.Millisecond, []byte{0xfc, 0xff, 0xfe}); err != nil {
				t.Fatal(err)
			}
		}
	}
	found := run(t, out.Bytes(), "ffprobe", "-v", "error", "-select_streams", "a", "-count_frames", "-show_entries", "stream=codec_name,channels,nb_read_frames", "-of", "csv=p=0", "-")
	if !strings.HasPrefix(found, "opus,2,50") {
		t.Error(found)
	}
}

// TestGStreamerReadsTheStream demuxes and decodes it; every picture comes out.
func TestGStreamerReadsTheStream(t *testing.T) {
	t.Parallel()
	out := &pipe{}
	pictures, _ := film(t, out, false)
	file := filepath.Join(t.TempDir(), "picture.yuv")
	run(t, out.Bytes(), "gst-launch-1.0", "-q", "fdsrc", "!", "tsdemux", "name=d", "d.", "!", "h264parse", "!", "avdec_h264", "!",
		"video/x-raw,format=I420", "!", "filesink", "location="+file, "d.", "!", "queue", "!", "aacparse", "!", "fakesink")
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	if want := int64(len(pictures) * fmp4test.Width * fmp4test.Height * 3 / 2); info.Size() != want {
		t.Errorf("%d bytes of pictures, want %d", info.Size(), want)
	}
}

// TestWhatCannotBeWritten says so, and the stream goes on.
func TestWhatCannotBeWritten(t *testing.T) {
	t.Parallel()
	video, pictures := fmp4test.Video(t, [2]int{25, 1}, 25, 1)
	for name, try := range map[string][2][]byte{
		"no avcC": {nil, nil}, "broken avcC": {video.CodecData[:9], nil}, "broken config": {video.CodecData, {0xff}},
		"AAC Main": {video.CodecData, {0x09, 0x90}}, "channels one by one": {video.CodecData, {0x11, 0x80, 4, 0xc4, 0, 0}},
		"Opus of six channels": {video.CodecData, []byte("OpusHead\x01\x06")}, "half of an OpusHead": {video.CodecData, []byte("OpusHead\x01")},
	} {
		out := &pipe{}
		if _, err := mpegts.NewWriter(out, try[0], try[1]); !errors.Is(err, mpegts.ErrMedia) || out.writes > 0 {
			t.Errorf("%s: %v after %d writes", name, err, out.writes)
		}
	}
	w, err := mpegts.NewWriter(&pipe{}, video.CodecData, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"sound": w.Audio(0, []byte{1}), "no lengths": w.Video(0, 0, true, []byte{1, 2, 3}), "nothing": w.Video(0, 0, true, nil),
		"too long": w.Video(0, 0, true, []byte{0, 0, 0, 9, 1}),
	} {
		if !errors.Is(err, mpegts.ErrMedia) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := w.Video(0, 0, true, pictures[0].Data); err != nil {
		t.Error(err)
	}
}
