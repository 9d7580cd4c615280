package container

import (
	"encoding/json"
	"math"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestReadBegin holds the earliest time against ffprobe's: of pictures in the
// order of decoding with sound beside them, of a film that begins late, and of
// block groups.
func TestReadBegin(t *testing.T) {
	for name, args := range map[string]string{
		"sound before the picture": "-bf 2 -c:a aac",
		"begins at 3 s":            "-bf 2 -c:a aac -output_ts_offset 3",
		"block groups":             "-bf 2 -c:a aac -output_ts_offset 1.5 -bsf:a setts=duration=0 -flush_packets 1 -cluster_time_limit 100",
		"begins at 40 s":           "-bf 0 -an -output_ts_offset 40",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "in.mkv")
			run(t, "ffmpeg", append(append(strings.Fields("-v error -y -f lavfi -i testsrc2=s=64x64:r=24000/1001:d=2 -f lavfi -i sine=d=2 -c:v libx264 -preset ultrafast"),
				strings.Fields(args)...), path)...)
			extras := read(t, path)
			if want := earliest(t, path); (extras.Begin - want).Abs() > time.Millisecond {
				t.Errorf("begins at %s, packets at %s", extras.Begin, want)
			}
		})
	}
}

// earliest is the least time of a packet, as ffprobe reads them.
func earliest(t *testing.T, path string) time.Duration {
	t.Helper()
	var list struct {
		Packets []struct {
			PTS string `json:"pts_time"`
		}
	}
	if err := json.Unmarshal(run(t, "ffprobe", "-v", "error", "-show_entries", "packet=pts_time", "-of", "json", path), &list); err != nil {
		t.Fatal(err)
	}
	least := math.Inf(1)
	for _, p := range list.Packets {
		seconds, err := strconv.ParseFloat(p.PTS, 64)
		if err != nil {
			t.Fatal(err)
		}
		least = min(least, seconds)
	}
	return time.Duration(least * float64(time.Second))
}
