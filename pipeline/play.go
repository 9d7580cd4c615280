package pipeline

import (
	"context"
	"errors"
	"log/slog"
	"runtime/cgo"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-gst/go-gst/gst"

	"github.com/upscaled-media/upscaled/elements/adjust"
	"github.com/upscaled-media/upscaled/elements/grid"
	"github.com/upscaled-media/upscaled/elements/source"
	"github.com/upscaled-media/upscaled/elements/upscale"
)

// Output takes what a run makes. Its methods are called on one streaming thread
// of the run. They may block, which holds the pipeline up.
type Output interface {
	// Init tells how the packets that follow are to be decoded.
	Init(StreamInit) error
	// Packet gets an access unit; its Data is good during the call only.
	Packet(Packet) error
	// Cue gets a cue of text.
	Cue(Cue) error
	// Reached tells that every cue that begins before a time of the film has come.
	Reached(until time.Duration) error
}

// StreamInit is what a decoder must know before the first packet.
type StreamInit struct {
	Data          []byte // avcC (ISO/IEC 14496-15 §5.3.3.1) or AudioSpecificConfig (ISO/IEC 14496-3 §1.6.2.1)
	Width, Height int    // of a picture, in pixels
	Aspect        Fraction
	Colorimetry   string // GStreamer's
}

// Packet is an access unit: of H.264 with length prefixes of four bytes, or a
// frame of AAC. Times are those of the film, in ticks: of Timeline.TimeScale for
// the picture, of SoundPlan.Rate for sound.
type Packet struct {
	PTS, DTS, Duration int64
	Key                bool
	Data               []byte
}

// Cue is a cue of text, marked up for WebVTT.
type Cue struct {
	Start, End time.Duration
	Text       string
}

// PlayStats are what a run has done so far.
type PlayStats struct {
	Progress
	Waiting  bool          // at its limit
	Until    time.Duration // of the film, what was handed over
	Repeated int64
	Dropped  int64
}

// Play is one run: a stream of a film from a segment on.
type Play struct {
	log      *slog.Logger
	film     Film
	plan     PlayPlan
	graph    Graph
	from     time.Duration // from which the source is read, as its buffers tell the time; the film begins at Media.begin
	stall    time.Duration
	assemble func(*Play) error // sets up what was built, and the lane

	lane  lane
	gate  gate
	built *built
	again bool // it is built for the second time

	last     atomic.Pointer[PlayStats] // when the elements went
	mu       sync.RWMutex              // held for reading while the elements are asked or changed, so that they live
	upscaler *upscale.Element          // guarded by mu; nil but for the picture
	adjuster *adjust.Element           // guarded by mu; likewise
	alive    bool                      // guarded by mu; the elements are there
	begin    time.Time                 // guarded by mu; of Run
	changes  changes
}

// lane is what the streams differ in.
type lane interface {
	// caps gets the caps and the codec data of what follows.
	caps(caps string, data []byte) error
	// buffer gets a buffer that reached the sink.
	buffer(b playBuffer) error
	// end gets the end of the stream.
	end() error
}

// playBuffer is a buffer that reached the sink; times are stream times.
type playBuffer struct {
	data               []byte // good during the call
	pts, dts, duration time.Duration
	timed, key         bool
}

// longDrawn is how long before a run begins a caption may that is drawn into its first
// picture: what is in between is decoded.
const longDrawn = 10 * time.Second

// PlayVideo prepares a run of the picture.
func PlayVideo(f Film, p PlayPlan, segment int, out Output, o PlayOptions) (*Play, error) {
	start, near := p.videoStart(segment)
	from := start
	if p.Spec.Burn >= 0 {
		from = max(p.Timeline.Origin, start-longDrawn)
	}
	r := newPlay(f, p, p.videoGraph(), from, o)
	r.assemble = func(r *Play) error {
		r.built.wide = true
		skipUntil(r.built.decoded.GetPeer(), start, near, r.strict())
		r.lane = &videoLane{plan: p, out: out, gate: &r.gate}
		return r.assemblePicture(segment)
	}
	return r, r.build()
}

