package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/container"
)

// content is what ffprobe tells of a file's streams, packet by packet.
type content struct {
	Streams []struct {
		Type        string            `json:"codec_type"`
		Codec       string            `json:"codec_name"`
		Aspect      string            `json:"display_aspect_ratio"`
		Private     string            `json:"extradata_hash"` // of an attachment, its content
		Disposition map[string]int    `json:"disposition"`
		Tags        map[string]string `json:"tags"`
	} `json:"streams"`
	Packets []packet `json:"packets"`
	Format  struct {
		Tags map[string]string `json:"tags"`
	} `json:"format"`
	Chapters []struct {
		Start string            `json:"start_time"`
		End   string            `json:"end_time"`
		Tags  map[string]string `json:"tags"`
	} `json:"chapters"`
}

type packet struct {
	Stream   int    `json:"stream_index"`
	Time     string `json:"pts_time"`
	Duration string `json:"duration_time"`
	Size     string `json:"size"`
	Hash     string `json:"data_hash"`
}

// contents asks ffprobe about the file name in dir.
func contents(t *testing.T, dir, name string) content {
	t.Helper()
	out := tool(t, dir, "ffprobe", "-v", "error", "-of", "json", "-show_data_hash", "sha256",
		"-show_streams", "-show_format", "-show_chapters", "-show_packets", name)
	var c content
	if err := json.Unmarshal(out, &c); err != nil {
		t.Fatal(err)
	}
	return c
}

// packets are those of a stream.
func (c content) packets(stream int) []packet {
	var of []packet
	for _, p := range c.Packets {
		if p.Stream == stream {
			of = append(of, p)
		}
	}
	return of
}

// codecs lists the codecs of the streams in their order.
func (c content) codecs() string {
	var list []string
	for _, s := range c.Streams {
		list = append(list, s.Codec)
	}
	return strings.Join(list, " ")
}

// flags lists the dispositions of a stream.
func (c content) flags(stream int) string {
	var set []string
	for _, name := range slices.Sorted(maps.Keys(c.Streams[stream].Disposition)) {
		if c.Streams[stream].Disposition[name] == 1 {
			set = append(set, name)
		}
	}
	return strings.Join(set, " ")
}

// without returns a copy of tags that lacks some.
func without(tags map[string]string, names ...string) map[string]string {
	tags = maps.Clone(tags)
	maps.DeleteFunc(tags, func(name, _ string) bool { return slices.Contains(names, name) })
	return tags
}

// seconds reads a time of ffprobe's.
func seconds(t *testing.T, text string) float64 {
	t.Helper()
	s, err := strconv.ParseFloat(text, 64)
	if err != nil {
		t.Fatalf("time %q: %v", text, err)
	}
	return s
}

// transcoded upscales in in dir and returns the plan that was printed before.
func transcoded(t *testing.T, dir, in, out string) planEvent {
	t.Helper()
	stdout, stderr, status := upscaled(t, dir, "transcode", in, "-o", out, "--model", nearest(t, dir), "--speed", "fast", "--json")
	if status != 0 {
		t.Fatalf("status %d\n%s%s", status, stdout, stderr)
	}
	var plan planEvent
	first, _, _ := strings.Cut(stdout, "\n")
	if err := json.Unmarshal([]byte(first), &plan); err != nil || plan.Event != "plan" {
		t.Fatalf("first line %s: %v", first, err)
	}
	return plan
}

// TestMatroskaIsKept compares all but the picture of two Matroska files: tracks
// with their labels and order, every packet of sound and subtitles with its time,
// the codecs' private data (the styles of ASS, the palette of VobSub), chapters,
// tags and attachments.
func TestMatroskaIsKept(t *testing.T) {
	dir := t.TempDir()
	film(t, dir)
	plan := transcoded(t, dir, "film.mkv", "out.mkv")
	if len(plan.Changed) > 0 || len(plan.Lost) > 0 {
		t.Errorf("changed %q, lost %q", plan.Changed, plan.Lost)
	}
	was, is := contents(t, dir, "film.mkv"), contents(t, dir, "out.mkv")
	const codecs = "h264 aac ac3 subrip subrip ass dvd_subtitle hdmv_pgs_subtitle"
	if got := strings.TrimSpace(was.codecs()); !strings.HasPrefix(got, codecs) || was.codecs() != is.codecs() {
		t.Fatalf("streams of %s, then of %s", was.codecs(), is.codecs())
	}
	for i, w := range was.Streams {
		t.Run(fmt.Sprint(i, " ", w.Type, " ", w.Codec), func(t *testing.T) {
			got := is.Streams[i]
			if was.flags(i) != is.flags(i) {
				t.Errorf("flags %q became %q", was.flags(i), is.flags(i))
			}
			untrue := []string{"DURATION"} // of the source's track
			if w.Type == "video" {
				untrue = append(untrue, "ENCODER")
			}
			if want := without(w.Tags, untrue...); !maps.Equal(want, got.Tags) {
				t.Errorf("tags %v became %v", want, got.Tags)
			}
			if w.Type == "video" {
				return
			}
			if w.Private != got.Private {
				t.Error("the codec's private data is another")
			}
			samePackets(t, was.packets(i), is.packets(i))
		})
	}
	if !reflect.DeepEqual(was.Chapters, is.Chapters) || len(is.Chapters) != 2 {
		t.Errorf("chapters %+v became %+v", was.Chapters, is.Chapters)
	}
	global := without(is.Format.Tags, "creation_time", "encoder", "ENCODER")
	if want := without(was.Format.Tags, "ENCODER"); !maps.Equal(want, global) {
		t.Errorf("tags %v became %v", want, global)
	}
	attached := 0
	for _, s := range is.Streams {
		font, ok := fonts[s.Tags["filename"]]
		if sum := sha256.Sum256([]byte(font)); ok && s.Private == "SHA256:"+hex.EncodeToString(sum[:]) {
			attached++
		}
	}
	if attached != len(fonts) {
		t.Errorf("%d attachments are what they were", attached)
	}
}

