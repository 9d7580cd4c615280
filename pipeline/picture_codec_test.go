package pipeline

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/internal/testmedia"
)

// TestEveryEncoderKeepsEveryPicture proves for every codec, speed and container
// that all pictures are there, in order and at their times, with a key frame
// every five seconds at least.
func TestEveryEncoderKeepsEveryPicture(t *testing.T) {
	t.Parallel()
	const pictures = 30
	in := counted(t, testmedia.Spec{Width: 160, Height: 120, Frames: pictures, Rate: testmedia.Ratio{Num: 5, Den: 1}},
		"-c:v", "libx264", "-preset", "ultrafast", "-qp", "10", "-an", "in.mp4")
	for _, codec := range Codecs() {
		for _, speed := range []Speed{Fast, Balanced, Best} {
			for _, into := range []Container{Matroska, MP4} {
				if into == MP4 && speed != Fast {
					continue // the muxer does not see the speed
				}
				t.Run(fmt.Sprint(codec, " ", speed, " ", into), func(t *testing.T) {
					t.Parallel()
					s := spec()
					s.Codec, s.Speed, s.Container = codec, speed, into
					_, res, out := transcode(t, in, s)
					numbers, at, _ := readPictures(t, out, 2)
					if len(numbers) != pictures || res.Encoded != pictures {
						t.Fatalf("%d pictures, %d counted", len(numbers), res.Encoded)
					}
					for i, n := range numbers {
						if want := time.Duration(i) * time.Second / 5; n != i || (at[i]-want).Abs() > 2*time.Millisecond {
							t.Errorf("picture %d is number %d at %s instead of %s", i, n, at[i], want)
						}
					}
					keys := strings.Split(string(tool(t, nil, "ffprobe", "-v", "error", "-select_streams", "v:0", "-show_entries", "packet=flags", "-of", "csv=p=0", out)), "\n")
					last := 0
					for i, flags := range keys {
						if strings.HasPrefix(flags, "K") {
							last = i
						} else if flags != "" && i-last > 25 {
							t.Fatalf("picture %d is %d from the last key frame", i, i-last)
						}
					}
				})
			}
		}
	}
}

// TestQualityIsConstant proves that a larger number is a much smaller file, for
// each codec, and that no bound on the rate lies below: the drawn noise takes
// several megabits a second, and encoders' own bounds are at 0.2 to 2.
func TestQualityIsConstant(t *testing.T) {
	t.Parallel()
	in := ffmpeg(t, "-f", "lavfi", "-i", "testsrc2=s=192x108:r=25:d=0.48,noise=alls=60:allf=t", "-pix_fmt", "yuv420p", "-c:v", "libx264", "-qp", "4", "-preset", "ultrafast", "in.mkv")
	for _, codec := range Codecs() {
		t.Run(string(codec), func(t *testing.T) {
			t.Parallel()
			var rates []float64 // Mbit/s
			for _, quality := range []int{codecTable[codec].worst / 6, -1, codecTable[codec].worst - 8} {
				s := spec()
				s.Codec, s.Quality = codec, quality
				_, _, out := transcode(t, in, s)
				info, err := os.Stat(out)
				if err != nil {
					t.Fatal(err)
				}
				rates = append(rates, float64(info.Size())*8/1e6/0.48)
			}
			if rates[0] < 1.4*rates[1] || rates[1] < 2*rates[2] || rates[0] < 8 || rates[1] < 4 {
				t.Errorf("%.1f Mbit/s of good, usual and bad quality", rates)
			}
		})
	}
}

// TestFewPictures proves that nothing is lost where there is less than an encoder
// looks ahead.
func TestFewPictures(t *testing.T) {
	t.Parallel()
	for _, n := range []string{"1", "2", "3", "5", "9"} {
		in := ffmpeg(t, "-f", "lavfi", "-i", "testsrc2=s=64x64:r=10", "-frames:v", n, "-c:v", "libx264", "-preset", "ultrafast", "in.mp4")
		for _, codec := range Codecs() {
			t.Run(n+" "+string(codec), func(t *testing.T) {
				t.Parallel()
				s := spec()
				s.Codec = codec
				_, _, out := transcode(t, in, s)
				if got := strconv.Itoa(len(times(t, out, "v:0"))); got != n {
					t.Errorf("%s pictures instead of %s", got, n)
				}
			})
		}
	}
}

