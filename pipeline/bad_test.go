package pipeline

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/internal/testmedia"
)

// film is a short ordinary file.
func film(t testing.TB, name string, more ...string) string {
	t.Helper()
	args := []string{
		"-f", "lavfi", "-i", "testsrc2=s=160x120:r=25:d=4", "-f", "lavfi", "-i", "sine=d=4:r=48000",
		"-c:v", "libx264", "-preset", "ultrafast", "-g", "10", "-c:a", "aac",
	}
	return ffmpeg(t, append(append(args, more...), name)...)
}

// cut returns a file that holds the first part of another.
func cut(t testing.TB, path string, share float64) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return write(t, "cut"+filepath.Ext(path), data[:int(float64(len(data))*share)])
}

// TestBadInput proves that each kind of bad file ends with its own code, soon,
// and with a sentence that names no internals.
func TestBadInput(t *testing.T) {
	t.Parallel()
	noise := bytes.Repeat([]byte("no media at all, only words. "), 4000)
	for name, c := range map[string]struct {
		path func(t *testing.T) string
		want Code
	}{
		"no file":    {func(t *testing.T) string { return filepath.Join(t.TempDir(), "none.mkv") }, CodeNotFound},
		"a folder":   {func(t *testing.T) string { return t.TempDir() }, CodeUnreadable},
		"a pipe":     {pipe, CodeUnreadable},
		"zero bytes": {func(t *testing.T) string { return write(t, "in.mkv", nil) }, CodeEmpty},
		"text":       {func(t *testing.T) string { return write(t, "in.mp4", noise) }, CodeNotMedia},
		"zeros":      {func(t *testing.T) string { return write(t, "in.mp4", make([]byte, 100_000)) }, CodeNotMedia},
		"a picture": {func(t *testing.T) string {
			return ffmpeg(t, "-f", "lavfi", "-i", "testsrc2=s=160x120:d=0.04", "in.png")
		}, CodeNoVideo},
		"sound only":            {func(t *testing.T) string { return ffmpeg(t, "-f", "lavfi", "-i", "sine=d=1", "in.mka") }, CodeNoVideo},
		"sound in MP4":          {func(t *testing.T) string { return ffmpeg(t, "-f", "lavfi", "-i", "sine=d=1", "-c:a", "aac", "in.m4a") }, CodeNoVideo},
		"WAV":                   {func(t *testing.T) string { return ffmpeg(t, "-f", "lavfi", "-i", "sine=d=1", "in.wav") }, CodeNoVideo},
		"MP4 with no index":     {func(t *testing.T) string { return cut(t, film(t, "in.mp4"), 0.5) }, CodeDamaged},
		"beginning of Matroska": {func(t *testing.T) string { return cut(t, film(t, "in.mkv"), 0.005) }, CodeDamaged},
		"encrypted": {func(t *testing.T) string {
			return film(t, "in.mp4", "-encryption_scheme", "cenc-aes-ctr", "-encryption_key", "76a6c65c5ea762046bd749a2e632ccbb",
				"-encryption_kid", "a7e61c373e219033c21091fa607bf3b8")
		}, CodeEncrypted},
		"unknown codec": {func(t *testing.T) string { return strange(t, "V_MPEG4/ISO/ASP", "V_QUITE_UNKNOWN") }, CodeUnknownCodec},
		"too large": {func(t *testing.T) string {
			return ffmpeg(t, "-f", "lavfi", "-i", "color=s=8200x8200:r=1:d=1", "-frames:v", "1", "-c:v", "mjpeg", "in.mkv")
		}, CodeTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			begin := time.Now()
			_, err := Probe(t.Context(), c.path(t))
			var e *Error
			if !errors.As(err, &e) || e.Code != c.want {
				t.Fatalf("%v (code %s) instead of %s", err, CodeOf(err), c.want)
			}
			if strings.Contains(e.Sentence, "Gst") || e.Sentence == "" {
				t.Errorf("sentence %q", e.Sentence)
			}
			if took := time.Since(begin); took > time.Minute {
				t.Errorf("it took %s", took)
			}
		})
	}
}

func pipe(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// strange returns a Matroska file in which one name is written as another of
// the same length.
func strange(t *testing.T, name, other string) string {
	t.Helper()
	in := ffmpeg(t, "-f", "lavfi", "-i", "testsrc2=s=160x120:r=10:d=1", "-c:v", "mpeg4", "in.mkv")
	data, err := os.ReadFile(in)
	if err != nil {
		t.Fatal(err)
	}
	return write(t, "strange.mkv", bytes.Replace(data, []byte(name), []byte(other), 1))
}

// TestUnreadable opens a file that nobody may read. Root may read everything, so
// there the thread looks at files as another user.
func TestUnreadable(t *testing.T) {
	path := write(t, "in.mkv", []byte("x"))
	if err := os.Chmod(path, 0); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 {
		dir := filepath.Dir(path)
		for _, d := range []string{dir, filepath.Dir(dir)} { // found, so that reading is what fails
			if err := os.Chmod(d, 0o711); err != nil { //nolint:gosec // the other user has to get to the file
				t.Fatal(err)
			}
		}
		const nobody = 65534
		runtime.LockOSThread()
		if err := syscall.Setfsuid(nobody); err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := syscall.Setfsuid(0); err != nil {
				t.Error(err) // and the thread ends with the test, as it stays locked
				return
			}
			runtime.UnlockOSThread()
		}()
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatal(err)
	}
	if _, err := Probe(t.Context(), path); CodeOf(err) != CodeUnreadable {
		t.Error(err)
	}
}