// samePackets compares packets with their times, to a millisecond.
func samePackets(t *testing.T, was, is []packet) {
	t.Helper()
	if len(was) != len(is) {
		t.Fatalf("%d packets instead of %d", len(is), len(was))
	}
	for n, w := range was {
		got := is[n]
		if got.Hash != w.Hash || got.Duration != w.Duration && math.Abs(seconds(t, got.Duration)-seconds(t, w.Duration)) > 0.001 ||
			math.Abs(seconds(t, got.Time)-seconds(t, w.Time)) > 0.001 {
			t.Errorf("packet %d was %+v and is %+v", n, w, got)
		}
	}
}

// TestNestedChaptersAndTagsAreKept takes what ffmpeg writes none of: chapters in
// chapters with titles in two languages, tags of parts, tags about tags.
func TestNestedChaptersAndTagsAreKept(t *testing.T) {
	dir := t.TempDir()
	transcoded(t, dir, counted(t, dir, 50), "in.mkv")
	in := readExtras(t, dir, "in.mkv")
	changes := container.Changes{
		Editions: []container.Edition{{UID: 7, Default: true, Chapters: []container.Chapter{
			{UID: 1, End: time.Second, Titles: []container.Title{{Text: "Größe", Language: "ger", LanguageBCP47: "de-AT"}, {Text: "Size", Language: "eng"}}},
			{UID: 2, Start: time.Second, End: 2 * time.Second, Titles: []container.Title{{Text: "Ende", Language: "ger"}}, Chapters: []container.Chapter{
				{UID: 3, Start: 1500 * time.Millisecond, End: 2 * time.Second, Titles: []container.Title{{Text: "Teil", Language: "ger"}}},
			}},
		}}},
		Tags: []container.Tag{
			{Targets: container.Targets{Level: 30, Type: "CHAPTER", Chapters: []uint64{2}}, Values: []container.TagValue{{
				Name: "ACTOR", Language: "und", Text: "Anna",
				Values: []container.TagValue{{Name: "CHARACTER", Language: "ger", LanguageBCP47: "de", Text: "Königin"}},
			}}},
			{Targets: container.Targets{Tracks: []uint64{in.Tracks[0].UID}}, Values: []container.TagValue{{
				Name: "FILM_STOCK", Language: "und", Binary: []byte{0, 255},
			}}},
		},
	}
	if err := container.Finish(filepath.Join(dir, "in.mkv"), changes); err != nil {
		t.Fatal(err)
	}
	transcoded(t, dir, "in.mkv", "out.mkv")
	out := readExtras(t, dir, "out.mkv")
	if !reflect.DeepEqual(out.Editions, changes.Editions) {
		t.Errorf("chapters became %+v", out.Editions)
	}
	if !reflect.DeepEqual(out.Tags, changes.Tags) {
		t.Errorf("tags became %+v", out.Tags)
	}
	plan := transcoded(t, dir, "in.mkv", "out.mp4")
	for _, want := range []string{"without levels", "ACTOR, FILM_STOCK"} {
		if !strings.Contains(strings.Join(plan.Lost, "\n"), want) {
			t.Errorf("MP4: nothing of %q in lost: %q", want, plan.Lost)
		}
	}
}

func readExtras(t *testing.T, dir, name string) container.Extras {
	t.Helper()
	f, err := os.Open(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }() // only read
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	x, err := container.Read(f, info.Size())
	if err != nil {
		t.Fatal(err)
	}
	return x
}
