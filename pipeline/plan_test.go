package pipeline

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/container"
	"github.com/upscaled-media/upscaled/filters"
)

var update = flag.Bool("update", false, "write the golden files anew")

// everything is a machine on which every element is there.
func everything(string) bool { return true }

// sd is an ordinary film.
func sd() Media {
	return Media{
		Path: "film.mkv", Container: "Matroska", Duration: time.Minute, Demuxers: []string{"matroskademux"},
		Video: Video{
			Track:   Track{StreamID: "s/001:1", Caps: "video/x-h264, width=(int)720, height=(int)576"},
			Decoder: []string{"h264parse", "avdec_h264"}, Width: 720, Height: 576, Format: "I420", Bits: 8,
			Rate: Fraction{25, 1}, PixelAspect: Fraction{16, 15},
		},
		Audio: []Track{
			{StreamID: "s/002:2", Caps: "audio/mpeg, mpegversion=(int)4, channels=(int)2", Language: "eng"},
			{StreamID: "s/003:3", Caps: "audio/x-true-hd, channels=(int)6", Language: "fre", Title: "Commentary"},
		},
		Text: []Track{
			{StreamID: "s/004:4", Caps: "text/x-raw, format=(string)pango-markup", Language: "eng"},
			{StreamID: "s/005:5", Caps: "application/x-ass"},
			{StreamID: "s/006:6", Caps: "subpicture/x-pgs"},
		},
	}
}

// TestGoldenPlans compares whole plans with files; -update writes them.
func TestGoldenPlans(t *testing.T) {
	for name, change := range map[string]func(m *Media, s *Spec){
		"film":    func(*Media, *Spec) {},
		"mp4":     func(_ *Media, s *Spec) { s.Container = MP4 },
		"resized": func(_ *Media, s *Spec) { s.Height, s.Speed, s.Quality = 1080, Best, 18 },
		"interlaced-mpeg2": func(m *Media, _ *Spec) {
			m.Video.Interlaced, m.Video.Decoder, m.Video.Caps = true, []string{"mpegvideoparse", "avdec_mpeg2video"}, "video/mpeg, mpegversion=(int)2"
		},
		"turned": func(m *Media, s *Spec) { m.Video.Orientation, s.Height = "rotate-90", 1080 },
		"hdr10": func(m *Media, s *Spec) {
			m.Video.Format, m.Video.Bits, m.Video.Colorimetry, s.Codec = "I420_10LE", 10, "bt2100-pq", ""
		},
		"av1": func(_ *Media, s *Spec) { s.Codec = AV1 },
		"ts":  func(_ *Media, s *Spec) { s.Container, s.Audio = TS, AudioAAC },
		"stream": func(m *Media, s *Spec) {
			m.Streamed, s.Stream, s.Track, s.Filters = true, true, 2, &filters.Settings{Brightness: 0.1}
			m.Extras = container.Extras{
				Format: container.Matroska, Title: "Film", Editions: []container.Edition{{Chapters: make([]container.Chapter, 2)}},
				Attachments: make([]container.Attachment, 1), Tags: make([]container.Tag, 3),
			}
		},
		"stream-mp4": func(_ *Media, s *Spec) { s.Container, s.Stream, s.Audio, s.Speed = MP4, true, AudioNone, Balanced },
		"vp9":        func(_ *Media, s *Spec) { s.Codec, s.Speed = VP9, Balanced },
		"part":       func(_ *Media, s *Spec) { s.Start, s.Duration = 10*time.Second, 5*time.Second },
	} {
		t.Run(name, func(t *testing.T) {
			m, s := sd(), spec()
			s.Output = "film.upscaled.mkv"
			change(&m, &s)
			p, err := NewPlan(m, s, everything)
			if err != nil {
				t.Fatal(err)
			}
			got := fmt.Sprintf("%s\n%d×%d, %s\nkept: %s\nchanged: %s\nlost: %s\n", p.Graph, p.Width, p.Height, p.Encoding,
				strings.Join(p.Kept, "; "), strings.Join(p.Changed, "; "), strings.Join(p.Lost, "; "))
			path := filepath.Join("testdata", "plans", name+".txt")
			if *update {
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("the plan is another; go test -update writes it, git diff shows it\n%s", got)
			}
		})
	}
}

