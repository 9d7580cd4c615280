package pipeline

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/elements/frame"
	"github.com/upscaled-media/upscaled/internal/testmedia"
)

// Clips are made and judged by ffmpeg and ffprobe: they share no code with
// GStreamer's demuxers, muxers and text elements.

// tool runs a program and returns what it writes.
func tool(t testing.TB, stdin io.Reader, name string, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	var out, complaint bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, &out, &complaint
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, complaint.String())
	}
	return out.Bytes()
}

// ffmpeg runs ffmpeg; the last argument is the name of the file it makes, in
// the test's own folder. It returns its path.
func ffmpeg(t testing.TB, args ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), args[len(args)-1])
	args = append([]string{"-v", "error", "-nostdin", "-y"}, args...)
	args[len(args)-1] = path
	tool(t, nil, "ffmpeg", args...)
	return path
}

// write makes a file in the test's own folder and returns its path.
func write(t testing.TB, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// counted draws a clip of numbered frames and beeps, encoded by the arguments.
// In them, input 0 is the picture and 1 the sound.
func counted(t testing.TB, s testmedia.Spec, args ...string) string {
	t.Helper()
	clip, err := testmedia.NewCounted(s)
	if err != nil {
		t.Fatal(err)
	}
	f := frame.New(clip.Layout, 1)
	var pictures bytes.Buffer
	for i := range clip.Frames {
		if err := clip.Draw(i, f); err != nil {
			t.Fatal(err)
		}
		for p, plane := range f.Planes {
			if plane.Data != nil {
				pictures.Write(plane.Data[:f.RowBytes(p)*rows(f.Layout, p)])
			}
		}
	}
	format := "yuv420p"
	if clip.Format.Bits() > 8 {
		format = "yuv420p10le"
	}
	video := write(t, "video.yuv", pictures.Bytes())
	sound := write(t, "sound.pcm", clip.Sound(0, int(clip.Samples())))
	in := []string{
		"-f", "rawvideo", "-pix_fmt", format, "-s", strconv.Itoa(clip.Width) + "x" + strconv.Itoa(clip.Height),
		"-r", strconv.Itoa(clip.Rate.Num) + "/" + strconv.Itoa(clip.Rate.Den), "-i", video,
		"-f", "s16le", "-ar", "48000", "-ac", "2", "-i", sound,
	}
	return ffmpeg(t, append(in, args...)...)
}

func rows(l frame.Layout, plane int) int {
	_, n := l.PlaneSize(plane)
	return n
}

// description is what ffprobe tells of a file.
type description struct {
	Streams []struct {
		Index       int               `json:"index"`
		Type        string            `json:"codec_type"`
		Codec       string            `json:"codec_name"`
		Profile     string            `json:"profile"`
		Width       int               `json:"width"`
		Height      int               `json:"height"`
		PixFmt      string            `json:"pix_fmt"`
		PixelAspect string            `json:"sample_aspect_ratio"`
		Aspect      string            `json:"display_aspect_ratio"`
		Range       string            `json:"color_range"`
		Matrix      string            `json:"color_space"`
		Transfer    string            `json:"color_transfer"`
		Primaries   string            `json:"color_primaries"`
		Site        string            `json:"chroma_location"`
		FieldOrder  string            `json:"field_order"`
		Rate        string            `json:"r_frame_rate"`
		Average     string            `json:"avg_frame_rate"`
		Start       string            `json:"start_time"`
		Channels    int               `json:"channels"`
		SampleRate  string            `json:"sample_rate"`
		Tags        map[string]string `json:"tags"`
		SideData    []map[string]any  `json:"side_data_list"`
	} `json:"streams"`
	Format struct {
		Name     string            `json:"format_name"`
		Duration string            `json:"duration"`
		Tags     map[string]string `json:"tags"`
	} `json:"format"`
	Chapters []struct {
		Start string            `json:"start_time"`
		End   string            `json:"end_time"`
		Tags  map[string]string `json:"tags"`
	} `json:"chapters"`
}

// describeFile asks ffprobe about a file.
func describeFile(t testing.TB, path string) description {
	t.Helper()
	out := tool(t, nil, "ffprobe", "-v", "error", "-of", "json", "-show_streams", "-show_format", "-show_chapters", path)
	var d description
	if err := json.Unmarshal(out, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// readPictures decodes the video of a file and returns the numbers drawn into its
// pictures, in their order, with their times. scale is the size of the pictures
// over that of the drawn ones.
func readPictures(t testing.TB, path string, scale float64) (numbers []int, at []time.Duration, lit []bool) {
	t.Helper()
	d := describeFile(t, path)
	l := frame.Layout{Format: frame.I420}
	for _, s := range d.Streams {
		if s.Type == "video" {
			l.Width, l.Height = s.Width, s.Height
			break
		}
	}
	raw := tool(t, nil, "ffmpeg", "-v", "error", "-nostdin", "-noautorotate", "-i", path, "-map", "0:v:0", "-fps_mode", "passthrough",
		"-pix_fmt", "yuv420p", "-f", "rawvideo", "-")
	f := frame.New(l, 1)
	for len(raw) > 0 {
		for p := range f.Planes {
			n := f.RowBytes(p) * rows(l, p)
			if n > len(raw) {
				t.Fatalf("%s: half a picture of %d×%d", path, l.Width, l.Height)
			}
			copy(f.Planes[p].Data, raw[:n])
			raw = raw[n:]
		}
		n, err := testmedia.ReadNumber(f, scale)
		if err != nil {
			t.Fatalf("%s: picture %d: %v", path, len(numbers), err)
		}
		numbers, lit = append(numbers, n), append(lit, testmedia.Lit(f))
	}
	return numbers, times(t, path, "v:0"), lit
}

// times returns the times at which the packets of a stream are shown, in order.
func times(t testing.TB, path, stream string) []time.Duration {
	t.Helper()
	out := tool(t, nil, "ffprobe", "-v", "error", "-select_streams", stream, "-show_entries", "frame=best_effort_timestamp_time", "-of", "csv=p=0", path)
	var at []time.Duration
	for _, line := range strings.Fields(string(out)) {
		s, err := strconv.ParseFloat(strings.TrimRight(line, ","), 64)
		if err != nil {
			t.Fatalf("%s: time %q", path, line)
		}
		at = append(at, time.Duration(s*1e9))
	}
	return at
}

// beeps returns the times of the beeps in the first sound track, on the file's
// own time line.
func beeps(t testing.TB, path string) []time.Duration {
	t.Helper()
	pcm := tool(t, nil, "ffmpeg", "-v", "error", "-nostdin", "-copyts", "-i", path, "-map", "0:a:0",
		"-af", "aresample=48000:async=1:min_hard_comp=0.001:first_pts=0", "-ac", "2", "-f", "s16le", "-")
	return testmedia.Beeps(pcm)
}
