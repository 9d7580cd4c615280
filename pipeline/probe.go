package pipeline

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-gst/go-gst/gst"

	"github.com/upscaled-media/upscaled/container"
	"github.com/upscaled-media/upscaled/elements/source"
)

// MaxPixels is the largest source picture that is taken: 8192 × 4320. What a
// network needs for its work grows with it.
const MaxPixels = 8192 * 4320

// probeTimeout bounds the time until the first picture of a file is decoded.
const probeTimeout = 20 * time.Second

// idleTimeout is how long no thread may run before a file is given up in which
// no stream was found. parsebin swallows the errors that a demuxer posts while
// it is being plugged in (1.22), so the bus may never tell of them.
const idleTimeout = time.Second

// settle is how long no new stream may turn up before a file is taken to have no
// more, where its format does not list them at its beginning. Data is read and
// dropped meanwhile, which gets far.
const settle = 500 * time.Millisecond

// Probe lists what the file at path holds, and decodes the first picture of
// its video. Errors are of type *Error.
func Probe(ctx context.Context, path string) (Media, error) {
	if err := checkFile(path); err != nil {
		return Media{}, err
	}
	f, err := os.Open(path)
	if err != nil {
		return Media{}, fail(CodeUnreadable, err, "%s cannot be read", path)
	}
	defer f.Close() //nolint:errcheck // only read from
	r, err := source.NewFile(f)
	if err != nil {
		return Media{}, fail(CodeUnreadable, err, "%s cannot be read", path)
	}
	return ProbeFilm(ctx, Film{Name: path, Reader: r})
}

// ProbeFilm lists what a film holds, and decodes the first picture of its
// video. Of a stream it knows what the beginning tells. Errors are of type *Error.
func ProbeFilm(ctx context.Context, f Film) (Media, error) {
	p, err := newProbe(f)
	if err != nil {
		return Media{}, err
	}
	defer p.close()
	m, err := p.run(ctx)
	if read := f.failed(p.source); read != nil && err != nil {
		return Media{}, read
	}
	if p.stream != nil {
		return f.streamed(m, err)
	}
	if err != nil {
		return Media{}, err
	}
	in := source.At(ctx, f.Reader)
	if m.Extras, err = container.Read(in, f.Reader.Size()); err != nil {
		return Media{}, f.unreadable(err)
	}
	m.BrokenOff = brokenOff(in, f.Reader.Size())
	m.match()
	return m, nil
}

// checkFile refuses what cannot be a media file before GStreamer sees it.
func checkFile(path string) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fail(CodeNotFound, nil, "there is no file %s", path)
	case err != nil:
		return fail(CodeUnreadable, err, "%s cannot be read", path)
	case !info.Mode().IsRegular():
		return fail(CodeUnreadable, nil, "%s is not a file", path)
	case info.Size() == 0:
		return fail(CodeEmpty, nil, "%s is empty", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return fail(CodeUnreadable, err, "%s cannot be read", path)
	}
	return f.Close()
}

// probe is one look at a file.
type probe struct {
	path           string
	stream         *source.Stream // nil for a film that is sought in
	pipe           *gst.Pipeline
	signals        signals
	source         *gst.Element
	parse, picture *gst.Element // picture holds the first decoded one up

	mu      sync.Mutex
	media   Media        // guarded by mu
	pads    []*gst.Pad   // guarded by mu; of parsebin, in the order of Media's tracks
	decoder *gst.Element // the decodebin of the video; written under mu by the one thread that adds pads
	passed  []*counter   // guarded by mu; of the pads that are read past
	err     error        // guarded by mu; from a callback
	timed   bool         // guarded by mu; media.First is known
}

func newProbe(f Film) (*probe, error) {
	pipe, err := gst.NewPipeline("probe")
	if err != nil {
		return nil, fail(CodeInternal, err, "GStreamer made no pipeline")
	}
	p := &probe{path: f.Name, stream: f.stream(), pipe: pipe, media: Media{Path: f.Name, Streamed: f.stream() != nil}}
	if p.source, err = f.element(pipe); err != nil {
		return nil, err
	}
	if p.parse, err = addElement(pipe, "parsebin", "parse"); err != nil {
		return nil, err
	}
	if p.picture, err = addElement(pipe, "fakesink", "picture"); err != nil {
		return nil, err
	}
	if err := p.source.Link(p.parse); err != nil {
		return nil, fail(CodeInternal, err, "the source and parsebin do not link")
	}
	p.signals.padAdded(p.parse, func(pad *gst.Pad) { p.note(p.addTrack(pad)) })
	return p, nil
}