// TestRefusals proves what is refused without a look at any file.
func TestRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		change func(m *Media, s *Spec)
		want   Code
	}{
		"container": {func(_ *Media, s *Spec) { s.Container = "avi" }, CodeSpec},
		"scale":     {func(_ *Media, s *Spec) { s.Scale = 5 }, CodeSpec},
		"strength":  {func(_ *Media, s *Spec) { s.Strength = 1.1 }, CodeSpec},
		"height":    {func(_ *Media, s *Spec) { s.Height = 1081 }, CodeSpec},
		"codec":     {func(_ *Media, s *Spec) { s.Codec = "mpeg2" }, CodeSpec},
		"quality":   {func(_ *Media, s *Spec) { s.Quality = 52 }, CodeSpec},
		"speed":     {func(_ *Media, s *Spec) { s.Speed = "ultra" }, CodeSpec},
		"start":     {func(_ *Media, s *Spec) { s.Start = -1 }, CodeSpec},
		"audio":     {func(_ *Media, s *Spec) { s.Audio = "mp3" }, CodeSpec},
		"copied":    {func(_ *Media, s *Spec) { s.Audio = AudioCopy }, CodeSpec},
		"track":     {func(_ *Media, s *Spec) { s.Track = 3 }, CodeSpec},
		"AV1 in TS": {func(_ *Media, s *Spec) { s.Container, s.Codec = TS, AV1 }, CodeSpec},
		"table":     {func(_ *Media, s *Spec) { s.Filters = &filters.Settings{LUT: "warm"} }, CodeSpec},
		"filtered HDR": {func(m *Media, s *Spec) {
			m.Video.Colorimetry, m.Video.Bits, s.Codec, s.Filters = "bt2100-pq", 10, HEVC, &filters.Settings{Brightness: 0.1}
		}, CodeHDR},
		"HDR in AV1": {func(m *Media, s *Spec) {
			m.Video.Colorimetry, m.Video.Bits, s.Codec = "bt2100-hlg", 10, AV1
		}, CodeHDR},
		"HDR of 8 bits": {func(m *Media, s *Spec) { m.Video.Colorimetry, s.Codec = "bt2100-pq", HEVC }, CodeHDR},
	} {
		m, s := sd(), spec()
		c.change(&m, &s)
		if _, err := NewPlan(m, s, everything); CodeOf(err) != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := NewPlan(sd(), spec(), func(string) bool { return false }); CodeOf(err) != CodeMissing {
		t.Errorf("nothing installed: %v", err)
	}
}

// TestFew proves that x265 is told of few pictures however it comes to them:
// what becomes of them otherwise depends on which of its threads is first.
func TestFew(t *testing.T) {
	for _, c := range []struct {
		name                  string
		length, start, wanted time.Duration
		rate                  Fraction
		few                   bool
	}{
		{"five pictures", 200 * time.Millisecond, 0, 0, Fraction{25, 1}, true},
		{"a second", time.Second, 0, 0, Fraction{25, 1}, false},
		{"part of it", time.Minute, 0, 200 * time.Millisecond, Fraction{25, 1}, true},
		{"the end of it", time.Minute, 59800 * time.Millisecond, 0, Fraction{25, 1}, true},
		{"more than there is", 200 * time.Millisecond, 0, 10 * time.Second, Fraction{25, 1}, true},
		{"of unknown length", 0, 0, 200 * time.Millisecond, Fraction{25, 1}, true},
		{"all of unknown length", 0, 0, 0, Fraction{25, 1}, false},
		{"at a rate that varies", time.Second, 0, 0, Fraction{0, 1}, true},
		{"long at a rate that varies", time.Minute, 0, 0, Fraction{0, 1}, false},
	} {
		p := Plan{Media: Media{Duration: c.length, Video: Video{Rate: c.rate}}, Spec: Spec{Start: c.start, Duration: c.wanted}}
		if few := p.few(); few != c.few {
			t.Errorf("%s: %v", c.name, few)
		}
	}
}
