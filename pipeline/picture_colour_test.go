package pipeline

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
)

// Tests of the picture compare what ffmpeg decodes of the source with what it
// decodes of the output, and what ffprobe reads in the coded stream.

// pictureFacts is what ffprobe says of a picture.
type pictureFacts struct {
	Codec, PixFmt, Size, Colours, Site, Order string
	Turned                                    bool
}

// pictureOf returns the first video stream of a file.
func pictureOf(t testing.TB, path string) (v pictureFacts) {
	t.Helper()
	for _, s := range describeFile(t, path).Streams {
		if s.Type != "video" {
			continue
		}
		v.Codec, v.PixFmt, v.Size, v.Site, v.Order = s.Codec, s.PixFmt, fmt.Sprintf("%dx%d", s.Width, s.Height), s.Site, s.FieldOrder
		v.Colours = strings.Join([]string{s.Range, s.Matrix, s.Transfer, s.Primaries}, " ")
		_, rotate := s.Tags["rotate"]
		v.Turned = rotate || slices.ContainsFunc(s.SideData, func(d map[string]any) bool { return d["rotation"] != nil })
		return v
	}
	t.Fatalf("%s has no video", path)
	return v
}

// rgb decodes the first picture of a file into columns × rows mean colours of
// a grid. untagged tells ffmpeg the matrix where the stream does not.
func rgb(t testing.TB, path string, columns, rows int, untagged string) []byte {
	t.Helper()
	in := ""
	if untagged != "" {
		in = "in_color_matrix=" + untagged + ":"
	}
	// Area averaging in RGB of full resolution, so that no chroma is mixed first.
	filter := fmt.Sprintf("scale=%sflags=accurate_rnd+full_chroma_int+full_chroma_inp+bicubic,format=gbrp,scale=%d:%d:flags=area,format=rgb24", in, columns, rows)
	return tool(t, nil, "ffmpeg", "-v", "error", "-nostdin", "-noautorotate", "-i", path, "-map", "0:v:0", "-frames:v", "1", "-vf", filter, "-f", "rawvideo", "-")
}

// furthest returns the largest difference of two lists of levels.
func furthest(a, b []byte) float64 {
	if len(a) != len(b) {
		return 255
	}
	d := 0.0
	for i := range a {
		d = max(d, math.Abs(float64(a[i])-float64(b[i])))
	}
	return d
}

// bars is a picture of eight even patches, whose means tell a wrong matrix or
// range apart: these are off by 10 levels and more.
const bars = "color=c=0xC0C0C0:s=128x64:r=10:d=0.3," +
	"drawbox=16:0:16:64:0xC0C000:fill,drawbox=32:0:16:64:0x00C0C0:fill,drawbox=48:0:16:64:0x00C000:fill," +
	"drawbox=64:0:16:64:0xC000C0:fill,drawbox=80:0:16:64:0xC00000:fill,drawbox=96:0:16:64:0x0000C0:fill,drawbox=112:0:16:64:0x202020:fill"

