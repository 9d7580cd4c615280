package pipeline

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"runtime/cgo"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-gst/go-gst/gst"

	"github.com/upscaled-media/upscaled/elements/adjust"
	"github.com/upscaled-media/upscaled/elements/grid"
	"github.com/upscaled-media/upscaled/elements/source"
	"github.com/upscaled-media/upscaled/elements/upscale"
	"github.com/upscaled-media/upscaled/filters"
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
	Model    upscale.Stats
}

// Play is one run: a stream of a film from a segment on.
type Play struct {
	log   *slog.Logger
	plan  PlayPlan
	stall time.Duration
	lane  lane
	gate  gate
	built *built
	begin time.Time

	upscaler *upscale.Element // nil but for the picture
	adjuster *adjust.Element  // likewise
	mu       sync.Mutex       // held while the elements are asked or changed, so that they live
	alive    bool             // guarded by mu
	last     PlayStats        // guarded by mu; the newest while they lived
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

// PlayVideo prepares a run of the picture.
func PlayVideo(f Film, p PlayPlan, segment int, out Output, o PlayOptions) (*Play, error) {
	return newPlay(f, p, p.videoGraph(), o, func(r *Play) (lane, error) {
		t := p.Timeline
		e, err := upscale.Of(r.built.named["upscaler"].Unsafe())
		if err != nil {
			return nil, fail(CodeInternal, err, "no upscaler")
		}
		r.upscaler = e
		if r.adjuster, err = adjust.Of(r.built.named["adjust"].Unsafe()); err != nil {
			return nil, fail(CodeInternal, err, "no filters")
		}
		if err := r.adjuster.Set(p.Spec.Filters, p.Spec.Cube); err != nil {
			return nil, fail(CodeSpec, err, "filters: %s", err.Error())
		}
		skipUntil(r.built.decoded, p.videoStart(segment))
		err = grid.Set(r.built.named["grid"].Unsafe(), grid.Plan{
			Origin: t.Origin, Ticks: t.Ticks, TimeScale: t.TimeScale, RateNum: t.Rate.Num, RateDen: t.Rate.Den, First: segment, End: t.End,
		})
		return &videoLane{plan: p, out: out, gate: &r.gate}, err
	}, p.videoStart(segment), -1)
}

// PlaySound prepares a run of a track of sound.
func PlaySound(f Film, p PlayPlan, track, segment int, out Output, o PlayOptions) (*Play, error) {
	lane := newSoundLane(p, track, segment, out)
	return newPlay(f, p, p.soundGraph(track), o, func(r *Play) (lane_, error) {
		lane.gate = &r.gate
		return lane, nil
	}, lane.start, lane.stop)
}

// lane_ is lane, where a variable hides it.
type lane_ = lane

// PlayOptions is what runs have in common.
type PlayOptions struct {
	Log   *slog.Logger
	Limit int           // the segment that must not be begun
	Stall time.Duration // how long nothing may move while the run is not at its limit
}

// newPlay builds a graph whose streams are to begin at a stream time.
func newPlay(f Film, p PlayPlan, g Graph, o PlayOptions, wire func(*Play) (lane, error), start, stop time.Duration) (*Play, error) {
	if err := register(); err != nil {
		return nil, fail(CodeInternal, err, "GStreamer refused an element")
	}
	begin := p.Media.Begin
	b, err := build(g, start > begin || stop >= 0 || p.Media.First > begin)
	if err != nil {
		return nil, err
	}
	r := &Play{log: o.Log, plan: p, stall: o.Stall, built: b}
	b.from, b.until, b.keepTimes = start, stop, p.Media.ownTimes()
	r.gate.init(p.Timeline, o.Limit)
	if err := source.Attach(b.named["source"].Unsafe(), f.Reader); err != nil {
		return nil, errors.Join(fail(CodeInternal, err, "the source takes no reader"), b.close())
	}
	if r.lane, err = wire(r); err != nil {
		return nil, errors.Join(err, b.close())
	}
	return r, nil
}

// Run makes the stream until its end, until ctx ends, or until it fails, and
// returns when the pipeline is in NULL. It may be called once. The error is
// ctx's cause or of type *Error; nil means that the stream is made to its end.
func (r *Play) Run(ctx context.Context) error {
	h := cgo.NewHandle(r)
	handOver(r.built.named["sink"], h)
	r.setAlive(true)
	err := r.watch(ctx)
	r.setAlive(false)
	r.gate.close() // whoever waits at the limit holds the pipeline up
	if down := r.built.close(); err == nil {
		err = down
	}
	h.Delete()
	return err
}

func (r *Play) setAlive(alive bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.look()
	r.alive = alive
}

func (r *Play) watch(ctx context.Context) error {
	b := r.built
	r.begin = time.Now()
	if err := b.start(); err != nil {
		return r.failed(popError(b.pipe), err)
	}
	if b.wait {
		if err := r.seek(ctx); err != nil {
			return err
		}
	}
	dog := newWatchdog(b, r.stall)
	dog.handed = r.gate.count.Load
	bus := b.pipe.GetPipelineBus()
	for {
		m := bus.TimedPopFiltered(gst.ClockTime(50*time.Millisecond), gst.MessageError|gst.MessageWarning|gst.MessageEOS)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case m == nil:
		case m.Type() == gst.MessageError:
			return r.failed(parseFailure(m), nil)
		case m.Type() == gst.MessageEOS:
			return r.lane.end()
		default:
			r.log.Warn("an element warned", "warning", parseFailure(m).Error())
		}
		if err := b.failed(); err != nil {
			return err
		}
		if r.gate.waiting.Load() {
			dog.rest()
		} else if err := dog.look(r.upscaler != nil && r.upscaler.Preparing()); err != nil {
			return err
		}
	}
}

