package pipeline

import (
	"bytes"
	"fmt"
	"testing"
)

// TestSilentAAC has ffmpeg decode silence of every number of channels.
func TestSilentAAC(t *testing.T) {
	t.Parallel()
	for channels := range aacElements {
		for _, rate := range []int{48000, 44100, 8000} {
			c := &collector{inits: []StreamInit{{Data: aacConfig(rate, channels)}}}
			for range 10 {
				c.packets = append(c.packets, Packet{Data: silentAAC(channels)})
			}
			pcm := tool(t, bytes.NewReader(c.adts()), "ffmpeg", "-v", "error", "-xerror", "-f", "aac", "-i", "-", "-f", "s16le", "-")
			if want := 10 * aacFrame * channels * 2; len(pcm) != want || bytes.Count(pcm, []byte{0}) != want {
				t.Errorf("%d channels at %d Hz: %d bytes of %d, %d of them zero", channels, rate, len(pcm), want, bytes.Count(pcm, []byte{0}))
			}
			probed := string(tool(t, bytes.NewReader(c.adts()), "ffprobe", "-v", "error", "-show_entries", "stream=channels,sample_rate,profile", "-of", "csv=p=0", "-"))
			if want := fmt.Sprintf("LC,%d,%d\n", rate, channels); probed != want {
				t.Errorf("ffprobe tells %q, want %q", probed, want)
			}
		}
	}
}
