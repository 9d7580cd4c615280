package container

import (
	"bytes"
	"encoding/binary"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// mp4Clip makes an MP4 file; the options stand before its name.
func mp4Clip(t *testing.T, options ...string) string {
	t.Helper()
	dir := t.TempDir()
	write(t, dir, "meta.txt", chapterMetadata)
	write(t, dir, "subs.srt", "1\n00:00:00,500 --> 00:00:01,500\nGuten Tag\n")
	path := filepath.Join(dir, "clip.mp4")
	run(t, "ffmpeg", append(append([]string{
		"-v", "error", "-y",
		"-f", "lavfi", "-i", "testsrc2=s=160x120:r=24", "-f", "lavfi", "-i", "sine=440", "-f", "lavfi", "-i", "sine=880",
		"-i", dir + "/subs.srt", "-i", dir + "/meta.txt", "-map", "0", "-map", "1", "-map", "2", "-map", "3", "-map_metadata", "4",
		"-t", "6", "-c:v", "libx264", "-preset", "ultrafast", "-g", "24", "-c:a", "aac", "-c:s", "mov_text",
		"-metadata:s:a:0", "language=ger", "-metadata:s:a:1", "language=eng", "-disposition:a:1", "comment",
	}, options...), path)...)
	return path
}

func TestReadMP4(t *testing.T) {
	for _, test := range []struct {
		name    string
		options []string
	}{
		{"movie box behind", nil},
		{"movie box in front", []string{"-movflags", "+faststart"}},
		{"no chpl box", []string{"-movflags", "+disable_chpl"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			extras := read(t, mp4Clip(t, test.options...))
			checkMP4Tracks(t, extras)
			if len(extras.Editions) != 1 {
				t.Fatalf("%d editions", len(extras.Editions))
			}
			want := append([]Chapter(nil), filmChapters...)
			for i := range want {
				want[i].Titles = []Title{{Text: want[i].Titles[0].Text, Language: extras.Editions[0].Chapters[i].Titles[0].Language}}
			}
			checkChapters(t, extras.Editions[0].Chapters, want)
		})
	}
}

func checkMP4Tracks(t *testing.T, extras Extras) {
	t.Helper()
	want := []struct {
		kind            TrackType
		codec, language string
		flags           Flags
	}{
		{Video, "avc1", "und", Flags{Default: true}},
		{Audio, "mp4a", "ger", Flags{Default: true}},
		{Audio, "mp4a", "eng", Flags{Commentary: true}},
		{Subtitle, "tx3g", "und", Flags{Default: true}},
		{ChapterText, "text", "", Flags{}},
	}
	if extras.Format != MP4 || len(extras.Tracks) != len(want) {
		t.Fatalf("format %v, tracks %+v", extras.Format, extras.Tracks)
	}
	for i, w := range want {
		got := extras.Tracks[i]
		if got.Type != w.kind || got.CodecID != w.codec || got.Number != uint64(i+1) ||
			w.kind != ChapterText && (got.Language != w.language || got.Flags != w.flags) {
			t.Errorf("track %d: %+v", i+1, got)
		}
	}
}

func TestReadChpl(t *testing.T) {
	long := strings.Repeat("ö", 200) // 400 bytes
	chapters := []Chapter{
		{Start: time.Second, Titles: []Title{{Text: "Eins"}}},
		{Start: 90 * time.Minute, Titles: []Title{{Text: long}}},
		{Start: 91 * time.Minute},
	}
	got := readChpl(appendChpl(nil, chapters)[8:])
	checkChapters(t, got, []Chapter{
		{Start: time.Second, Titles: []Title{{Text: "Eins", Language: "und"}}},
		{Start: 90 * time.Minute, Titles: []Title{{Text: long[:254], Language: "und"}}},
		{Start: 91 * time.Minute, Titles: []Title{{Language: "und"}}},
	})
	many := appendChpl(nil, make([]Chapter, 300))
	if got := readChpl(many[8:]); len(got) != 255 {
		t.Errorf("%d chapters of 300", len(got))
	}
	if got := readChpl(many[8 : len(many)-1]); len(got) != 254 {
		t.Errorf("%d chapters of a box cut short", len(got))
	}
}

func TestSampleText(t *testing.T) {
	for in, want := range map[string]string{
		"\x00\x02hi and more":              "hi",
		"\x00\x06\xFE\xFF\x00h\x00i":       "hi",
		"\x00\x06\xFF\xFEh\x00i\x00":       "hi",
		"\x00\x09cut":                      "cut",
		"":                                 "",
		"\x00":                             "",
		"\x00\x06\xFE\xFF\xD8\x3D\xDE\x00": "😀",
	} {
		if got := sampleText(fields(in)); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestRotation(t *testing.T) {
	path := mp4Clip(t)
	clip := contents(t, path)
	matrix := bytes.Index(clip, []byte("tkhd")) + 4 + 40
	for _, test := range []struct {
		a, b, c, d int32
		clockwise  float64
	}{
		{1, 0, 0, 1, 0},
		{0, 1, -1, 0, 90},
		{-1, 0, 0, -1, 180},
		{0, -1, 1, 0, 270},
	} {
		for off, v := range map[int]int32{0: test.a, 4: test.b, 12: test.c, 16: test.d} {
			binary.BigEndian.PutUint32(clip[matrix+off:], uint32(v<<16))
		}
		extras, err := Read(bytes.NewReader(clip), int64(len(clip)))
		if err != nil || extras.Tracks[0].Rotation != test.clockwise {
			t.Errorf("%+v: %v degrees, %v", test, extras.Tracks[0].Rotation, err)
		}
		write(t, filepath.Dir(path), "turned.mp4", string(clip))
		shown := probe(t, "-select_streams", "v", "-show_streams", filepath.Join(filepath.Dir(path), "turned.mp4"))
		for _, side := range shown.Streams[0].SideDataList { // ffprobe counts counter-clockwise
			if clockwise(-side.Rotation) != test.clockwise {
				t.Errorf("%+v: ffprobe sees %v degrees", test, side.Rotation)
			}
		}
	}
}

// muxMP4 copies a clip's video and sound as the transcode does.
func muxMP4(t *testing.T, properties ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "muxed.mp4")
	args := []string{
		"-q", "filesrc", "location=" + mp4Clip(t), "!", "qtdemux", "name=d",
		"d.video_0", "!", "queue", "max-size-time=0", "max-size-buffers=0", "!", "h264parse", "!", "mux.video_0",
		"d.audio_0", "!", "queue", "max-size-time=0", "max-size-buffers=0", "!", "aacparse", "!", "mux.audio_0",
		"mp4mux", "name=mux",
	}
	args = append(append(args, properties...), "!", "filesink", "location="+path)
	run(t, "gst-launch-1.0", args...)
	return path
}

func TestFinishMP4(t *testing.T) {
	for _, test := range []struct {
		name       string
		properties []string
	}{
		{"movie box behind", nil},
		{"movie box in front", []string{"faststart=true", "faststart-file=" + filepath.Join(t.TempDir(), "moov")}},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := muxMP4(t, test.properties...)
			changes := Changes{Editions: []Edition{{Chapters: filmChapters}}}
			for range 2 { // a second time replaces the chapters
				if err := Finish(path, changes); err != nil {
					t.Fatal(err)
				}
				extras := read(t, path)
				if len(extras.Editions) != 1 {
					t.Fatalf("extras %+v", extras)
				}
				checkChapters(t, extras.Editions[0].Chapters, filmChapters)
				checkPlayable(t, path)
				if p := probe(t, "-show_chapters", path); len(p.Chapters) != 2 || p.Chapters[1].StartTime != "2.000000" {
					t.Errorf("chapters %+v", p.Chapters)
				}
			}
		})
	}
}

