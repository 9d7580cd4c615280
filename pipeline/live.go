package pipeline

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-gst/go-gst/gst"

	"github.com/upscaled-media/upscaled/elements/source"
	"github.com/upscaled-media/upscaled/filters"
)

// Live makes a live stream, Matroska or MPEG-TS, as it comes:
//
//	readersrc ► demuxer ┬► DECODE ► decoder ┊► fix-ups ► UPSCALE ► upscale ► ENCODE ► scale ► adjust ► x264 ► packets
//	                    └► SOUND ► parser ┊► as it is, or decoded and encoded ► packets
//
// Nothing waits for a clock. DECODE lets compressed pictures go that the decoder is
// too slow for, and UPSCALE, of a few decoded ones, those that the upscaler is too slow
// for: the newest are kept. What is right of ┊ is made when it is known what comes
// there, and made anew when that changes.
//
// Threads: one reads and demuxes, one stands behind each queue. What is right of ┊ is
// made on the thread that is left of it, with mu held.
type Live struct {
	log   *slog.Logger
	film  Film
	out   LiveOutput
	stall time.Duration
	audio LiveSound

	pipe    *gst.Pipeline
	signals signals
	stop    chan struct{} // closed when nothing more is to be made

	// mu is held for reading while elements are asked or changed, so that they live,
	// and for writing while they are made and taken down.
	mu      sync.RWMutex
	closed  bool       // guarded by mu; nothing more is to be made
	head    *built     // guarded by mu; what is left of ┊
	begin   time.Time  // guarded by mu; of Run
	picture *liveWay   // guarded by mu; nil before the video's track is there
	sound   *soundWay  // guarded by mu; nil before the sound's track is there
	told    *SoundPlan // guarded by mu; the sound that the output was told of

	clock liveClock     // of the encoder's thread
	heard chan struct{} // closed when it is known what the sound is

	set  sync.Mutex
	spec PlaySpec // guarded by set; as it was set last

	opened atomic.Bool  // out was told of the stream
	handed atomic.Int64 // packets
	until  atomic.Int64 // of the picture, in nanoseconds of the stream
	last   atomic.Pointer[PlayStats]
	fault  faults
}

// LiveOutput takes what comes of a live stream. A slow one holds the pipeline up,
// which lets pictures go then.
type LiveOutput struct {
	// Opened is called once, before anything else, when the first picture is decoded.
	Opened func(PlayPlan) error
	// Picture gets Init and Packet, with times in ticks of LiveTimeScale; Sound with
	// those of its plan's rate. Each is called on a thread of its own.
	Picture, Sound Output
}

// faults keeps the first error of a callback.
type faults struct {
	mu  sync.Mutex
	err error // guarded by mu
}

func (f *faults) note(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == nil {
		f.err = err
	}
}

func (f *faults) first() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}

// note keeps the first error of a callback, which ends the run.
func (l *Live) note(err error) {
	if err != nil && !errors.Is(err, errClosed) {
		l.fault.note(err)
	}
}

// liveOpening bounds the time from the first byte until a picture is decoded, while
// more bytes come: a key frame is to be among them.
const liveOpening = 30 * time.Second

// NewLive prepares a run of a live stream. Limit of the options does not count.
func NewLive(f Film, s LiveSpec, out LiveOutput, o PlayOptions) (*Live, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	if err := register(); err != nil {
		return nil, fail(CodeInternal, err, "GStreamer refused an element")
	}
	return &Live{
		log: o.Log, film: f, out: out, stall: o.Stall, audio: s.Sound, spec: s.PlaySpec,
		stop: make(chan struct{}), heard: make(chan struct{}), clock: liveClock{keys: s.KeyFrames},
	}, nil
}

