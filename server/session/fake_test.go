package session

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/worker/pool"
	"github.com/upscaled-media/upscaled/worker/wire"
)

// The fake worker's pictures: five a second, in segments of a second.
const (
	fakeScale  = 5000
	fakeFrames = 5
	fakeFrame  = fakeScale / fakeFrames
)

// avcConfigs are avcC of two generations of a picture, which differ in the level.
var avcConfigs = map[int]string{
	1: "0164000affe100156764000aacb423d808800001f480005dc00789135001000468ef0fcbfdf8f800",
	2: "0164000bffe100156764000bacb423d808800001f480005dc00789135001000468ef0fcbfdf8f800",
}

// fakeFilm returns the facts of a film of a number of seconds with two tracks of
// sound, one of text and one of bitmaps.
func fakeFilm(seconds int) wire.Opened {
	track := wire.AudioInfo{Rate: 48000, Channels: 2, FrameSamples: 1024, Frames: int64(seconds)*48000/1024 + 1, BitRate: 96000}
	return wire.Opened{
		Container: "fake", Duration: time.Duration(seconds) * time.Second,
		Segment: wire.Segment{Ticks: fakeScale, Frames: fakeFrames},
		Video: wire.VideoInfo{
			TimeScale: fakeScale, Rate: [2]int{fakeFrames, 1}, SourceSize: [2]int{32, 24},
			Size: [2]int{64, 48}, Aspect: [2]int{1, 1}, Scale: 2, MaxRate: 1000, Codec: "fake",
		},
		Audio: []wire.AudioInfo{track, track},
		Text:  []wire.TextInfo{{Language: "de"}, {Language: "en", Bitmap: true}},
		Cost:  wire.Cost{CoreMS: 500},
	}
}

// fakeScales is the catalogue of models.
func fakeScales(model string) (int, error) {
	scale, ok := map[string]int{"a-x2": 2, "b-x2": 2, "c-x4": 4}[model]
	if !ok {
		return 0, &wire.Error{Code: "model_unknown", Sentence: "There is no such model."}
	}
	return scale, nil
}

// fakeStarter starts fake workers. Fields may be changed between calls.
type fakeStarter struct {
	film    wire.Opened
	opening time.Duration
	startup time.Duration // of a run
	pace    time.Duration // of a segment of the picture
	err     error         // of Start

	mu      sync.Mutex
	workers []*fakeWorker // guarded by mu
}

func (f *fakeStarter) Start(ctx context.Context, source string, job Job, handler Handler) (Worker, wire.Opened, error) {
	select {
	case <-time.After(f.opening):
	case <-ctx.Done():
		return nil, wire.Opened{}, context.Cause(ctx)
	}
	if f.err != nil {
		return nil, wire.Opened{}, f.err
	}
	w := &fakeWorker{
		starter: f, source: source, open: job.Open, handler: handler, runs: map[wire.Stream]*fakeRun{},
		upscale: job.Open.Upscale, stop: make(chan struct{}),
	}
	f.mu.Lock()
	f.workers = append(f.workers, w)
	f.mu.Unlock()
	w.all.Go(w.beat)
	return w, f.film, nil
}

// last returns the worker that was started last.
func (f *fakeStarter) last() *fakeWorker {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.workers[len(f.workers)-1]
}

// fakeWorker makes packets that say what they are.
type fakeWorker struct {
	starter *fakeStarter
	source  string
	open    wire.Open
	handler Handler
	say     sync.Mutex // held while the handler is called
	all     sync.WaitGroup

	mu      sync.Mutex
	upscale wire.Upscale // guarded by mu, as all that follows
	runs    map[wire.Stream]*fakeRun
	plays   []wire.Play
	refuse  *wire.Error   // answers the next Play or Set
	hold    chan struct{} // unless it is nil, Play answers when it is closed
	stop    chan struct{}
	dead    bool
	closed  int
	short   int // segments of the film's end that are not made
	made    float64
}

type fakeRun struct {
	play  wire.Play
	limit int
	moved chan struct{} // closed and replaced when limit moves
	halt  chan struct{}
}

