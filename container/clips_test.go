package container

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/internal/testmedia"
)

// The clips are six seconds long with a key frame each second.

// film makes a Matroska file with all that Read looks for.
func film(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	write(t, dir, "subs.srt", "1\n00:00:00,500 --> 00:00:01,500\nGuten Tag\n\n2\n00:00:03,000 --> 00:00:04,000\nWelt\n")
	write(t, dir, "pgs.sup", string(testmedia.PGS(160, 120, time.Second, time.Second/2, 2*time.Second)))
	write(t, dir, "meta.txt", chapterMetadata)
	write(t, dir, "Sans.ttf", strings.Repeat("font one ", 3000))
	write(t, dir, "Serif.otf", strings.Repeat("font two ", 50))
	path := filepath.Join(dir, "film.mkv")
	run(t, "ffmpeg", "-v", "error", "-y",
		"-f", "lavfi", "-i", "testsrc2=s=160x120:r=24", "-f", "lavfi", "-i", "sine=440", "-f", "lavfi", "-i", "sine=880",
		"-i", dir+"/subs.srt", "-i", dir+"/pgs.sup", "-i", dir+"/meta.txt",
		"-map", "0", "-map", "1", "-map", "2", "-map", "3", "-map", "3", "-map", "4", "-map_metadata", "5", "-t", "6",
		"-c:v", "libx264", "-preset", "ultrafast", "-g", "24", "-c:a", "aac", "-c:s:0", "ass", "-c:s:1", "srt", "-c:s:2", "copy",
		"-metadata:s:a:0", "language=ger", "-metadata:s:a:0", "title=Deutsch 5.1", "-disposition:a:0", "default+original",
		"-metadata:s:a:1", "language=eng", "-metadata:s:a:1", "title=Commentary", "-disposition:a:1", "comment",
		"-metadata:s:s:0", "language=ger", "-metadata:s:s:0", "title=Schilder", "-disposition:s:0", "default+forced",
		"-metadata:s:s:1", "language=eng", "-disposition:s:1", "hearing_impaired",
		"-attach", dir+"/Sans.ttf", "-metadata:s:t:0", "mimetype=font/ttf",
		"-attach", dir+"/Serif.otf", "-metadata:s:t:1", "mimetype=font/otf", path)
	return path
}

const chapterMetadata = `;FFMETADATA1
title=Der "große" Film
[CHAPTER]
TIMEBASE=1/1000
START=0
END=2000
title=Anfang & Größe
[CHAPTER]
TIMEBASE=1/1000
START=2000
END=6000
title=Ende
`

// remux copies the film's streams as the transcode does, with GStreamer, and
// leaves all that Finish brings back behind.
func remux(t *testing.T, source, writingApp string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "muxed.mkv")
	args := []string{"-q", "filesrc", "location=" + source, "!", "matroskademux", "name=d"}
	link := func(pad string, element ...string) {
		// A muxer waits for each pad, sparse subtitles too, so the queues hold the whole clip.
		args = append(args, "d."+pad, "!", "queue", "max-size-buffers=0", "max-size-bytes=0", "max-size-time=0", "!")
		args = append(append(args, element...), "mux."+pad)
	}
	link("video_0", "h264parse", "!")
	link("audio_0", "aacparse", "!")
	link("audio_1", "aacparse", "!")
	link("subtitle_0")
	as := func(caps string) []string {
		return []string{"capssetter", "replace=true", "join=false", "caps=" + caps, "!"}
	}
	link("subtitle_1", as("text/x-raw,format=utf8")...) // comes as pango-markup
	link("subtitle_2", as("subpicture/x-dvd")...)       // comes as subpicture/x-pgs
	args = append(args, "matroskamux", "name=mux", `writing-app="`+writingApp+`"`, "!", "filesink", "location="+path)
	run(t, "gst-launch-1.0", args...)
	return path
}

func write(t *testing.T, dir, name, content string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// run runs a command that has to succeed and say nothing on its standard error.
func run(t *testing.T, name string, args ...string) []byte {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil || stderr.Len() > 0 {
		t.Fatalf("%s %q: %v\n%s", name, args, err, &stderr)
	}
	return out
}

// read reads a file's extras; the file stays open for the attachments until the test ends.
func read(t *testing.T, path string) Extras {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	info, err := file.Stat()
	if err != nil {
		t.Fatal(err)
	}
	extras, err := Read(file, info.Size())
	if err != nil {
		t.Fatal(err)
	}
	return extras
}

// probed is what the tests look at of ffprobe's answer.
type probed struct {
	Streams []struct {
		CodecName    string         `json:"codec_name"`
		CodecType    string         `json:"codec_type"`
		Disposition  map[string]int `json:"disposition"`
		Tags         map[string]string
		SideDataList []struct{ Rotation float64 } `json:"side_data_list"`
	}
	Chapters []struct {
		StartTime string `json:"start_time"`
		EndTime   string `json:"end_time"`
		Tags      map[string]string
	}
	Packets []struct {
		PTSTime string `json:"pts_time"`
		Flags   string
	}
	Format struct{ Tags map[string]string }
}

func probe(t *testing.T, args ...string) probed {
	t.Helper()
	var p probed
	if err := json.Unmarshal(run(t, "ffprobe", append([]string{"-v", "error", "-of", "json"}, args...)...), &p); err != nil {
		t.Fatal(err)
	}
	return p
}