// Run makes the stream until its end, until ctx ends, or until it fails, and returns
// when the pipeline is in NULL. It may be called once. The error is ctx's cause or of
// type *Error; nil means that all that came is made. One that wraps ErrStuck has left
// threads behind.
func (l *Live) Run(ctx context.Context) error {
	demuxer, err := l.demuxer(ctx)
	if err != nil {
		return err
	}
	if err = l.build(demuxer); err == nil {
		err = l.watch(ctx)
	}
	patience := downTimeout
	if CodeOf(err) == CodeStalled {
		patience = stalledDownTimeout // it has had its time
	}
	if down := l.close(patience); err == nil || errors.Is(down, ErrStuck) {
		err = errors.Join(err, down)
	}
	return err
}

// probed is how much of a stream tells what it is: four packets of MPEG-TS.
const probed = 4 * tsPacket

// tsPacket is the length of a packet of MPEG-TS, tsSync its first byte: ISO/IEC
// 13818-1 §2.4.3.2.
const (
	tsPacket = 188
	tsSync   = 0x47
)

// demuxer returns the demuxer of the stream by its first bytes.
func (l *Live) demuxer(ctx context.Context) (string, error) {
	head := make([]byte, probed)
	for n := 0; ; {
		more, err := l.film.Reader.ReadAt(ctx, head[n:], int64(n))
		n += more
		switch found := demuxerOf(head[:n]); {
		case found != "":
			if s, ok := l.film.Reader.(*source.Stream); ok {
				s.LetGo()
			}
			return found, nil
		case ctx.Err() != nil:
			return "", context.Cause(ctx)
		case errors.Is(err, io.EOF) && n == 0:
			return "", fail(CodeEmpty, nil, "%s ended before it began", l.film.Name)
		case err != nil && !errors.Is(err, io.EOF):
			return "", l.film.unreadable(err)
		case err != nil || n == len(head):
			return "", fail(CodeNotMedia, nil, "%s is neither Matroska nor MPEG-TS", l.film.Name)
		}
	}
}

// demuxerOf returns the demuxer for what begins so, "" where it is not known yet. A
// Matroska stream begins with the id of its header (RFC 8794 §11.2.1), a transport
// stream may begin within a packet.
func demuxerOf(head []byte) string {
	if len(head) >= 4 && head[0] == 0x1a && head[1] == 0x45 && head[2] == 0xdf && head[3] == 0xa3 {
		return "matroskademux"
	}
	for i := range tsPacket {
		if i+2*tsPacket < len(head) && head[i] == tsSync && head[i+tsPacket] == tsSync && head[i+2*tsPacket] == tsSync {
			return "tsdemux"
		}
	}
	return ""
}

// containers names what demuxers read.
var containers = map[string]string{"matroskademux": "Matroska", "tsdemux": "MPEG-TS"}

// build makes what reads the stream and takes it apart.
func (l *Live) build(demuxer string) error {
	pipe, err := gst.NewPipeline("live")
	if err != nil {
		return fail(CodeInternal, err, "GStreamer made no pipeline")
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.begin = time.Now()
	l.pipe = pipe
	l.head = l.part()
	withPriorities(pipe)
	made, err := l.head.chain([]Node{{Factory: "readersrc", Name: "source"}, {Factory: demuxer, Name: "demuxer"}})
	if err != nil {
		return err
	}
	l.head.source = made
	if err := source.Attach(made[0].Unsafe(), l.film.Reader); err != nil {
		return fail(CodeInternal, err, "the source takes no reader")
	}
	l.signals.padAdded(made[1], l.show)
	l.head.sunk = newCounter(made[0].GetStaticPad("src")) // what came in, here
	if err := pipe.SetState(gst.StatePlaying); err != nil {
		return l.failed(popError(pipe), err)
	}
	return nil
}

// part returns what holds some of the pipeline's elements.
func (l *Live) part() *built {
	return &built{pipe: l.pipe, named: map[string]*gst.Element{}, branches: map[string]*branch{}, counters: map[Stage]*counter{}}
}

// show takes a track of the stream: the first of each kind is made, others are read
// past. It runs on the thread that reads.
func (l *Live) show(pad *gst.Pad) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	keepTimes(pad)
	widen(pad)
	switch kind := trackKind(padCaps(pad)); {
	case kind == "video" && l.picture == nil:
		l.note(l.addPicture(pad))
	case kind == "audio" && l.sound == nil && l.wanted():
		l.note(l.addSound(pad))
	default:
		discard(pad)
	}
}

