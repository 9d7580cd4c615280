package pipeline

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/upscaled-media/upscaled/internal/testmedia"
)

// TestPictureIsKept proves what the picture is said to be: its shape, its
// colours, its depth.
func TestPictureIsKept(t *testing.T) {
	t.Parallel()
	const (
		x264 = "-c:v libx264 -preset ultrafast "
		x265 = "-c:v libx265 -preset ultrafast -x265-params log-level=none:"
	)
	for _, c := range []struct {
		name, size, args, file string
		codec                  VideoCodec
		into                   Container
		height                 int
		want                   string // codec size pixels aspect | range matrix transfer primaries | field order
	}{
		{
			"PAL DVD", "144x120", "-c:v mpeg2video -aspect 4:3", "in.mkv", H264, Matroska, 0,
			"h264 288x240 yuv420p 4:3 | tv smpte170m smpte170m smpte170m | progressive",
		},
		{
			"wide pixels", "144x120", x264 + "-vf setsar=64/45", "in.mp4", H264, MP4, 0,
			"h264 288x240 yuv420p 128:75 | tv smpte170m smpte170m smpte170m | progressive",
		},
		{
			"wide pixels scaled", "144x120", x264 + "-vf setsar=64/45", "in.mp4", H264, MP4, 360,
			"h264 432x360 yuv420p 128:75 | tv smpte170m smpte170m smpte170m | progressive",
		},
		{
			"BT.601 upscaled to more than 576 rows", "160x360", x264 + "-colorspace smpte170m -color_trc smpte170m -color_primaries smpte170m", "in.mkv", H264, Matroska, 0,
			"h264 320x720 yuv420p 4:9 | tv smpte170m smpte170m smpte170m | progressive",
		},
		{
			"PAL colours", "160x120", x264 + "-colorspace bt470bg -color_trc gamma28 -color_primaries bt470bg", "in.mkv", H264, Matroska, 0,
			"h264 320x240 yuv420p 4:3 | tv smpte170m bt470bg bt470bg | progressive",
		},
		{
			"BT.709 in few rows", "160x120", x264 + "-colorspace bt709 -color_trc bt709 -color_primaries bt709", "in.mp4", H264, MP4, 0,
			"h264 320x240 yuv420p 4:3 | tv bt709 bt709 bt709 | progressive",
		},
		{
			"full range", "160x120", x264 + "-vf scale=out_range=full -pix_fmt yuv420p -color_range pc -colorspace bt709 -color_trc bt709 -color_primaries bt709", "in.mkv", H264, Matroska, 0,
			"h264 320x240 yuvj420p 4:3 | pc bt709 bt709 bt709 | progressive",
		},
		{
			"full range JPEG colours", "160x120", "-c:v mjpeg -pix_fmt yuvj420p", "in.mkv", H264, Matroska, 0,
			"h264 320x240 yuvj420p 4:3 | pc smpte170m smpte170m smpte170m | progressive",
		},
		{
			"4:2:2", "160x120", "-c:v libx264 -preset ultrafast -pix_fmt yuv422p", "in.mkv", H264, Matroska, 0,
			"h264 320x240 yuv420p 4:3 | tv smpte170m smpte170m smpte170m | progressive",
		},
		{
			"interlaced H.264", "160x120", x264 + "-flags +ilme+ildct -x264opts tff=1", "in.mkv", H264, Matroska, 0,
			"h264 320x240 yuv420p 4:3 | tv smpte170m smpte170m smpte170m | progressive",
		},
		{
			"interlaced MPEG-2", "160x120", "-c:v mpeg2video -flags +ilme+ildct -top 1", "in.ts", H264, Matroska, 0,
			"h264 320x240 yuv420p 4:3 | tv smpte170m smpte170m smpte170m | progressive",
		},
		{
			"10 bits in H.264", "160x120", x264 + "-pix_fmt yuv420p10le", "in.mkv", H264, Matroska, 0,
			"h264 320x240 yuv420p10le 4:3 | tv smpte170m smpte170m smpte170m | progressive",
		},
		{
			"10 bits in HEVC", "160x120", x265 + " -pix_fmt yuv420p10le", "in.mkv", HEVC, MP4, 0,
			"hevc 320x240 yuv420p10le 4:3 | tv smpte170m smpte170m smpte170m |",
		},
		{"VP9", "160x120", x264, "in.mkv", VP9, Matroska, 0, "vp9 320x240 yuv420p 4:3 | tv bt470bg smpte170m smpte170m | progressive"},
		{"AV1", "160x120", x264, "in.mkv", AV1, Matroska, 0, "av1 320x240 yuv420p 4:3 | tv    | progressive"},
		{
			"odd size", "161x121", "-vf scale=161:121 -c:v ffv1 -pix_fmt yuv420p", "in.mkv", H264, Matroska, 0,
			"h264 322x242 yuv420p 161:121 | tv smpte170m smpte170m smpte170m | progressive",
		},
		{"smaller than the source", "160x120", x264, "in.mkv", H264, Matroska, 96, "h264 128x96 yuv420p 4:3 | tv smpte170m smpte170m smpte170m | progressive"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			in := ffmpeg(t, append(append([]string{"-f", "lavfi", "-i", "testsrc2=s=" + c.size + ":r=10:d=0.6"}, strings.Fields(c.args)...), c.file)...)
			s := spec()
			s.Container, s.Codec, s.Height = c.into, c.codec, c.height
			p, _, out := transcode(t, in, s)
			v := describeFile(t, out).Streams[0]
			got := strings.TrimSpace(fmt.Sprintf("%s %dx%d %s %s | %s %s %s %s | %s", v.Codec, v.Width, v.Height, v.PixFmt, v.Aspect,
				v.Range, v.Matrix, v.Transfer, v.Primaries, v.FieldOrder))
			if got != c.want {
				t.Errorf("got  %s\nwant %s\ncolorimetry %s, changed %q", got, c.want, p.Media.Video.Colorimetry, p.Changed)
			}
			if c.codec == AV1 { // ffprobe prefers the coded stream, which does not tell, to the container, which does
				m, err := Probe(t.Context(), out)
				if got := capsField(m.Video.Caps, "colorimetry"); err != nil || got != "bt601" {
					t.Errorf("colorimetry %q in the container (%v)", got, err)
				}
			}
			if p.Width != v.Width || p.Height != v.Height {
				t.Errorf("planned %d×%d", p.Width, p.Height)
			}
		})
	}
}