// assemblePicture sets up the elements of a run of the picture.
func (r *Play) assemblePicture(segment int) error {
	t, named := r.plan.Timeline, r.built.named
	upscaler, err := upscale.Of(named["upscaler"].Unsafe())
	if err != nil {
		return fail(CodeInternal, err, "no upscaler")
	}
	adjuster, err := adjust.Of(named["adjust"].Unsafe())
	if err != nil {
		return fail(CodeInternal, err, "no filters")
	}
	if err := adjuster.Set(r.plan.Spec.Filters, r.plan.Spec.Cube); err != nil {
		return fail(CodeSpec, err, "filters: %s", err.Error())
	}
	r.upscaler, r.adjuster = upscaler, adjuster
	return grid.Set(named["grid"].Unsafe(), grid.Plan{
		Origin: t.Origin, Ticks: t.Ticks, TimeScale: t.TimeScale, RateNum: t.Rate.Num, RateDen: t.Rate.Den, First: segment, End: t.End,
	})
}

// PlaySound prepares a run of a track of sound.
func PlaySound(f Film, p PlayPlan, track, segment int, out Output, o PlayOptions) (*Play, error) {
	first := newSoundLane(p, track, segment, out, nil)
	start := p.Timeline.Origin
	if first.begin > 0 {
		start += first.at(first.begin)
	}
	r := newPlay(f, p, p.soundGraph(track), start, o)
	r.assemble = func(r *Play) error {
		l := newSoundLane(p, track, segment, out, &r.gate)
		r.lane = l
		if r.strict() {
			mustBegin(r.built.branches[l.plan.StreamID].head, p.Timeline.Origin+l.at(l.due)+rounding)
		}
		if l.plan.Passed {
			return nil
		}
		return grid.SetSamples(r.built.named["grid"].Unsafe(), l.samples())
	}
	return r, r.build()
}

// rounding is how far off the times of a container may be.
const rounding = 2 * time.Millisecond

// PlayOptions is what runs have in common.
type PlayOptions struct {
	Log   *slog.Logger
	Limit int           // the segment that must not be begun
	Stall time.Duration // how long nothing may move while the run is not at its limit
}

func newPlay(f Film, p PlayPlan, g Graph, start time.Duration, o PlayOptions) *Play {
	begin := p.Media.begin()
	claim := max(p.Media.Duration, p.Media.length())
	behind := claim > 0 && start-begin > claim // demuxers go nowhere past the end that a film claims
	if start <= p.Timeline.Origin || behind || p.InOneGo {
		start = begin
	}
	r := &Play{log: o.Log, film: f.mended(p.Media), plan: p, graph: g, from: start, stall: o.Stall, alive: true}
	r.gate.init(p.Timeline, o.Limit)
	return r
}

// build makes the pipeline. Its source is moved before anything comes of it, if
// that is needed.
func (r *Play) build() error {
	if err := register(); err != nil {
		return fail(CodeInternal, err, "GStreamer refused an element")
	}
	b, err := build(r.graph, r.from > r.plan.Media.begin())
	if err != nil {
		return err
	}
	r.built = b
	b.keepTimes, b.awaited = r.plan.Media.ownTimes(), r.plan.Media.flowing()
	if err := source.Attach(b.named["source"].Unsafe(), r.film.Reader); err != nil {
		return errors.Join(fail(CodeInternal, err, "the source takes no reader"), b.close())
	}
	if err := r.assemble(r); err != nil {
		return errors.Join(err, b.close())
	}
	return nil
}

// What a source may be that was to be moved.
var (
	errNoSeek = errors.New("the source does not seek")
	errMissed = errors.New("the source went too far") // past what the run begins with
)

// earlier is how much is put in front of where a source is sent that went too far.
const earlier = 10 * time.Second

// Run makes the stream until its end, until ctx ends, or until it fails, and
// returns when the pipeline is in NULL. It may be called once. The error is
// ctx's cause or of type *Error; nil means that the stream is made to its end.
// One that wraps ErrStuck has left threads behind.
func (r *Play) Run(ctx context.Context) error {
	h := cgo.NewHandle(r)
	r.mu.Lock() // whoever prepared the run may ask for its figures already
	r.begin = time.Now()
	r.mu.Unlock()
	err := r.attempt(ctx, h)
	for errors.Is(err, errNoSeek) || errors.Is(err, errMissed) {
		r.log.Info("the film is read from an earlier place", "why", err, "sought", r.from)
		origin := r.plan.Timeline.Origin
		switch {
		case errors.Is(err, errNoSeek):
			r.from = r.plan.Media.begin() // where it is without a seek
		case r.again: // no gap in the film, which looks the same
			r.from = origin
		default:
			r.from = max(origin, r.from-earlier)
		}
		r.again = true
		if err = r.buildAgain(); err == nil {
			err = r.attempt(ctx, h)
		}
	}
	if !errors.Is(err, ErrStuck) { // a thread that is stuck may still call
		h.Delete()
	}
	return err
}

