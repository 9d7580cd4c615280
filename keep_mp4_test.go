package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// filmTexts are the words of the film's subtitles, without markup.
var filmTexts = [][]string{
	{`"Größe" & 1 < 2`, "Guten Tag,\nrot & fett", "AT&amp;T oben"},
	{`"Größe" & 1 < 2`, "Guten Tag,\nrot & fett", "AT&amp;T oben"},
	{"Schild & Rahmen", "Hallo \nWelt"},
}

// texts are the words of the cues of a subtitle track as ffmpeg reads them.
func texts(t *testing.T, dir, name string, track int) []string {
	t.Helper()
	var cues []string
	out := string(ffmpeg(t, dir, "-i "+name+" -map 0:s:"+strconv.Itoa(track)+" -c:s text -f srt -"))
	for block := range strings.SplitSeq(strings.TrimSpace(strings.ReplaceAll(out, "\r", "")), "\n\n") {
		if _, text, ok := strings.Cut(block, "-->"); ok {
			_, text, _ = strings.Cut(text, "\n")
			cues = append(cues, text)
		}
	}
	return cues
}

// spans lists when the cues of a stream of text begin and end. MP4 fills what is
// between cues with empty ones, of two bytes.
func (c content) spans(t *testing.T, stream int) []string {
	t.Helper()
	var spans []string
	for _, p := range c.packets(stream) {
		if p.Size != "2" {
			begin := seconds(t, p.Time)
			spans = append(spans, fmt.Sprintf("%.2f-%.2f", begin, begin+seconds(t, p.Duration)))
		}
	}
	return spans
}

// endless returns packets without their durations, which MP4 counts to the next
// packet and ffprobe cuts off at the end.
func endless(packets []packet) []packet {
	for i := range packets {
		packets[i].Duration = ""
	}
	return packets
}

// TestMatroskaIntoMP4 proves that what MP4 does not take is told before the work
// starts, in both forms, and that all else is there.
func TestMatroskaIntoMP4(t *testing.T) {
	dir := t.TempDir()
	film(t, dir)
	plan := transcoded(t, dir, "film.mkv", "out.mp4")
	changed := []string{"subtitles 1 (raw, de, Voll) become plain text", "subtitles 2 (raw, en) become", "subtitles 3 (ass, fr, Schilder) become"}
	lost := []string{
		"fonts, colours and places of subtitles 3 (ass, fr, Schilder)", "subtitles 4 (dvd, es", "subtitles 5 (pgs, it", "2 attachments",
		"ENCODED_FROM, COMPOSER", "names and flags of tracks",
	}
	_, text, status := upscaled(t, dir, "transcode", "film.mkv", "-o", "again.mp4", "--model", "./nearest.onnx", "--speed", "fast")
	before, _, _ := strings.Cut(text, "  done ")
	for title, want := range map[string][]string{"changed": changed, "LOST": lost} {
		list := map[string][]string{"changed": plan.Changed, "LOST": plan.Lost}[title]
		if len(list) != len(want) {
			t.Errorf("%s: %q", title, list)
		}
		for _, w := range want {
			told := slices.ContainsFunc(list, func(l string) bool {
				return strings.Contains(l, w) && strings.Contains(before, "  "+title+strings.Repeat(" ", 7-len(title))+"  "+l+"\n")
			})
			if !told {
				t.Errorf("nothing of %q in both of %q and\n%s", w, list, before)
			}
		}
	}
	was, is := contents(t, dir, "film.mkv"), contents(t, dir, "out.mp4")
	if want := "h264 aac ac3 mov_text mov_text mov_text"; status != 0 || is.codecs() != want {
		t.Fatalf("status %d, streams of %s, want %s", status, is.codecs(), want)
	}
	for i, want := range []struct{ flags, language string }{ // MP4 has the terminological codes of ISO 639-2
		{"default", "jpn"}, {"default", "deu"}, {"", "eng"}, {"default", "deu"}, {"", "eng"}, {"", "fra"},
	} {
		if got := is.Streams[i].Tags["language"]; is.flags(i) != want.flags || got != want.language {
			t.Errorf("stream %d is %q in %s, not %q in %s", i, is.flags(i), got, want.flags, want.language)
		}
	}
	for i := 1; i <= 2; i++ {
		samePackets(t, endless(was.packets(i)), endless(is.packets(i)))
	}
	for i, want := range filmTexts {
		if got := texts(t, dir, "out.mp4", i); !slices.Equal(got, want) {
			t.Errorf("subtitles %d read %q, want %q", i+1, got, want)
		}
		// ffprobe takes the beginning off the last cue's duration.
		if w, got := was.spans(t, 3+i), is.spans(t, 3+i); len(got) != len(w) || !slices.Equal(got[:len(got)-1], w[:len(w)-1]) || got[len(got)-1][:4] != w[len(w)-1][:4] {
			t.Errorf("cues of subtitles %d at %v, want %v", i+1, got, w)
		}
	}
	file, err := os.ReadFile(filepath.Join(dir, "out.mp4"))
	if err != nil {
		t.Fatal(err)
	}
	for _, markup := range []string{"<i>", "<font", `{\an8}`, `{\pos`} { // that a reader may take for what it is not
		if bytes.Contains(file, []byte(markup)) {
			t.Errorf("the file has %s among its words", markup)
		}
	}
	sameChapters(t, was, is)
	for _, name := range []string{"title", "artist", "comment"} {
		if w := was.Format.Tags[name]; w+was.Format.Tags[strings.ToUpper(name)] != is.Format.Tags[name] {
			t.Errorf("%s is %q", name, is.Format.Tags[name])
		}
	}
}