// TestInterlacedIsDeinterlaced proves that no two moments are left in one picture.
func TestInterlacedIsDeinterlaced(t *testing.T) {
	t.Parallel()
	in := counted(t, testmedia.Spec{Width: 160, Height: 128, Frames: 30, Rate: testmedia.Ratio{Num: 25, Den: 1}, Interlaced: true},
		"-c:v", "mpeg2video", "-b:v", "4M", "-flags", "+ilme+ildct", "-top", "1", "-c:a", "mp2", "in.ts")
	p, _, out := transcode(t, in, spec())
	numbers, _, _ := readPictures(t, out, 2)
	for i, n := range numbers {
		if n != i {
			t.Fatalf("picture %d is number %d", i, n)
		}
	}
	if len(numbers) != 30 || len(p.Changed) != 1 {
		t.Errorf("%d pictures, changed %q", len(numbers), p.Changed)
	}
	if was, is := comb(t, in, "160:128"), comb(t, out, "160:128"); was < 1.5 || is > 0.8 {
		t.Errorf("comb %.2f in the source, %.2f in the output", was, is)
	}
}

// comb returns how much more neighbouring rows differ in a video than rows of
// the same field: above 1 where two moments are woven into one picture.
func comb(t *testing.T, path, size string) float64 {
	t.Helper()
	raw := tool(t, nil, "ffmpeg", "-v", "error", "-i", path, "-an", "-vf", "scale="+size+":flags=neighbor,crop=160:16:0:96", "-fps_mode", "passthrough",
		"-pix_fmt", "gray", "-f", "rawvideo", "-")
	var near, far float64
	const w, rows = 160, 16
	for f := 0; f+w*rows <= len(raw); f += w * rows {
		for i := f; i < f+w*(rows-2); i++ {
			near += math.Abs(float64(raw[i]) - float64(raw[i+w]))
			far += math.Abs(float64(raw[i]) - float64(raw[i+2*w]))
		}
	}
	return near / far
}

