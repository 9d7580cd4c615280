package pipeline

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/internal/testmedia"
)

// opusBeeps is beeps for Opus.
func (c *collector) opusBeeps(t testing.TB) []time.Duration {
	t.Helper()
	frames := make([][]byte, len(c.packets))
	for i, p := range c.packets {
		frames[i] = p.Data
	}
	pcm := tool(t, bytes.NewReader(testmedia.OggOpus(c.inits[0].Data, frames)), "ffmpeg", "-v", "error", "-i", "-", "-ac", "2", "-ar", "48000", "-f", "s16le", "-")
	if got, want := len(pcm)/4, len(frames)*opusFrame; got != want {
		t.Errorf("%d frames are %d samples, want %d", len(frames), got, want)
	}
	begin := time.Duration(c.packets[0].PTS) * time.Second / opusRate
	at := testmedia.Beeps(pcm)
	for i := range at {
		at[i] += begin
	}
	return at
}

// TestPlayOpus plays sound of several kinds as Opus, as TestPlaySound does as AAC.
func TestPlayOpus(t *testing.T) {
	t.Parallel()
	for _, args := range []string{
		"-c:v libx264 -preset ultrafast -c:a aac in.mkv",
		"-c:v libx264 -preset ultrafast -c:a libopus in.mkv",
		"-c:v libx264 -preset ultrafast -c:a ac3 -ac 6 -ar 44100 in.ts",
		"-c:v libx264 -preset ultrafast -c:a pcm_s16le -ac 1 in.mkv",
	} {
		t.Run(args, func(t *testing.T) {
			t.Parallel()
			in := counted(t, testmedia.Spec{Width: 160, Height: 120, Rate: testmedia.Ratio{Num: 24000, Den: 1001}, Frames: 120}, strings.Fields(args)...)
			f, spec := opened(t, in), playSpec()
			spec.Sound = SoundOpus
			p := playPlan(t, f, spec)
			s := p.Audio[0]
			if s.Passed || s.Rate != opusRate || s.Channels > 2 || s.FrameSamples() != opusFrame {
				t.Fatalf("%+v", s)
			}
			for k := range 5 {
				from := s.FirstOf(p.Timeline, k)
				part := playSound(t, f, p, 0, k)
				if int64(len(part.packets)) != s.Frames-from {
					t.Errorf("segment %d: %d frames, want %d", k, len(part.packets), s.Frames-from)
				}
				for i, packet := range part.packets {
					if packet.PTS != s.First+(from+int64(i))*opusFrame || packet.Duration != opusFrame {
						t.Fatalf("frame %d at %d for %d", i, packet.PTS, packet.Duration)
					}
				}
				checkBeeps(t, part.opusBeeps(t), k, 5)
			}
		})
	}
}

// Where a film has no sound any more, frames are silent.
func TestOpusSilence(t *testing.T) {
	for _, channels := range []int{1, 2} {
		s := SoundPlan{Codec: SoundOpus, Channels: channels}
		pcm := tool(t, bytes.NewReader(testmedia.OggOpus(s.config(), [][]byte{s.silence(), s.silence(), s.silence()})),
			"ffmpeg", "-v", "error", "-i", "-", "-f", "s16le", "-")
		if want := 3 * opusFrame * channels * 2; len(pcm) != want || bytes.Count(pcm, []byte{0}) != want {
			t.Errorf("%d channels: %d bytes that are not all zero, want %d", channels, len(pcm), want)
		}
	}
}
