package session

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/Eyevinn/mp4ff/mp4"

	"github.com/upscaled-media/upscaled/elements/frame" //nolint:depguard // pure, and in this test alone: it looks at pictures
	"github.com/upscaled-media/upscaled/internal/testmedia"
	"github.com/upscaled-media/upscaled/server/cache"
	"github.com/upscaled-media/upscaled/server/source"
	"github.com/upscaled-media/upscaled/worker/pool"
	"github.com/upscaled-media/upscaled/worker/wire"
	"github.com/upscaled-media/upscaled/worker/workertest"
)

// patience bounds each wait for a process, on a machine that may be busy.
const patience = 20 * time.Second

func TestMain(m *testing.M) {
	if status, ok := workertest.Main(); ok {
		os.Exit(status)
	}
	os.Exit(m.Run())
}

// house is a Manager over real sources and processes.
type house struct {
	*Manager
	t     *testing.T
	films string // folder of the root "films"
	pool  *pool.Pool
}

// open returns a Manager over worker processes that run until the test ends, and
// checks that nothing is left of it then.
func open(t *testing.T, hosts ...string) *house {
	t.Helper()
	before := held(t)
	t.Cleanup(func() {
		for deadline := time.Now().Add(patience); held(t) != before && held(t).above(before); {
			if time.Now().After(deadline) {
				t.Errorf("the test found %+v and leaves %+v", before, held(t))
				return
			}
			<-time.After(5 * time.Millisecond)
		}
	})
	films := t.TempDir()
	log := slog.New(slog.DiscardHandler)
	sources, err := source.New(source.Options{
		Roots: map[string]string{"films": films}, Hosts: hosts, Limits: source.DefaultLimits(), Log: log,
	})
	must(t, err)
	workers, err := pool.New(pool.Options{
		Command: []string{os.Args[0]}, Spare: 1, Rest: time.Millisecond, Log: log,
		Env: []string{workertest.Env(""), "GORACE=atexit_sleep_ms=0"},
	})
	must(t, err)
	store, err := cache.New(cache.Options{Folder: filepath.Join(t.TempDir(), "cache"), Disk: 64 << 20, Memory: 256 << 10})
	must(t, err)
	m, err := New(Options{
		Starter: Films{Sources: sources, Workers: workers}, Cache: store,
		Scale:    func(model string) (int, error) { return int(model[len(model)-1] - '0'), nil },
		Capacity: Capacity{Sessions: 50, CoreMS: 1e6},
		Segment:  time.Second, ReadAhead: 24 * time.Second, Idle: time.Minute, Wait: patience, Log: log,
	})
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	under, sink := context.WithCancel(context.Background())
	var sessions, base sync.WaitGroup
	sessions.Go(func() { must(t, m.Run(ctx)) })
	base.Go(func() { must(t, workers.Run(under)) })
	base.Go(func() { must(t, store.Run(under)) })
	t.Cleanup(func() {
		cancel()
		sessions.Wait()
		if stats := store.Stats(); stats.Segments != 0 {
			t.Errorf("left in the cache: %+v", stats)
		}
		sink()
		base.Wait()
		must(t, store.Close())
	})
	return &house{Manager: m, t: t, films: films, pool: workers}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}

// holdings are what a process holds of the system.
type holdings struct{ descriptors, goroutines, children int }

func (h holdings) above(o holdings) bool {
	return h.descriptors > o.descriptors || h.goroutines > o.goroutines || h.children > o.children
}

func held(t *testing.T) holdings {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	must(t, err)
	tasks := os.DirFS("/proc/self/task")
	lists, err := fs.Glob(tasks, "*/children")
	must(t, err)
	h := holdings{descriptors: len(entries), goroutines: runtime.NumGoroutine()}
	for _, list := range lists {
		pids, _ := fs.ReadFile(tasks, list) // the thread may have ended
		h.children += len(strings.Fields(string(pids)))
	}
	return h
}

// add makes a film and returns its name.
func (h *house) add(film workertest.Film) string {
	h.t.Helper()
	f, err := os.CreateTemp(h.films, "*.film")
	must(h.t, err)
	_, err = f.Write(film.Bytes())
	must(h.t, errors.Join(err, f.Close()))
	return "films/" + filepath.Base(f.Name())
}

