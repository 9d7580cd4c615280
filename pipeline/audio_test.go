package pipeline

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// packets returns a hash of each packet of a stream, in the form that MP4 and
// Matroska have.
func packets(t testing.TB, path, stream string) []string {
	t.Helper()
	args := []string{"-v", "error", "-nostdin", "-i", path, "-map", "0:" + stream, "-c", "copy"}
	if ext := filepath.Ext(path); ext == ".mp4" || ext == ".mov" {
		args = append([]string{"-ignore_editlist", "1"}, args...)
	}
	codec := string(tool(t, nil, "ffprobe", "-v", "error", "-select_streams", stream, "-show_entries", "stream=codec_name", "-of", "csv=p=0", path))
	switch {
	case strings.HasPrefix(codec, "pcm"): // has no packets of its own
		return []string{string(tool(t, nil, "ffmpeg", append(args, "-f", "hash", "-")...))}
	case strings.HasPrefix(codec, "aac"):
		args = append(args, "-bsf:a", "aac_adtstoasc")
	}
	var hashes []string
	for line := range strings.Lines(string(tool(t, nil, "ffmpeg", append(args, "-f", "framemd5", "-")...))) {
		// stream, dts, pts, duration, size, hash; then side data, which is the container's.
		if f := strings.Split(strings.TrimSpace(line), ","); line[0] != '#' {
			hashes = append(hashes, strings.TrimSpace(f[5]))
		}
	}
	return hashes
}

// TestAudioIsKept proves for each codec that its packets come out as they went
// in, or that what is made of them has been said.
func TestAudioIsKept(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		codec, file string
		args        string
		into        Container
		want        string // codec in the output
		changed     bool
		head, tail  int // packets that GStreamer's demuxers do not give out, see docs/decisions/0007-damaged-files.md
	}{
		{"aac", "in.mp4", "-c:a aac", Matroska, "aac", false, 1, 1},
		{"aac in ADTS", "in.ts", "-c:a aac", Matroska, "aac", false, 1, 0},
		{"aac in ADTS", "in.ts", "-c:a aac", MP4, "aac", false, 1, 0},
		{"aac", "in.mkv", "-c:a aac", MP4, "aac", false, 0, 0},
		{"mp2", "in.ts", "-c:a mp2", Matroska, "mp2", false, 0, 0},
		{"mp3", "in.mkv", "-c:a libmp3lame", Matroska, "mp3", false, 0, 0},
		{"mp3", "in.avi", "-c:a libmp3lame", MP4, "mp3", false, 0, 0},
		{"ac3", "in.mkv", "-c:a ac3", Matroska, "ac3", false, 0, 0},
		{"ac3", "in.ts", "-c:a ac3", MP4, "ac3", false, 0, 0},
		{"eac3", "in.mkv", "-c:a eac3", Matroska, "eac3", false, 0, 0},
		{"eac3", "in.mp4", "-c:a eac3", MP4, "aac", true, 0, 0},
		{"dts", "in.mkv", "-c:a dca -strict -2", Matroska, "dts", false, 0, 0},
		{"dts", "in.mkv", "-c:a dca -strict -2", MP4, "aac", true, 0, 0},
		{"flac", "in.mkv", "-c:a flac", Matroska, "flac", false, 0, 0},
		{"flac", "in.mkv", "-c:a flac", MP4, "aac", true, 0, 0},
		{"opus", "in.mkv", "-c:a libopus", Matroska, "opus", false, 0, 0},
		{"opus", "in.mkv", "-c:a libopus", MP4, "opus", false, 0, 0},
		{"vorbis", "in.mkv", "-c:a libvorbis", Matroska, "vorbis", false, 0, 0},
		{"vorbis", "in.mkv", "-c:a libvorbis", MP4, "aac", true, 0, 0},
		{"pcm16", "in.mkv", "-c:a pcm_s16le", Matroska, "pcm_s16le", false, 0, 0},
		{"pcm24", "in.mkv", "-c:a pcm_s24le", Matroska, "pcm_s24le", false, 0, 0},
		{"pcm16 big endian", "in.mov", "-c:a pcm_s16be", Matroska, "pcm_s16be", false, 0, 0},
		{"pcm16", "in.avi", "-c:a pcm_s16le", MP4, "aac", true, 0, 0},
		{"truehd", "in.mkv", "-c:a truehd -strict -2", Matroska, "flac", true, 0, 0},
		{"truehd", "in.mkv", "-c:a truehd -strict -2", MP4, "aac", true, 0, 0},
		{"alac", "in.m4a.mov", "-c:a alac", MP4, "alac", false, 0, 0},
		{"alac", "in.m4a.mov", "-c:a alac", Matroska, "flac", true, 0, 0},
		{"wma2", "in.avi", "-c:a wmav2", Matroska, "wmav2", false, 0, 0},
	} {
		t.Run(c.codec+" "+c.file+" "+string(c.into), func(t *testing.T) {
			t.Parallel()
			args := append([]string{
				"-f", "lavfi", "-i", "testsrc2=s=160x120:r=10:d=1", "-f", "lavfi", "-i", "sine=d=1:r=48000", "-ac", "2",
				"-c:v", "mpeg4", "-metadata:s:a:0", "language=fre",
			}, strings.Fields(c.args)...)
			in := ffmpeg(t, append(args, c.file)...)
			s := spec()
			s.Container = c.into
			p, _, out := transcode(t, in, s)
			d := describeFile(t, out)
			if len(d.Streams) != 2 || d.Streams[1].Codec != c.want {
				t.Fatalf("%+v instead of %s", d.Streams, c.want)
			}
			if changed := len(p.Changed) > 0; changed != c.changed {
				t.Fatalf("kept %q, changed %q, lost %q", p.Kept, p.Changed, p.Lost)
			}
			if c.changed {
				return
			}
			was, is := packets(t, in, "a:0"), packets(t, out, "a:0")
			if was = was[c.head : len(was)-c.tail]; !slices.Equal(was, is) {
				first := slices.IndexFunc(is, func(h string) bool { return !slices.Contains(was, h) })
				t.Errorf("%d packets instead of %d, the first changed is %d", len(is), len(was), first)
			}
		})
	}
}
