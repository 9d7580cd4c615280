//go:build e2e

package e2e

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/elements/frame"
	"github.com/upscaled-media/upscaled/internal/testmedia"
)

// The picture of every film: the smallest that has room for its number.
const (
	width  = 160
	height = 128
)

// film is a drawn film as a file, and what a player is to make of it.
type film struct {
	name string // of the file
	rate testmedia.Ratio
	args string // of ffmpeg: input 0 is the picture, 1 the sound, 2 the words

	frames int           // drawn
	sound  time.Duration // that the sound is longer than the picture
	words  string        // SubRip
	spoil  func([]byte)  // changes the file

	at     func(n int) time.Duration // when frame n is shown, below 0 for not at all; nil by the rate
	varies bool                      // the file tells no rate
}

// time returns when so many frames have passed.
func (f film) time(frames int) time.Duration {
	return time.Duration(math.Round(float64(frames) * float64(f.rate.Den) / float64(f.rate.Num) * 1e9))
}

// shown returns when frame n is shown, below 0 for not at all.
func (f film) shown(n int) time.Duration {
	if f.at != nil {
		return f.at(n)
	}
	return f.time(n)
}

// count returns how many frames the film lasts with its sound.
func (f film) count() int {
	return f.frames + int(math.Round(max(f.sound, 0).Seconds()*float64(f.rate.Num)/float64(f.rate.Den)))
}

// lasts returns how long the film is.
func (f film) lasts() time.Duration { return f.time(f.count()) }

// draw makes the film's file in a folder.
func (f film) draw(t testing.TB, folder string) *testmedia.Clip {
	t.Helper()
	clip, err := testmedia.NewCounted(testmedia.Spec{Width: width, Height: height, Rate: f.rate, Frames: f.frames})
	must(t, err)
	picture := frame.New(clip.Layout, 1)
	var pictures bytes.Buffer
	for i := range clip.Frames {
		must(t, clip.Draw(i, picture))
		for p, plane := range picture.Planes {
			_, rows := clip.Layout.PlaneSize(p)
			pictures.Write(plane.Data[:picture.RowBytes(p)*rows])
		}
	}
	samples := clip.Samples() + int64(f.sound.Seconds()*testmedia.SampleRate)
	scratch := t.TempDir()
	write := func(name string, data []byte) string {
		path := filepath.Join(scratch, name)
		must(t, os.WriteFile(path, data, 0o600))
		return path
	}
	args := []string{
		"-v", "error", "-nostdin", "-y",
		"-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", strconv.Itoa(width) + "x" + strconv.Itoa(height),
		"-r", strconv.Itoa(f.rate.Num) + "/" + strconv.Itoa(f.rate.Den), "-i", write("video.yuv", pictures.Bytes()),
		"-f", "s16le", "-ar", "48000", "-ac", "2", "-i", write("sound.pcm", clip.Sound(0, int(samples))),
	}
	if f.words != "" {
		args = append(args, "-i", write("words.srt", []byte(f.words)))
	}
	path := filepath.Join(folder, f.name)
	tool(t, nil, "ffmpeg", append(append(args, strings.Fields(f.args)...), path)...)
	if f.spoil != nil {
		data, err := os.ReadFile(path) //nolint:gosec // written just now
		must(t, err)
		f.spoil(data)
		must(t, os.WriteFile(path, data, 0o600))
	}
	return clip
}

// claimTenTimes makes a Matroska file claim to last ten times as long as it does.
func claimTenTimes(t testing.TB) func(file []byte) {
	return func(file []byte) {
		t.Helper()
		at := bytes.Index(file, []byte{0x44, 0x89, 0x88}) // Duration, of 8 bytes (RFC 9559 §5.1.2.10)
		if at < 0 {
			t.Fatal("the file claims no duration")
		}
		value := file[at+3:][:8]
		binary.BigEndian.PutUint64(value, math.Float64bits(10*math.Float64frombits(binary.BigEndian.Uint64(value))))
	}
}

// tellNoRate takes the length of a frame out of a Matroska file.
func tellNoRate(t testing.TB) func(file []byte) {
	return func(file []byte) {
		t.Helper()
		at := bytes.Index(file, []byte{0x23, 0xe3, 0x83, 0x84}) // DefaultDuration, of 4 bytes (RFC 9559 §5.1.4.1.13)
		if at < 0 {
			t.Fatal("the file tells no length of frames")
		}
		copy(file[at:], []byte{0xec, 0x86, 0, 0, 0, 0, 0, 0}) // Void (RFC 8794 §11.3.2)
	}
}