// sameChapters compares starts and titles of chapters.
func sameChapters(t *testing.T, was, is content) {
	t.Helper()
	if len(was.Chapters) != len(is.Chapters) || len(is.Chapters) == 0 {
		t.Fatalf("chapters %+v became %+v", was.Chapters, is.Chapters)
	}
	for i, w := range was.Chapters {
		if got := is.Chapters[i]; got.Start != w.Start || got.Tags["title"] != w.Tags["title"] {
			t.Errorf("chapter %d was %+v and is %+v", i+1, w, got)
		}
	}
}

// TestMP4IntoMatroska takes a film with timed text and chapters back.
func TestMP4IntoMatroska(t *testing.T) {
	dir := t.TempDir()
	film(t, dir)
	ffmpeg(t, dir, `-i film.mkv -map 0:v -map 0:a -map 0:s:0 -map 0:s:1 -c copy -c:s mov_text -disposition:s:1 hearing_impaired+forced
		-disposition:a:1 comment in.mp4`)
	plan := transcoded(t, dir, "in.mp4", "out.mkv")
	if len(plan.Changed) != 2 || !strings.Contains(plan.Changed[0], "become plain text") || len(plan.Lost) > 0 {
		t.Errorf("changed %q, lost %q", plan.Changed, plan.Lost)
	}
	was, is := contents(t, dir, "in.mp4"), contents(t, dir, "out.mkv")
	if want := "h264 aac ac3 subrip subrip"; is.codecs() != want {
		t.Fatalf("streams of %s, want %s", is.codecs(), want)
	}
	for i, want := range []struct{ flags, language string }{
		{"default", "jpn"}, {"default", "ger"}, {"comment", "eng"}, {"default", "ger"}, {"forced hearing_impaired", "eng"},
	} {
		if got := is.Streams[i]; is.flags(i) != want.flags || got.Tags["language"] != want.language {
			t.Errorf("stream %d is %q in %s", i, is.flags(i), got.Tags["language"])
		}
	}
	for i := range 2 {
		if got := texts(t, dir, "out.mkv", i); !slices.Equal(got, filmTexts[i]) {
			t.Errorf("subtitles %d read %q", i+1, got)
		}
		if w, got := was.spans(t, 3+i), is.spans(t, 3+i); !slices.Equal(got, w) {
			t.Errorf("cues of subtitles %d at %v, want %v", i+1, got, w)
		}
	}
	sameChapters(t, was, is)
	for name, want := range map[string]string{"TITLE": `Der "große" Film`, "ARTIST": "Jemand & Söhne", "COMMENT": "Erste Zeile"} {
		if got := is.Format.Tags[name] + is.Format.Tags[strings.ToLower(name)]; got != want {
			t.Errorf("%s is %q", name, got)
		}
	}
}

// TestDrawnSubtitlesOfMP4 proves that drawn subtitles come out of MP4, and that
// their colours are not passed off as kept.
func TestDrawnSubtitlesOfMP4(t *testing.T) {
	dir := t.TempDir()
	film(t, dir)
	ffmpeg(t, dir, "-i film.mkv -map 0:v -map 0:s:3 -map_chapters -1 -c copy -bsf:s setts=duration=500 in.mp4")
	plan := transcoded(t, dir, "in.mp4", "out.mkv")
	if len(plan.Changed) != 1 || !strings.Contains(plan.Changed[0], "(dvd, es) may get other colours") || len(plan.Lost) > 0 {
		t.Errorf("changed %q, lost %q", plan.Changed, plan.Lost)
	}
	was, is := contents(t, dir, "in.mp4"), contents(t, dir, "out.mkv")
	if want := "h264 dvd_subtitle"; is.codecs() != want {
		t.Fatalf("streams of %s, want %s", is.codecs(), want)
	}
	drawn := slices.DeleteFunc(was.packets(1), func(p packet) bool { return p.Size == "2" || p.Size == "0" })
	samePackets(t, endless(drawn), endless(is.packets(1)))
}
