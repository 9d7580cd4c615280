package pipeline

import (
	"errors"
	"runtime/cgo"
	"slices"
	"sync"
	"time"

	"github.com/go-gst/go-gst/gst"
)

// built is a Graph made of elements.
type built struct {
	graph    Graph
	pipe     *gst.Pipeline
	signals  signals
	source   []*gst.Element // filesrc to parsebin; none where every branch has its own
	named    map[string]*gst.Element
	branches map[string]*branch // by stream id
	counters map[Stage]*counter
	decoded  *gst.Pad // where decoded pictures come from; nil where none are
	size     *steady  // of the decoded pictures; nil where none are decoded
	sunk     *counter // what the sink has been given, nil while there is none
	order    []Stage

	mu      sync.Mutex
	err     error           // guarded by mu; the first of a callback
	streams []*counter      // guarded by mu; of all streams of the source, carried over or not
	wait    bool            // drop all data until a seek
	pushed  bool            // the source does not seek
	part    *part           // what is taken of what the source gives; nil for all
	awaited map[string]bool // guarded by mu; ids of the streams that are to be there before the seek

	keepTimes bool                      // of a run; see Media.ownTimes
	clock     string                    // of a run: id of the stream that tells its position
	clocked   func(time.Duration) error // gets it
	handles   []cgo.Handle              // guarded by mu; to be deleted in NULL
	wide      bool                      // of a run: what a demuxer gives before the place that was sought is wanted, too
}

// branch is the built way of one stream.
type branch struct {
	plan   Branch
	head   *gst.Pad // sink pad of its first element
	linked bool     // guarded by built.mu
	flow   *counter // guarded by built.mu; of the source's pad, where a seek is to come
}

// build makes every element of a graph and links each branch to the muxer, so
// that the muxer knows all its tracks before data comes. The branches' heads
// are linked when parsebin shows the streams. wait drops all data until a seek.
func build(g Graph, wait bool) (*built, error) {
	if err := register(); err != nil {
		return nil, fail(CodeInternal, err, "GStreamer refused an element")
	}
	pipe, err := gst.NewPipeline("pipeline")
	if err != nil {
		return nil, fail(CodeInternal, err, "GStreamer made no pipeline")
	}
	b := &built{
		graph: g, pipe: pipe, wait: wait, named: map[string]*gst.Element{},
		branches: map[string]*branch{}, counters: map[Stage]*counter{},
	}
	if err := b.fill(); err != nil {
		return nil, errors.Join(err, b.close())
	}
	return b, nil
}

func (b *built) fill() error {
	withPriorities(b.pipe)
	mux, err := b.chain(b.graph.Mux)
	if err != nil {
		return err
	}
	for _, p := range b.graph.Branches {
		if err := b.addBranch(p, mux[0]); err != nil {
			return err
		}
	}
	if len(b.graph.Source) == 0 {
		return nil // every branch has a source of its own
	}
	if b.source, err = b.chain(b.graph.Source); err != nil {
		return err
	}
	b.signals.padAdded(b.source[len(b.source)-1], b.show)
	return nil
}

// start brings the pipeline to PLAYING, its source after everything else. A bin
// knows by links alone what has to be ready before what, and parsebin has none
// yet: by itself it would begin before the queue of a sound that is decoded,
// and on a busy machine push into it while it is still shut.
func (b *built) start() error {
	for _, e := range b.source {
		if err := e.SetLockedState(true); err != nil {
			return err
		}
	}
	if err := b.pipe.SetState(gst.StatePlaying); err != nil {
		return err
	}
	for _, e := range b.source {
		if err := e.SetLockedState(false); err != nil {
			return err
		}
		if err := e.SetState(gst.StateReady); err != nil {
			return err
		}
	}
	for _, e := range slices.Backward(b.source) { // parsebin opens filesrc when it is there
		if err := e.SetState(gst.StatePlaying); err != nil {
			return err
		}
	}
	return nil
}

// chain makes nodes and links each to the next; what ends in pads that come
// later is linked when they come.
func (b *built) chain(nodes []Node) ([]*gst.Element, error) {
	var made []*gst.Element
	var before Node
	for i, n := range nodes {
		e, err := b.element(n)
		if err != nil {
			return nil, err
		}
		switch {
		case i == 0:
		case before.Factory == "decodebin":
			b.linkLater(made[i-1], e)
		default:
			if err := made[i-1].Link(e); err != nil {
				return nil, fail(CodeInternal, err, "%s and %s do not link", name(before), name(n))
			}
		}
		made, before = append(made, e), n
	}
	return made, nil
}

func name(n Node) string {
	if n.Factory == "" {
		return n.Caps
	}
	return n.Factory
}

func (b *built) linkLater(from, to *gst.Element) {
	end := to.GetStaticPad("sink")
	b.signals.padAdded(from, func(pad *gst.Pad) {
		if !end.IsLinked() {
			pad.Link(end) // a refusal ends as not-linked on the bus
		}
	})
}

