package main

import (
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
)

// probed is what ffprobe tells of a stream.
type probed struct {
	Type    string `json:"codec_type"`
	Codec   string `json:"codec_name"`
	Width   int    `json:"width"`
	Height  int    `json:"height"`
	Start   string `json:"start_time"`
	Packets string `json:"nb_read_packets"`
}

func (p probed) start(t *testing.T) float64 {
	t.Helper()
	s, err := strconv.ParseFloat(p.Start, 64)
	if err != nil {
		t.Fatalf("start %q: %v", p.Start, err)
	}
	return s
}

func (p probed) count(t *testing.T) int {
	t.Helper()
	n, err := strconv.Atoi(p.Packets)
	if err != nil {
		t.Fatalf("packets %q: %v", p.Packets, err)
	}
	return n
}

// streams asks ffprobe, which is none of ours.
func streams(t *testing.T, path string) []probed {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "ffprobe", "-v", "error", "-count_packets", "-of", "json", "-show_entries",
		"stream=codec_type,codec_name,width,height,start_time,nb_read_packets", path).Output()
	if err != nil {
		t.Fatalf("ffprobe %s: %v", path, err)
	}
	var found struct{ Streams []probed }
	if err := json.Unmarshal(out, &found); err != nil {
		t.Fatal(err)
	}
	return found.Streams
}

// TestRealFilms upscales whole films that nobody here made.
func TestRealFilms(t *testing.T) {
	for _, name := range []string{"bbb-480p24-30s.mp4", "echo-270p30-vp8-vorbis.webm"} {
		t.Run(name, func(t *testing.T) {
			source, err := filepath.Abs("../shared/media/" + name)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := os.Stat(source); err != nil {
				t.Skipf("no %s: the films are not part of the repository", source)
			}
			dir := t.TempDir()
			if _, stderr, status := upscaled(t, dir, "transcode", source, "-o", "out.mkv", "--speed", "fast"); status != 0 {
				t.Fatalf("status %d\n%s", status, stderr)
			}
			before, after := streams(t, source), streams(t, filepath.Join(dir, "out.mkv"))
			if len(before) != 2 || len(after) != 2 {
				t.Fatalf("streams: %+v, then %+v", before, after)
			}
			for i, b := range before {
				a := after[i]
				// A demuxer may keep back the one packet that only warms an AAC decoder up (MP4's edit list).
				kept := a.count(t) == b.count(t) || b.Codec == "aac" && a.count(t) == b.count(t)-1
				if a.Type != b.Type || !kept {
					t.Errorf("%s: %s packets of %s, then %s of %s", b.Type, b.Packets, b.Type, a.Packets, a.Type)
				}
				if b.Type == "video" && (a.Width != 2*b.Width || a.Height != 2*b.Height || a.Codec != "h264") {
					t.Errorf("%s of %d×%d became %s of %d×%d", b.Codec, b.Width, b.Height, a.Codec, a.Width, a.Height)
				}
				if b.Type == "audio" && a.Codec != b.Codec {
					t.Errorf("%s became %s", b.Codec, a.Codec)
				}
			}
			apart := func(s []probed) float64 { return s[1].start(t) - s[0].start(t) }
			if drift := apart(after) - apart(before); math.Abs(drift) > 0.02 {
				t.Errorf("sound and picture begin %.0f ms further apart", 1000*drift)
			}
		})
	}
}