// note keeps the first error of a callback.
func (p *probe) note(err error) {
	if err == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err == nil {
		p.err = err
	}
}

// addTrack takes a stream that parsebin found: the first video is decoded,
// everything else is read past.
func (p *probe) addTrack(pad *gst.Pad) error {
	t := Track{StreamID: streamID(pad), Caps: padCaps(pad)}
	if p.record(t, pad) {
		return p.decode(pad)
	}
	p.pass(pad)
	return nil
}

// pass reads a stream past.
func (p *probe) pass(pad *gst.Pad) {
	c := newCounter(pad)
	discard(pad)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.passed = append(p.passed, c)
}

// record adds a track to the media and reports whether it is the video to
// decode: the first, or the first that moves if there are pictures of a cover
// beside it.
func (p *probe) record(t Track, pad *gst.Pad) (decode bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pads = append(p.pads, pad)
	video := &p.media.Video.Track
	switch kind := trackKind(t.Caps); {
	case kind == "video" && video.StreamID == "":
		*video = t
		return true
	case kind == "video" && still(video.Caps) && !still(t.Caps):
		p.media.Other = append(p.media.Other, *video)
		*video = t
		return true
	case kind == "audio":
		p.media.Audio = append(p.media.Audio, t)
	case kind == "text":
		p.media.Text = append(p.media.Text, t)
	default:
		p.media.Other = append(p.media.Other, t)
	}
	return false
}

// decode ends the video's pad in a decodebin. A cover that was there before is
// read past: parsebin lets no data flow before it has added all its pads.
func (p *probe) decode(pad *gst.Pad) error {
	if p.decoder != nil {
		sink := p.decoder.GetStaticPad("sink")
		cover := sink.GetPeer()
		cover.Unlink(sink)
		p.pass(cover)
		return p.feed(pad)
	}
	d, err := addElement(p.pipe, "decodebin", "decode")
	if err != nil {
		return err
	}
	if !setProperty(d, "force-sw-decoders", "true") {
		return fail(CodeInternal, nil, "decodebin takes no force-sw-decoders")
	}
	ownPictures(d) // of a file that nothing is known about yet
	p.mu.Lock()
	p.decoder = d
	p.mu.Unlock()
	p.signals.padAdded(d, func(raw *gst.Pad) { p.note(p.show(raw)) })
	d.SyncStateWithParent()
	return p.feed(pad)
}

// feed links the video to the decodebin.
func (p *probe) feed(pad *gst.Pad) error {
	if r := pad.Link(p.decoder.GetStaticPad("sink")); r != gst.PadLinkOK {
		return fail(CodeInternal, nil, "probe: decodebin refused its input: %d", r)
	}
	return nil
}

// show ends raw video in the sink, which waits at its first picture.
func (p *probe) show(raw *gst.Pad) error {
	if r := raw.Link(p.picture.GetStaticPad("sink")); r != gst.PadLinkOK {
		return fail(CodeInternal, nil, "probe: the sink refused its input: %d", r)
	}
	return nil
}

// run brings the pipeline to PAUSED, which is reached with the first picture.
func (p *probe) run(ctx context.Context) (Media, error) {
	if err := p.pipe.SetState(gst.StatePaused); err != nil {
		if failure := popError(p.pipe); failure != nil {
			return Media{}, failure.classify()
		}
		return Media{}, fail(CodeInternal, err, "GStreamer did not start")
	}
	deadline := time.Now().Add(probeTimeout)
	bus := p.pipe.GetPipelineBus()
	moved, heard := time.Now(), time.Now()
	for {
		if err := ctx.Err(); err != nil {
			return Media{}, context.Cause(ctx)
		}
		m := bus.TimedPopFiltered(gst.ClockTime(50*time.Millisecond), gst.MessageError|gst.MessageAsyncDone)
		if m != nil && m.Type() == gst.MessageError {
			return Media{}, p.diagnose(parseFailure(m))
		}
		if m != nil && m.Type() == gst.MessageAsyncDone {
			m, err := p.result()
			if err != nil || m.complete() {
				return m, err
			}
			return p.readOn(ctx)
		}
		if p.stream != nil && p.stream.Waiting() { // nothing can move, and it is for others to say how long
			now := time.Now()
			deadline, moved, heard = now.Add(probeTimeout), now, now
		}
		if !p.pictureless() {
			heard = time.Now()
		} else if time.Since(heard) > settle {
			if err := p.withoutVideo(); err != nil {
				return Media{}, err
			}
		}
		if p.found() || runs(p.pipe) {
			moved = time.Now()
		}
		if time.Since(moved) > idleTimeout {
			return Media{}, fail(CodeDamaged, nil, "%s is damaged: no stream is found in it", p.path)
		}
		if time.Now().After(deadline) {
			return Media{}, fail(CodeStalled, nil, "no picture came out of %s in %s", p.path, probeTimeout)
		}
	}
}

