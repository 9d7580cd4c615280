//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/internal/testmedia"
)

// cutter is a proxy that hangs up behind so many bytes of each result, one after the
// other, and lets those behind them pass.
type cutter struct {
	to   string
	cuts chan int
}

// run passes connections on until the listener is closed and they have ended.
func (c *cutter) run(listener net.Listener) {
	var all sync.WaitGroup
	defer all.Wait()
	for {
		here, err := listener.Accept()
		if err != nil {
			return
		}
		all.Go(func() { c.pass(here) })
	}
}

// pass connects a connection with the server until one of them hangs up.
func (c *cutter) pass(here net.Conn) {
	defer func() { _ = here.Close() }() // a second time
	there, err := new(net.Dialer).DialContext(context.Background(), "tcp", c.to)
	if err != nil {
		return
	}
	left := make(chan int, 1) // bytes of the result of this connection
	var back sync.WaitGroup
	back.Go(func() {
		defer func() { _, _ = here.Close(), there.Close() }()
		cut, buffer := -1, make([]byte, 1000)
		for {
			n, err := there.Read(buffer)
			select {
			case cut = <-left:
			default:
			}
			if cut >= 0 {
				n = min(n, cut)
				cut -= n
			}
			if _, failed := here.Write(buffer[:n]); failed != nil || err != nil || cut == 0 {
				return
			}
		}
	})
	buffer := make([]byte, 32<<10)
	for err == nil {
		var n int
		n, err = here.Read(buffer)
		if bytes.HasPrefix(buffer[:n], []byte("PUT /v1/transcode")) {
			select {
			case cut := <-c.cuts:
				left <- cut
			default:
			}
		}
		if _, failed := there.Write(buffer[:n]); failed != nil {
			break
		}
	}
	_ = there.Close() // a second time
	back.Wait()
}

// packets returns the times and the checksums of a file's sound, or of its subtitles.
func packets(t *testing.T, path, stream string) string {
	t.Helper()
	return string(tool(t, nil, "ffmpeg", "-v", "error", "-nostdin", "-copyts", "-i", path, "-map", "0:"+stream, "-c", "copy", "-f", "framemd5", "-"))
}

// TestTranscodeRemoteResume breaks the connection of the command in the midst of a result.
func TestTranscodeRemoteResume(t *testing.T) {
	const frames = 400
	d, folder := start(t, nil), t.TempDir()
	rate := testmedia.Ratio{Num: 24000, Den: 1001}
	words := "1\n00:00:01,000 --> 00:00:09,500\nfirst\n\n2\n00:00:09,000 --> 00:00:11,000\nsecond\n\n3\n00:00:14,000 --> 00:00:15,000\nthird\n"
	for _, c := range []struct {
		film  film
		codec string
		cuts  []float64 // of the bytes of the result
		anew  bool
	}{
		{film{name: "once.mkv", words: words, args: "-c:v libx264 -preset ultrafast -bf 2 -g 50 -c:a aac -c:s srt"}, "h264", []float64{0.5}, false},
		{film{name: "twice.ts", args: "-c:v libx264 -preset ultrafast -bf 2 -g 50 -c:a ac3"}, "hevc", []float64{0.5, 0.3}, false},
		{film{name: "index behind.mp4", args: "-c:v libx264 -preset ultrafast -bf 2 -g 50 -c:a aac"}, "h264", []float64{0.5, 0.3}, false},
		{film{name: "encoded sound.mov", args: "-c:v libx264 -preset ultrafast -g 50 -c:a alac"}, "h264", []float64{0.5}, true},
	} {
		t.Run(c.film.name, func(t *testing.T) {
			d := d.within(t)
			c.film.rate, c.film.frames = rate, frames
			c.film.draw(t, folder)
			listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
			must(t, err)
			proxy := &cutter{to: d.run.Address(), cuts: make(chan int, len(c.cuts))}
			ended := make(chan struct{})
			go func() { defer close(ended); proxy.run(listener) }()
			t.Cleanup(func() { must(t, listener.Close()); <-ended })
			results := t.TempDir()
			transcode := func(url, name string) (path, said string) {
				path = filepath.Join(results, name)
				command := exec.CommandContext(t.Context(), filepath.Join(programs, "upscaled"), "transcode", "--remote", url, "--json", "--quality", "8", "--video-codec", c.codec,
					filepath.Join(folder, c.film.name), "-o", path)
				command.Env = append(os.Environ(), "UPSCALED_TOKEN="+token)
				out, err := command.CombinedOutput()
				if err != nil {
					t.Fatalf("%v\n%s", err, out)
				}
				return path, string(out)
			}
			straight, _ := transcode(d.url(), "straight.mkv")
			info, err := os.Stat(straight)
			must(t, err)
			for _, share := range c.cuts {
				proxy.cuts <- int(share * float64(info.Size()))
			}
			before := d.ended("eos")
			joined, said := transcode("http://"+listener.Addr().String(), "joined.mkv")
			goes, anew := strings.Count(said, "goes on at"), strings.Contains(said, "trying again from the start")
			if !strings.Contains(said, fmt.Sprintf(`"frames_encoded":%d`, frames)) || goes != len(c.cuts) || anew != c.anew {
				t.Errorf("%s", said)
			}
			after := d.ended("eos")
			for id := range before {
				delete(after, id)
			}
			for id, made := range after {
				if len(after) != 1 || made > frames*3/4 != c.anew {
					t.Errorf("session %s made %d pictures of %d", id, made, frames)
				}
			}
			c.film.inOrder(t, joined, frames)
			c.film.sameAs(t, joined, straight)
			left, err := os.ReadDir(results)
			must(t, err)
			if len(left) != 2 {
				t.Errorf("%v are left", left)
			}
		})
	}
}

// sameAs checks that a file shows the same at the same times as another.
func (f film) sameAs(t *testing.T, path, other string) {
	t.Helper()
	here, there := read(t, path, [2]int{2 * width, 2 * height}), read(t, other, [2]int{2 * width, 2 * height})
	for i := range min(len(here), len(there)) {
		if (here[i].at - there[i].at).Abs() > time.Millisecond {
			t.Fatalf("picture %d at %s, not at %s", i, here[i].at, there[i].at)
		}
	}
	f.inSync(t, flashes(here), beeps(t, path, 0), 0)
	streams := []string{"a"}
	if f.words != "" {
		streams = append(streams, "s")
	}
	for _, stream := range streams {
		if a, b := packets(t, path, stream), packets(t, other, stream); a != b {
			t.Errorf("stream %s\n%s\nis not\n%s", stream, a, b)
		}
	}
}

// ended returns the sessions that ended for a cause, and how many pictures each made.
func (d *server) ended(cause string) map[string]int {
	d.t.Helper()
	made := map[string]int{}
	for _, s := range get[struct {
		Sessions []struct {
			ID, Cause string
			Progress  struct{ Encoded int }
		}
	}](d, "/v1/sessions").Sessions {
		if s.Cause == cause {
			made[s.ID] = s.Progress.Encoded
		}
	}
	return made
}
