package pipeline

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"testing"
)

// TestShapeIsKept proves size and display aspect ratio.
func TestShapeIsKept(t *testing.T) {
	t.Parallel()
	const x264 = "-c:v libx264 -preset ultrafast"
	for _, c := range []struct {
		name, size, args, file string
		model                  string
		scale, height          int
		into                   Container
		want                   string // size and display aspect ratio
		said                   string
	}{
		{"4:3 of MPEG-2", "90x72", "-c:v mpeg2video -aspect 4:3", "in.mpg", "nearest-x2", 2, 0, Matroska, "180x144 4:3", ""},
		{"16:9 of MPEG-2", "90x72", "-c:v mpeg2video -aspect 16:9", "in.ts", "nearest-x2", 2, 0, MP4, "180x144 16:9", ""},
		{"pixels of 16:15", "90x72", x264 + " -vf setsar=16/15", "in.mkv", "nearest-x2", 2, 0, MP4, "180x144 4:3", ""},
		{"pixels of 16:15 to 100 rows", "90x72", x264 + " -vf setsar=16/15", "in.mp4", "nearest-x2", 2, 100, Matroska, "126x100 4:3", ""},
		{"pixels of 64:45 to 108 rows", "90x72", x264 + " -vf setsar=64/45", "in.mkv", "nearest-x2", 2, 108, MP4, "136x108 16:9", ""},
		{"square, larger than doubled", "96x72", x264, "in.mkv", "nearest-x2", 2, 216, Matroska, "288x216 4:3", ""},
		{"the source is larger", "96x72", x264, "in.mkv", "nearest-x2", 2, 54, Matroska, "72x54 4:3", "the source's 72 rows are more than the 54 asked for"},
		{"the source is as large", "96x72", x264, "in.mkv", "nearest-x2", 2, 72, Matroska, "96x72 4:3", "the source's 72 rows are as many as asked for"},
		{"just the doubled", "96x72", x264, "in.mkv", "nearest-x2", 2, 144, Matroska, "192x144 4:3", ""},
		{"odd", "90x70", "-vf format=yuv444p,pad=91:71,format=yuv420p -c:v ffv1", "in.mkv", "nearest-x2", 2, 0, Matroska, "182x142 91:71", ""},
		{"odd to 100 rows", "90x70", "-vf format=yuv444p,pad=91:71,format=yuv420p -c:v ffv1", "in.mkv", "nearest-x2", 2, 100, Matroska, "128x100 32:25", ""},
		{"odd, not upscaled", "90x70", "-vf format=yuv444p,pad=91:71,format=yuv420p -c:v ffv1", "in.mkv", "identity", 1, 0, Matroska, "92x72 23:18", "is made even"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			in := ffmpeg(t, append(append([]string{"-f", "lavfi", "-i", "testsrc2=s=" + c.size + ":r=25:d=0.2"}, strings.Fields(c.args)...), c.file)...)
			s := spec()
			s.Model, s.Scale, s.Height, s.Container = c.model, c.scale, c.height, c.into
			p, _, out := transcode(t, in, s)
			v := describeFile(t, out).Streams[0]
			aspect := func(text string) float64 {
				var w, h float64
				if _, err := fmt.Sscanf(text, "%f:%f", &w, &h); err != nil {
					t.Fatalf("%q: %v", text, err)
				}
				return w / h
			}
			size, want, _ := strings.Cut(c.want, " ")
			if got := fmt.Sprintf("%dx%d", v.Width, v.Height); got != size || got != fmt.Sprintf("%dx%d", p.Width, p.Height) {
				t.Errorf("%s instead of %s, planned %d×%d", got, size, p.Width, p.Height)
			}
			if v.Aspect == "" || v.Aspect == "0:1" {
				v.Aspect = fmt.Sprintf("%d:%d", v.Width, v.Height)
			}
			if math.Abs(aspect(v.Aspect)-aspect(want)) > 0.004 { // Matroska has whole pixels for it
				t.Errorf("display aspect ratio %s instead of %s", v.Aspect, want)
			}
			if said := strings.Join(p.Changed, "\n"); !strings.Contains(said, c.said) || c.said == "" && said != "" {
				t.Errorf("changed %q, without %q", p.Changed, c.said)
			}
		})
	}
}

