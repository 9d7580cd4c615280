package pipeline

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// covered is an extent in which every stream of a film lies between two times.
func covered(m Media, first, end time.Duration) Extent {
	x := Extent{Streams: map[string]Span{}, Measured: true}
	for _, t := range append([]Track{m.Video.Track}, m.Audio...) {
		x.Streams[t.StreamID] = Span{First: first, Last: end - 40*time.Millisecond, End: end}
	}
	return x
}

// played is an ordinary film for a player: PAL, with a sound that can be passed on.
func played() Media {
	m := sd()
	m.Audio[0].Caps = "audio/mpeg, mpegversion=(int)4, profile=(string)lc, rate=(int)48000, channels=(int)2"
	m.Audio[1].Caps = "audio/x-true-hd, rate=(int)48000, channels=(int)8"
	return m
}

// TestGoldenPlays compares whole plans of sessions with files; -update writes them.
func TestGoldenPlays(t *testing.T) {
	for name, change := range map[string]func(m *Media, x *Extent, s *PlaySpec){
		"film": func(*Media, *Extent, *PlaySpec) {},
		"interlaced": func(m *Media, _ *Extent, _ *PlaySpec) {
			m.Video.Interlaced, m.Video.Decoder, m.Video.Caps = true, []string{"mpegvideoparse", "avdec_mpeg2video"}, "video/mpeg, mpegversion=(int)2"
		},
		"turned": func(m *Media, _ *Extent, _ *PlaySpec) { m.Video.Orientation = "rotate-90" },
		"ten-bits": func(m *Media, _ *Extent, _ *PlaySpec) {
			m.Video.Format, m.Video.Bits, m.Video.Decoder = "I420_10LE", 10, []string{"h265parse", "avdec_h265"}
		},
		"burnt":   func(_ *Media, _ *Extent, s *PlaySpec) { s.Burn = 2 },
		"resized": func(_ *Media, _ *Extent, s *PlaySpec) { s.Height, s.Quality, s.MaxRate = 1080, 18, 6000 },
		"weak": func(_ *Media, _ *Extent, s *PlaySpec) {
			s.Strength, s.Provider, s.Device, s.Threads = 0.25, "cuda", 1, Threads{Decode: 2, Upscale: 3, Encode: 4}
		},
		"varying":    func(m *Media, _ *Extent, _ *PlaySpec) { m.Video.Rate = Fraction{0, 1} },
		"unmeasured": func(_ *Media, x *Extent, _ *PlaySpec) { x.Measured = false },
		"sound-short": func(_ *Media, x *Extent, _ *PlaySpec) {
			x.Streams["s/002:2"] = Span{Last: 50 * time.Second, End: 50 * time.Second}
		},
		"sound-long": func(_ *Media, x *Extent, _ *PlaySpec) {
			x.Streams["s/003:3"] = Span{Last: 65 * time.Second, End: 65 * time.Second}
		},
		"sounds": func(m *Media, x *Extent, _ *PlaySpec) {
			m.Audio = nil
			for i, caps := range []string{
				"audio/x-opus, rate=(int)48000, channels=(int)1", "audio/x-ac3, rate=(int)44100, channels=(int)6",
				"audio/x-raw, rate=(int)22050, channels=(int)2", "audio/mpeg, mpegversion=(int)4, profile=(string)he-aac-v1, rate=(int)48000, channels=(int)2",
				"audio/mpeg, mpegversion=(int)1, layer=(int)3",
			} {
				m.Audio = append(m.Audio, Track{StreamID: fmt.Sprintf("s/01%d", i), Caps: caps})
			}
			*x = covered(*m, 0, time.Minute)
		},
	} {
		t.Run(name, func(t *testing.T) {
			m, s := played(), playSpec()
			x := covered(m, 0, time.Minute)
			change(&m, &x, &s)
			p, err := NewPlayPlan(m, NewTimeline(m, x, time.Second), x, s, everything)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, filepath.Join("plays", name+".txt"), describePlay(p))
		})
	}
}

// describePlay writes all that a plan decides.
func describePlay(p PlayPlan) string {
	var b strings.Builder
	l := p.Timeline
	fmt.Fprintf(&b, "%s at %s, pixels of %s, at most %d kbit/s\n", size(p.Width, p.Height), l.Rate, p.Aspect, p.Spec.MaxRate)
	fmt.Fprintf(&b, "until %s in segments of %d/%d s with %d pictures\n", l.End, l.Ticks, l.TimeScale, l.Frames)
	at, near := p.videoStart(7)
	fmt.Fprintf(&b, "picture, from %s ± %s for segment 7:\n%s\n", at, near, p.videoGraph())
	for i, a := range p.Audio {
		fmt.Fprintf(&b, "sound %d: passed %v, %d channels at %d Hz, %d bit/s, %d frames from sample %d, segment 7 begins with frame %d:\n%s\n",
			i, a.Passed, a.Channels, a.Rate, a.BitRate, a.Frames, a.First, a.FirstOf(l, 7), p.soundGraph(i))
	}
	for i, text := range p.Text {
		fmt.Fprintf(&b, "text %d: drawn %v", i, text.Bitmap)
		if !text.Bitmap {
			fmt.Fprintf(&b, ":\n%s", p.textGraph(i))
		}
		b.WriteString("\n")
	}
	fmt.Fprintf(&b, "notes: %s\n", strings.Join(p.Notes, "; "))
	return b.String()
}

func size(w, h int) string { return fmt.Sprintf("%d×%d", w, h) }

// golden compares a text with a file below testdata; -update writes it.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
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
		t.Errorf("it is another; go test -update writes it, git diff shows it\n%s", got)
	}
}

// TestPlayRefusals proves what no session plays, and by which code.
func TestPlayRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		change func(m *Media, s *PlaySpec)
		want   Code
	}{
		"HDR10":                  {func(m *Media, _ *PlaySpec) { m.Video.Colorimetry, m.Video.Bits = "bt2100-pq", 10 }, CodeHDR},
		"HLG":                    {func(m *Media, _ *PlaySpec) { m.Video.Colorimetry, m.Video.Bits = "bt2100-hlg", 10 }, CodeHDR},
		"scale":                  {func(_ *Media, s *PlaySpec) { s.Scale = 5 }, CodeSpec},
		"strength":               {func(_ *Media, s *PlaySpec) { s.Strength = -0.1 }, CodeSpec},
		"height":                 {func(_ *Media, s *PlaySpec) { s.Height = 1081 }, CodeSpec},
		"quality":                {func(_ *Media, s *PlaySpec) { s.Quality = 52 }, CodeSpec},
		"burn written subtitles": {func(_ *Media, s *PlaySpec) { s.Burn = 0 }, CodeSpec},
		"burn what is not there": {func(_ *Media, s *PlaySpec) { s.Burn = 3 }, CodeSpec},
		"a picture that is huge": {func(m *Media, s *PlaySpec) { m.Video.Width, m.Video.Height, s.Scale = 8192, 4320, 4 }, CodeTooLarge},
	} {
		m, s := played(), playSpec()
		c.change(&m, &s)
		x := covered(m, 0, time.Minute)
		_, err := NewPlayPlan(m, NewTimeline(m, x, time.Second), x, s, everything)
		if CodeOf(err) != c.want {
			t.Errorf("%s: %v, want code %s", name, err, c.want)
		}
	}
	m := played()
	x := covered(m, 0, time.Minute)
	if _, err := NewPlayPlan(m, NewTimeline(m, x, time.Second), x, playSpec(), func(string) bool { return false }); CodeOf(err) != CodeMissing {
		t.Errorf("nothing installed: %v", err)
	}
}