func (w *fakeWorker) Play(ctx context.Context, p wire.Play) error {
	w.mu.Lock()
	if hold := w.hold; hold != nil {
		w.mu.Unlock()
		<-hold
		w.mu.Lock()
	}
	defer w.mu.Unlock()
	if w.dead {
		return pool.ErrGone
	}
	w.plays = append(w.plays, p)
	if err := w.refuse; err != nil {
		w.refuse = nil
		return err
	}
	if p.Upscale != nil {
		w.upscale = *p.Upscale
	}
	if old := w.runs[p.Stream]; old != nil {
		close(old.halt)
	}
	r := &fakeRun{play: p, limit: p.Limit, moved: make(chan struct{}), halt: make(chan struct{})}
	w.runs[p.Stream] = r
	w.all.Go(func() { w.run(r) })
	return ctx.Err()
}

func (w *fakeWorker) Set(_ context.Context, c wire.Set) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.dead {
		return pool.ErrGone
	}
	if err := w.refuse; err != nil {
		w.refuse = nil
		return err
	}
	if c.Model != nil {
		w.upscale.Model = *c.Model
	}
	if c.Strength != nil {
		w.upscale.Strength = *c.Strength
	}
	return nil
}

func (w *fakeWorker) Limit(run uint32, segment int) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range w.runs {
		if r.play.Run == run {
			r.limit = segment
			close(r.moved)
			r.moved = make(chan struct{})
		}
	}
	return nil
}

func (w *fakeWorker) Halt(run uint32) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for stream, r := range w.runs {
		if r.play.Run == run {
			close(r.halt)
			delete(w.runs, stream)
		}
	}
	return nil
}

func (w *fakeWorker) Close(context.Context) error {
	w.mu.Lock()
	w.closed++
	if !w.dead {
		w.dead = true
		close(w.stop)
	}
	w.mu.Unlock()
	w.all.Wait()
	return nil
}

// die ends the worker as a crash does.
func (w *fakeWorker) die(err error) {
	w.crash()
	w.handler.Gone(err)
}

// crash ends the worker. How is still to be found out, and then told to Gone.
func (w *fakeWorker) crash() {
	w.mu.Lock()
	w.dead = true
	close(w.stop)
	w.mu.Unlock()
	w.all.Wait()
}

// commands returns all runs that were asked for.
func (w *fakeWorker) commands() []wire.Play {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.plays)
}

// played returns the segments at which runs of a kind of stream began.
func (w *fakeWorker) played(kind wire.StreamKind) []int {
	w.mu.Lock()
	defer w.mu.Unlock()
	var at []int
	for _, p := range w.plays {
		if p.Stream.Kind == kind {
			at = append(at, p.Segment)
		}
	}
	return at
}

// limit returns the limit of the run of a stream, -1 where there is none.
func (w *fakeWorker) limit(stream wire.Stream) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	if r := w.runs[stream]; r != nil {
		return r.limit
	}
	return -1
}

// progress returns how many seconds of the picture are made.
func (w *fakeWorker) progress() float64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.made
}

// seconds returns how much of the film is made.
func (w *fakeWorker) seconds() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return int(w.starter.film.Duration/time.Second) - w.short
}

// tell calls the handler unless the run was halted.
func (w *fakeWorker) tell(r *fakeRun, call func()) bool {
	w.say.Lock()
	defer w.say.Unlock()
	select {
	case <-r.halt:
		return false
	case <-w.stop:
		return false
	default:
		call()
		return true
	}
}

// pause waits, unless the run ends.
func (w *fakeWorker) pause(r *fakeRun, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-r.halt:
	case <-w.stop:
	}
	return false
}

// enter waits until the run may begin a segment.
func (w *fakeWorker) enter(r *fakeRun, segment int) bool {
	for {
		w.mu.Lock()
		may, moved := r.limit > segment, r.moved
		w.mu.Unlock()
		if may {
			return true
		}
		select {
		case <-moved:
		case <-r.halt:
			return false
		case <-w.stop:
			return false
		}
	}
}

