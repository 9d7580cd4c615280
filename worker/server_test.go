package worker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/filters"
	"github.com/upscaled-media/upscaled/internal/leak"
	"github.com/upscaled-media/upscaled/worker/wire"
)

// patience bounds each wait of a test, on a machine that may be busy.
const patience = 30 * time.Second

// The streams of the film of the tests.
var (
	picture = wire.Stream{Kind: wire.StreamVideo}
	sound   = wire.Stream{Kind: wire.StreamAudio}
	text    = wire.Stream{Kind: wire.StreamText}
)

// unlimited is a segment that no film of the tests has.
const unlimited = 1 << 20

// server is the server's end of a worker that works in this process.
type server struct {
	t    *testing.T
	ends wire.Ends
	conn *wire.Conn
	end  chan error // takes what Serve returned
	last uint32     // id of a request

	mu   sync.Mutex
	news chan struct{}  // guarded by mu; closed and replaced when something has come
	got  []wire.Message // guarded by mu; all that came
	over error          // guarded by mu; what ended the reading
}

// begin begins a worker, and has exchanged Hello. At its end the test must have
// left nothing.
func begin(t *testing.T) *server {
	t.Helper()
	s := connect(t)
	s.write(wire.Hello{Version: wire.Version})
	var hello wire.Hello
	s.wait("hello", func() bool {
		if len(s.got) > 0 {
			hello, _ = s.got[0].(wire.Hello)
		}
		return len(s.got) > 0
	})
	if hello.Version != wire.Version || hello.GStreamer == "" || hello.ONNXRuntime == "" {
		t.Fatalf("the worker greets with %+v", hello)
	}
	return s
}

// connect begins a worker that is not greeted.
func connect(t *testing.T) *server {
	t.Helper()
	leak.Goroutines(t)
	t.Cleanup(func() { checkDescriptors(t) })
	near, far, err := wire.Pair()
	if err != nil {
		t.Fatal(err)
	}
	s := &server{t: t, ends: near, conn: wire.NewConn(near.Frames), end: make(chan error, 1), news: make(chan struct{})}
	var both sync.WaitGroup
	both.Go(func() { s.end <- Serve(context.Background(), far, config()) })
	both.Go(s.read)
	t.Cleanup(func() {
		_ = near.Close() // which ends a worker that still works
		both.Wait()
	})
	return s
}

func (s *server) read() {
	for {
		m, err := s.conn.Read()
		s.mu.Lock()
		if err != nil {
			s.over = err
		} else {
			s.got = append(s.got, m)
		}
		close(s.news)
		s.news = make(chan struct{})
		s.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// wait waits until holds, which is called with mu held, does.
func (s *server) wait(what string, holds func() bool) {
	s.t.Helper()
	deadline := time.After(patience)
	for {
		s.mu.Lock()
		done, news, over := holds(), s.news, s.over
		s.mu.Unlock()
		if done {
			return
		}
		if over != nil {
			s.t.Fatalf("the worker ended before %s: %v", what, over)
		}
		select {
		case <-news:
		case <-deadline:
			s.t.Fatalf("%s does not come", what)
		}
	}
}

func (s *server) write(m wire.Message) {
	s.t.Helper()
	if err := s.conn.Write(m); err != nil {
		s.t.Fatal(err)
	}
}

// ask sends a request and returns a function that waits for the reply.
func (s *server) ask(request func(id uint32) wire.Message) func() wire.Reply {
	s.t.Helper()
	s.last++
	id := s.last
	s.write(request(id))
	return func() (reply wire.Reply) {
		s.t.Helper()
		s.wait(fmt.Sprintf("reply %d", id), func() bool {
			i := slices.IndexFunc(s.got, func(m wire.Message) bool { r, ok := m.(wire.Reply); return ok && r.ID == id })
			if i >= 0 {
				reply, _ = s.got[i].(wire.Reply)
			}
			return i >= 0
		})
		return reply
	}
}

// agreed fails the test where a reply is an error.
func (s *server) agreed(r wire.Reply) wire.Reply {
	s.t.Helper()
	if r.Error != nil {
		s.t.Fatalf("refused: %s: %s (%s)", r.Error.Code, r.Error.Sentence, r.Error.Detail)
	}
	return r
}

// refused fails the test where a reply is no error of a code, with a sentence.
func (s *server) refused(what string, r wire.Reply, code string) {
	s.t.Helper()
	if got := r.Error; got == nil {
		s.t.Errorf("%s is done, want %s", what, code)
	} else if got.Code != code || got.Sentence == "" {
		s.t.Errorf("%s: %s: %s (%s), want %s", what, got.Code, got.Sentence, got.Detail, code)
	}
}

// send sends a descriptor.
func (s *server) send(kind wire.SourceKind, f *os.File) {
	s.t.Helper()
	if err := wire.SendSource(s.ends.Descriptors, kind, f); err != nil {
		s.t.Fatal(err)
	}
}

// order is how the tests have a film opened.
func order(f *os.File) wire.Open {
	m := wire.Open{Name: "film", Segment: time.Second, Burn: -1, Upscale: upscaled(nearest), Video: wire.Video{Quality: 10}}
	if info, err := f.Stat(); err == nil {
		m.Size = info.Size()
	}
	return m
}

// upscaled is an upscale by a model alone.
func upscaled(model string) wire.Upscale {
	return wire.Upscale{Model: model, Provider: "cpu", Strength: 1, Filters: filters.Neutral()}
}

// open gives the worker a film.
func (s *server) open(path string) wire.Opened {
	s.t.Helper()
	f := file(s.t, path)
	s.send(wire.SourceFile, f)
	m := order(f)
	r := s.agreed(s.ask(func(id uint32) wire.Message { m.ID = id; return m })())
	if r.Opened == nil {
		s.t.Fatal("opened without facts")
	}
	return *r.Opened
}

// file opens a file until the end of the test.
func file(t *testing.T, path string) *os.File {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() }) // only read from
	return f
}