// TestTurnedIsUpright proves for each turn that the picture comes out as a
// player shows the source, and that no player turns it again.
func TestTurnedIsUpright(t *testing.T) {
	t.Parallel()
	// Four quarters of different colours, of which no two turns are alike.
	quarters := "color=c=0xC02020:s=96x64:r=10:d=0.2,drawbox=48:0:48:32:0x20C020:fill,drawbox=0:32:48:32:0x2020C0:fill,drawbox=48:32:48:32:0xC0C0C0:fill,setsar=4/3"
	upright := ffmpeg(t, "-f", "lavfi", "-i", quarters, "-pix_fmt", "yuv420p", "-c:v", "libx264", "-qp", "8", "-preset", "ultrafast", "upright.mp4")
	for _, turn := range []string{"90", "180", "270"} {
		in := ffmpeg(t, "-i", upright, "-c", "copy", "-metadata:s:v:0", "rotate="+turn, "in.mp4")
		for _, c := range []struct {
			codec  VideoCodec
			into   Container
			height int
		}{{H264, MP4, 0}, {HEVC, Matroska, 96}, {VP9, Matroska, 0}} {
			t.Run(fmt.Sprint(turn, " ", c.codec, " ", c.into), func(t *testing.T) {
				t.Parallel()
				s := spec()
				s.Codec, s.Container, s.Height, s.Quality = c.codec, c.into, c.height, 8
				p, _, out := transcode(t, in, s)
				v := describeFile(t, out).Streams[0]
				size, aspect := "192x128", "2:1"
				if turn != "180" {
					size, aspect = "128x192", "1:2"
				}
				if c.height > 0 && turn == "180" {
					size = "144x96"
				} else if c.height > 0 {
					size = "64x96"
				}
				if got := fmt.Sprintf("%dx%d", v.Width, v.Height); got != size || v.Aspect != aspect {
					t.Errorf("%s of %s instead of %s of %s", got, v.Aspect, size, aspect)
				}
				if pictureOf(t, out).Turned {
					t.Error("a player turns it once more")
				}
				// ffmpeg turns the source by itself.
				show := func(path string) []byte {
					return tool(t, nil, "ffmpeg", "-v", "error", "-nostdin", "-i", path, "-frames:v", "1", "-vf", "scale=4:4:flags=area,format=rgb24", "-f", "rawvideo", "-")
				}
				if d := furthest(show(in), show(out)); d > 6 {
					t.Errorf("it differs by %.0f levels: %v, %v", d, show(in), show(out))
				}
				if !strings.Contains(strings.Join(p.Changed, "\n"), "rotation (rotate-") {
					t.Errorf("changed %q", p.Changed)
				}
			})
		}
	}
}

// TestChromaStaysInPlace follows an edge that is in the chroma alone: with the
// site mistaken it moves by half a pixel of the source.
func TestChromaStaysInPlace(t *testing.T) {
	t.Parallel()
	const w, h, at = 64, 64, 16 // of chroma samples before the edge
	for _, c := range []struct {
		site, turn string
		codec      VideoCodec
	}{
		{"left", "", H264},
		{"left", "", HEVC},
		{"left", "", VP9},
		{"left", "", AV1},
		{"center", "", H264},
		{"center", "", HEVC},
		{"topleft", "", H264},
		{"topleft", "", HEVC},
		{"topleft", "", VP9},
		{"left", "90", H264},
		{"left", "180", HEVC},
		{"left", "270", H264},
		{"left", "180", VP9},
	} {
		t.Run(fmt.Sprint(c.site, c.turn, " ", c.codec), func(t *testing.T) {
			t.Parallel()
			raw := bytes.Repeat([]byte{126}, w*h*3/2)
			for y := range h / 2 {
				for x := range w / 2 {
					u := byte(80)
					if x >= at {
						u = 180
					}
					raw[w*h+y*w/2+x] = u // Cb tells columns
					v := byte(80)
					if y >= at {
						v = 180
					}
					raw[w*h*5/4+y*w/2+x] = v // Cr tells rows
				}
			}
			loc := map[string]string{"left": "0", "center": "1", "topleft": "2"}[c.site]
			in := ffmpeg(t, "-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", "64x64", "-r", "10", "-i", write(t, "in.yuv", bytes.Repeat(raw, 2)),
				"-c:v", "libx264", "-preset", "ultrafast", "-qp", "2", "-x264opts", "chromaloc="+loc, "in.mp4")
			if c.turn != "" {
				in = ffmpeg(t, "-i", in, "-c", "copy", "-metadata:s:v:0", "rotate="+c.turn, "turned.mp4")
			}
			s := spec()
			s.Codec, s.Quality = c.codec, 4
			p, _, out := transcode(t, in, s)
			site := pictureOf(t, out).Site
			if c.codec == VP9 || c.codec == AV1 {
				site = "left" // which is what is meant where nothing is said
			}
			got := tool(t, nil, "ffmpeg", "-v", "error", "-nostdin", "-i", out, "-frames:v", "1", "-pix_fmt", "yuv420p", "-f", "rawvideo", "-")
			// edge returns where a plane changes, in pixels of the source.
			edge := func(plane int, down bool) float64 {
				low := 0.0
				for i := range w {
					j := i*w + w/2 // a column
					if !down {
						j = w/2*w + i
					}
					low += (180 - float64(got[4*w*h+plane*w*h+j])) / 100
				}
				return site0(site, down, low) / 2
			}
			col, row := site0(c.site, false, at), site0(c.site, true, at)
			gotCol, gotRow := edge(0, false), edge(1, true)
			switch c.turn { // ffmpeg turns against the clock
			case "90":
				gotCol, gotRow = edge(0, true), edge(1, false)
				gotRow = w - gotRow
			case "180":
				gotCol, gotRow = edge(0, false), edge(1, true)
			case "270":
				gotCol, gotRow = edge(0, true), edge(1, false)
			}
			off := func(want, got float64) float64 { return min(math.Abs(want-got), math.Abs(w-want-got)) }
			bound := 0.1
			switch {
			case c.turn != "": // see docs/decisions/0008-picture.md
				bound = 0.55
			case c.site != "left" && (c.codec == VP9 || c.codec == AV1), c.site == "topleft" && c.codec == H264:
				bound = 0.3
			}
			if x, y := off(col, gotCol), off(row, gotRow); x > bound || y > bound {
				t.Errorf("the edge is off by %.2f, %.2f pixels: at %.2f, %.2f; it was at %.2f, %.2f; output's site %s\n%s", x, y, gotCol, gotRow, col, row, site, p.Graph)
			}
		})
	}
}

// site0 returns where, in pixels of luma, an edge lies that has n samples of
// chroma before it.
func site0(site string, down bool, n float64) float64 {
	if site == "center" || site == "left" && down {
		return 2 * n
	}
	return 2*n - 0.5
}
