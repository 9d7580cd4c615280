package container

import (
	"io"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"
)

const filmTitle = `Der "große" Film`

// filmTracks is what the film says about its tracks, in order.
var filmTracks = []struct {
	kind  TrackType
	codec string
	label Label
}{
	{Video, "V_MPEG4/ISO/AVC", Label{Language: "und"}},
	{Audio, "A_AAC", Label{Name: "Deutsch 5.1", Language: "ger", Flags: Flags{Default: true, Original: true}}},
	{Audio, "A_AAC", Label{Name: "Commentary", Language: "eng", Flags: Flags{Commentary: true}}},
	{Subtitle, "S_TEXT/ASS", Label{Name: "Schilder", Language: "ger", Flags: Flags{Default: true, Forced: true}}},
	{Subtitle, "S_TEXT/UTF8", Label{Language: "eng", Flags: Flags{HearingImpaired: true}}},
	{Subtitle, "S_HDMV/PGS", Label{Language: "und"}},
}

var filmChapters = []Chapter{
	{Start: 0, End: 2 * time.Second, Titles: []Title{{Text: "Anfang & Größe", Language: "und"}}},
	{Start: 2 * time.Second, End: 6 * time.Second, Titles: []Title{{Text: "Ende", Language: "und"}}},
}

func TestReadMatroska(t *testing.T) {
	checkFilm(t, read(t, film(t)))
}

// checkFilm checks that extras are those of the film.
func checkFilm(t *testing.T, extras Extras) {
	t.Helper()
	if extras.Format != Matroska || extras.Title != filmTitle {
		t.Errorf("format %v, title %q", extras.Format, extras.Title)
	}
	if len(extras.Tracks) != len(filmTracks) {
		t.Fatalf("%d tracks", len(extras.Tracks))
	}
	for i, want := range filmTracks {
		got := extras.Tracks[i]
		if got.Type != want.kind || got.CodecID != want.codec || got.Label != want.label {
			t.Errorf("track %d: %v %s %+v", i+1, got.Type, got.CodecID, got.Label)
		}
		if got.Number != uint64(i+1) || got.UID == 0 {
			t.Errorf("track %d has number %d and UID %d", i+1, got.Number, got.UID)
		}
	}
	if len(extras.Editions) != 1 {
		t.Fatalf("%d editions", len(extras.Editions))
	}
	checkChapters(t, extras.Editions[0].Chapters, filmChapters)
	fonts := []struct{ name, mime, content string }{
		{"Sans.ttf", "font/ttf", strings.Repeat("font one ", 3000)},
		{"Serif.otf", "font/otf", strings.Repeat("font two ", 50)},
	}
	if len(extras.Attachments) != len(fonts) {
		t.Fatalf("%d attachments", len(extras.Attachments))
	}
	for i, want := range fonts {
		got := extras.Attachments[i]
		data, err := io.ReadAll(io.NewSectionReader(got.Data, 0, got.Data.Size()))
		if err != nil || got.Name != want.name || got.MIME != want.mime || string(data) != want.content || got.UID == 0 {
			t.Errorf("attachment %d: %q, %s, UID %d, %d bytes, %v", i, got.Name, got.MIME, got.UID, len(data), err)
		}
	}
}

// checkChapters compares chapters but for their UIDs.
func checkChapters(t *testing.T, got, want []Chapter) {
	t.Helper()
	got = append([]Chapter(nil), got...)
	for i := range got {
		got[i].UID = 0
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("chapters\n%+v, want\n%+v", got, want)
	}
}

// changesOf is what a transcode of a whole film carries over.
func changesOf(extras Extras) Changes {
	changes := Changes{Title: extras.Title, Attachments: extras.Attachments, Editions: extras.Editions}
	for _, track := range extras.Tracks {
		change := TrackChange{Label: track.Label, Type: track.Type}
		if track.CodecID == "S_HDMV/PGS" {
			change.CodecID = track.CodecID
		}
		changes.Tracks = append(changes.Tracks, change)
	}
	return changes
}

func TestFinishMatroska(t *testing.T) {
	source := film(t)
	extras := read(t, source)
	extras.Tracks[1].LanguageBCP47 = "de-AT"
	changes := changesOf(extras)
	path := remux(t, source, WritingApp("upscaled 1.0", changes))
	if lost := read(t, path); lost.Attachments != nil || lost.Tracks[3].Flags.Forced || lost.Tracks[5].CodecID != "S_VOBSUB" {
		t.Fatalf("the muxer kept more than it did: %+v", lost)
	}
	before := size(t, path)
	if err := Finish(path, changes); err != nil {
		t.Fatal(err)
	}
	finished := read(t, path)
	if finished.Tracks[1].LanguageBCP47 != "de-AT" {
		t.Errorf("BCP 47 language %q", finished.Tracks[1].LanguageBCP47)
	}
	finished.Tracks[1].LanguageBCP47 = ""
	checkFilm(t, finished)
	if grown := size(t, path) - before; grown > 29000 {
		t.Errorf("the file grew by %d bytes for 27450 bytes of attachments", grown)
	}
	checkPlayable(t, path)
	checkProbe(t, path)
}

// checkPlayable decodes all of a file and seeks in it through its index.
func checkPlayable(t *testing.T, path string) {
	t.Helper()
	run(t, "ffmpeg", "-v", "error", "-i", path, "-map", "0:v", "-map", "0:a", "-map", "0:s?", "-c:s", "copy", "-f", "null", "-")
	packets := probe(t, "-select_streams", "v", "-show_packets", "-read_intervals", "4.5%+0.3", path).Packets
	if len(packets) == 0 || !strings.HasPrefix(packets[0].PTSTime, "4.0") || packets[0].Flags[0] != 'K' {
		t.Errorf("seeking to 4.5 s lands on %+v", packets)
	}
}

// checkProbe checks a finished film by ffprobe's eyes.
func checkProbe(t *testing.T, path string) {
	t.Helper()
	p := probe(t, "-show_streams", "-show_chapters", "-show_format", path)
	if len(p.Chapters) != 2 || p.Chapters[1].StartTime != "2.000000" || p.Chapters[0].Tags["title"] != "Anfang & Größe" {
		t.Errorf("chapters %+v", p.Chapters)
	}
	if p.Format.Tags["TITLE"] != filmTitle {
		t.Errorf("tags %v", p.Format.Tags)
	}
	want := []struct{ codec, flag, language string }{
		{"h264", "", ""},
		{"aac", "original", "ger"},
		{"aac", "comment", "eng"},
		{"ass", "forced", "ger"},
		{"subrip", "hearing_impaired", "eng"},
		{"hdmv_pgs_subtitle", "", ""},
		{"", "", ""}, // the fonts
		{"", "", ""},
	}
	if len(p.Streams) != len(want) {
		t.Fatalf("%d streams: %+v", len(p.Streams), p.Streams)
	}
	for i, w := range want {
		got := p.Streams[i]
		if got.CodecName != w.codec || w.language != "" && got.Tags["language"] != w.language ||
			w.flag != "" && got.Disposition[w.flag] != 1 {
			t.Errorf("stream %d: %+v", i, got)
		}
	}
}

func size(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

func contents(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
