package ingest

import (
	"bytes"
	"math/rand/v2"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/server/matroska"
)

// sounding has ffmpeg encode two seconds of a tone as frames behind each other.
func sounding(t testing.TB, codec, form, channels string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "ffmpeg", "-v", "error", "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000",
		"-t", "2", "-ac", channels, "-c:a", codec, "-write_xing", "0", "-id3v2_version", "0", "-f", form, "pipe:1")
	if form != "mp3" {
		cmd.Args = slices.DeleteFunc(cmd.Args, func(arg string) bool { return arg == "-write_xing" || arg == "-id3v2_version" || arg == "0" })
	}
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("ffmpeg: %v", err)
	}
	return out
}

// TestFramesAreCut cuts sound into frames, in whatever pieces it comes.
func TestFramesAreCut(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		codec, form, channels string
		family                family
		want                  matroska.Track
		lasts                 time.Duration
	}{
		{"ac3", "ac3", "6", dolby, matroska.Track{Codec: matroska.AC3, Rate: 48000, Channels: 6, Default: true}, 32 * ms},
		{"eac3", "eac3", "2", dolby, matroska.Track{Codec: matroska.EAC3, Rate: 48000, Channels: 2, Default: true}, 32 * ms},
		{"mp2", "mp2", "1", mpeg, matroska.Track{Codec: matroska.MP2, Rate: 48000, Channels: 1, Default: true}, 24 * ms},
		{"libmp3lame", "mp3", "2", mpeg, matroska.Track{Codec: matroska.MP3, Rate: 48000, Channels: 2, Default: true}, 24 * ms},
	} {
		t.Run(row.codec, func(t *testing.T) {
			t.Parallel()
			data := sounding(t, row.codec, row.form, row.channels)
			whole := (&framer{family: row.family}).cut(time.Second, data)
			if len(whole) < int(1900*ms/row.lasts) {
				t.Fatalf("%d frames", len(whole))
			}
			for i, f := range whole {
				if f.track.Codec != row.want.Codec || f.track.Rate != row.want.Rate || f.track.Channels != row.want.Channels || f.at != time.Second+time.Duration(i)*row.lasts {
					t.Fatalf("frame %d at %s: %+v", i, f.at, f.track)
				}
			}
			random := rand.New(rand.NewPCG(1, 2))
			cutter := &framer{family: row.family}
			var pieces []soundFrame
			rest := append([]byte("what was there before a frame begins"), data...)
			for at := time.Second; len(rest) > 0; {
				n := min(len(rest), 1+random.IntN(1500))
				got := cutter.cut(at, rest[:n])
				pieces, rest = append(pieces, got...), rest[n:]
				at = cutter.next
			}
			if len(pieces) != len(whole) {
				t.Fatalf("%d frames of %d", len(pieces), len(whole))
			}
			for i, f := range pieces {
				if !bytes.Equal(f.data, whole[i].data) {
					t.Errorf("frame %d is another", i)
				}
			}
		})
	}
}

// FuzzFrames holds that frames lie in what came, one behind the other, and that little is kept.
func FuzzFrames(f *testing.F) {
	f.Add(true, []byte{0xff, 0xfd, 0x84, 0x00, 0xff}, []byte{0xff, 0xfd})
	f.Add(false, []byte{0x0b, 0x77, 1, 2, 0x14, 0x40, 0xe1}, []byte{0x0b, 0x77, 0, 3, 0x3f, 0x86, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, ofMPEG bool, a, b []byte) {
		cutter := &framer{family: dolby}
		if ofMPEG {
			cutter.family = mpeg
		}
		sum := 0
		for _, payload := range [][]byte{a, b, a} {
			latest := time.Duration(-1)
			for _, frame := range cutter.cut(0, payload) {
				sum += len(frame.data)
				if frame.at < latest || frame.track.Rate <= 0 || frame.track.Channels <= 0 || len(frame.data) == 0 {
					t.Errorf("%+v after %s", frame.track, latest)
				}
				latest = frame.at
			}
			if len(cutter.rest) > 8<<10 {
				t.Errorf("%d bytes wait", len(cutter.rest))
			}
		}
		if sum > 2*len(a)+len(b) {
			t.Errorf("%d bytes of frames in %d", sum, 2*len(a)+len(b))
		}
	})
}