// play begins a session with a film.
func (h *house) play(name string) *Session {
	h.t.Helper()
	r := request()
	r.Source, r.Settings.Model = name, "swift-s-x2"
	session, err := h.Create(h.t.Context(), r)
	if err != nil {
		h.t.Fatal(err)
	}
	return session
}

// get returns a segment of generation 0 with its init segment in front.
func (h *house) get(session *Session, stream wire.Stream, k int) []byte {
	h.t.Helper()
	media, err := session.Segment(h.t.Context(), stream, 0, k)
	if err != nil {
		h.t.Fatalf("segment %d: %v", k, err)
	}
	if len(media) == 1 {
		init, err := session.InitSegment(h.t.Context(), stream, 0)
		must(h.t, err)
		media = append(init, media...)
	}
	return bytes.Join(media, nil)
}

// samples returns the samples of a segment with its init segment.
func samples(t *testing.T, data []byte) []mp4.FullSample {
	t.Helper()
	file, err := mp4.DecodeFile(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	var all []mp4.FullSample
	for _, s := range file.Segments {
		for _, f := range s.Fragments {
			part, err := f.GetFullSamples(file.Init.Moov.Mvex.Trex)
			must(t, err)
			all = append(all, part...)
		}
	}
	return all
}

// sounds checks that a segment of sound holds its frames, all and in order.
func (h *house) sounds(session *Session, k int) {
	h.t.Helper()
	next := (int64(k)*48000 + 1023) / 1024
	for _, s := range samples(h.t, h.get(session, audioStream, k)) {
		if n, ok := workertest.FrameNumber(s.Data); !ok || int64(n) != next || int64(s.DecodeTime) != next*1024 {
			h.t.Fatalf("segment %d has frame %d at %d, want %d", k, n, s.DecodeTime, next)
		}
		next++
	}
	if next*1024 < int64(k+1)*48000 {
		h.t.Fatalf("segment %d ends before frame %d", k, next)
	}
}

// pictures checks that a segment holds its pictures, all and in order, as a
// decoder shows them, and that they were made with a strength.
func (h *house) pictures(data []byte, k, perSegment int, size [2]int, strength float64) {
	h.t.Helper()
	tool, err := exec.LookPath("ffmpeg")
	if err != nil {
		h.t.Fatalf("%v (deploy/install-deps.sh test installs it)", err)
	}
	cmd := exec.CommandContext(h.t.Context(), tool, "-v", "error", "-i", "pipe:0", "-fps_mode", "passthrough",
		"-pix_fmt", "yuv420p", "-f", "rawvideo", "pipe:1")
	cmd.Stdin = bytes.NewReader(data)
	raw, err := cmd.Output()
	must(h.t, err)
	if want := perSegment * size[0] * size[1] * 3 / 2; len(raw) != want {
		h.t.Fatalf("segment %d: %d bytes of pictures, want %d", k, len(raw), want)
	}
	for n := range perSegment {
		f := frame.New(frame.Layout{Format: frame.I420, Width: size[0], Height: size[1]}, 1)
		for p := range f.Planes {
			raw = raw[copy(f.Planes[p].Data, raw):]
		}
		number, err := testmedia.ReadNumber(f, 1)
		luma := f.Planes[0].Data
		if ground := luma[len(luma)-1]; err != nil || number != k*perSegment+n || ground != workertest.Ground(strength) {
			h.t.Fatalf("segment %d, picture %d shows %d on %d: %v", k, n, number, ground, err)
		}
	}
}

func TestProcessPlaysAndSeeks(t *testing.T) {
	h := open(t)
	session := h.play(h.add(workertest.Film{
		Duration: workertest.Length(2 * time.Minute), Rate: [2]int{24000, 1001}, Audio: []workertest.Sound{{}}, Text: []workertest.Titles{{}},
	}))
	size := session.Snapshot().Film.Video.Size
	random := rand.New(rand.NewPCG(1, 2))
	for _, k := range []int{0, 1, 2, 60, 61, 10, 119, 0, random.IntN(120), random.IntN(120)} {
		data := h.get(session, videoStream, k)
		all := samples(t, data)
		begin := uint64(k) * 24 * 1001 // in ticks of a 24000th
		if len(all) == 0 || all[0].DecodeTime != begin || !all[0].IsSync() {
			t.Fatalf("segment %d: %d samples from %d on, want %d", k, len(all), all[0].DecodeTime, begin)
		}
		if k < 119 {
			h.pictures(data, k, 24, size, 1)
		}
	}
	must(t, session.Set(t.Context(), Change{Strength: ptr(0.25), From: ptr(time.Duration(0))}))
	h.pictures(h.get(session, videoStream, 0), 0, 24, size, 0.25)
	must(t, session.Set(t.Context(), Change{Model: ptr("swift-s-x3"), From: ptr(5 * time.Second)}))
	data := h.get(session, videoStream, 5)
	h.pictures(data, 5, 24, [2]int{size[0] / 2 * 3, size[1] / 2 * 3}, 0.25)
	for range 10 {
		media, err := session.Segment(t.Context(), textStream, 0, random.IntN(120))
		if text := text0(t, media, err); !strings.HasPrefix(text, "WEBVTT") {
			t.Errorf("%.40q", text)
		}
	}
	must(t, h.Delete(t.Context(), session.ID()))
}

func TestProcessSoundIsExactWhereverItBegins(t *testing.T) {
	h := open(t)
	session := h.play(h.add(workertest.Film{Duration: workertest.Length(time.Minute), Rate: [2]int{25, 1}, Audio: []workertest.Sound{{}}}))
	random := rand.New(rand.NewPCG(3, 4))
	for range 40 {
		h.sounds(session, random.IntN(59))
	}
}

// Films whose sound begins late or ends early, or whose rate varies, have each
// segment that their playlists list.
func TestProcessDeliversWhatPlaylistsList(t *testing.T) {
	for name, film := range map[string]workertest.Film{
		"sound late and short": {Audio: []workertest.Sound{{Passed: true, First: workertest.Length(2500 * time.Millisecond), Duration: workertest.Length(4 * time.Second)}}},
		"sound longer":         {Audio: []workertest.Sound{{Passed: true, Duration: workertest.Length(12700 * time.Millisecond)}}},
		"varying rate":         {Rate: [2]int{0, 1}, Audio: []workertest.Sound{{}}},
		"59.94":                {Rate: [2]int{60000, 1001}, Duration: workertest.Length(7777 * time.Millisecond), Audio: []workertest.Sound{{Rate: 44100}}},
		"one picture":          {Duration: workertest.Length(40 * time.Millisecond), Audio: []workertest.Sound{{}}},
	} {
		t.Run(name, func(t *testing.T) {
			h := open(t)
			session := h.play(h.add(film))
			events := h.Subscribe(func(e Event) bool { return e.Warning != nil })
			defer events.Close()
			for _, stream := range []wire.Stream{videoStream, audioStream} {
				list, err := session.Playlist(stream, "")
				listed, last := 0, int64(-1)
				for line := range strings.Lines(text0(t, list, err)) {
					var generation, k int
					if n, _ := fmt.Sscanf(line, "%d/%d.m4s", &generation, &k); n != 2 {
						continue
					}
					listed++
					all := samples(t, h.get(session, stream, k))
					if begin := int64(all[0].DecodeTime); last >= 0 && begin != last {
						t.Errorf("%s segment %d begins at %d, the one before ended at %d", stream.Kind, k, begin, last)
					}
					end := all[len(all)-1]
					last = int64(end.DecodeTime) + int64(end.Dur)
				}
				if listed == 0 {
					t.Errorf("no %s", stream.Kind)
				}
			}
			short, cancel := context.WithTimeout(t.Context(), time.Millisecond)
			defer cancel()
			if e, err := events.Next(short); err == nil {
				t.Errorf("warning %s: %s", e.Warning.Code, e.Warning.Sentence)
			}
			if state := session.State(); state != StatePlaying {
				t.Errorf("state %s", state)
			}
		})
	}
}

func TestProcessThatFailsEndsItsSessionAlone(t *testing.T) {
	h := open(t)
	lives := h.play(h.add(workertest.Film{Duration: workertest.Length(time.Hour), Audio: []workertest.Sound{{}}}))
	for kind, code := range map[workertest.Kind]string{
		workertest.Abort: CodeWorkerFailed, workertest.Kill: CodeWorkerFailed, workertest.Exit: CodeWorkerLost,
		workertest.Hang: CodeWorkerHung, workertest.Mute: CodeWorkerHung, workertest.Noise: CodeWorkerFailed,
		workertest.Huge: CodeWorkerFailed, workertest.Surplus: CodeWorkerFailed, workertest.Fail: "damaged",
	} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			session := h.play(h.add(workertest.Film{Duration: workertest.Length(time.Minute), Speed: 20, Trouble: workertest.Trouble{
				Kind: kind, After: 50, Code: "damaged", Sentence: "The film is damaged.",
			}}))
			began := time.Now()
			var err error
			for k := 0; err == nil && k < 10; k++ {
				_, err = session.Segment(t.Context(), videoStream, 0, k)
			}
			if err != nil { // all of it may be there before the trouble is seen
				wantEnded(t, err, CauseFailed, code)
			}
			select {
			case <-session.Ended():
			case <-time.After(patience):
				t.Fatal("the session has not ended")
			}
			_, err = session.Segment(t.Context(), videoStream, 0, 0)
			wantEnded(t, err, CauseFailed, code)
			t.Logf("ended after %s", time.Since(began).Round(time.Millisecond))
			if shot := session.Snapshot(); shot.Failure == nil || shot.Failure.Code != code || shot.Failure.Sentence == "" {
				t.Errorf("%+v", shot.Failure)
			}
		})
	}
	t.Cleanup(func() { // after the parallel ones
		if lives.State() != StatePlaying {
			t.Errorf("the other session is %s", lives.State())
		}
	})
}