func TestFinishMP4KeepsTheRest(t *testing.T) {
	path := muxMP4(t)
	before := contents(t, path)
	if err := Finish(path, Changes{Editions: []Edition{{Chapters: filmChapters}}}); err != nil {
		t.Fatal(err)
	}
	after := contents(t, path)
	at := bytes.Index(before, []byte("moov")) - 4
	if !bytes.Equal(before[:at], after[:at]) {
		t.Error("bytes before the movie box changed")
	}
	if grown := len(after) - len(before); grown != len(appendChpl(nil, filmChapters)) {
		t.Errorf("the file grew by %d bytes", grown)
	}
	for _, kept := range []string{"uuid", "ilst"} {
		if bytes.Count(after, []byte(kept)) != bytes.Count(before, []byte(kept)) {
			t.Errorf("box %s was lost", kept)
		}
	}
}

// TestFinishMP4ChoosesTracks proves that the movie box is left in its place.
func TestFinishMP4ChoosesTracks(t *testing.T) {
	for _, properties := range [][]string{nil, {"faststart=true", "faststart-file=" + filepath.Join(t.TempDir(), "moov")}} {
		path := muxMP4(t, properties...)
		before := contents(t, path)
		for _, wrong := range [][]TrackChange{{{Type: Video}}, {{Type: Audio}, {Type: Video}}, make([]TrackChange, 3)} {
			if err := Finish(path, Changes{Tracks: wrong}); !errors.Is(err, ErrTracks) || !bytes.Equal(before, contents(t, path)) {
				t.Errorf("%v: %v", wrong, err)
			}
		}
		on := Label{Flags: Flags{Default: true}}
		if err := Finish(path, Changes{Tracks: []TrackChange{{Type: Video, Label: on}, {Type: Audio}}}); err != nil {
			t.Fatal(err)
		}
		tracks := read(t, path).Tracks
		if !tracks[0].Flags.Default || tracks[1].Flags.Default || tracks[0].AlternateGroup == tracks[1].AlternateGroup {
			t.Errorf("tracks %+v", tracks)
		}
		after := contents(t, path)
		if len(after) != len(before) || bytes.Index(after, []byte("moov")) != bytes.Index(before, []byte("moov")) {
			t.Error("the movie box moved")
		}
		checkPlayable(t, path)
	}
}

