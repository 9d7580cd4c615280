package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/internal/testmedia"
	"github.com/upscaled-media/upscaled/internal/testonnx"
)

// The clips of these tests are drawn and muxed by ffmpeg, which shares no code
// with what is tested.

// ffmpeg runs ffmpeg in dir; arguments are split at spaces, but for those of more.
func ffmpeg(t *testing.T, dir, args string, more ...string) []byte {
	t.Helper()
	return tool(t, dir, "ffmpeg", append(append([]string{"-v", "error", "-nostdin", "-y"}, strings.Fields(args)...), more...)...)
}

// tool runs a program in dir and returns what it prints.
func tool(t *testing.T, dir, name string, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	var out, complaint bytes.Buffer
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &out, &complaint
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, complaint.String())
	}
	return out.Bytes()
}

// put writes files into dir, by their names.
func put(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// nearest writes the quickest model of scale 2 into dir and returns its name.
func nearest(t *testing.T, dir string) string {
	t.Helper()
	put(t, dir, map[string]string{"nearest.onnx": string(testonnx.Spec{Scale: 2}.Nearest())})
	return "./nearest.onnx"
}

const (
	// A cue without tags comes before the first with some, and entities are
	// written out in another: GStreamer's demuxer treats the three differently.
	srt = `1
00:00:00,200 --> 00:00:00,700
"Größe" & 1 < 2

2
00:00:00,900 --> 00:00:01,300
<i>Guten</i> Tag,
<font color="#ff0000">rot</font> & <b>fett</b>

3
00:00:01,400 --> 00:00:01,800
AT&amp;T {\an8}oben
`
	ass = `[Script Info]
ScriptType: v4.00+
PlayResX: 96
PlayResY: 64

[V4+ Styles]
Format: Name, Fontname, Fontsize, PrimaryColour, SecondaryColour, OutlineColour, BackColour, Bold, Italic, Underline, StrikeOut, ScaleX, ScaleY, Spacing, Angle, BorderStyle, Outline, Shadow, Alignment, MarginL, MarginR, MarginV, Encoding
Style: Sign,Serif,28,&H0000FFFF,&H000000FF,&H00000000,&H00000000,1,0,0,0,100,100,0,0,1,2,2,8,10,10,10,1

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
Dialogue: 0,0:00:00.30,0:00:00.80,Sign,,0,0,0,,{\pos(80,60)\fad(100,100)}Schild & Rahmen
Dialogue: 1,0:00:00.90,0:00:01.40,Sign,Anna,0,0,0,,Hallo\NWelt
`
	filmMeta = `;FFMETADATA1
title=Der "große" Film
artist=Jemand & Söhne
comment=Erste Zeile
date=1999
ENCODED_FROM=eigene Quelle
[CHAPTER]
TIMEBASE=1/1000
START=0
END=800
title=Anfang & Größe
[CHAPTER]
TIMEBASE=1/1000
START=800
END=2000
title=Ende
`
)

// fonts are attached to the film.
var fonts = map[string]string{"Sans.ttf": strings.Repeat("font one ", 3000), "Serif.otf": strings.Repeat("font two ", 50)}

// pgs draws Blu-ray subtitles, which ffmpeg cannot, on a picture of 96×64.
func pgs() string {
	return string(testmedia.PGS(96, 64, time.Second/2, time.Second/4, 1200*time.Millisecond))
}

// film makes film.mkv in dir: two seconds with two sound tracks, subtitles of
// five kinds, chapters, tags and fonts.
func film(t *testing.T, dir string) {
	t.Helper()
	put(t, dir, fonts)
	put(t, dir, map[string]string{"a.srt": srt, "b.srt": strings.ReplaceAll(srt, "i>", "u>"), "c.ass": ass, "d.sup": pgs(), "meta.txt": filmMeta})
	ffmpeg(t, dir, `-f lavfi -i testsrc2=s=96x64:r=25 -f lavfi -i sine=440:r=48000 -f lavfi -i sine=880:r=44100
		-i a.srt -i b.srt -i c.ass -i d.sup -i meta.txt
		-map 0 -map 1 -map 2 -map 3 -map 4 -map 5 -map 6 -map 6 -map_metadata 7 -map_chapters 7 -t 2
		-c:v libx264 -preset ultrafast -c:a:0 aac -c:a:1 ac3 -c:s copy -c:s:3 dvdsub
		-metadata:s:v title=Bild -metadata:s:v language=jpn
		-metadata:s:a:0 language=ger -disposition:a:0 default+original
		-metadata:s:a:1 language=eng -metadata:s:a:1 title=Commentary -metadata:s:a:1 COMPOSER=Bach -disposition:a:1 comment
		-metadata:s:s:0 language=ger -metadata:s:s:0 title=Voll -disposition:s:0 default
		-metadata:s:s:1 language=eng -disposition:s:1 hearing_impaired
		-metadata:s:s:2 language=fre -metadata:s:s:2 title=Schilder -disposition:s:2 forced
		-metadata:s:s:3 language=spa -disposition:s:3 0
		-metadata:s:s:4 language=ita -disposition:s:4 comment
		-attach Sans.ttf -metadata:s:t:0 mimetype=font/ttf -attach Serif.otf -metadata:s:t:1 mimetype=font/otf`,
		"-metadata:s:a:0", "title=Deutsch 5.1", "film.mkv")
}