func TestProcessRefusesAFilm(t *testing.T) {
	h := open(t)
	must(t, os.WriteFile(filepath.Join(h.films, "text.mkv"), []byte("no film"), 0o600))
	for name, check := range map[string]func(error) bool{
		"films/text.mkv": func(err error) bool {
			var e *wire.Error
			return errors.As(err, &e) && e.Code == "not_media"
		},
		"films/none.mkv":   func(err error) bool { return source.CodeOf(err) == source.CodeNotFound },
		"films/../secrets": func(err error) bool { return source.CodeOf(err) == source.CodeRefused },
	} {
		r := request()
		r.Source = name
		if _, err := h.Create(t.Context(), r); err == nil || !check(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestProcessReadsAFilmOverHTTP(t *testing.T) {
	film := workertest.Film{Duration: workertest.Length(time.Minute), Audio: []workertest.Sound{{}}}.Bytes()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "a.film", time.Unix(0, 0), bytes.NewReader(film))
	}))
	t.Cleanup(server.Close)
	h := open(t, server.Listener.Addr().String())
	session := h.play(server.URL + "/a.film")
	for _, k := range []int{0, 30, 5} {
		h.sounds(session, k)
	}
	server.CloseClientConnections()
	must(t, h.Delete(t.Context(), session.ID()))
}