// TestColoursAreKept proves for each kind of colours that they are named in the
// output as in the source, and that what is seen is the same.
func TestColoursAreKept(t *testing.T) {
	t.Parallel()
	const x264 = "-c:v libx264 -preset ultrafast -qp 4 "
	const (
		v601   = "format=yuv420p "
		ntsc   = "-color_primaries smpte170m -colorspace smpte170m -color_trc smpte170m"
		pal    = "-color_primaries bt470bg -colorspace bt470bg -color_trc gamma28"
		rec709 = "-color_primaries bt709 -colorspace bt709 -color_trc bt709"
		sdr    = "tv bt2020nc bt2020-10 bt2020"
	)
	for _, c := range []struct {
		name, filter, args, file string
		codec                    VideoCodec
		into                     Container
		untagged                 string // the source's matrix where it does not say so
		want                     string
	}{
		{"bt709", "scale=out_color_matrix=bt709,format=yuv420p", x264 + rec709, "in.mkv", H264, Matroska, "", "tv bt709 bt709 bt709"},
		{"bt709", "scale=out_color_matrix=bt709,format=yuv420p", x264 + rec709, "in.mp4", HEVC, MP4, "", "tv bt709 bt709 bt709"},
		{"bt709", "scale=out_color_matrix=bt709,format=yuv420p", x264 + rec709, "in.mp4", VP9, Matroska, "", "tv bt709 bt709 bt709"},
		{"NTSC", v601, x264 + ntsc, "in.mkv", H264, Matroska, "", "tv smpte170m smpte170m smpte170m"},
		{"NTSC", v601, x264 + ntsc, "in.mkv", HEVC, Matroska, "", "tv smpte170m smpte170m smpte170m"},
		{"NTSC to more than 576 rows", "pad=128:320,format=yuv420p", x264 + ntsc, "in.mkv", H264, Matroska, "", "tv smpte170m smpte170m smpte170m"},
		{"PAL", v601, x264 + pal, "in.mkv", H264, MP4, "", "tv smpte170m bt470bg bt470bg"}, // matrix 6 is 5 by another number
		{"PAL", v601, x264 + pal, "in.mkv", HEVC, Matroska, "", "tv smpte170m bt470bg bt470bg"},
		{"PAL", v601, x264 + pal, "in.mkv", VP9, Matroska, "", "tv bt470bg bt470bg bt470bg"},
		{"PAL", v601, x264 + pal, "in.mkv", VP9, MP4, "", "tv bt470bg bt470bg bt470bg"},
		{"full range", "scale=out_color_matrix=bt709:out_range=full,format=yuvj420p", x264 + rec709, "in.mkv", H264, Matroska, "", "pc bt709 bt709 bt709"},
		{"full range", "scale=out_color_matrix=bt709:out_range=full,format=yuvj420p", x264 + rec709, "in.mkv", HEVC, MP4, "", "pc bt709 bt709 bt709"},
		{"full range", "scale=out_color_matrix=bt709:out_range=full,format=yuvj420p", x264 + rec709, "in.mkv", VP9, Matroska, "", "tv bt709 bt709 bt709"},
		{"full range", "scale=out_color_matrix=bt709:out_range=full,format=yuvj420p", x264 + rec709, "in.mkv", AV1, Matroska, "", "tv unknown unknown unknown"},
		{"JPEG", "format=yuvj420p", "-c:v mjpeg -q:v 1", "in.avi", H264, Matroska, "", "pc smpte170m smpte170m smpte170m"},
		{"untagged SD", v601, x264, "in.mkv", H264, Matroska, "bt601", "tv smpte170m smpte170m smpte170m"},
		{"untagged MPEG-2", v601, "-c:v mpeg2video -q:v 1", "in.mpg", HEVC, Matroska, "bt601", "tv smpte170m smpte170m smpte170m"},
		{"untagged SD to more than 576 rows", "pad=128:320,format=yuv420p", x264, "in.mkv", H264, Matroska, "bt601", "tv smpte170m smpte170m smpte170m"},
		{"untagged PAL", "pad=128:288,format=yuv420p", x264, "in.mkv", H264, Matroska, "bt601", "tv smpte170m smpte170m bt470bg"},
		{"untagged HD", "pad=128:600,scale=out_color_matrix=bt709,format=yuv420p", x264, "in.mkv", H264, Matroska, "bt709", "tv bt709 bt709 bt709"},
		{"BT.2020 without HDR", "scale=out_color_matrix=bt2020,format=yuv420p10le", x264 + "-color_primaries bt2020 -colorspace bt2020nc -color_trc bt2020-10", "in.mkv", HEVC, Matroska, "", sdr},
		{"BT.2020 without HDR", "scale=out_color_matrix=bt2020,format=yuv420p10le", x264 + "-color_primaries bt2020 -colorspace bt2020nc -color_trc bt2020-10", "in.mkv", H264, MP4, "", sdr},
		{"BT.2020 without HDR", "scale=out_color_matrix=bt2020,format=yuv420p10le", x264 + "-color_primaries bt2020 -colorspace bt2020nc -color_trc bt2020-10", "in.mkv", VP9, Matroska, "", sdr},
		{"RGB", "format=gbrp", "-c:v ffv1", "in.mkv", H264, Matroska, "", "tv bt709 bt709 bt709"},
		{"4:4:4", "format=yuv444p", x264 + ntsc, "in.mkv", H264, Matroska, "", "tv smpte170m smpte170m smpte170m"},
		{"grey", "format=gray", "-c:v ffv1", "in.mkv", H264, Matroska, "", ""},
	} {
		t.Run(fmt.Sprint(c.name, " ", c.codec, " ", c.into), func(t *testing.T) {
			t.Parallel()
			in := ffmpeg(t, append(append([]string{"-f", "lavfi", "-i", bars, "-vf", c.filter}, strings.Fields(c.args)...), c.file)...)
			s := spec()
			s.Codec, s.Container, s.Quality = c.codec, c.into, 8
			p, _, out := transcode(t, in, s)
			v := pictureOf(t, out)
			if c.want != "" && v.Colours != strings.ReplaceAll(c.want, "unknown", "") {
				t.Errorf("named %s instead of %s (from %s)", v.Colours, c.want, p.Media.Video.Colorimetry)
			}
			if c.codec != VP9 && c.codec != AV1 && v.Site != map[bool]string{true: "center", false: "left"}[c.name == "JPEG"] {
				t.Errorf("chroma lies %s", v.Site)
			}
			tall := 16 * (p.Media.Video.Height / 16) // patches of 4 × 4 or so in every clip
			was, is := rgb(t, in, 32, tall/4, c.untagged), rgb(t, out, 32, tall/4, "")
			// Patches at an edge hold what the scalers make of it.
			inner := func(levels []byte) (even []byte) {
				for i := 0; i+3 <= 32*8*3; i += 3 {
					if x := i / 3 % 32 % 4; x == 1 || x == 2 {
						even = append(even, levels[i:i+3]...)
					}
				}
				return even
			}
			bound := 3.0
			if len(p.Changed) > 0 { // converted, in 8 bits
				bound = 5
			}
			if d := furthest(inner(was), inner(is)); d > bound {
				t.Errorf("a colour is off by %.0f levels, changed %q\n%v\n%v\n%s", d, p.Changed, was[:96], is[:96], p.Graph)
			}
		})
	}
}