// wanted reports whether a track of sound that turns up is to be made: the output has
// not been told that there is none.
func (l *Live) wanted() bool {
	return l.audio != LiveSilent && (!l.opened.Load() || l.told != nil)
}

// begun brings elements that were added to the state of the pipeline, from the last
// one up.
func begun(elements []*gst.Element) {
	for i := len(elements) - 1; i >= 0; i-- {
		elements[i].SyncStateWithParent() // what fails here is told on the bus
	}
}

// close takes the pipeline to NULL within a time. What is stuck keeps what it uses.
func (l *Live) close(patience time.Duration) error {
	if l.pipe == nil {
		return nil
	}
	l.Stats()
	close(l.stop)
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	err := takeDown(l.pipe, patience)
	if errors.Is(err, ErrStuck) {
		return err
	}
	l.signals.drop()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.picture != nil {
		l.picture.free()
	}
	if l.sound != nil && l.sound.tail != nil {
		l.sound.tail.free()
	}
	l.head.free()
	l.picture, l.sound = nil, nil
	return err
}

// Stats returns what the run has done so far. It never waits.
func (l *Live) Stats() PlayStats {
	if !l.mu.TryRLock() { // something is being made
		return l.lastStats()
	}
	defer l.mu.RUnlock()
	if l.closed || l.picture == nil {
		return l.lastStats()
	}
	w := l.picture
	s := PlayStats{Until: time.Duration(l.until.Load()), Dropped: w.dropped + w.lag.dropped()}
	s.Progress = Progress{Elapsed: time.Since(l.begin), Position: s.Until, Upscaled: w.upscaled, Plain: w.plain, Encoded: w.encoded}
	if c := l.head.counters[StageDecode]; c != nil {
		s.Decoded = c.count()
	}
	if t := w.tail; t != nil {
		s.Model = t.upscaler.Stats()
		through := t.counters[StageUpscale].count()
		s.Upscaled += int64(s.Model.Upscaled)
		s.Plain += max(0, through-int64(s.Model.Upscaled)) // the one in work is counted here first
		s.Encoded += t.counters[StageEncode].count()
		s.Dropped += t.lag.dropped()
	}
	l.last.Store(&s)
	return s
}

func (l *Live) lastStats() PlayStats {
	if s := l.last.Load(); s != nil {
		return *s
	}
	return PlayStats{}
}

// SetModel puts another model of the same scale to work between two frames.
func (l *Live) SetModel(name string) error {
	return l.change(func(t *liveTail) error { return t.upscaler.SetModel(name) }, func(s *PlaySpec) { s.Model = name })
}

// SetStrength sets the share of the model in its mix with a bicubic upscale.
func (l *Live) SetStrength(strength float64) error {
	return l.change(func(t *liveTail) error { return t.upscaler.SetStrength(strength) }, func(s *PlaySpec) { s.Strength = strength })
}

// SetFilters moves the filters. cube is the table that f.LUT names.
func (l *Live) SetFilters(f filters.Settings, cube *filters.Cube) error {
	return l.change(func(t *liveTail) error { return t.adjuster.Set(f, cube) }, func(s *PlaySpec) { s.Filters, s.Cube = f, cube })
}

// KeyFrame makes the next picture a key frame.
func (l *Live) KeyFrame() { l.clock.wish.Store(true) }

// change changes what runs, and what will be made from now on. It may take as long as
// a model needs to load.
func (l *Live) change(now func(*liveTail) error, keep func(*PlaySpec)) error {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if !l.closed && l.upscaling() {
		if err := now(l.picture.tail); err != nil {
			return fail(CodeSpec, err, "%s", err.Error())
		}
	}
	l.set.Lock()
	defer l.set.Unlock()
	keep(&l.spec)
	return nil
}