func TestProcessesOfHundredSessionsAreGone(t *testing.T) {
	h := open(t)
	name := h.add(workertest.Film{Duration: workertest.Length(time.Minute), Audio: []workertest.Sound{{}}})
	var clients sync.WaitGroup
	var mu sync.Mutex
	var took []time.Duration
	for range 4 {
		clients.Go(func() {
			for range 25 {
				session := h.play(name)
				h.sounds(session, 3)
				began := time.Now()
				must(t, h.Delete(t.Context(), session.ID()))
				mu.Lock()
				took = append(took, time.Since(began))
				mu.Unlock()
			}
		})
	}
	clients.Wait()
	slices.Sort(took)
	t.Logf("deleted in %s, at most %s", took[len(took)/2].Round(time.Millisecond), took[len(took)-1].Round(time.Millisecond))
	if counts := h.pool.Counts(); counts.Running != 0 || len(counts.Lost) != 0 {
		t.Errorf("%+v", counts)
	}
}

// A server that drains ends all its workers.
func TestProcessesAreDrained(t *testing.T) {
	var pids []int
	t.Cleanup(func() { // after all that open registers
		for _, pid := range pids {
			if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
				t.Errorf("worker %d is still there: %v", pid, err)
			}
		}
	})
	h := open(t)
	name := h.add(workertest.Film{Duration: workertest.Length(time.Minute), Speed: 2})
	for range 5 {
		worker, ok := h.play(name).worker.(*filmWorker)
		if !ok {
			t.Fatal("another worker")
		}
		pids = append(pids, worker.PID())
	}
}