// attempt runs what is built to its end and takes it down.
func (r *Play) attempt(ctx context.Context, h cgo.Handle) error {
	handOver(r.built.named["sink"], h)
	err := r.watch(ctx)
	r.leave()
	if !errors.Is(err, errNoSeek) && !errors.Is(err, errMissed) {
		r.changes.end()
		r.gate.close() // whoever waits at the limit holds the pipeline up
	}
	patience := downTimeout
	if CodeOf(err) == CodeStalled {
		patience = stalledDownTimeout // it has had its time
	}
	if down := r.built.closeIn(patience); err == nil || errors.Is(down, ErrStuck) {
		err = errors.Join(err, down)
	}
	return err
}

// strict reports whether a source may be sent to an earlier place.
func (r *Play) strict() bool { return r.from > r.plan.Timeline.Origin }

// leave keeps everybody off the elements from now on.
func (r *Play) leave() {
	last := r.Stats()
	r.last.Store(&last)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.alive = false
}

// buildAgain builds the run anew. What was changed meanwhile is changed again.
func (r *Play) buildAgain() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.build(); err != nil {
		return err
	}
	r.alive = true
	for _, change := range r.changes.kept { // nobody adds to them while mu is held
		if err := change(); err != nil {
			return errors.Join(fail(CodeSpec, err, "%s", err.Error()), r.built.close())
		}
	}
	return nil
}

func (r *Play) watch(ctx context.Context) error {
	b := r.built
	if err := b.start(); err != nil {
		return r.failed(popError(b.pipe), err)
	}
	if err := r.seek(ctx); err != nil {
		return err
	}
	dog := newWatchdog(b, r.stall)
	dog.handed = r.gate.count.Load
	bus := b.pipe.GetPipelineBus()
	for {
		m := bus.TimedPopFiltered(gst.ClockTime(50*time.Millisecond), gst.MessageError|gst.MessageWarning|gst.MessageEOS|gst.MessageApplication)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case m == nil:
		case m.Type() == gst.MessageApplication:
			return errMissed
		case m.Type() == gst.MessageError:
			return r.failed(parseFailure(m), nil)
		case m.Type() == gst.MessageEOS:
			return b.failed()
		default:
			r.log.Warn("an element warned", "warning", parseFailure(m).Error())
		}
		if err := b.failed(); err != nil {
			return err
		}
		if r.gate.count.Load() > 0 || r.gate.waiting.Load() {
			r.changes.end() // what is built stays
		}
		if r.gate.waiting.Load() {
			dog.rest()
		} else if err := dog.look(r.upscaler != nil && r.upscaler.Preparing()); err != nil {
			return err
		}
	}
}

// seek moves the source to where the run begins, if it is to be moved.
func (r *Play) seek(ctx context.Context) error {
	if r.built.wait {
		switch sought, err := r.built.seekTo(ctx, r.from-r.plan.Media.Ahead, -1); {
		case err != nil:
			return r.read(err)
		case !sought:
			return errNoSeek
		}
	}
	return nil
}

// read returns the error with which reading failed where one did, else err.
func (r *Play) read(err error) error {
	if read := r.film.failed(r.built.named["source"]); read != nil {
		return read
	}
	return err
}

// failed returns what a failure means: the error of the lane or of the reader
// where one is behind it.
func (r *Play) failed(f *failure, err error) error {
	if lane := r.gate.err(); lane != nil {
		return lane
	}
	switch {
	case f == nil:
		return r.read(fail(CodeInternal, err, "the pipeline did not start"))
	case r.upscaler != nil:
		return r.read(diagnose(f, r.upscaler))
	default:
		return r.read(f.classify())
	}
}

// Limit moves the segment that must not be begun.
func (r *Play) Limit(segment int) { r.gate.move(segment) }

// Stats returns what the run has done so far. It never waits.
func (r *Play) Stats() PlayStats {
	if !r.mu.TryRLock() { // it ends, and waits for a change to be done
		return r.lastStats()
	}
	defer r.mu.RUnlock()
	if !r.alive {
		return r.lastStats()
	}
	s := PlayStats{Waiting: r.gate.waiting.Load(), Until: time.Duration(r.gate.until.Load())}
	if r.upscaler != nil {
		s.Progress = r.built.progress(r.begin, r.upscaler)
		g := grid.Read(r.built.named["grid"].Unsafe())
		s.Repeated, s.Dropped = g.Repeated, g.Dropped
	}
	return s
}

func (r *Play) lastStats() PlayStats {
	if s := r.last.Load(); s != nil {
		return *s
	}
	return PlayStats{}
}
