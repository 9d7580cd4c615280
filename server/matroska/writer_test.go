package matroska_test

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/container"
	"github.com/upscaled-media/upscaled/server/fmp4/fmp4test"
	"github.com/upscaled-media/upscaled/server/matroska"
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

// film is a stream of picture and sound, five seconds long.
type film struct {
	tracks  []matroska.Track
	packets [][]wire.Packet
	scales  []int64
}

func newFilm(t *testing.T) film {
	t.Helper()
	video, pictures := fmp4test.Video(t, [2]int{24000, 1001}, 48, 120, "-bf", "2")
	audio, sound := fmp4test.Audio(t, 48000, 234)
	return film{
		tracks: []matroska.Track{
			{
				Codec: matroska.AVC, CodecPrivate: video.CodecData, Width: video.Width, Height: video.Height, Aspect: [2]int{4, 3},
				Frame: 1001 * time.Second / 24000, Default: true,
			},
			{Codec: matroska.AAC, CodecPrivate: audio.CodecData, Rate: 48000, Channels: 2, Language: "deu", Name: "Größe", Default: true},
			{Codec: matroska.Text, Language: "pt-BR", Forced: true},
		},
		packets: [][]wire.Packet{pictures, sound}, scales: []int64{24000, 48000},
	}
}

// write writes the film, block by block in the order of decoding, and a cue at 1.5 s.
func (f film) write(t *testing.T, out *pipe) {
	t.Helper()
	w, err := matroska.NewWriter(out, f.tracks)
	if err != nil {
		t.Fatal(err)
	}
	blocks, next := 1, make([]int, len(f.packets))
	for {
		track, first := -1, int64(math.MaxInt64)
		for i, packets := range f.packets {
			if next[i] < len(packets) && f.at(i, packets[next[i]].DTS) < first {
				track, first = i, f.at(i, packets[next[i]].DTS)
			}
		}
		if track < 0 {
			break
		}
		p := f.packets[track][next[track]]
		next[track]++
		blocks++
		if err := w.Write(track, time.Duration(f.at(track, p.PTS)), p.Key, p.Data); err != nil {
			t.Fatal(err)
		}
		if out.writes != blocks {
			t.Fatalf("%d writes after %d blocks", out.writes, blocks)
		}
		if blocks == 100 {
			blocks++
			if err := w.WriteText(2, 1500*time.Millisecond, time.Second, "Eins,\nzwei <i>drei</i>"); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	if err := w.Write(0, 6*time.Second, true, []byte{1}); !errors.Is(err, matroska.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

// at returns ticks of a track in nanoseconds.
func (f film) at(track int, ticks int64) int64 { return ticks * int64(time.Second) / f.scales[track] }

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

// TestFFmpegReadsTheStream reads it from a pipe: every packet is there, where it belongs.
func TestFFmpegReadsTheStream(t *testing.T) {
	t.Parallel()
	f, out := newFilm(t), &pipe{}
	f.write(t, out)
	for i, stream := range []string{"v", "a"} {
		lines := strings.Fields(run(t, out.Bytes(), "ffprobe", "-v", "error", "-select_streams", stream,
			"-show_entries", "packet=pts_time,size,flags", "-of", "csv=p=0", "-"))
		if len(lines) != len(f.packets[i]) {
			t.Fatalf("%s: %d packets of %d", stream, len(lines), len(f.packets[i]))
		}
		for n, line := range lines {
			var at float64
			var size int
			var flags string
			if _, err := fmt.Sscanf(strings.ReplaceAll(line, ",", " "), "%g %d %s", &at, &size, &flags); err != nil {
				t.Fatal(line, err)
			}
			p := f.packets[i][n]
			if size != len(p.Data) || math.Abs(at-float64(f.at(i, p.PTS))/1e9) > 51e-6 || strings.HasPrefix(flags, "K") != p.Key {
				t.Fatalf("%s packet %d: %s, want %d bytes at %d ns, key %t", stream, n, line, len(p.Data), f.at(i, p.PTS), p.Key)
			}
		}
	}
	streams := run(t, out.Bytes(), "ffprobe", "-v", "error", "-show_entries",
		"stream=codec_name,width,height,sample_aspect_ratio,r_frame_rate,sample_rate,channels:stream_tags=language,title", "-of", "compact=p=0", "-")
	for _, want := range []string{
		"codec_name=h264|width=64|height=48|sample_aspect_ratio=85:64|r_frame_rate=24000/1001",
		"codec_name=aac|sample_rate=48000|channels=2|r_frame_rate=0/0|tag:language=deu|tag:title=Größe", "codec_name=subrip",
	} {
		if !strings.Contains(streams, want) {
			t.Errorf("streams lack %q:\n%s", want, streams)
		}
	}
	text := run(t, out.Bytes(), "ffmpeg", "-v", "error", "-i", "-", "-map", "0:s", "-f", "srt", "-")
	if strings.ReplaceAll(text, "\r", "") != "1\n00:00:01,500 --> 00:00:02,500\nEins,\nzwei <i>drei</i>\n\n" {
		t.Errorf("subtitles %q", text)
	}
	run(t, out.Bytes(), "ffmpeg", "-v", "error", "-xerror", "-i", "-", "-map", "0:v", "-map", "0:a", "-f", "null", "-")
}

// TestGStreamerReadsTheStream pushes it through matroskademux, which cannot seek in a pipe.
func TestGStreamerReadsTheStream(t *testing.T) {
	t.Parallel()
	f, out := newFilm(t), &pipe{}
	f.write(t, out)
	for name, pad := range map[string]string{"video": "video_0", "audio": "audio_0"} {
		file := filepath.Join(t.TempDir(), name)
		run(t, out.Bytes(), "gst-launch-1.0", "-q", "fdsrc", "!", "matroskademux", "name=d", "d."+pad, "!", "queue", "!", "filesink", "location="+file)
		got, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var want []byte
		for _, p := range f.packets[slices.Index([]string{"video", "audio"}, name)] {
			want = append(want, p.Data...)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s: %d bytes came through, want %d", name, len(got), len(want))
		}
	}
}

// TestTheContainerReadsItBack holds what was written to the repository's own reader.
func TestTheContainerReadsItBack(t *testing.T) {
	t.Parallel()
	f, out := newFilm(t), &pipe{}
	f.write(t, out)
	extras, err := container.Read(bytes.NewReader(out.Bytes()), int64(out.Len()))
	if err != nil {
		t.Fatal(err)
	}
	if len(extras.Tracks) != 3 || extras.Format != container.Matroska {
		t.Fatalf("%+v", extras)
	}
	for i, want := range []container.Track{
		{Label: container.Label{Language: "und", Flags: container.Flags{Default: true}}, Number: 1, UID: 1, Type: container.Video, CodecID: "V_MPEG4/ISO/AVC"},
		{Label: container.Label{Name: "Größe", Language: "deu", Flags: container.Flags{Default: true}}, Number: 2, UID: 2, Type: container.Audio, CodecID: "A_AAC"},
		{Label: container.Label{Language: "und", LanguageBCP47: "pt-BR", Flags: container.Flags{Forced: true}}, Number: 3, UID: 3, Type: container.Subtitle, CodecID: "S_TEXT/UTF8"},
	} {
		if got := extras.Tracks[i]; fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("track %d: %+v, want %+v", i, got, want)
		}
	}
	var last time.Duration
	for i, packets := range f.packets {
		for _, p := range packets {
			last = max(last, time.Duration(f.at(i, p.PTS)))
		}
	}
	if (extras.Last - last).Abs() > matroska.Tick {
		t.Errorf("last block at %v, want %v", extras.Last, last)
	}
}

// TestAFilmTellsItsEnd reads the duration of a film and of a live stream.
func TestAFilmTellsItsEnd(t *testing.T) {
	t.Parallel()
	for end, want := range map[time.Duration]string{90500 * time.Millisecond: "90.500000", 0: "N/A"} {
		out := &pipe{}
		w, err := matroska.NewFilm(out, []matroska.Track{{Codec: matroska.MP3, Rate: 48000, Channels: 2}}, end)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Write(0, 0, true, append([]byte{0xff, 0xfb, 0x14, 0xc4}, make([]byte, 92)...)); err != nil {
			t.Fatal(err)
		}
		if got := strings.TrimSpace(run(t, out.Bytes(), "ffprobe", "-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0", "-")); got != want {
			t.Errorf("the film of %s lasts %s", end, got)
		}
	}
}

// TestWhatCannotBeWritten says so, and the stream goes on.
func TestWhatCannotBeWritten(t *testing.T) {
	t.Parallel()
	picture := matroska.Track{Codec: matroska.VP8, Width: 16, Height: 16}
	for name, tracks := range map[string][]matroska.Track{
		"none": nil, "no codec": {{}}, "no size": {{Codec: matroska.VP8}}, "no rate": {{Codec: matroska.Opus, Channels: 2}},
		"too many": slices.Repeat([]matroska.Track{picture}, 127),
	} {
		out := &pipe{}
		if _, err := matroska.NewWriter(out, tracks); !errors.Is(err, matroska.ErrTrack) || out.writes > 0 {
			t.Errorf("%s: %v after %d writes", name, err, out.writes)
		}
	}
	out := &pipe{}
	w, err := matroska.NewWriter(out, []matroska.Track{picture})
	if err != nil {
		t.Fatal(err)
	}
	must := func(err, want error) {
		t.Helper()
		if !errors.Is(err, want) {
			t.Errorf("%v, want %v", err, want)
		}
	}
	must(w.Write(0, time.Minute, true, []byte{1}), nil)
	must(w.Write(1, time.Minute, true, []byte{1}), matroska.ErrTrack)
	must(w.Write(0, -1, true, []byte{1}), matroska.ErrBlock)
	must(w.Write(0, 49*time.Second, true, []byte{1}), matroska.ErrBlock)
	must(w.Write(0, time.Minute, true, nil), matroska.ErrBlock)
	must(w.WriteText(0, time.Minute, 0, "x"), matroska.ErrBlock)
	must(w.Write(0, 51*time.Second, false, []byte{1}), nil)
	if out.writes != 3 {
		t.Errorf("%d writes", out.writes)
	}
}

// broken takes some writes, then fails.
type broken struct{ left int }

var errBroken = errors.New("the reader has gone")

func (b *broken) Write(p []byte) (int, error) {
	if b.left--; b.left < 0 {
		return len(p) / 2, errBroken
	}
	return len(p), nil
}

// TestABrokenStreamStaysBroken holds that nothing follows half a block.
func TestABrokenStreamStaysBroken(t *testing.T) {
	t.Parallel()
	out := &broken{left: 1}
	w, err := matroska.NewWriter(out, []matroska.Track{{Codec: matroska.Opus, Rate: 48000, Channels: 1}})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := w.Write(0, 0, true, []byte{1}); !errors.Is(err, errBroken) {
			t.Error(err)
		}
		out.left = 1
	}
	if err := w.Close(); !errors.Is(err, errBroken) {
		t.Error(err)
	}
}