// readOn reads past the first picture, for as long as new streams turn up.
func (p *probe) readOn(ctx context.Context) (Media, error) {
	p.mu.Lock()
	video, seen := p.pads[slices.IndexFunc(p.pads, func(pad *gst.Pad) bool { return streamID(pad) == p.media.Video.StreamID })], 0
	p.mu.Unlock()
	discard(video)
	if err := p.pipe.SetState(gst.StatePlaying); err != nil {
		return Media{}, fail(CodeInternal, err, "GStreamer did not start")
	}
	bus := p.pipe.GetPipelineBus()
	enough := p.enough()
	for quiet := time.Now(); time.Since(quiet) < settle && !enough(seen); {
		if ctx.Err() != nil {
			return Media{}, context.Cause(ctx)
		}
		bus.TimedPopFiltered(gst.ClockTime(20*time.Millisecond), gst.MessageError) // what is damaged later is Run's to meet
		p.mu.Lock()
		if len(p.pads) != seen {
			seen, quiet = len(p.pads), time.Now()
		}
		p.mu.Unlock()
	}
	return p.result()
}

// found reports whether the file has shown a stream.
func (p *probe) found() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.pads) > 0
}

// pictureless reports whether data flows and none of it is video. Most demuxers let
// data flow only after all their pads are there; flvdemux (1.22) adds the picture's
// when its first data comes.
func (p *probe) pictureless() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.media.Video.StreamID == "" && slices.ContainsFunc(p.passed, func(c *counter) bool { return c.count() > 0 })
}

// withoutVideo says why there is no video track, where none has turned up at the last moment.
func (p *probe) withoutVideo() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.media.Video.StreamID != "" {
		return nil
	}
	return p.noVideo()
}

// noVideo says why there is no video track. The caller holds mu.
func (p *probe) noVideo() error {
	for _, pad := range p.pads {
		switch capsName(padCaps(pad)) {
		case "application/x-cenc", "application/x-cbcs", "application/x-webm-enc":
			return fail(CodeEncrypted, nil, "%s is encrypted; it cannot be decoded without its key", p.path)
		case "application/x-hls", "application/dash+xml", "application/vnd.ms-sstr+xml", "application/sdp":
			return fail(CodeNotMedia, nil, "%s only names where a film is to be had; nothing is fetched: give the film itself", p.path)
		}
	}
	return fail(CodeNoVideo, nil, "%s has no video track", p.path)
}

// result returns the media once the pipeline is in PAUSED.
func (p *probe) result() (Media, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.err != nil:
		return Media{}, p.err
	case p.media.Video.StreamID == "":
		return Media{}, p.noVideo()
	}
	raw := p.picture.GetStaticPad("sink").GetCurrentCaps()
	if raw == nil {
		return Media{}, fail(CodeDamaged, nil, "%s ends before its first picture", p.path)
	}
	p.finish(raw.String())
	p.media.Demuxers = factories(p.parse, "Demux", "Demux")
	if !p.media.ownTimes() {
		p.media.Ahead = 0
	}
	if !p.timed { // later the sink holds a later picture
		p.timed, p.media.First = true, p.media.begin()
		if first, ok := lastOf(p.picture, p.media.ownTimes()); ok {
			p.media.First = first
		}
	}
	p.media.Video.Decoder = factories(p.decoder, "Parser", "Decoder")
	v := p.media.Video
	if len(p.media.Demuxers) == 0 && still(v.Caps) {
		return Media{}, fail(CodeNoVideo, nil, "%s is a single picture, not a video", p.path)
	}
	if v.Width < 1 || v.Height < 1 {
		return Media{}, fail(CodeDamaged, nil, "%s has video of no size", p.path)
	}
	if v.Width*v.Height > MaxPixels {
		return Media{}, fail(CodeTooLarge, nil, "the picture of %s is %d×%d; up to %d megapixels are taken",
			p.path, v.Width, v.Height, MaxPixels/1_000_000)
	}
	return p.media, nil
}

