package pipeline

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// pattern are ffmpeg's arguments for a moving picture and a tone.
func pattern(size string) []string {
	return []string{"-f", "lavfi", "-i", "testsrc2=s=" + size + ":r=25:d=1", "-f", "lavfi", "-i", "sine=d=1:r=48000"}
}

// small is a clip of a second, written as the arguments say.
func small(t testing.TB, args ...string) string {
	t.Helper()
	return ffmpeg(t, append(pattern("96x64"), args...)...)
}

// changed writes what edit makes of a file's bytes beside it.
func changed(t testing.TB, path string, edit func([]byte) []byte) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return write(t, "changed"+filepath.Ext(path), edit(data))
}

// replaced writes a file in which the one place that holds old has new.
func replaced(t testing.TB, path string, old, with string) string {
	t.Helper()
	return changed(t, path, func(data []byte) []byte {
		if bytes.Count(data, []byte(old)) != 1 {
			t.Fatalf("%s holds %q %d times", path, old, bytes.Count(data, []byte(old)))
		}
		return bytes.Replace(data, []byte(old), []byte(with), 1)
	})
}

// head writes the first part of a file.
func head(t testing.TB, path string, part float64) string {
	t.Helper()
	return changed(t, path, func(data []byte) []byte { return data[:int(float64(len(data))*part)] })
}

// refused checks that err has the code, and a sentence with a part that tells
// the user what is wrong.
func refused(t testing.TB, err error, code Code, part string) {
	t.Helper()
	var e *Error
	switch {
	case !errors.As(err, &e):
		t.Errorf("%v instead of %s", err, code)
	case e.Code != code || !strings.Contains(e.Sentence, part):
		t.Errorf("%s, %q, cause %v; instead of %s with %q", e.Code, e.Sentence, e.Cause, code, part)
	}
}

// samples returns a function that makes a clip in one of ffmpeg's pixel formats.
func samples(format string) func(t *testing.T) string {
	return func(t *testing.T) string {
		t.Helper()
		return small(t, "-pix_fmt", format, "-c:v", "ffv1", "in.mkv")
	}
}

// TestBadSource tells what becomes of files that cannot be upscaled, by the
// code and the sentence that the user gets.
func TestBadSource(t *testing.T) {
	t.Parallel()
	x264 := strings.Fields("-c:v libx264 -preset ultrafast -g 5")
	cover := ffmpeg(t, "-f", "lavfi", "-i", "testsrc2=s=64x64", "-frames:v", "1", "cover.jpg")
	for _, c := range []struct {
		name string
		file func(t *testing.T) string
		code Code
		part string // of the sentence
	}{
		{"missing", func(t *testing.T) string { return filepath.Join(t.TempDir(), "none.mkv") }, CodeNotFound, "there is no file"},
		{"folder", func(t *testing.T) string { return t.TempDir() }, CodeUnreadable, "is not a file"},
		{"no bytes", func(t *testing.T) string { return write(t, "empty.mkv", nil) }, CodeEmpty, "is empty"},
		{"one byte", func(t *testing.T) string { return write(t, "one.mkv", []byte{0}) }, CodeNotMedia, "not a media file"},
		{"text", func(t *testing.T) string { return write(t, "film.mkv", []byte("This is no film at all.\n")) }, CodeNotMedia, "not a media file"},
		{"zeros", func(t *testing.T) string { return write(t, "film.mp4", make([]byte, 1<<20)) }, CodeNotMedia, "not a media file"},
		{"archive", func(t *testing.T) string {
			return write(t, "film.mp4", append([]byte("PK\x03\x04"), bytes.Repeat([]byte{7}, 1<<16)...))
		}, CodeNotMedia, "not a media file"},
		{"head of Matroska", func(t *testing.T) string { return head(t, small(t, append(x264, "in.mkv")...), 0.01) }, CodeDamaged, ""},
		{"MP4 without its index", func(t *testing.T) string { return head(t, small(t, append(x264, "in.mp4")...), 0.5) }, CodeDamaged, "damaged"},
		{"picture", func(t *testing.T) string {
			return ffmpeg(t, "-f", "lavfi", "-i", "testsrc2=s=64x64", "-frames:v", "1", "in.png")
		}, CodeNoVideo, "a single picture"},
		{"sound alone", func(t *testing.T) string { return ffmpeg(t, "-f", "lavfi", "-i", "sine=d=1", "in.m4a") }, CodeNoVideo, "no video"},
		{"sound alone in Matroska", func(t *testing.T) string { return ffmpeg(t, "-f", "lavfi", "-i", "sine=d=1", "-c:a", "ac3", "in.mkv") }, CodeNoVideo, "no video"},
		{"MP3", func(t *testing.T) string { return ffmpeg(t, "-f", "lavfi", "-i", "sine=d=1", "in.mp3") }, CodeNoVideo, "no video"},
		{"song with a cover, M4A", func(t *testing.T) string {
			return ffmpeg(t, strings.Fields("-f lavfi -i sine=d=1 -i "+cover+" -map 0 -map 1 -c:v copy -disposition:v attached_pic in.m4a")...)
		}, CodeNoVideo, "no video"},
		{"song with a cover, MP3", func(t *testing.T) string {
			return ffmpeg(t, strings.Fields("-f lavfi -i sine=d=1 -i "+cover+" -map 0 -map 1 -c:v copy -disposition:v attached_pic in.mp3")...)
		}, CodeNoVideo, "no video"},
		{"song with a cover, Matroska", func(t *testing.T) string {
			return ffmpeg(t, strings.Fields("-f lavfi -i sine=d=1 -attach "+cover+" -metadata:s:t mimetype=image/jpeg in.mka")...)
		}, CodeNoVideo, "no video"},
		{"encrypted", func(t *testing.T) string {
			return small(t, append(x264, "-encryption_scheme", "cenc-aes-ctr", "-encryption_key", "76a6c65c5ea762046bd749a2e632ccbb",
				"-encryption_kid", "a7e61c373e219033c21091fa607bf3b8", "in.mp4")...)
		}, CodeEncrypted, "encrypted"},
		{"codec that nobody knows", func(t *testing.T) string {
			return replaced(t, small(t, append(x264, "in.mkv")...), "V_MPEG4/ISO/AVC", "V_MPEG9/ISO/XYZ")
		}, CodeUnknownCodec, "no decoder"},
		{"codec that nobody knows, MP4", func(t *testing.T) string {
			return replaced(t, small(t, append(x264, "in.mp4")...), "avc1\x00\x00\x00\x00\x00\x00\x00\x01", "xyz9\x00\x00\x00\x00\x00\x00\x00\x01")
		}, CodeUnknownCodec, "no decoder"},
		{"gray of 10 bits", samples("gray10le"), CodeUnknownCodec, "avdec_ffv1 cannot hand on"},
		{"gray of 12 bits", samples("gray12le"), CodeUnknownCodec, "avdec_ffv1 cannot hand on"},
		{"chroma halved in height alone", samples("yuv440p"), CodeUnknownCodec, "avdec_ffv1 cannot hand on"},
		{"absurd size", func(t *testing.T) string {
			return ffmpeg(t, "-f", "lavfi", "-i", "color=black:s=16000x9000:r=1:d=1", "-frames:v", "1", "-c:v", "mjpeg", "in.mkv")
		}, CodeTooLarge, "16000×9000"},
		{"no picture decodes", func(t *testing.T) string {
			return changed(t, small(t, append(x264, "in.mkv")...), func(data []byte) []byte {
				at := bytes.Index(data, []byte{0x1f, 0x43, 0xb6, 0x75}) // the first cluster
				for i := at + 64; i < len(data); i++ {
					data[i] = byte(i * 7)
				}
				return data
			})
		}, CodeDamaged, "damaged"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := spec()
			_, _, err := tryTranscode(t, c.file(t), &s)
			refused(t, err, c.code, c.part)
		})
	}
}