func (w *fakeWorker) run(r *fakeRun) {
	if !w.pause(r, w.starter.startup) {
		return
	}
	produce := map[wire.StreamKind]func(*fakeRun, int) bool{
		wire.StreamVideo: w.picture, wire.StreamAudio: w.sound, wire.StreamText: w.text,
	}[r.play.Stream.Kind]
	w.tell(r, func() { w.handler.Init(w.init(r)) })
	for k := r.play.Segment; k < w.seconds(); k++ {
		if !w.enter(r, k) || !produce(r, k) {
			w.handler.Ended(wire.Ended{Run: r.play.Run, Halted: true}) // also late ones must do no harm
			return
		}
	}
	w.tell(r, func() { w.handler.Ended(wire.Ended{Run: r.play.Run}) })
}

func (w *fakeWorker) init(r *fakeRun) wire.Init {
	if r.play.Stream.Kind == wire.StreamAudio {
		return wire.Init{Run: r.play.Run, Codec: "mp4a.40.2", CodecData: []byte{0x11, 0x90}}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	scale, _ := fakeScales(w.upscale.Model)
	config, _ := hex.DecodeString(avcConfigs[scale/2])
	return wire.Init{
		Run: r.play.Run, Codec: fmt.Sprintf("avc1.%x", config[1:4]), CodecData: config,
		Width: 32 * scale, Height: 24 * scale, Aspect: [2]int{1, 1},
	}
}

func (w *fakeWorker) picture(r *fakeRun, k int) bool {
	for n := range fakeFrames {
		if !w.pause(r, w.starter.pace/fakeFrames) {
			return false
		}
		w.mu.Lock()
		data := pictureData(k, n, w.upscale)
		w.made = float64(k) + float64(n+1)/fakeFrames
		w.mu.Unlock()
		at := int64(k*fakeScale + n*fakeFrame)
		if !w.tell(r, func() {
			w.handler.Packet(wire.Packet{Run: r.play.Run, Key: n == 0, PTS: at, DTS: at, Duration: fakeFrame, Data: data})
		}) {
			return false
		}
	}
	return true
}

// pictureData is what a picture holds in place of H.264.
func pictureData(segment, frame int, u wire.Upscale) []byte {
	return fmt.Appendf(nil, "<picture %d.%d of %s at %g>", segment, frame, u.Model, u.Strength)
}

func (w *fakeWorker) sound(r *fakeRun, k int) bool {
	if !w.pause(r, w.starter.pace/20) {
		return false
	}
	info := w.starter.film.Audio[r.play.Stream.Index]
	for n := (int64(k)*48000 + 1023) / 1024; n*1024 < int64(k+1)*48000 && n < info.Frames; n++ {
		data := fmt.Appendf(nil, "<sound %d of %d>", n, r.play.Stream.Index)
		if !w.tell(r, func() {
			w.handler.Packet(wire.Packet{Run: r.play.Run, Key: true, PTS: n * 1024, DTS: n * 1024, Duration: 1024, Data: data})
		}) {
			return false
		}
	}
	return true
}

func (w *fakeWorker) text(r *fakeRun, k int) bool {
	begin := time.Duration(k) * time.Second
	return w.tell(r, func() {
		w.handler.Cue(wire.Cue{Run: r.play.Run, Start: begin + 100*time.Millisecond, End: begin + 1500*time.Millisecond, Text: fmt.Sprint("cue ", k)})
		w.handler.Progress(wire.Progress{Run: r.play.Run, Until: begin + time.Second})
	})
}

// beat sends stats once a second: a second of film costs 300 ms of processor.
func (w *fakeWorker) beat() {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	var encoded int64
	for {
		select {
		case <-w.stop:
			return
		case <-ticker.C:
		}
		w.mu.Lock()
		s := wire.Stats{RSS: 1 << 20}
		if r := w.runs[wire.Stream{Kind: wire.StreamVideo}]; r != nil {
			s.Runs = []wire.RunStats{{Run: r.play.Run, Until: w.made, Waiting: float64(r.limit) <= w.made}}
		}
		s.CPU = time.Duration(w.made * 0.3 * float64(time.Second))
		encoded = int64(w.made * fakeFrames)
		s.Encoded = encoded
		w.mu.Unlock()
		w.say.Lock()
		w.handler.Stats(s)
		w.say.Unlock()
	}
}

// stage is a Manager that runs, with its fakes.
type stage struct {
	*Manager
	t       *testing.T
	starter *fakeStarter
	stop    func() // ends Run and waits for it
}
