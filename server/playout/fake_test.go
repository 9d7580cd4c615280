package playout_test

import (
	"context"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/filters"
	"github.com/upscaled-media/upscaled/server/cache"
	"github.com/upscaled-media/upscaled/server/session"
	"github.com/upscaled-media/upscaled/worker/wire"
)

// The fake film: five pictures a second, in segments of a second, of which the last is shorter, and sound
// that begins in the second one.
const (
	scale    = 5000
	frame    = scale / 5
	pictures = 58
	rate     = 48000
	samples  = 1024
	silent   = 60 // frames of sound that are missing at the begin
	sounds   = 450
	seconds  = 12
)

// avcConfigs are avcC of two sizes of a picture, which differ in the level.
var avcConfigs = map[int]string{
	2: "0164000affe100156764000aacb423d808800001f480005dc00789135001000468ef0fcbfdf8f800",
	4: "0164000bffe100156764000bacb423d808800001f480005dc00789135001000468ef0fcbfdf8f800",
}

func scaleOf(model string) (int, error) { return int(model[len(model)-1] - '0'), nil }

func fakeFilm() wire.Opened {
	return wire.Opened{
		Duration: pictures * time.Second / 5, Segment: wire.Segment{Ticks: scale, Frames: 5},
		Video: wire.VideoInfo{TimeScale: scale, Rate: [2]int{5, 1}, SourceSize: [2]int{32, 24}, Size: [2]int{64, 48}, Aspect: [2]int{1, 1}, Scale: 2},
		Audio: []wire.AudioInfo{
			{Rate: rate, Channels: 2, FrameSamples: samples, First: silent * samples, Frames: sounds, BitRate: 96000, Language: "ger"},
			{Rate: rate, Channels: 2, FrameSamples: samples, First: silent * samples, Frames: sounds, BitRate: 96000, Default: true},
		},
		Text: []wire.TextInfo{{Codec: "PGS", Bitmap: true}, {Codec: "SubRip", Language: "ger"}},
	}
}

// fakeWorker makes packets that say what they are, a segment at once. It is its own Starter.
type fakeWorker struct {
	handler session.Handler
	born    time.Time
	say     sync.Mutex // held while the handler is called
	all     sync.WaitGroup
	pace    time.Duration // of a segment
	weight  int           // of a picture, in bytes; 0: what it says alone
	mute    time.Duration // after the film's begin, for which subtitles do not come

	mu    sync.Mutex
	model string // guarded by mu, as all that follows
	runs  map[uint32]*fakeRun
	made  map[wire.Stream]int // segments that were begun
}

type fakeRun struct {
	wire.Play
	moved chan struct{} // closed and replaced when Limit moves
	halt  context.CancelFunc
}

// Start implements session.Starter.
func (w *fakeWorker) Start(_ context.Context, _ string, job session.Job, handler session.Handler) (session.Worker, wire.Opened, error) {
	w.handler, w.model, w.born = handler, job.Open.Upscale.Model, time.Now()
	return w, fakeFilm(), nil
}

func (w *fakeWorker) Play(ctx context.Context, p wire.Play) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if p.Upscale != nil {
		w.model = p.Upscale.Model
	}
	for _, r := range w.runs {
		if r.Stream == p.Stream {
			r.halt()
		}
	}
	ctx, halt := context.WithCancel(context.WithoutCancel(ctx))
	r := &fakeRun{Play: p, moved: make(chan struct{}), halt: halt}
	w.runs[p.Run] = r
	w.all.Go(func() { w.run(ctx, r) })
	return nil
}

func (w *fakeWorker) Limit(run uint32, segment int) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if r := w.runs[run]; r != nil {
		r.Limit = segment
		close(r.moved)
		r.moved = make(chan struct{})
	}
	return nil
}

func (w *fakeWorker) Halt(run uint32) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if r := w.runs[run]; r != nil {
		r.halt()
	}
	return nil
}

func (w *fakeWorker) Set(context.Context, wire.Set) error { return nil }

func (w *fakeWorker) Close(context.Context) error {
	w.mu.Lock()
	for _, r := range w.runs {
		r.halt()
	}
	w.mu.Unlock()
	w.all.Wait()
	return nil
}

// begun returns how many segments of a stream were begun.
func (w *fakeWorker) begun(kind wire.StreamKind) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.made[wire.Stream{Kind: kind}]
}

// enter waits until a run may begin a segment.
func (w *fakeWorker) enter(ctx context.Context, r *fakeRun, segment int) bool {
	for {
		w.mu.Lock()
		may, moved := r.Limit > segment, r.moved
		if may {
			w.made[r.Stream]++
		}
		w.mu.Unlock()
		if may {
			return ctx.Err() == nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return false
		}
	}
}

