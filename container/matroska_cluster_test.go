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

// TestReadTimes holds the earliest and the latest time against ffprobe's: of
// pictures in the order of decoding with sound beside them, of a film that begins
// late, of block groups, and of clusters whose size is not known.
func TestReadTimes(t *testing.T) {
	for name, args := range map[string]string{
		"sound before the picture": "-bf 2 -c:a aac",
		"begins at 3 s":            "-bf 2 -c:a aac -output_ts_offset 3",
		"block groups":             "-bf 2 -c:a aac -output_ts_offset 1.5 -bsf:a setts=duration=0 -flush_packets 1 -cluster_time_limit 100",
		"begins at 40 s":           "-bf 0 -an -output_ts_offset 40",
		"many clusters":            "-bf 2 -c:a aac -cluster_time_limit 100",
		"streamed":                 "-bf 2 -c:a aac -live 1",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "in.mkv")
			run(t, "ffmpeg", append(append(strings.Fields("-v error -y -f lavfi -i testsrc2=s=64x64:r=24000/1001:d=2 -f lavfi -i sine=d=2 -c:v libx264 -preset ultrafast"),
				strings.Fields(args)...), path)...)
			extras := read(t, path)
			begin, last := times(t, path)
			if (extras.Begin-begin).Abs() > time.Millisecond || (extras.Last-last).Abs() > time.Millisecond {
				t.Errorf("from %s to %s, packets from %s to %s", extras.Begin, extras.Last, begin, last)
			}
		})
	}
}

// times are the least and the largest time of a packet, as ffprobe reads them.
func times(t *testing.T, path string) (least, most time.Duration) {
	t.Helper()
	var list struct {
		Packets []struct {
			PTS string `json:"pts_time"`
		}
	}
	if err := json.Unmarshal(run(t, "ffprobe", "-v", "error", "-show_entries", "packet=pts_time", "-of", "json", path), &list); err != nil {
		t.Fatal(err)
	}
	earliest, latest := math.Inf(1), math.Inf(-1)
	for _, p := range list.Packets {
		seconds, err := strconv.ParseFloat(p.PTS, 64)
		if err != nil {
			t.Fatal(err)
		}
		earliest, latest = min(earliest, seconds), max(latest, seconds)
	}
	return time.Duration(earliest * float64(time.Second)), time.Duration(latest * float64(time.Second))
}
