package main

import (
	"math"
	"testing"
)

// TestDVDIsKept takes a film as it comes from a DVD: pixels that are not square,
// MPEG-2, sound that begins later than the picture, drawn subtitles.
func TestDVDIsKept(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, map[string]string{"d.sup": pgs()})
	ffmpeg(t, dir, `-f lavfi -i testsrc2=s=720x576:r=25:d=0.8 -itsoffset 0.36 -f lavfi -i sine=d=0.4:r=48000 -i d.sup
		-map 0 -map 1 -map 2 -vf setsar=16/15 -c:v mpeg2video -b:v 4M -bf 2 -c:a ac3 -c:s dvdsub -metadata:s:s:0 language=ger dvd.mkv`)
	plan := transcoded(t, dir, "dvd.mkv", "out.mkv")
	if len(plan.Changed) > 0 || len(plan.Lost) > 0 || plan.Width != 1440 || plan.Height != 1152 {
		t.Errorf("%d×%d, changed %q, lost %q", plan.Width, plan.Height, plan.Changed, plan.Lost)
	}
	was, is := contents(t, dir, "dvd.mkv"), contents(t, dir, "out.mkv")
	if want := "h264 ac3 dvd_subtitle"; is.codecs() != want || was.Streams[0].Aspect != "4:3" || is.Streams[0].Aspect != "4:3" {
		t.Fatalf("streams of %s, %s became %s", is.codecs(), was.Streams[0].Aspect, is.Streams[0].Aspect)
	}
	if n := len(is.packets(0)); n != 20 {
		t.Errorf("%d pictures", n)
	}
	samePackets(t, was.packets(1), is.packets(1))
	samePackets(t, was.packets(2), is.packets(2))
	if was.Streams[2].Private != is.Streams[2].Private || is.Streams[2].Tags["language"] != "ger" {
		t.Errorf("subtitles %+v became %+v", was.Streams[2], is.Streams[2])
	}
	// What comes first of each stream, as packets do not come in the order of their times.
	first := func(c content, stream int) float64 {
		least := math.Inf(1)
		for _, p := range c.packets(stream) {
			least = min(least, seconds(t, p.Time))
		}
		return least
	}
	late := func(c content) float64 { return first(c, 1) - first(c, 0) }
	if math.Abs(late(was)-0.36) > 0.02 || math.Abs(late(is)-late(was)) > 0.02 {
		t.Errorf("the sound begins %.3f s after the picture, in the source %.3f s", late(is), late(was))
	}
}