// finish fills in what the decoder's caps and the tags tell. The caller holds mu.
func (p *probe) finish(raw string) {
	p.media.Video.show(raw)
	p.tags()
	if ok, ns := p.pipe.QueryDuration(gst.FormatTime); ok && ns > 0 {
		p.media.Duration = time.Duration(ns)
	}
}

// show fills in what the caps of decoded pictures tell.
func (v *Video) show(raw string) {
	v.Width, v.Height = capsInt(raw, "width"), capsInt(raw, "height")
	v.Format = capsField(raw, "format")
	v.Bits = formatBits(v.Format)
	v.Rate = capsFraction(raw, "framerate")
	v.PixelAspect = capsFraction(raw, "pixel-aspect-ratio")
	if v.PixelAspect.Num == 0 {
		v.PixelAspect = Fraction{1, 1}
	}
	v.Interlaced = capsField(raw, "interlace-mode") != "progressive" && capsField(raw, "interlace-mode") != ""
	v.Colorimetry = capsField(raw, "colorimetry")
	v.ChromaSite = capsField(raw, "chroma-site")
	v.Mastering = capsField(raw, "mastering-display-info")
	v.LightLevel = capsField(raw, "content-light-level")
	v.DolbyVision = strings.Contains(v.Caps, "dv_profile") || strings.Contains(v.Caps, "dolby-vision")
}

// tags reads language, title and orientation off the pads. The caller holds mu.
func (p *probe) tags() {
	byID := map[string]*Track{p.media.Video.StreamID: &p.media.Video.Track}
	for _, list := range [][]Track{p.media.Audio, p.media.Text, p.media.Other} {
		for i := range list {
			byID[list[i].StreamID] = &list[i]
		}
	}
	for _, pad := range p.pads {
		p.media.Cover = p.media.Cover || padHasTag(pad, "image") || padHasTag(pad, "preview-image")
		id := streamID(pad)
		t := byID[id]
		if t == nil {
			continue
		}
		t.Caps = padCaps(pad) // by now the parser knows more than when the pad was added
		t.Language, t.Title = padTag(pad, "language-code"), padTag(pad, "title")
		if id == p.media.Video.StreamID {
			if o := padTag(pad, "image-orientation"); o != "rotate-0" {
				p.media.Video.Orientation = o
			}
			p.media.Begin, p.media.Ahead = padBegin(pad)
			p.media.Container = padTag(pad, "container-format")
		}
	}
}

// diagnose turns a GStreamer error during the probe into a sentence.
func (p *probe) diagnose(f *failure) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.pads) > 0 && p.media.Video.StreamID == "" {
		return p.noVideo()
	}
	if f.flow == gst.FlowNotNegotiated && p.decoder != nil {
		if made := factories(p.decoder, "Decoder", "Decoder"); len(made) > 0 && strings.HasPrefix(made[0], "avdec_") {
			return f.unnamed(made[0])
		}
	}
	return f.classify()
}

// close takes the pipeline down and lets everything go.
func (p *probe) close() {
	// The probe has its result; a hang is reported by Run, which meets it too.
	if errors.Is(takeDown(p.pipe, downTimeout), ErrStuck) {
		return
	}
	p.signals.drop()
	for _, c := range p.passed {
		c.free()
	}
}

// addElement makes an element and adds it to the pipeline. An empty name lets
// GStreamer choose one.
func addElement(pipe *gst.Pipeline, factory, name string) (*gst.Element, error) {
	e, err := gst.NewElementWithName(factory, name)
	if err != nil {
		return nil, fail(CodeMissing, err, "GStreamer has no element %s; run upscaled doctor", factory)
	}
	if err := pipe.Add(e); err != nil {
		return nil, fail(CodeInternal, err, "%s cannot be added", factory)
	}
	return e, nil
}