// seek moves the source to where the run begins. Pictures before that are not
// upscaled, be it that the source went back further or cannot be moved.
func (r *Play) seek(ctx context.Context) error {
	b := r.built
	sought, err := b.seekTo(ctx, b.from, b.until)
	switch {
	case err != nil:
		return err
	case !sought:
		return fail(CodeSpec, nil, "the film cannot be played from %s on: its source does not seek", b.from-r.plan.Timeline.Origin)
	}
	return nil
}

// failed returns what a failure means: the error of the lane or of the reader
// where one is behind it.
func (r *Play) failed(f *failure, err error) error {
	if lane := r.gate.err(); lane != nil {
		return lane
	}
	if read := source.Err(r.built.named["source"].Unsafe()); read != nil {
		var known *Error
		if errors.As(read, &known) {
			return known
		}
		return fail(CodeUnreadable, read, "the film cannot be read")
	}
	switch {
	case f == nil:
		return fail(CodeInternal, err, "the pipeline did not start")
	case r.upscaler != nil:
		return diagnose(f, r.upscaler)
	default:
		return f.classify()
	}
}

// Limit moves the segment that must not be begun.
func (r *Play) Limit(segment int) { r.gate.move(segment) }

// SetModel puts another model of the same scale to work between two frames.
func (r *Play) SetModel(name string) error {
	return r.change(func() error { return r.upscaler.SetModel(name) })
}

// SetStrength sets the share of the model in its mix with a bicubic upscale.
func (r *Play) SetStrength(strength float64) error {
	return r.change(func() error { return r.upscaler.SetStrength(strength) })
}

// SetFilters moves the filters. cube is the table that s.LUT names.
func (r *Play) SetFilters(s filters.Settings, cube *filters.Cube) error {
	return r.change(func() error { return r.adjuster.Set(s, cube) })
}

// KeyFrame makes the next picture a key frame.
func (r *Play) KeyFrame() {
	_ = r.change(func() error { grid.KeyFrame(r.built.named["grid"].Unsafe()); return nil }) // a run that has ended needs none
}

// change calls f while the elements of a run of the picture live.
func (r *Play) change(f func() error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.alive || r.upscaler == nil {
		return nil
	}
	if err := f(); err != nil {
		return fail(CodeSpec, err, "%s", err.Error())
	}
	return nil
}

// Stats returns what the run has done so far, also after its end.
func (r *Play) Stats() PlayStats {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.look()
	s := r.last
	s.Waiting, s.Until = r.gate.waiting.Load(), time.Duration(r.gate.until.Load())
	return s
}

// look asks the elements while they live. The caller holds mu.
func (r *Play) look() {
	if !r.alive || r.upscaler == nil {
		return
	}
	g := grid.Read(r.built.named["grid"].Unsafe())
	r.last = PlayStats{
		Progress: r.built.progress(r.begin, r.upscaler), Model: r.upscaler.Stats(), Repeated: g.Repeated, Dropped: g.Dropped,
	}
}

// gate holds a run up at its limit.
type gate struct {
	waiting atomic.Bool
	count   atomic.Int64 // of what was handed over
	until   atomic.Int64 // film time of it, in nanoseconds

	timeline Timeline
	mu       sync.Mutex
	moved    sync.Cond
	limit    time.Duration // guarded by mu
	closed   bool          // guarded by mu
	fault    error         // guarded by mu; of the lane
}

// errClosed ends what is on its way to a run's output when the run ends.
var errClosed = errors.New("the run has ended")

func (g *gate) init(t Timeline, segment int) {
	g.timeline, g.limit = t, limitOf(t, segment)
	g.moved.L = &g.mu
}

func (g *gate) move(segment int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.limit = limitOf(g.timeline, segment)
	g.moved.Broadcast()
}

// limitOf returns the time that a run must not reach before segment. Where the film
// has no such segment there is none: its last one has what begins after its end,
// too, which a frame of sound may.
func limitOf(t Timeline, segment int) time.Duration {
	if begin := t.Begin(segment); begin <= t.End-time.Second/50 { // a shorter rest is no segment
		return begin
	}
	return math.MaxInt64
}

// pass waits until what begins at a time of the film may be handed over.
func (g *gate) pass(at time.Duration) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	for at >= g.limit && !g.closed {
		g.waiting.Store(true)
		g.moved.Wait()
	}
	g.waiting.Store(false)
	if g.closed {
		return errClosed
	}
	return nil
}

// handed notes that all before a time of the film is handed over.
func (g *gate) handed(until time.Duration) {
	g.count.Add(1)
	g.until.Store(max(g.until.Load(), int64(until)))
}

func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	g.moved.Broadcast()
}

func (g *gate) fail(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.fault == nil {
		g.fault = err
	}
}

func (g *gate) err() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.fault
}