// play begins a run, which has the number of its request.
func (s *server) play(stream wire.Stream, segment, limit int, change ...func(*wire.Play)) (run uint32) {
	s.t.Helper()
	s.agreed(s.begin(stream, segment, limit, change...)())
	return s.last
}

// begin is play that does not wait for the reply.
func (s *server) begin(stream wire.Stream, segment, limit int, change ...func(*wire.Play)) func() wire.Reply {
	s.t.Helper()
	return s.ask(func(id uint32) wire.Message {
		m := wire.Play{ID: id, Run: id, Stream: stream, Segment: segment, Limit: limit}
		for _, c := range change {
			c(&m)
		}
		return m
	})
}

// set changes what runs.
func (s *server) set(m wire.Set) func() wire.Reply {
	s.t.Helper()
	return s.ask(func(id uint32) wire.Message { m.ID = id; return m })
}

// made is what came of a run.
type made struct {
	inits   []wire.Init
	packets []wire.Packet
	cues    []wire.Cue
	until   time.Duration
	ended   *wire.Ended
	late    bool // something came after Ended
}

// of returns what has come of a run so far. The caller holds mu.
func (s *server) of(run uint32) (m made) {
	for _, one := range s.got {
		before := len(m.inits) + len(m.packets) + len(m.cues)
		switch one := one.(type) {
		case wire.Init:
			if one.Run == run {
				m.inits = append(m.inits, one)
			}
		case wire.Packet:
			if one.Run == run {
				m.packets = append(m.packets, one)
			}
		case wire.Cue:
			if one.Run == run {
				m.cues = append(m.cues, one)
			}
		case wire.Progress:
			if one.Run == run {
				m.until = one.Until
			}
		case wire.Ended:
			if one.Run == run {
				m.ended = &one
			}
		}
		m.late = m.late || m.ended != nil && len(m.inits)+len(m.packets)+len(m.cues) > before
	}
	return m
}

// whole waits for a run's end and returns what came of it.
func (s *server) whole(run uint32) (m made) {
	s.t.Helper()
	s.wait(fmt.Sprintf("the end of run %d", run), func() bool { m = s.of(run); return m.ended != nil })
	return m
}

// finished is whole for a run that must come to the film's end.
func (s *server) finished(run uint32) made {
	s.t.Helper()
	m := s.whole(run)
	if m.ended.Error != nil || m.ended.Halted {
		s.t.Fatalf("run %d ended with %+v, %+v", run, m.ended, m.ended.Error)
	}
	return m
}

// waits waits until a run stands at its limit, and returns what it has made.
func (s *server) waits(run uint32) (m made) {
	s.t.Helper()
	s.wait(fmt.Sprintf("run %d to wait", run), func() bool {
		for i := len(s.got) - 1; i >= 0; i-- {
			if stats, ok := s.got[i].(wire.Stats); ok {
				m = s.of(run)
				return slices.ContainsFunc(stats.Runs, func(r wire.RunStats) bool { return r.Run == run && r.Waiting })
			}
		}
		return false
	})
	return m
}

// stop ends the worker in good order.
func (s *server) stop() {
	s.t.Helper()
	s.write(wire.Stop{})
	if err := s.ended(); err != nil {
		s.t.Errorf("after stop: %v", err)
	}
}

// ended waits for the worker's end.
func (s *server) ended() error {
	s.t.Helper()
	select {
	case err := <-s.end:
		return err
	case <-time.After(patience):
		s.t.Fatal("the worker does not end")
		return errors.New("it does not end")
	}
}

// checkDescriptors fails the test where more descriptors are open than before the
// first one. Some are GStreamer's, which go with the bindings' wrappers when the
// collector comes upon them.
func checkDescriptors(t *testing.T) {
	t.Helper()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for deadline := time.Now().Add(patience); ; <-again.C {
		runtime.GC()
		open := descriptors()
		if len(open) <= bare {
			return
		}
		if time.Now().After(deadline) {
			t.Errorf("%d descriptors were open before the tests, now %q are", bare, open)
			return
		}
	}
}

// descriptors returns what the open descriptors of this process are, without the log
// that go test keeps of a run.
func descriptors() (all []string) {
	entries, _ := os.ReadDir("/proc/self/fd") // which is always there
	for _, e := range entries {
		target, err := os.Readlink("/proc/self/fd/" + e.Name())
		if err == nil && filepath.Base(target) != "testlog.txt" { // an error is that of the folder itself
			all = append(all, target)
		}
	}
	return all
}
