//go:build e2e

package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/internal/testmedia"
)

// progress is what tests read of a transcode.
type progress struct {
	State, Cause string
	Failure      struct{ Code string }
	Progress     struct {
		Read    int64 `json:"read_bytes"`
		Written int64 `json:"written_bytes"`
	}
}

// transcodeURL is that of the endpoint with a query.
func (d *server) transcodeURL(query string) string { return d.url() + "/v1/transcode?" + query }

// inOrder checks that all pictures of a film are in a file, doubled and in order.
func (f film) inOrder(t *testing.T, path string, frames int) {
	t.Helper()
	f.from(t, path, 0, frames)
}

// from checks that so many pictures of a film are in a file, from a number on, doubled
// and in order.
func (f film) from(t *testing.T, path string, first, frames int) {
	t.Helper()
	pictures := read(t, path, [2]int{2 * width, 2 * height})
	for i, p := range pictures {
		if p.number != first+i {
			t.Fatalf("picture %d shows %d in place of %d", i, p.number, first+i)
		}
	}
	if len(pictures) != frames {
		t.Errorf("%d pictures of %d", len(pictures), frames)
	}
}

// TestTranscode has curl, ffmpeg and the command send films and take what is made of
// them.
func TestTranscode(t *testing.T) {
	d, folder := start(t, nil), t.TempDir()
	h264 := "-c:v libx264 -preset ultrafast -bf 2 -g 50 -c:a aac"
	rate := testmedia.Ratio{Num: 25, Den: 1}
	mkv, mp4 := film{name: "a.mkv", rate: rate, frames: 60, args: h264}, film{name: "b.mp4", rate: rate, frames: 60, args: h264}
	mkv.draw(t, folder)
	mp4.draw(t, folder)
	auth, out := "X-Api-Token: "+token, filepath.Join(folder, "out")
	t.Run("upload", func(t *testing.T) {
		head := tool(t, nil, "curl", "-sSf", "-D", "-", "-H", auth, "-T", filepath.Join(folder, mkv.name), "-o", out, d.transcodeURL("container=mkv"))
		if !strings.Contains(string(head), "Upscaled-Spooled: no") {
			t.Errorf("%s", head)
		}
		mkv.inOrder(t, out, 60)
	})
	t.Run("index at the end", func(t *testing.T) {
		head := tool(t, nil, "curl", "-sSf", "-D", "-", "-H", auth, "-T", filepath.Join(folder, mp4.name), "-o", out, d.transcodeURL("container=mp4&audio=opus"))
		if !strings.Contains(string(head), "Upscaled-Spooled: yes") {
			t.Errorf("%s", head)
		}
		mp4.inOrder(t, out, 60)
	})
	t.Run("pipe", func(t *testing.T) {
		script := `ffmpeg -v error -nostdin -i "$1" -c copy -f matroska - | curl -sSf -H "$2" -T - "$3" | ffmpeg -v error -y -i - -c copy -f mpegts "$4"`
		tool(t, nil, "sh", "-c", script, "sh", filepath.Join(folder, mp4.name), auth, d.transcodeURL("container=ts"), out)
		mp4.inOrder(t, out, 60)
	})
	t.Run("HTTP/2", func(t *testing.T) {
		version := tool(t, nil, "curl", "-sSf", "--http2-prior-knowledge", "-w", "%{http_version}", "-H", auth,
			"-T", filepath.Join(folder, mkv.name), "-o", out, d.transcodeURL("duration=1"))
		if string(version) != "2" {
			t.Errorf("HTTP/%s", version)
		}
		mkv.inOrder(t, out, 25)
	})
	t.Run("command", func(t *testing.T) {
		result := filepath.Join(folder, "by command.mkv")
		command := exec.CommandContext(t.Context(), filepath.Join(programs, "upscaled"), "transcode", "--remote", d.url(), "--json",
			filepath.Join(folder, mp4.name), "-o", result)
		command.Env = append(os.Environ(), "UPSCALED_TOKEN="+token)
		said, err := command.CombinedOutput()
		if err != nil || !bytes.Contains(said, []byte(`"event":"done"`)) || !bytes.Contains(said, []byte(`"frames_encoded":60`)) {
			t.Fatalf("%v\n%s", err, said)
		}
		mp4.inOrder(t, result, 60)
	})
}

// curl has curl ask for a transcode and take what is made, which is large, and returns
// when some of that is there.
func (d *server) curl(out, query string, more ...string) (_ *exec.Cmd, id string, now func() progress) {
	d.t.Helper()
	args := append([]string{"-sS", "-N", "-H", "X-Api-Token: " + token, "-o", out}, more...)
	curl := exec.CommandContext(d.t.Context(), "curl", append(args, d.transcodeURL("quality=1&height=720&speed=fast&filters=grain:100"+query))...) // noise makes it large
	must(d.t, curl.Start())
	now = func() progress { return get[progress](d, "/v1/sessions/"+id) }
	eventually(d.t, "something of the result is there", func() bool {
		for _, s := range get[struct{ Sessions []session }](d, "/v1/sessions").Sessions {
			if s.Kind == "transcode" && s.State != "ended" {
				id = s.ID
			}
		}
		return id != "" && now().Progress.Written > 0
	})
	return curl, id, now
}

// TestTranscodeIsHeldBackAndEnds reads slowly, hangs up, and is told of an end in a trailer.
func TestTranscodeIsHeldBackAndEnds(t *testing.T) {
	t.Parallel()
	d, folder := start(t, nil), t.TempDir()
	long := film{name: "long.mkv", rate: testmedia.Ratio{Num: 25, Den: 1}, frames: 500, args: "-c:v libx264 -preset ultrafast -c:a aac"}
	long.draw(t, folder)
	begin := func(name string, more ...string) (*exec.Cmd, string, func() progress) {
		t.Helper()
		return d.curl(filepath.Join(folder, name), "", append(more, "-T", filepath.Join(folder, long.name))...)
	}
	curl, _, now := begin("slow")
	must(t, curl.Process.Signal(syscall.SIGSTOP)) // it reads and sends nothing any more
	last, since := int64(-1), time.Now()
	eventually(t, "nothing more is made", func() bool {
		if p := now().Progress.Written; p != last {
			last, since = p, time.Now()
		}
		return time.Since(since) > 3*time.Second
	})
	if p := now(); p.State != "playing" || last > 40<<20 {
		t.Errorf("%+v", p)
	}
	if rss, err := d.run.Process.RSS(); err != nil || rss > 200<<20 {
		t.Errorf("the server has %d MiB, %v", rss>>20, err)
	}
	must(t, curl.Process.Kill())
	at := time.Now()
	eventually(t, "the session has ended", func() bool { return now().State == "ended" })
	if took := time.Since(at); took > 2*time.Second || now().Cause != "failed" {
		t.Errorf("after %s: %+v", took, now())
	}
	_ = curl.Wait() // it was killed
	head := filepath.Join(folder, "head")
	curl, id, _ := begin("deleted", "-H", "TE: trailers", "-D", head)
	d.ask("DELETE", "/v1/sessions/"+id, nil, nil)
	if err := curl.Wait(); err == nil {
		t.Error("curl takes the result for whole")
	}
	text, err := os.ReadFile(head)
	must(t, err)
	if !strings.Contains(string(text), "Upscaled-Error-Code: session_ended") {
		t.Errorf("%s", text)
	}
}