// element makes a node, sets it up and counts what leaves it.
func (b *built) element(n Node) (*gst.Element, error) {
	factory := n.Factory
	if factory == "" {
		factory = "capsfilter"
		n.Props = []Prop{{"caps", n.Caps}}
	}
	e, err := addElement(b.pipe, factory, n.Name)
	if err != nil {
		return nil, err
	}
	for _, p := range n.Props {
		if !setProperty(e, p.Name, p.Value) {
			return nil, fail(CodeInternal, nil, "%s takes no %s=%s", factory, p.Name, p.Value)
		}
	}
	if n.Name != "" {
		b.named[n.Name] = e
	}
	if n.Polite {
		giveWay(e)
	}
	if n.Stamps {
		keepStamps(e)
	}
	if n.Name == "sink" {
		b.sunk = newCounter(e.GetStaticPad("sink"))
	}
	if n.Stage != "" {
		b.counters[n.Stage] = newCounter(e.GetStaticPad("src"))
		b.order = append(b.order, n.Stage)
	}
	switch n.Stage {
	case StageDecode:
		b.decoded = e.GetStaticPad("src")
		b.size = newSteady(e.GetStaticPad("src"))
		orderTimes(e.GetStaticPad("src"), n.Steady)
	case StageEncode:
		keepFirstTime(e)
	default:
	}
	return e, nil
}

func (b *built) addBranch(p Branch, mux *gst.Element) error {
	elements, err := b.chain(p.Nodes)
	if err != nil {
		return err
	}
	if p.Into != "" {
		mux = b.named[p.Into]
	}
	last := elements[len(elements)-1].GetStaticPad("src")
	end := mux.GetStaticPad(p.Pad) // of a sink
	if end == nil {
		end = mux.GetRequestPad(p.Pad)
	}
	if end == nil {
		return fail(CodeInternal, nil, "the sink gives no pad %s", p.Pad)
	}
	rewriteText(last, p.Text)
	if r := last.Link(end); r != gst.PadLinkOK {
		return fail(CodeInternal, nil, "the muxer refused a track: %d", r)
	}
	if p.StreamID == "" {
		return nil // it begins with a source
	}
	b.branches[p.StreamID] = &branch{plan: p, head: elements[0].GetStaticPad("sink")}
	return nil
}

// missing reports how many branches wait for their stream, and how many streams of
// the film are not there yet. It returns the pad of the source that the first branch
// is linked to: a seek sent to it moves the whole source. The first, the picture's,
// waits until data flows, for demuxers (1.22) lose a seek that overtakes their first
// data.
func (b *built) missing() (n, streams int, first *gst.Pad) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, p := range b.graph.Branches {
		br := b.branches[p.StreamID]
		switch {
		case !br.linked, i == 0 && br.flow.count() == 0:
			n++
		case i == 0:
			first = br.head.GetPeer()
		}
	}
	return n, len(b.awaited), first
}

// show links a stream of the source to its branch; one that has none is read
// past. It runs on a GStreamer thread.
func (b *built) show(pad *gst.Pad) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.awaited, streamID(pad))
	br := b.branches[streamID(pad)]
	if br == nil && b.clocked != nil && streamID(pad) == b.clock {
		if b.wait { // before the probe that tells the time: what comes before the seek is no position
			waitForSeek(pad)
		}
		b.handles = append(b.handles, clockBy(pad, b.keepTimes, b.clocked))
		return
	}
	if br == nil || br.linked {
		b.measured(pad)
		discard(pad)
		return
	}
	br.linked = true
	if b.keepTimes {
		keepTimes(pad)
	}
	if b.wide {
		widen(pad)
	}
	if b.wait {
		br.flow = newCounter(pad) // before the probe that drops
		waitForSeek(pad)
	}
	if b.graph.Begin != nil && !b.wait {
		beginAt(pad, *b.graph.Begin)
	}
	kind := trackKind(padCaps(pad))
	if b.pushed && kind == "audio" {
		timeSound(pad)
	}
	if b.part != nil {
		b.part.take(pad, kind == "video", kind != "text")
	}
	b.measured(br.head)
	if r := pad.Link(br.head); r != gst.PadLinkOK && b.err == nil {
		b.err = fail(CodeInternal, nil, "a stream does not link to its branch: %d", r)
	}
}

// take has a part of the source made, which is read from its beginning.
func (b *built) take(start, duration time.Duration) {
	until := time.Duration(-1)
	if duration > 0 {
		until = start + duration
	}
	b.part = newPart(start, until)
}

// failed returns the first error of a callback, or that of a changed size.
func (b *built) failed() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err != nil {
		return b.err
	}
	return b.size.err()
}

// close takes the pipeline to NULL and lets everything go.
func (b *built) close() error { return b.closeIn(downTimeout) }

// closeIn does so within a time. What is stuck keeps what it uses.
func (b *built) closeIn(timeout time.Duration) error {
	err := takeDown(b.pipe, timeout)
	if !errors.Is(err, ErrStuck) {
		b.free()
	}
	return err
}

// free lets go of all that hangs on the elements, which are in NULL.
func (b *built) free() {
	b.signals.drop()
	for _, br := range b.branches {
		if br.flow != nil {
			br.flow.free()
		}
	}
	for _, c := range b.counters {
		c.free()
	}
	for _, c := range b.streams {
		c.free()
	}
	if b.sunk != nil {
		b.sunk.free()
	}
	b.size.free()
	if b.part != nil {
		b.part.free()
		b.part = nil
	}
	for _, h := range b.handles {
		h.Delete()
	}
	b.handles, b.counters, b.streams, b.size, b.sunk = nil, nil, nil, nil, nil
}