// TestDepthIsKept proves that a ramp of 10 bits comes out with its levels.
func TestDepthIsKept(t *testing.T) {
	t.Parallel()
	const w, h = 160, 64
	var raw bytes.Buffer
	for y := range h {
		for x := range w {
			v := 64 + (y/8*w+x)%876
			raw.Write([]byte{byte(v), byte(v >> 8)})
		}
	}
	raw.Write(bytes.Repeat([]byte{0, 2}, w*h/2))
	yuv := write(t, "in.yuv", bytes.Repeat(raw.Bytes(), 3))
	for _, c := range []struct {
		source, args string
		codec        VideoCodec
		into         Container
		profile      string
		changed      string
	}{
		{"yuv420p10le", "-c:v libx264", H264, Matroska, "High 10", ""},
		{"yuv420p10le", "-c:v libx264", HEVC, MP4, "Main 10", ""},
		{"yuv420p10le", "-c:v libx264", VP9, Matroska, "Profile 2", ""},
		{"yuv420p10le", "-c:v libx265 -x265-params log-level=none:crf=4", H264, MP4, "High 10", ""},
		{"yuv422p10le", "-c:v prores_ks", HEVC, Matroska, "Main 10", "4:2:2 chroma becomes 4:2:0"},
		{"yuv420p12le", "-c:v ffv1", HEVC, Matroska, "Main 10", "12 bits a sample become 10"},
		{"yuv444p12le", "-c:v libx265 -x265-params log-level=none:crf=4", HEVC, Matroska, "Main 10", "4:4:4 chroma becomes 4:2:0\n12 bits a sample become 10"},
	} {
		t.Run(fmt.Sprint(c.source, " ", c.codec, " ", c.into), func(t *testing.T) {
			t.Parallel()
			in := ffmpeg(t, append(append([]string{"-f", "rawvideo", "-pix_fmt", "yuv420p10le", "-s", "160x64", "-r", "10", "-i", yuv, "-pix_fmt", c.source},
				strings.Fields(c.args)...), "-qp", "4", map[bool]string{true: "in.mov", false: "in.mkv"}[strings.Contains(c.args, "prores")])...)
			s := spec()
			s.Codec, s.Container, s.Quality = c.codec, c.into, 4
			p, _, out := transcode(t, in, s)
			if v := describeFile(t, out).Streams[0]; v.Profile != c.profile || v.PixFmt != "yuv420p10le" {
				t.Errorf("%s, %s", v.Profile, v.PixFmt)
			}
			if got := strings.Join(p.Changed, "\n"); got != c.changed {
				t.Errorf("changed %q instead of %q", got, c.changed)
			}
			luma := tool(t, nil, "ffmpeg", "-v", "error", "-nostdin", "-i", out, "-frames:v", "1", "-pix_fmt", "yuv420p10le", "-f", "rawvideo", "-")[:2*2*2*w*h]
			levels := map[int]bool{}
			for i := 0; i < len(luma); i += 2 {
				levels[int(luma[i])|int(luma[i+1])<<8] = true
			}
			if len(levels) < 500 {
				t.Errorf("%d levels are left", len(levels))
			}
		})
	}
}

// TestDeepAV1IsRefused has the sentence say what to do.
func TestDeepAV1IsRefused(t *testing.T) {
	t.Parallel()
	m := Media{Video: Video{Format: "I420_10LE", Bits: 10, Width: 64, Height: 64}}
	s := spec()
	s.Codec = AV1
	_, err := NewPlan(m, s, func(f string) bool { return f != "svtav1enc" })
	if CodeOf(err) != CodeSpec || !strings.Contains(err.Error(), "takes 8 bits, the source has 10: choose hevc") {
		t.Errorf("error %v", err)
	}
}

// TestHDRIsCarriedOrRefused reads the metadata that is left in the pictures, and
// the sentence where none can be.
func TestHDRIsCarriedOrRefused(t *testing.T) {
	t.Parallel()
	const master = ":master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50):max-cll=1000,400"
	clip := func(transfer, depth, file string) string {
		return ffmpeg(t, "-f", "lavfi", "-i", "testsrc2=s=96x64:r=10:d=1", "-pix_fmt", depth, "-c:v", "libx265", "-preset", "ultrafast", "-x265-params",
			"log-level=none:hdr10=1:repeat-headers=1:colorprim=bt2020:colormatrix=bt2020nc:chromaloc=2:transfer="+transfer+master, file)
	}
	sideData := func(path string) []string {
		var lines []string
		for line := range strings.Lines(string(tool(t, nil, "ffprobe", "-v", "error", "-read_intervals", "%+#1", "-show_entries", "frame_side_data", "-of", "compact", path))) {
			if i := strings.Index(line, "side_data_type="); i >= 0 && !strings.Contains(line, "Unregistered") {
				lines = append(lines, strings.TrimSpace(line[i:]))
			}
		}
		slices.Sort(lines)
		return lines
	}
	for transfer, short := range map[string]string{"smpte2084": "PQ", "arib-std-b67": "HLG"} {
		in := clip(transfer, "yuv420p10le", "in.mkv")
		want := sideData(in)
		if len(want) != 2 {
			t.Fatalf("the source has %q", want)
		}
		for _, into := range []Container{Matroska, MP4} {
			t.Run(short+" "+string(into), func(t *testing.T) {
				t.Parallel()
				s := spec()
				s.Codec, s.Container = "", into
				p, _, out := transcode(t, in, s)
				v := describeFile(t, out).Streams[0]
				if got := fmt.Sprint(v.Profile, " ", v.Range, " ", v.Matrix, " ", v.Transfer, " ", v.Primaries, " ", v.Site); got != "Main 10 tv bt2020nc "+transfer+" bt2020 topleft" {
					t.Error(got)
				}
				if got := sideData(out); !slices.Equal(got, want) {
					t.Errorf("%q instead of %q", got, want)
				}
				if !slices.ContainsFunc(p.Kept, func(k string) bool { return strings.HasPrefix(k, "HDR ("+short+")") }) {
					t.Errorf("kept %q", p.Kept)
				}
			})
		}
		for _, codec := range []VideoCodec{H264, AV1, VP9} {
			s := spec()
			s.Codec = codec
			_, _, err := tryTranscode(t, in, &s)
			if CodeOf(err) != CodeHDR || !strings.Contains(err.Error(), "HDR ("+short+"): it is kept in HEVC only") {
				t.Errorf("%s: %v", codec, err)
			}
		}
	}
	s := spec()
	s.Codec = HEVC
	if _, _, err := tryTranscode(t, clip("smpte2084", "yuv420p", "8.mkv"), &s); CodeOf(err) != CodeHDR {
		t.Errorf("PQ of 8 bits: %v", err)
	}
}