// picture is what was read out of a picture that a player showed.
type picture struct {
	number int
	lit    bool
	at     time.Duration
}

// read decodes all pictures of a URL or a file with ffmpeg and reads their numbers.
// size is that of the pictures as the player gives them out.
func read(t testing.TB, url string, size [2]int) []picture {
	t.Helper()
	raw := tool(t, nil, "ffmpeg", "-v", "error", "-nostdin", "-i", url, "-map", "0:v:0", "-fps_mode", "passthrough",
		"-pix_fmt", "yuv420p", "-f", "rawvideo", "-")
	pictures := numbers(t, raw, size)
	out := tool(t, nil, "ffprobe", "-v", "error", "-select_streams", "v:0", "-show_entries", "frame=best_effort_timestamp_time", "-of", "csv=p=0", url)
	at := strings.Fields(string(out))
	if len(at) != len(pictures) {
		t.Fatalf("%d pictures at %d times", len(pictures), len(at))
	}
	for i := range pictures {
		s, err := strconv.ParseFloat(strings.TrimRight(at[i], ","), 64)
		must(t, err)
		pictures[i].at = time.Duration(s * float64(time.Second))
	}
	return pictures
}

// numbers reads raw pictures of a size.
func numbers(t testing.TB, raw []byte, size [2]int) []picture {
	t.Helper()
	f := frame.New(frame.Layout{Format: frame.I420, Width: size[0], Height: size[1]}, 1)
	var pictures []picture
	for len(raw) > 0 {
		for p := range f.Planes {
			_, rows := f.Layout.PlaneSize(p)
			n := f.RowBytes(p) * rows
			if n > len(raw) {
				t.Fatalf("half a picture after %d", len(pictures))
			}
			copy(f.Planes[p].Data, raw[:n])
			raw = raw[n:]
		}
		n, err := testmedia.ReadNumber(f, float64(size[1])/height)
		if err != nil {
			t.Fatalf("picture %d: %v", len(pictures), err)
		}
		pictures = append(pictures, picture{number: n, lit: testmedia.Lit(f)})
	}
	return pictures
}

// flashes returns when flashes begin.
func flashes(pictures []picture) []time.Duration {
	at, lit := make([]time.Duration, len(pictures)), make([]bool, len(pictures))
	for i, p := range pictures {
		at[i], lit[i] = p.at, p.lit
	}
	return testmedia.Flashes(at, lit)
}

// beeps decodes a track of sound with ffmpeg and returns when its beeps begin.
func beeps(t testing.TB, url string, track int) []time.Duration {
	t.Helper()
	pcm := tool(t, nil, "ffmpeg", "-v", "error", "-nostdin", "-copyts", "-i", url, "-map", "0:a:"+strconv.Itoa(track),
		"-af", "aresample=48000:async=1:min_hard_comp=0.001:first_pts=0", "-ac", "2", "-f", "s16le", "-")
	return testmedia.Beeps(pcm)
}

// inSync checks that a track of sound, which begins so much later, beeps when the
// film does, and with each flash.
func (f film) inSync(t testing.TB, flashes, beeps []time.Duration, later time.Duration) {
	t.Helper()
	const bound, beep = 40 * time.Millisecond, 100 * time.Millisecond
	var want []time.Duration
	end := min(f.lasts(), f.time(f.frames)+f.sound)
	for s := 0; ; s++ {
		at := f.time((s*f.rate.Num+f.rate.Den-1)/f.rate.Den) + later
		if at+beep > end {
			break
		}
		want = append(want, at)
	}
	if len(beeps) != len(want) {
		t.Errorf("beeps at %v instead of %v", beeps, want)
		return
	}
	var off []time.Duration
	for i, at := range beeps {
		off = append(off, at-want[i])
		if i < len(flashes) {
			off = append(off, at-flashes[i]-later)
		}
	}
	if slices.MaxFunc(off, func(a, b time.Duration) int { return cmp.Compare(a.Abs(), b.Abs()) }).Abs() > bound {
		t.Errorf("beeps at %v, flashes at %v", beeps, flashes)
	}
	t.Logf("beeps are up to %s early and %s late", -slices.Min(off), slices.Max(off))
}
