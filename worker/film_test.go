package worker

import (
	"bytes"
	"encoding/binary"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/upscaled-media/upscaled/elements/frame"
	"github.com/upscaled-media/upscaled/internal/testmedia"
	"github.com/upscaled-media/upscaled/worker/wire"
)

// The film of the tests: numbered pictures with a beep each second and two cues.
const (
	filmWidth   = 320
	filmHeight  = 180
	filmRate    = 24
	filmSeconds = 6
	filmFrames  = filmSeconds*filmRate - 5 // the last segment is not whole
	filmCues    = "1\n00:00:00,500 --> 00:00:01,500\nfirst\n\n2\n00:00:03,000 --> 00:00:04,200\n<i>second</i>\n"
)

// testFilm draws the film once, and returns its path.
func testFilm(t *testing.T) string {
	t.Helper()
	drawing.Do(func() {
		folder, err := os.MkdirTemp("", "upscaled-worker-test-") //nolint:usetesting // it outlasts the test that draws it; TestMain removes it
		if err != nil {
			t.Fatal(err)
		}
		drawn = filepath.Join(folder, "film.mkv")
		draw(t, folder, drawn, filmFrames)
	})
	return drawn
}

var (
	drawing sync.Once
	drawn   string
)

// draw makes a film of a number of pictures. ffmpeg shares no code with what reads it.
func draw(t *testing.T, folder, path string, frames int) {
	t.Helper()
	clip, err := testmedia.NewCounted(testmedia.Spec{Width: filmWidth, Height: filmHeight, Frames: frames})
	if err != nil {
		t.Fatal(err)
	}
	f := frame.New(clip.Layout, 1)
	var pictures bytes.Buffer
	for i := range frames {
		if err := clip.Draw(i, f); err != nil {
			t.Fatal(err)
		}
		for _, plane := range f.Planes {
			pictures.Write(plane.Data)
		}
	}
	for name, data := range map[string][]byte{"sound.pcm": clip.Sound(0, int(clip.Samples())), "cues.srt": []byte(filmCues)} {
		if err := os.WriteFile(filepath.Join(folder, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ffmpeg(t, &pictures, strings.Fields("-y -f rawvideo -pix_fmt yuv420p -s 320x180 -r 24 -i pipe:0 -f s16le -ar 48000 -ac 2 -i "+
		filepath.Join(folder, "sound.pcm")+" -i "+filepath.Join(folder, "cues.srt")+
		" -map 0 -map 1 -map 2 -c:v libx264 -preset ultrafast -crf 10 -g 48 -c:a aac -c:s srt "+path)...)
}

// ffmpeg runs ffmpeg and returns what it writes.
func ffmpeg(t *testing.T, stdin io.Reader, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "ffmpeg", append([]string{"-v", "error"}, args...)...)
	var out, complaint bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, &out, &complaint
	if err := cmd.Run(); err != nil {
		t.Fatalf("ffmpeg %s: %v\n%s", strings.Join(args, " "), err, complaint.String())
	}
	return out.Bytes()
}

// shown is a picture as a decoder shows it.
type shown struct {
	number int     // that is drawn into it
	light  float64 // mean of the luma
}

// decode decodes packets of a run of the picture, the first of which is a key frame.
func decode(t *testing.T, size [2]int, packets []wire.Packet) (all []shown) {
	t.Helper()
	decodeEach(t, size, packets, func(f frame.Frame) {
		number, err := testmedia.ReadNumber(f, float64(size[1])/filmHeight)
		if err != nil {
			t.Fatalf("picture %d: %v", len(all), err)
		}
		all = append(all, shown{number, light(f)})
	})
	return all
}

// decodeLight is decode for pictures in which no number can be read.
func decodeLight(t *testing.T, size [2]int, packets []wire.Packet) (all []shown) {
	t.Helper()
	decodeEach(t, size, packets, func(f frame.Frame) { all = append(all, shown{light: light(f)}) })
	return all
}

func light(f frame.Frame) float64 {
	sum := 0
	for _, v := range f.Planes[0].Data {
		sum += int(v)
	}
	return float64(sum) / float64(len(f.Planes[0].Data))
}

func decodeEach(t *testing.T, size [2]int, packets []wire.Packet, see func(frame.Frame)) {
	t.Helper()
	var stream bytes.Buffer // ITU-T H.264, Annex B
	for _, p := range packets {
		for rest := p.Data; len(rest) > 4; {
			n := int(binary.BigEndian.Uint32(rest))
			stream.Write([]byte{0, 0, 0, 1})
			stream.Write(rest[4 : 4+n])
			rest = rest[4+n:]
		}
	}
	raw := ffmpeg(t, &stream, strings.Fields("-f h264 -i pipe:0 -fps_mode passthrough -pix_fmt yuv420p -f rawvideo pipe:1")...)
	f := frame.New(frame.Layout{Format: frame.I420, Width: size[0], Height: size[1]}, 1)
	for len(raw) > 0 {
		for p := range f.Planes {
			raw = raw[copy(f.Planes[p].Data, raw):]
		}
		see(f)
	}
}