// TestBrokenMidway proves what becomes of files that go wrong after their
// beginning: what can be decoded is upscaled or the run fails with its code.
func TestBrokenMidway(t *testing.T) {
	t.Parallel()
	two := func(t *testing.T, codec ...string) string {
		t.Helper()
		var both []byte
		for _, size := range []string{"160x120", "320x240"} {
			part, err := os.ReadFile(ffmpeg(t, append(append([]string{"-f", "lavfi", "-i", "testsrc2=r=25:d=1:s=" + size}, codec...), "part.ts")...))
			if err != nil {
				t.Fatal(err)
			}
			both = append(both, part...)
		}
		return write(t, "in.ts", both)
	}
	garbled := func(t *testing.T, name string) string {
		t.Helper()
		path := film(t, name)
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for i := len(data) / 2; i < len(data)/2+3000; i++ {
			data[i] = byte(i * 7)
		}
		return write(t, name, data)
	}
	for name, c := range map[string]struct {
		path func(t *testing.T) string
		want Code // "" for a file that is upscaled
		most int64
	}{
		"Matroska cut short":         {func(t *testing.T) string { return cut(t, film(t, "in.mkv"), 0.6) }, CodeDamaged, 99},
		"MP4 cut short":              {func(t *testing.T) string { return cut(t, film(t, "in.mp4", "-movflags", "+faststart"), 0.6) }, CodeDamaged, 99},
		"transport stream cut short": {func(t *testing.T) string { return cut(t, film(t, "in.ts"), 0.6) }, "", 99},
		"garbled Matroska":           {func(t *testing.T) string { return garbled(t, "in.mkv") }, CodeDamaged, 100},
		"garbled transport stream":   {func(t *testing.T) string { return garbled(t, "in.ts") }, "", 101},
		"another size midway":        {func(t *testing.T) string { return two(t, "-c:v", "libx264", "-preset", "ultrafast") }, CodeSizeChanged, 50},
		"another size of MPEG-2":     {func(t *testing.T) string { return two(t, "-c:v", "mpeg2video") }, CodeSizeChanged, 50},
		"times that jump back": {func(t *testing.T) string {
			return film(t, "in.mkv", "-bsf:v", "setts=pts=if(gt(N\\,25)\\,PTS-500\\,PTS):dts=if(gt(N\\,25)\\,PTS-500\\,PTS)")
		}, "", 100},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := spec()
			_, res, err := tryTranscode(t, c.path(t), &s)
			if got := CodeOf(err); err != nil && got != c.want || err == nil && c.want != "" {
				t.Fatalf("%v (code %s) after %+v instead of %q", err, got, res.Progress, c.want)
			}
			if res.Encoded > c.most || c.want == "" && res.Encoded < 5 {
				t.Errorf("%d pictures of at most %d", res.Encoded, c.most)
			}
		})
	}
}

// TestFailures proves what becomes of runs in which something else than the
// file goes wrong.
func TestFailures(t *testing.T) {
	t.Parallel()
	in := film(t, "in.mkv")
	t.Run("model is no model", func(t *testing.T) {
		t.Parallel()
		s := spec()
		s.Model = "not-onnx"
		if _, _, err := tryTranscode(t, in, &s); CodeOf(err) != CodeModel {
			t.Errorf("%v (code %s)", err, CodeOf(err))
		}
	})
	t.Run("disk full", func(t *testing.T) {
		t.Parallel()
		if os.Geteuid() != 0 {
			t.Skip("only root may mount a small disk")
		}
		dir := t.TempDir()
		if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=16k"); err != nil {
			t.Skip("no small disk can be mounted: ", err)
		}
		// Detached: programs that other tests start meanwhile inherit filesink's file.
		t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
		s := spec()
		s.Output = filepath.Join(dir, "out.mkv")
		if _, _, err := tryTranscode(t, in, &s); CodeOf(err) != CodeDiskFull {
			t.Errorf("%v (code %s)", err, CodeOf(err))
		}
	})
	t.Run("cancelled", func(t *testing.T) {
		t.Parallel()
		long := counted(t, testmedia.Spec{Width: 320, Height: 240, Frames: 200}, "-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac", "in.mkv")
		m, err := Probe(t.Context(), long)
		if err != nil {
			t.Fatal(err)
		}
		s := spec()
		s.Output, s.Speed = filepath.Join(t.TempDir(), "out.mkv"), Best
		p, err := NewPlan(m, s, Has)
		if err != nil {
			t.Fatal(err)
		}
		why := errors.New("the user has left")
		ctx, cancel := context.WithCancelCause(t.Context())
		var left time.Time
		_, err = Runner{Log: slog.New(slog.DiscardHandler), Observe: func(p Progress) {
			if p.Encoded > 0 && left.IsZero() {
				left = time.Now()
				cancel(why)
			}
		}}.Run(ctx, p)
		if took := time.Since(left); !errors.Is(err, why) || left.IsZero() || took > prompt {
			t.Errorf("%v, %s after it", err, took)
		}
	})
}