// TestRotation proves that a turned picture comes out upright, once.
func TestRotation(t *testing.T) {
	t.Parallel()
	flat := ffmpeg(t, "-f", "lavfi", "-i", "color=red:s=160x120:r=10:d=0.5,drawbox=0:0:160:40:blue:fill", "-c:v", "libx264", "-preset", "ultrafast", "in.mp4")
	for turn, want := range map[string]string{"0": "320x240 blue above red", "90": "240x320 blue left of red", "180": "320x240 red above blue", "270": "240x320 red left of blue"} {
		in := ffmpeg(t, "-i", flat, "-c", "copy", "-metadata:s:v:0", "rotate="+turn, "turned.mp4")
		for _, into := range []Container{Matroska, MP4} {
			s := spec()
			s.Container = into
			p, _, out := transcode(t, in, s)
			v := describeFile(t, out).Streams[0]
			raw := tool(t, nil, "ffmpeg", "-v", "error", "-i", out, "-frames:v", "1", "-vf", "scale=6:6", "-pix_fmt", "rgb24", "-f", "rawvideo", "-")
			colour := func(x, y int) string {
				if raw[3*(y*6+x)] > 128 {
					return "red"
				}
				return "blue"
			}
			got := fmt.Sprintf("%dx%d ", v.Width, v.Height)
			if colour(0, 0) == colour(5, 0) {
				got += colour(2, 0) + " above " + colour(2, 5)
			} else {
				got += colour(0, 2) + " left of " + colour(5, 2)
			}
			// ffmpeg's rotate counts against the clock.
			if got != want || len(v.SideData) > 0 || p.Width != v.Width {
				t.Errorf("turned by %s into %s: %s, side data %v, planned %d×%d; want %s", turn, into, got, v.SideData, p.Width, p.Height, want)
			}
		}
	}
}

// TestHDR proves that HDR goes through with its metadata, or not at all.
func TestHDR(t *testing.T) {
	t.Parallel()
	const master = "master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,1):max-cll=1000,400"
	for _, transfer := range []string{"smpte2084", "arib-std-b67"} {
		in := ffmpeg(t, "-f", "lavfi", "-i", "testsrc2=s=160x120:r=10:d=2", "-pix_fmt", "yuv420p10le", "-c:v", "libx265", "-preset", "ultrafast",
			"-x265-params", "log-level=none:hdr10=1:repeat-headers=1:colorprim=bt2020:colormatrix=bt2020nc:transfer="+transfer+":"+master,
			"-color_primaries", "bt2020", "-colorspace", "bt2020nc", "-color_trc", transfer, "in.mkv")
		for _, into := range []Container{Matroska, MP4} {
			s := spec()
			s.Codec, s.Container = "", into
			p, _, out := transcode(t, in, s)
			v := describeFile(t, out).Streams[0]
			got := fmt.Sprintf("%s %s %s %s %s %s", v.Codec, v.PixFmt, v.Range, v.Matrix, v.Transfer, v.Primaries)
			if want := "hevc yuv420p10le tv bt2020nc " + transfer + " bt2020"; got != want {
				t.Errorf("%s: %s instead of %s (%+v)", into, got, want, p.Media.Video)
			}
			side := string(tool(t, nil, "ffprobe", "-v", "error", "-select_streams", "v:0", "-read_intervals", "%+#1", "-show_frames", out))
			for _, want := range []string{"red_x=34000/50000", "max_luminance=10000000/10000", "max_content=1000", "max_average=400"} {
				if !strings.Contains(side, want) {
					t.Errorf("%s, %s: no %s in %s", transfer, into, want, side)
				}
			}
		}
		s := spec()
		s.Codec = H264
		if _, _, err := tryTranscode(t, in, &s); CodeOf(err) != CodeHDR {
			t.Errorf("H.264 of %s: %v", transfer, err)
		}
	}
}