func TestFinishMP4Refuses(t *testing.T) {
	fragmented := muxMP4(t, "fragment-duration=1000")
	edition := []Edition{{Chapters: filmChapters}}
	for _, test := range []struct {
		name    string
		changes Changes
		want    error
	}{
		{"attachments", Changes{Attachments: []Attachment{{Name: "a"}}}, ErrUnsupported},
		{"tags", Changes{Tags: told}, ErrUnsupported},
		{"fragments", Changes{Editions: edition}, ErrLayout},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := contents(t, fragmented)
			if err := Finish(fragmented, test.changes); !errors.Is(err, test.want) {
				t.Errorf("got %v", err)
			}
			if !bytes.Equal(before, contents(t, fragmented)) {
				t.Error("the file changed")
			}
		})
	}
}

// TestClaimed reads what headers say of the length of a film.
func TestClaimed(t *testing.T) {
	narrow := append(make([]byte, 12), 0, 0, 0x03, 0xe8, 0, 0, 0x0b, 0xb8)
	wide := append([]byte{1}, make([]byte, 19)...)
	wide = append(wide, 0, 0, 0x03, 0xe8, 0, 0, 0, 0, 0, 0, 0x0b, 0xb8)
	for name, c := range map[string]struct {
		mvhd []byte
		want time.Duration
	}{
		"32 bits":       {narrow, 3 * time.Second},
		"64 bits":       {wide, 3 * time.Second},
		"unknown":       {append(narrow[:16:16], 0xff, 0xff, 0xff, 0xff), 0},
		"no time scale": {make([]byte, 20), 0},
		"cut":           {narrow[:10], 0},
		"none":          {nil, 0},
	} {
		if got := claimed(c.mvhd); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

// TestClaimedInFragments reads how long a film in fragments says it is: mp4mux tells it
// in front, where ffmpeg does not.
func TestClaimedInFragments(t *testing.T) {
	said := read(t, muxMP4(t, "fragment-duration=500"))
	if off := said.Claimed - 6*time.Second; off.Abs() > 100*time.Millisecond || !said.Fragments {
		t.Errorf("%s of 6 s, in fragments: %t", said.Claimed, said.Fragments)
	}
	if whole := read(t, mp4Clip(t)); whole.Fragments {
		t.Error("a film without fragments is said to have some")
	}
	for _, flags := range []string{"+frag_keyframe", "+frag_keyframe+empty_moov"} {
		if silent := read(t, mp4Clip(t, "-movflags", flags)); silent.Claimed != 0 {
			t.Errorf("%s: %s, where nothing is said", flags, silent.Claimed)
		}
	}
	mvhd := append(make([]byte, 12), 0, 0, 0x03, 0xe8)
	for name, c := range map[string]struct {
		mehd []byte
		want time.Duration
	}{
		"32 bits": {[]byte{0, 0, 0, 0, 0, 0, 0x0b, 0xb8}, 3 * time.Second},
		"64 bits": {[]byte{1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x0b, 0xb8}, 3 * time.Second},
		"unknown": {[]byte{0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff}, 0},
		"cut":     {[]byte{0, 0, 0, 0, 0, 0}, 0},
	} {
		if got := claimedInFragments(c.mehd, mvhd); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}