// TestCoverIsNotTheFilm proves that of a film with a cover the film is taken,
// and that the cover is spoken of.
func TestCoverIsNotTheFilm(t *testing.T) {
	t.Parallel()
	cover := ffmpeg(t, "-f", "lavfi", "-i", "testsrc2=s=200x300", "-frames:v", "1", "cover.jpg")
	for _, c := range []struct{ name, args, file string }{
		{"MP4", "-map 0 -map 1 -map 2 -c:v:0 libx264 -c:v:1 copy -disposition:v:1 attached_pic", "in.mp4"},
		{"MP4, cover first", "-map 2 -map 0 -map 1 -c:v:0 copy -c:v:1 libx264 -disposition:v:0 attached_pic", "in.mp4"},
		{"Matroska", "-map 0 -map 1 -map 2 -c:v:0 libx264 -c:v:1 copy -disposition:v:1 attached_pic", "in.mkv"},
		{"Matroska, cover as a track", "-map 2 -map 0 -map 1 -c:v:0 copy -c:v:1 libx264", "in.mkv"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			args := append(pattern("96x64"), "-i", cover)
			in := ffmpeg(t, append(append(args, strings.Fields(c.args)...), c.file)...)
			p, res, _ := transcode(t, in, spec())
			if p.Width != 192 || p.Height != 128 || res.Encoded != 25 {
				t.Errorf("%d pictures of %d×%d", res.Encoded, p.Width, p.Height)
			}
			if !slices.ContainsFunc(append(p.Kept, p.Lost...), func(s string) bool {
				return strings.Contains(s, "attachment") || strings.Contains(s, "cover") || strings.Contains(s, "further track of image")
			}) {
				t.Errorf("of the cover nothing is said: kept %q, lost %q", p.Kept, p.Lost)
			}
		})
	}
}

// TestSourceGoes takes the file away between the probe and the run.
func TestSourceGoes(t *testing.T) {
	t.Parallel()
	in := small(t, "-c:v", "libx264", "in.mkv")
	p := planned(t, in, spec())
	if err := os.Remove(in); err != nil {
		t.Fatal(err)
	}
	_, err := Runner{Log: quiet}.Run(t.Context(), p)
	refused(t, err, CodeNotFound, "gone")
}