func (w *fakeWorker) run(ctx context.Context, r *fakeRun) {
	w.mu.Lock()
	scale, _ := scaleOf(w.model)
	w.mu.Unlock()
	if r.Stream.Kind == wire.StreamText {
		w.caption(ctx, r)
		return
	}
	w.tell(func() { w.handler.Init(initOf(r.Play, scale)) })
	for k := r.Segment; k < seconds; k++ {
		if !w.enter(ctx, r, k) {
			w.tell(func() { w.handler.Ended(wire.Ended{Run: r.Run, Halted: true}) })
			return
		}
		select {
		case <-time.After(w.pace):
		case <-ctx.Done():
		}
		for _, p := range packets(r.Stream.Kind, k, scale) {
			p.Run = r.Run
			p.Data = append(p.Data, make([]byte, max(0, w.weight-len(p.Data)))...)
			w.tell(func() { w.handler.Packet(p) })
		}
	}
	w.tell(func() { w.handler.Ended(wire.Ended{Run: r.Run}) })
}

// cues are those of the fake film, of which the first is shown across segments.
var cues = []wire.Cue{
	{Start: 500 * time.Millisecond, End: 8500 * time.Millisecond, Text: "a &lt; <i>b</i>"},
	{Start: 2 * time.Second, End: 2500 * time.Millisecond, Text: "two"},
	{Start: 10900 * time.Millisecond, End: 11200 * time.Millisecond, Text: "the last"},
}

// caption sends all cues when a run of subtitles begins.
func (w *fakeWorker) caption(ctx context.Context, r *fakeRun) {
	select {
	case <-time.After(time.Until(w.born.Add(w.mute))):
	case <-ctx.Done():
		w.tell(func() { w.handler.Ended(wire.Ended{Run: r.Run, Halted: true}) })
		return
	}
	for _, c := range cues {
		c.Run = r.Run
		w.tell(func() { w.handler.Cue(c) })
	}
	w.tell(func() { w.handler.Ended(wire.Ended{Run: r.Run}) })
}

func (w *fakeWorker) tell(call func()) {
	w.say.Lock()
	defer w.say.Unlock()
	call()
}

func initOf(p wire.Play, scale int) wire.Init {
	if p.Stream.Kind == wire.StreamAudio {
		return wire.Init{Run: p.Run, Codec: "mp4a.40.2", CodecData: []byte{0x11, 0x90}}
	}
	config, _ := hex.DecodeString(avcConfigs[scale])
	return wire.Init{
		Run: p.Run, Codec: fmt.Sprintf("avc1.%x", config[1:4]), CodecData: config, Width: 32 * scale, Height: 24 * scale, Aspect: [2]int{1, 1},
	}
}

// packets returns those of a segment, which say what they are.
func packets(kind wire.StreamKind, k, size int) (all []wire.Packet) {
	if kind == wire.StreamVideo {
		for n := 5 * k; n < min(5*(k+1), pictures); n++ {
			at := int64(n * frame)
			data := fmt.Appendf([]byte{0, 0, 0, 20, 0x41}, "picture %2d in size %d", n, size)[:24]
			all = append(all, wire.Packet{Key: n == 5*k, PTS: at, DTS: at, Duration: frame, Data: data})
		}
		return all
	}
	for n := silent; n < silent+sounds; n++ {
		if at := int64(n * samples); at >= int64(k)*rate && at < int64(k+1)*rate {
			all = append(all, wire.Packet{Key: true, PTS: at, DTS: at, Duration: samples, Data: fmt.Appendf(nil, "sound %d", n)})
		}
	}
	return all
}

// play begins a session of the fake film within a bubble of synctest, which ends with the test.
func play(t *testing.T, pace time.Duration, change ...func(*fakeWorker)) (*session.Session, *fakeWorker) {
	t.Helper()
	store, err := cache.New(cache.Options{Folder: filepath.Join(t.TempDir(), "cache"), Memory: 16 << 20})
	if err != nil {
		t.Fatal(err)
	}
	worker := &fakeWorker{pace: pace, runs: map[uint32]*fakeRun{}, made: map[wire.Stream]int{}}
	for _, c := range change {
		c(worker)
	}
	manager, err := session.New(session.Options{
		Starter: worker, Cache: store, Scale: scaleOf, Capacity: session.Capacity{Sessions: 1, CoreMS: 1e6, GPUMS: 1e6},
		Segment: time.Second, ReadAhead: 3 * time.Second, Idle: 10 * time.Second, Wait: time.Minute,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = manager.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		running.Wait()
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	s, err := manager.Create(t.Context(), session.Request{
		Source: "film", Audio: -1, Text: -1, Settings: session.Settings{Model: "a-x2", Strength: 1, Filters: filters.Neutral(), Quality: -1, Burn: -1},
	})
	if err != nil {
		t.Fatal(err)
	}
	return s, worker
}
